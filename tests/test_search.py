"""Search: a planted better setting is found, hopeless trials are cut short, the test part stays unseen."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hand_made import tables

from recsys_core.actions.searches import search_json, write_settings
from recsys_core.actions.settings_files import changes_in
from recsys_core.config import (
    SETTINGS,
    NeuralSettings,
    PopularitySettings,
    Settings,
    TransformerSettings,
    limits,
    make_settings,
)
from recsys_core.data.dataset import Dataset, build_dataset
from recsys_core.data.split import histories, leave_one_out
from recsys_core.errors import CancelledError, ConfigError
from recsys_core.ranker.evaluation import evaluate
from recsys_core.ranker.registry import fit_counting_ranker
from recsys_core.trainer.search import Report, Search, SearchResult, Trial, search
from recsys_core.trainer.search_space import Choice, Range, search_space

HOUR = 3600.0
PRESET_RATE = NeuralSettings().learning_rate
BEST_RATE = 2.5 * PRESET_RATE
SEARCH = Search("transformer", "balanced", (), n_trials=20, seconds=HOUR, seed=0)


def of(settings: Settings) -> TransformerSettings:
    assert isinstance(settings, TransformerSettings)
    return settings


def planted(settings: Settings, report: Report) -> float:
    """A world with another best learning rate than the preset's, reached step by step over five epochs."""
    height = 1.0 - abs(np.log10(of(settings).learning_rate / BEST_RATE))
    for epoch in range(1, 6):
        report(epoch, height * epoch / 5)
    return height


def searched(
    attempt: Callable[[Settings, Report], float] = planted, what: Search = SEARCH
) -> tuple[SearchResult, list[Trial]]:
    told: list[Trial] = []
    return search(what, attempt, told.append), told


def test_the_preset_is_tried_first_and_the_planted_setting_is_approached():
    result, told = searched()
    assert tuple(told) == result.trials
    assert [trial.number for trial in told] == list(range(20))
    assert told[0].settings == make_settings("transformer")
    assert told[0].valid_ndcg == pytest.approx(1 - np.log10(BEST_RATE / PRESET_RATE))
    assert 0.65 < of(result.best.settings).learning_rate / BEST_RATE < 1.5
    assert result.best.valid_ndcg == max(trial.valid_ndcg or 0 for trial in told if trial.outcome == "whole")


def test_trials_behind_the_median_are_cut_short_before_their_last_epoch():
    _, told = searched()
    short = [trial for trial in told if trial.outcome == "cut short"]
    assert short
    assert all(trial.n_reports < 5 for trial in short)
    assert all(trial.outcome == "whole" for trial in told[:4])
    whole = [trial.valid_ndcg for trial in told if trial.outcome == "whole"]
    assert min(trial.valid_ndcg or 0 for trial in short) < np.median([value or 0 for value in whole])


def test_the_same_seed_tries_the_same():
    drawn = [[trial.tried for trial in searched(what=replace(SEARCH, seed=seed))[1]] for seed in (0, 0, 1)]
    assert drawn[0] == drawn[1] != drawn[2]


def test_what_was_set_stays():
    _, told = searched(what=replace(SEARCH, changes=("n_blocks=3", "learning_rate=0.01")))
    assert {(of(trial.settings).n_blocks, of(trial.settings).learning_rate) for trial in told} == {(3, 0.01)}
    assert all("n_blocks" not in trial.tried for trial in told)
    assert len({of(trial.settings).dropout for trial in told}) > 10


def test_a_search_ends_when_its_time_is_over():
    now = [0.0]

    def slow(settings: Settings, report: Report) -> float:
        for epoch in range(1, 6):
            now[0] += 10.0
            report(epoch, 0.1 * epoch)
        return 0.5

    result = search(replace(SEARCH, seconds=75.0), slow, lambda trial: None, lambda: now[0])
    assert [(trial.n_reports, trial.outcome) for trial in result.trials] == [(5, "whole"), (3, "cut short")]
    assert result.best.number == 0


def test_where_no_trial_is_whole_the_best_of_the_others_is_taken():
    result = search(replace(SEARCH, seconds=1.0), planted, lambda trial: None, iter([0.0, 2.0, 2.0]).__next__)
    (trial,) = result.trials
    assert (trial.outcome, trial.n_reports) == ("cut short", 1)
    assert result.best is trial


def test_a_trial_that_fails_is_told_and_the_others_go_on():
    def fragile(settings: Settings, report: Report) -> float:
        if of(settings).learning_rate > PRESET_RATE:
            raise ConfigError("the loss became nan")
        return planted(settings, report)

    result, told = searched(fragile)
    failed = [trial for trial in told if trial.outcome == "failed"]
    assert failed
    assert {trial.reason for trial in failed} == {"the loss became nan"}
    assert of(result.best.settings).learning_rate <= PRESET_RATE


