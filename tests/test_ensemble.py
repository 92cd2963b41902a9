"""Fusion of several rankers: the scales by hand, the weights by trying all, and an ensemble as a model."""

import math
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from hand_made import WeightedSum, histories_in, random_histories, small_transformer
from ranker_kit import CHECKS, N_ITEMS, Case
from safetensors.torch import load_file, save_file
from scipy.stats import zscore
from two_data_sets import two_data_sets

from recsys_core.actions.jobs import submit_training
from recsys_core.actions.models import list_for_user, open_model, train
from recsys_core.config import SETTINGS, EnsembleSettings
from recsys_core.data.dataset import Histories
from recsys_core.errors import ConfigError, DataError, NotFoundError, StoreError
from recsys_core.explain.history import attribute, default_method
from recsys_core.explain.scoring import Question
from recsys_core.metrics.ranking import ndcg_at_k, target_ranks
from recsys_core.metrics.ranks import one_each
from recsys_core.ranker.ensemble import EnsembleRanker, new_ensemble
from recsys_core.ranker.inner import Inner
from recsys_core.ranker.late_fusion import Fusion, comparable, fit_weights
from recsys_core.ranker.neighbours import fit_ease, fit_transitions
from recsys_core.ranker.popularity import fit_popularity
from recsys_core.ranker.protocol import Ranker, ScoreArray
from recsys_core.store.workspace import Workspace
from recsys_core.trainer.checkpoints import load_ranker, save_ranker

CPU = torch.device("cpu")
NOBODY = Histories.of([[]])


def inner(name: str, ranker: Ranker, kind: str = "popularity") -> Inner:
    return Inner(name, kind, SETTINGS[kind](), ranker)


def fitted(histories: Histories, n_items: int, fusion: Fusion = "log-probability") -> EnsembleRanker:
    members = [
        inner("steps", fit_transitions(histories, n_items, 5, 0.7), "transitions"),
        inner("most", fit_popularity(histories, n_items)),
        inner("linear", fit_ease(histories, n_items, 5.0), "ease"),
    ]
    return new_ensemble(members, [2, 1, 1], fusion)


def loaded(path: Path, fusion: Fusion = "log-probability") -> Ranker:
    return load_ranker(EnsembleSettings(fusion=fusion), path, CPU)


CASES = (
    Case("log-probability", fitted, loaded, tolerance=1e-5),
    Case(
        "standardised",
        lambda h, n: fitted(h, n, "standardised"),
        lambda path: loaded(path, "standardised"),
        tolerance=1e-5,
    ),
    Case(
        "reciprocal-rank",
        lambda h, n: fitted(h, n, "reciprocal-rank"),
        lambda path: loaded(path, "reciprocal-rank"),
        tolerance=1e-5,
    ),
)


@pytest.mark.parametrize("check", CHECKS, ids=[check.__name__ for check in CHECKS])
@pytest.mark.parametrize("case", CASES, ids=[case.name for case in CASES])
def test_ensemble(case: Case, check: Callable[[Case, Path], None], tmp_path: Path):
    check(case, tmp_path)


def row(*values: float) -> ScoreArray:
    """One person's scores of items 1, 2, …; the padding's is one that would spoil everything."""
    return np.array([[1e9, *values]], dtype=np.float32)


def test_log_probabilities_are_over_all_items_but_the_padding():
    shared = comparable(row(1, 2, 3), Histories.of([[3]]), "log-probability", "log-probability")[0]
    norm = math.log(math.exp(1) + math.exp(2) + math.exp(3))
    assert shared.tolist() == pytest.approx([0, 1 - norm, 2 - norm, 3 - norm])


def test_counts_become_logarithms_of_shares():
    """Items 1 and 2 of 4 were counted; a tenth of the mean of 1 stands for what was not."""
    shared = comparable(row(1, 3, 0, 0), NOBODY, "count", "log-probability")[0, 1:]
    assert np.exp(shared).tolist() == pytest.approx([1.1 / 4.4, 3.1 / 4.4, 0.1 / 4.4, 0.1 / 4.4])


def test_similarities_below_zero_are_standardised_first():
    values = np.array([-1.0, 0.5, 2.0])
    shared = comparable(row(*values), NOBODY, "similarity", "log-probability")[0, 1:]
    scaled = np.exp(zscore(values))
    np.testing.assert_allclose(np.exp(shared), scaled / scaled.sum(), rtol=1e-5)


def test_standardised_scores_have_the_mean_and_deviation_of_the_candidates():
    """Item 3 is in the history: it is scaled, but it doesn't scale."""
    shared = comparable(row(2, 4, 9, 12), Histories.of([[3]]), "similarity", "standardised")[0, 1:]
    scaled = zscore([2.0, 4.0, 12.0])
    assert shared[[0, 1, 3]].tolist() == pytest.approx(scaled.tolist(), rel=1e-6)
    assert shared[2] == pytest.approx((9 - 6) / np.std([2, 4, 12]), rel=1e-6)