def test_where_every_trial_fails_the_reason_is_given():
    def broken(settings: Settings, report: Report) -> float:
        raise ConfigError("too little memory")

    with pytest.raises(ConfigError, match="no trial came to a figure; the last one said: too little memory"):
        searched(broken, replace(SEARCH, n_trials=3))


def test_a_person_may_stop_a_search():
    def stopped(settings: Settings, report: Report) -> float:
        raise CancelledError("a person stopped it")

    with pytest.raises(CancelledError, match="a person stopped it"):
        searched(stopped)


def test_all_that_is_wrong_with_a_search_comes_in_one_sentence():
    wrong = Search("popularity", "balanced", (), n_trials=0, seconds=-60.0, seed=0)
    with pytest.raises(
        ConfigError,
        match=r"trials is 0, but it must be .* from 1; minutes is -1, but .* above 0; popularity has nothing",
    ):
        searched(what=wrong)


@pytest.mark.parametrize("ranker", SETTINGS)
@pytest.mark.parametrize("preset", ["quick", "balanced", "best"])
def test_all_that_is_tried_is_within_bounds_and_around_the_preset(ranker: str, preset: str):
    base = make_settings(ranker, preset)
    for name, values in search_space(base).items():
        low, high = limits(SETTINGS[ranker].model_fields[name])
        tried = values.values if isinstance(values, Choice) else (values.low, values.high)
        assert min(tried) <= getattr(base, name) <= max(tried)
        assert (low is None or low <= min(tried)) and (high is None or max(tried) <= high)
        assert not (isinstance(values, Range) and values.is_logarithmic and values.low <= 0)


def test_the_space_of_a_ranker_by_hand():
    space = search_space(make_settings("transitions"))
    assert space == {
        "window": Range(5, 80, is_logarithmic=True, is_whole=True),
        "decay": Range(0.3, 1.0, is_logarithmic=False, is_whole=False),
    }
    assert search_space(make_settings("transformer"))["embedding_size"] == Choice((32, 48, 64, 96, 128))
    assert search_space(PopularitySettings()) == {}


def test_losses_blocks_times_and_texts_are_tried_by_hand():
    space = search_space(make_settings("transformer", "balanced", ["encoder=minilm"]))
    losses = ("softmax", "sampled-softmax", "gbce", "bce", "bpr")
    expected = {
        "loss": Choice(losses),
        "block": Choice(("sasrec", "ligr", "hstu")),
        "time": Choice((True, False)),
        "item_id": Choice((True, False)),
        "encoder": Choice(("minilm", "none")),
        "n_heads": Choice((1, 2, 4)),
        "n_negatives": Range(64, 1_024, is_logarithmic=True, is_whole=True),
        "calibration": Range(0.0, 1.0, is_logarithmic=False, is_whole=False),
    }
    assert {name: space[name] for name in expected} == expected
    assert "request_time" not in space  # figures with it are of another protocol
    assert "mask_share" in search_space(make_settings("bert4rec"))
    assert search_space(make_settings("lstm"))["cell"] == Choice(("lstm", "gru"))


def test_an_item_always_keeps_its_id_or_its_text():
    assert "encoder" not in search_space(make_settings("fusion"))  # known by text alone
    assert "encoder" not in search_space(make_settings("transformer", "quick", ["fine_tune=lora"]))
    _, told = searched(what=replace(SEARCH, over=("encoder", "item_id"), n_trials=12))
    tried = [(trial.settings, trial.tried) for trial in told]
    assert {own.encoder for settings, _ in tried if (own := of(settings))} == {"minilm", "none"}
    for settings, drawn in tried:
        assert of(settings).encoder != "none" or "item_id" not in drawn


def test_what_only_some_losses_read_is_drawn_for_these_alone():
    over = ("loss", "n_negatives", "calibration")
    _, told = searched(what=replace(SEARCH, over=over, n_trials=30))
    assert len({of(trial.settings).loss for trial in told}) == 5
    for trial in told:
        loss = of(trial.settings).loss
        assert ("n_negatives" in trial.tried) == (loss != "softmax")
        assert ("calibration" in trial.tried) == (loss == "gbce")