def test_ranks_are_among_the_candidates_and_ties_go_by_number():
    """Without item 2, which the person has touched, items 4, 1, 3 come in that order; 1 and 3 are equal."""
    shared = comparable(row(5, 7, 5, 8), Histories.of([[2]]), "count", "reciprocal-rank")[0, 1:]
    assert shared.tolist() == pytest.approx([1 / 62, 1 / 62, 1 / 63, 1 / 61])


@pytest.mark.parametrize("fusion", ["log-probability", "standardised"])
@pytest.mark.parametrize("kind", ["count", "similarity", "log-probability"])
def test_equal_scores_stay_equal(kind: str, fusion: str):
    shared = comparable(row(0, 0, 0), NOBODY, kind, fusion)[0, 1:]
    assert np.isfinite(shared).all()
    assert len(set(shared.tolist())) == 1


@pytest.mark.parametrize("fusion", ["log-probability", "standardised", "reciprocal-rank"])
def test_a_person_who_has_touched_everything_still_has_finite_scores(fusion: str):
    for kind in ("count", "log-probability"):
        assert np.isfinite(comparable(row(1, 2), Histories.of([[1, 2]]), kind, fusion)).all()


def test_the_ensemble_adds_up_weighted_log_probabilities():
    histories = random_histories(seed=5, n=10, n_items=8, longest=4)
    first, second = small_transformer(8, seed=1), small_transformer(8, seed=2)
    ensemble = new_ensemble([inner("a", first), inner("b", second)], [3, 1], "log-probability")
    scores = ensemble.score(histories)
    for line, history in enumerate(histories_in(histories)):
        expected = np.zeros(8)
        for ranker, weight in ((first, 0.75), (second, 0.25)):
            logits = ranker.score(Histories.of([history]))[0, 1:].astype(np.float64)
            expected += weight * (logits - np.log(np.exp(logits).sum()))
        np.testing.assert_allclose(scores[line, 1:], expected, atol=1e-5)


def one_who_knows(n_items: int, item: int, histories: Histories) -> WeightedSum:
    """A ranker that adds 1 to `item` for every item of the history."""
    weights = np.zeros((n_items + 1, n_items + 1))
    weights[:, item] = 1
    return WeightedSum(weights)


def test_the_best_ranker_alone_wins_where_the_others_know_nothing():
    histories = Histories.of([[1], [2], [3]] * 5)
    knows, misleads = one_who_knows(20, 15, histories), one_who_knows(20, 14, histories)
    weights = fit_weights([misleads, knows], histories, np.full(15, 15), "standardised")
    assert weights.tolist() == [0, 1]


def test_the_weights_of_two_are_the_best_of_all_steps():
    generator = np.random.default_rng(3)
    histories = random_histories(seed=6, n=80, n_items=25, longest=5, shortest=1)
    rankers = [WeightedSum(generator.normal(size=(26, 26))) for _ in range(2)]
    wanted = np.array([generator.choice(np.setdiff1d(np.arange(1, 26), h)) for h in histories_in(histories)])

    def quality(share: float) -> float:
        scales = [comparable(r.score(histories), histories, r.score_kind, "standardised") for r in rankers]
        fused = np.float32(1 - share) * scales[0] + np.float32(share) * scales[1]
        return ndcg_at_k(one_each(target_ranks(fused, wanted, histories.padded(5))), 10).mean()

    weights = fit_weights(rankers, histories, wanted, "standardised")
    assert quality(weights[1]) == pytest.approx(max(quality(step / 20) for step in range(21)), abs=1e-9)


def test_three_half_truths_are_all_given_weight():
    """Each ranker has the held-out item second, behind an item that only it believes in."""
    histories, n_items = Histories.of([[1]] * 4), 30
    rankers = list[WeightedSum]()
    for wrong in (5, 6, 7):
        weights = np.zeros((n_items + 1, n_items + 1))
        weights[1, wrong], weights[1, 20] = 3, 2
        rankers.append(WeightedSum(weights))
    weights = fit_weights(rankers, histories, np.full(4, 20), "standardised")
    fused = new_ensemble([inner(f"r{n}", r) for n, r in enumerate(rankers)], weights.tolist(), "standardised")
    assert (fused.score(histories)[:, 1:].argmax(axis=1) + 1).tolist() == [20] * 4
    assert weights.sum() == pytest.approx(1)


def test_only_people_with_a_held_out_item_choose_the_weights():
    histories = Histories.of([[1], [2], [3]])
    knows, other = one_who_knows(9, 8, histories), one_who_knows(9, 7, histories)
    assert fit_weights([other, knows], histories, np.array([0, 8, 0]), "standardised").tolist() == [0, 1]
    with pytest.raises(DataError, match="nobody has a held-out item"):
        fit_weights([other, knows], histories, np.zeros(3, dtype=np.int64))