def test_a_planted_loss_is_found_and_others_are_cut_short():
    def world(settings: Settings, report: Report) -> float:
        height = {"gbce": 0.9, "bce": 0.5}.get(of(settings).loss, 0.3)
        for epoch in range(1, 6):
            report(epoch, height * epoch / 5)
        return height

    result, told = searched(world, replace(SEARCH, over=("loss",), n_trials=30))
    assert of(result.best.settings).loss == "gbce"
    assert {of(trial.settings).loss for trial in told if trial.outcome == "cut short"} <= {
        *("softmax", "sampled-softmax", "bpr", "bce")
    }
    assert any(trial.outcome == "cut short" for trial in told)


@pytest.mark.parametrize("name", ["epochs", "request_time", "nonsense"])
def test_what_cannot_be_searched_is_said(name: str):
    with pytest.raises(ConfigError, match=f"{name} can't be searched for transformer"):
        searched(what=replace(SEARCH, over=("loss", name)))


@pytest.mark.parametrize("ranker", SETTINGS)
def test_all_that_can_be_drawn_is_allowed_together(ranker: str):
    """A trial of settings that contradict each other would be one sentence instead of a figure."""
    if not search_space(make_settings(ranker)):
        return
    what = replace(SEARCH, ranker=ranker, n_trials=12)
    result = search(what, lambda settings, report: 0.5, lambda trial: None)
    assert {trial.outcome for trial in result.trials} == {"whole"}


def walkers(last: Callable[[int], int]) -> Dataset:
    """Forty people who take every second item of a ring of 20; what their last one is, `last` decides."""
    pairs = [
        (f"u{user}", f"i{(user + 2 * step) % 20 if step < 6 else last(user)}")
        for user in range(40)
        for step in range(7)
    ]
    return build_dataset(tables(pairs, range(len(pairs))))


def found_on(dataset: Dataset) -> SearchResult:
    """A search for transition counts on a data set, as the action makes it."""
    split = leave_one_out(dataset)
    known = histories(dataset, split, "valid")

    def attempt(settings: Settings, report: Report) -> float:
        ranker = fit_counting_ranker(settings, known, dataset.n_items)
        return evaluate(ranker, dataset, split, "valid").mean("ndcg@10")

    return search(replace(SEARCH, ranker="transitions", n_trials=6), attempt, lambda trial: None)


def test_a_search_does_not_see_the_test_part():
    """Two worlds that differ in nothing but everybody's last item."""
    first = found_on(walkers(lambda user: (user + 13) % 20))
    second = found_on(walkers(lambda user: (user + 17) % 20))
    assert [trial.valid_ndcg for trial in first.trials] == [trial.valid_ndcg for trial in second.trials]


def test_what_was_found_can_be_trained_with(tmp_path: Path):
    result, _ = searched()
    write_settings(tmp_path / "best.json", SEARCH, result)
    kept = json.loads((tmp_path / "best.json").read_text())
    assert kept["valid_ndcg@10"] == result.best.valid_ndcg
    assert len(kept["trials"]) == 20
    changes = changes_in(tmp_path / "best.json", "transformer")
    assert make_settings("transformer", "quick", changes) == result.best.settings
    assert kept == json.loads(json.dumps(search_json(SEARCH, result)))


def test_a_file_from_before_a_setting_existed_means_what_it_meant(tmp_path: Path):
    result, _ = searched()
    write_settings(tmp_path / "best.json", SEARCH, result)
    kept = json.loads((tmp_path / "best.json").read_text())
    for later in ("optimizer", "place"):
        del kept["settings"][later]
    (tmp_path / "best.json").write_text(json.dumps(kept))
    meant = of(make_settings("transformer", "quick", changes_in(tmp_path / "best.json", "transformer")))
    assert (meant.optimizer, meant.place) == ("adamw", False)
    assert meant == of(result.best.settings).model_copy(update={"optimizer": "adamw", "place": False})


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "is no file of settings that 'reclens search' wrote"),
        ("[1]", "is no file of settings"),
        ('{"version": 1}', "is no file of settings"),
        ('{"version": 9, "ranker": "ease", "settings": {}}', "is of version 9, this RecLens reads version 1"),
        ('{"version": 1, "ranker": "ease", "settings": {}}', "holds settings of ease, not of transformer"),
        ('{"version": 1, "ranker": "transformer", "settings": {"epochs": 0}}', "epochs is 0, but it must be"),
        ('{"version": 1, "ranker": "transformer", "settings": 3}', "is no file of settings"),
    ],
)
def test_a_file_of_other_settings_is_refused(text: str, words: str, tmp_path: Path):
    (tmp_path / "best.json").write_text(text)
    with pytest.raises(ConfigError, match=words):
        changes_in(tmp_path / "best.json", "transformer")


def test_a_file_that_is_not_there_is_refused(tmp_path: Path):
    with pytest.raises(ConfigError, match=r"best\.json is no file of settings"):
        changes_in(tmp_path / "best.json", "transformer")