def test_one_member_is_no_ensemble():
    with pytest.raises(ConfigError, match="2 or more trained models, not 1"):
        new_ensemble([inner("a", small_transformer(4))], [1], "standardised")


def test_members_of_different_catalogues_are_an_error():
    members = [inner("a", small_transformer(4)), inner("b", small_transformer(5))]
    with pytest.raises(ConfigError, match="different numbers of items: a 4, b 5"):
        new_ensemble(members, [1, 1], "standardised")


@pytest.mark.parametrize("weights", [[1.0], [0.0, 0.0], [-1.0, 2.0], [math.nan, 1.0]])
def test_weights_that_do_not_fit_are_an_error(weights: list[float]):
    members = [inner("a", small_transformer(4)), inner("b", small_transformer(4))]
    with pytest.raises(ConfigError, match="one number from 0 for each of the 2 members"):
        new_ensemble(members, weights, "standardised")


def test_a_member_without_weight_is_never_asked():
    class Refuses(WeightedSum):
        def score(self, histories: Histories) -> ScoreArray:
            raise AssertionError("it was asked")

    knows = one_who_knows(4, 2, NOBODY)
    ensemble = new_ensemble([inner("a", knows), inner("b", Refuses(knows.weights))], [1, 0], "standardised")
    assert ensemble.score(Histories.of([[1]])).shape == (1, 5)


def test_it_is_explained_by_leaving_items_out():
    ranker = fitted(random_histories(seed=1, n=60, n_items=N_ITEMS, longest=20), N_ITEMS)
    history = np.array([1, 2, 3])
    found = attribute(ranker, Question(history, 9, history), default_method(ranker))
    assert found.method == "leave-one-out"
    with pytest.raises(
        ConfigError, match=r"methods that do: leave-one-out, shapley-sampling, shapley-exact$"
    ):
        attribute(ranker, Question(history, 9, history), "counts")


def test_damaged_members_are_an_error(tmp_path: Path):
    save_ranker(fitted(NOBODY, 5), tmp_path / "whole")
    tensors = load_file(tmp_path / "whole")
    for name, damaged in (("rankers", torch.zeros(3, dtype=torch.uint8)), ("weights", torch.zeros(3))):
        save_file(tensors | {name: damaged}, tmp_path / "damaged")
        with pytest.raises(StoreError, match="doesn't hold the ranker"):
            loaded(tmp_path / "damaged")


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Workspace]:
    """Two data sets, and models of both."""
    with two_data_sets(tmp_path_factory) as workspace:
        for kind in ("transitions", "popularity"):
            train(workspace, "shop", kind, kind)
        train(workspace, "other", "popularity", "elsewhere")
        yield workspace


def test_an_ensemble_is_trained_and_needs_its_members_no_longer(shop: Workspace):
    made = train(shop, "shop", "ensemble", "both", changes=["members=transitions, popularity"])
    assert set(made.details["weights"]) == {"transitions", "popularity"}
    single = [shop.resolve("model", name).details["valid"]["ndcg@10"] for name in made.details["weights"]]
    assert made.details["valid"]["ndcg@10"] >= max(single) - 1e-9
    train(shop, "shop", "popularity", "soon gone")
    train(shop, "shop", "ensemble", "copy", changes=["members=transitions,soon gone", "weights=1,.5"])
    known = Histories.of([[1, 2, 3], []])
    before = open_model(shop, "copy").ranker.score(known)
    shop.delete("model", "soon gone")
    after = open_model(shop, "copy")
    assert np.array_equal(after.ranker.score(known), before)
    assert isinstance(after.ranker, EnsembleRanker)
    assert after.ranker.weights.tolist() == pytest.approx([2 / 3, 1 / 3])
    user = str(after.data.dataset.users["user_id"].iloc[0])
    assert len(list_for_user(after, user, 5)) == 5


@pytest.mark.parametrize(
    ("members", "kind", "words"),
    [
        ("", ConfigError, "members is ''; write members=a,b; models of 'shop': .*transitions"),
        ("transitions", ConfigError, "2 or more different trained models"),
        ("transitions,transitions", ConfigError, "2 or more different trained models"),
        ("transitions,nothing", NotFoundError, "there is no model 'nothing'; models here: "),
        ("transitions,elsewhere", ConfigError, "elsewhere learned from another data set than 'shop'"),
    ],
)
def test_members_that_do_not_fit_are_refused_before_anything_starts(
    shop: Workspace, members: str, kind: type[Exception], words: str
):
    for start in (train, submit_training):
        with pytest.raises(kind, match=words):
            start(shop, "shop", "ensemble", "never", changes=[f"members={members}"])


def test_weights_for_another_number_of_members_are_refused(shop: Workspace):
    with pytest.raises(ConfigError, match="weights has 3 numbers for 2 members"):
        changes = ["members=transitions,popularity", "weights=1,2,3"]
        train(shop, "shop", "ensemble", "never", changes=changes)
