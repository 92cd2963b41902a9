"""What people wrote at the events of their history: who reads it, what it may know, and what it adds."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from hand_made import tables
from sklearn.decomposition import TruncatedSVD

from recsys_core.config import FusionSettings, LstmSettings, NeuralSettings, TransformerSettings
from recsys_core.data.dataset import Dataset, Histories, build_dataset
from recsys_core.data.events import EventContext
from recsys_core.data.profiles import ItemTraits, ProfileLayout
from recsys_core.data.schema import Tables
from recsys_core.data.split import leave_one_out
from recsys_core.encoder.reduction import principal_values
from recsys_core.errors import ConfigError
from recsys_core.explain.components import NEUTRAL, explain_components, parts_of
from recsys_core.explain.model_phrases import CHINESE, ENGLISH
from recsys_core.explain.scoring import Question
from recsys_core.pipeline import learn
from recsys_core.ranker.neural import HistoryBatch, NeuralRanker
from recsys_core.ranker.profile import ProfileColumns
from recsys_core.ranker.registry import new_neural_ranker, ranker_of
from recsys_core.trainer.loop import train
from recsys_core.trainer.recipe import Callbacks, Recipe

pytestmark = pytest.mark.usefixtures("one_thread")

CPU, N_ITEMS, N_TEXTS = torch.device("cpu"), 12, 4
SIZES = {"embedding_size": 16, "max_length": 8, "dropout": 0.0, "encoder": "none"}
SETTINGS: dict[str, NeuralSettings] = {
    "transformer": TransformerSettings(n_blocks=1, **SIZES),  # pyright: ignore[reportArgumentType]
    "fusion": FusionSettings(**SIZES | {"item_id": True}),  # pyright: ignore[reportArgumentType]
}


def new_ranker(kind: str, reads: bool = True) -> NeuralRanker:
    torch.manual_seed(0)
    traits = ItemTraits(("popularity taste",), np.zeros((N_ITEMS + 1, 1)))
    layout = ProfileLayout(traits.names, (), (), (), has_times=False, has_dwell=False, has_strengths=False)
    values = torch.cat([torch.zeros(1, N_TEXTS), torch.eye(N_TEXTS)]).half()  # each text is its own direction
    profile = ProfileColumns.of(layout, traits)
    return new_neural_ranker(
        SETTINGS[kind], N_ITEMS, None, profile=profile, written=values if reads else None
    )


def speaking(kind: str) -> NeuralRanker:
    """A ranker to which every text says something."""
    ranker = new_ranker(kind).eval()
    assert ranker.written is not None
    with torch.no_grad():
        ranker.written.projection.weight.normal_(generator=torch.Generator().manual_seed(1))
        for weight in ranker.parameters():
            weight.add_(0.3 * torch.randn_like(weight))
    return ranker


def known(items: list[list[int]], texts: list[list[int]]) -> Histories:
    bare = Histories.of(items)
    context = EventContext.unknown(bare.items.shape, 0)
    return replace(bare, context=replace(context, texts=np.concatenate(texts).astype(np.int64)))


def world(n_people: int, generator: np.random.Generator) -> tuple[list[list[int]], list[list[int]]]:
    """Everybody touches two items at random, writes one of four texts, and goes on to the item of that text.

    Items 1 to 4 belong to the texts; what was touched before tells nothing.
    """
    texts = generator.integers(1, N_TEXTS + 1, n_people)
    before = np.array([generator.permutation(np.arange(5, N_ITEMS + 1))[:2] for _ in range(n_people)])
    return np.column_stack([before, texts]).tolist(), [[0, int(text), 0] for text in texts]


@pytest.mark.slow
@pytest.mark.parametrize("kind", SETTINGS)
def test_what_people_wrote_tells_what_they_touch_next(kind: str):
    """With its text the right item of four comes first; without it, no better than one time in two."""
    generator = np.random.default_rng(0)
    right = dict[bool, float]()
    items, texts = world(400, generator)
    asked_items, asked_texts = world(200, generator)
    asked = known([row[:2] for row in asked_items], [row[:2] for row in asked_texts])
    for reads in (True, False):
        ranker, rising = new_ranker(kind, reads), iter(range(12))
        recipe = Recipe(12, 12, batch_size=32, learning_rate=0.02, weight_decay=0.0, seed=0)
        callbacks = Callbacks(step=lambda _: None, epoch=lambda _: None)
        train(ranker, known(items, texts), lambda up=rising: next(up), recipe, CPU, callbacks)
        scores = ranker.eval().score(asked)[:, 1 : N_TEXTS + 1]
        right[reads] = float((scores.argmax(1) + 1 == [row[2] for row in asked_items]).mean())
    assert right[True] > 0.95
    assert right[False] < 0.5


@pytest.mark.parametrize("kind", SETTINGS)
def test_no_state_knows_what_is_written_after_it(kind: str):
    ranker, items = speaking(kind), [[5, 6, 7, 8]]
    states = [
        ranker.hidden(HistoryBatch.of(known(items, [texts]), 8, CPU), ranker.item_vectors())
        for texts in ([1, 0, 2, 3], [1, 0, 4, 1])
    ]
    torch.testing.assert_close(states[0][:, :2], states[1][:, :2], rtol=0, atol=0)
    assert (states[0][:, 2] - states[1][:, 2]).abs().max() > 0.01


@pytest.mark.parametrize("kind", SETTINGS)
def test_a_ranker_that_reads_texts_comes_back_to_the_bit(kind: str):
    ranker, asked = speaking(kind), known([[5, 6], [7]], [[1, 2], [3]])
    again = ranker_of(SETTINGS[kind], ranker.tensors(), CPU)
    np.testing.assert_array_equal(again.score(asked), ranker.score(asked))


@pytest.mark.parametrize("kind", SETTINGS)
def test_no_text_and_one_from_after_the_training_say_nothing(kind: str):
    ranker, items = speaking(kind), [[5, 6]]
    nothing = ranker.score(known(items, [[0, 0]]))
    np.testing.assert_array_equal(ranker.score(known(items, [[0, N_TEXTS + 9]])), nothing)
    np.testing.assert_allclose(ranker.score(Histories.of(items)), nothing, rtol=1e-4, atol=1e-5)
    assert abs(ranker.score(known(items, [[0, 1]])) - nothing).max() > 0.01


def test_before_it_has_learned_a_text_changes_nothing():
    for kind in SETTINGS:
        ranker = new_ranker(kind).eval()
        np.testing.assert_array_equal(
            ranker.score(known([[5, 6]], [[1, 2]])), ranker.score(known([[5, 6]], [[0, 0]]))
        )


def test_a_ranker_of_items_alone_refuses_texts_in_words():
    with pytest.raises(ConfigError, match="reads the items of a history and nothing that was written"):
        new_neural_ranker(LstmSettings(encoder="none"), N_ITEMS, None, written=torch.zeros(2, 3).half())


@pytest.mark.parametrize("kind", SETTINGS)
def test_what_was_written_is_a_part_of_the_score(kind: str):
    ranker = speaking(kind)
    assert "review" in parts_of(ranker)
    place = parts_of(ranker).index("review")
    context = known([[5, 6]], [[1, 2]]).context
    silent = known([[5, 6]], [[0, 0]]).context
    spoken, unspoken = (Question(np.array([5, 6]), 3, np.array([5, 6]), own) for own in (context, silent))
    of_spoken, of_silent = explain_components(ranker, [spoken, unspoken])
    assert abs(of_spoken.contributions[place]) > 0.01
    assert of_silent.contributions[place] == pytest.approx(0, abs=1e-9)
    assert of_spoken.contributions.sum() == pytest.approx(
        of_spoken.score - of_spoken.baseline_score, abs=1e-9
    )


def test_every_part_has_words_in_both_languages():
    assert set(ENGLISH.parts) == set(CHINESE.parts) == set(NEUTRAL)


def test_few_numbers_span_what_a_singular_value_decomposition_finds():
    generator = np.random.default_rng(0)
    vectors = (generator.normal(size=(300, 4)) * [8, 4, 2, 1]) @ generator.normal(size=(4, 20))
    few = principal_values(vectors, np.ones(300, dtype=bool), 2).astype(float)
    reference = TruncatedSVD(2, algorithm="arpack", random_state=0).fit_transform(vectors)
    assert few.shape == (300, 2)
    for column in range(2):
        assert abs(np.corrcoef(few[:, column], reference[:, column])[0, 1]) == pytest.approx(1, abs=1e-4)
    assert np.mean(few**2) == pytest.approx(1, abs=1e-2)


def test_rows_that_are_not_fitted_change_no_direction():
    generator = np.random.default_rng(1)
    vectors, fitted = generator.normal(size=(40, 6)), np.arange(40) < 30
    others = np.concatenate([vectors[:30], 100 * generator.normal(size=(10, 6))])
    before, after = (principal_values(own, fitted, 3)[:30] for own in (vectors, others))
    np.testing.assert_array_equal(before, after)


def test_texts_that_say_nothing_have_no_directions():
    assert principal_values(np.zeros((3, 5)), np.ones(3, dtype=bool), 2).shape == (3, 0)
    assert principal_values(np.eye(3), np.zeros(3, dtype=bool), 2).shape == (3, 0)


def reviewed(tmp_path: Path) -> Dataset:
    people, times = [f"p{row:02d}" for row in range(30)], list(range(150))
    made = tables([(people[row // 5], f"i{(row * 7 + row // 5) % 11}") for row in range(150)], times)
    words = ("dull and slow", "fine indeed", "", "很好看")
    interactions = made.interactions.assign(
        review_text=pd.Series([words[row % 4] for row in range(150)], dtype="str")
    )
    items = made.items.assign(title=[f"A title of {item}" for item in made.items["item_id"]])
    return build_dataset(Tables(interactions, items, made.users))


@pytest.mark.parametrize(
    ("changed", "reads"),
    [({}, True), ({"reviews": False}, False), ({"encoder": "none"}, False)],
    ids=["by default", "switched off", "without a text encoder"],
)
def test_training_reads_what_people_wrote_where_the_settings_say_so(
    tmp_path: Path, changed: dict[str, object], reads: bool
):
    dataset = reviewed(tmp_path)
    small = {"n_blocks": 1, "epochs": 1, "embedding_size": 16, "max_length": 8, "encoder": "character-ngrams"}
    learned = learn(
        dataset,
        leave_one_out(dataset),
        TransformerSettings.model_validate(small | changed),
        seed=0,
        device=CPU,
        cache=tmp_path,
        progress=lambda share, message: None,
        on_epoch=lambda epoch: None,
    )
    assert isinstance(learned.ranker, NeuralRanker)
    assert (learned.ranker.written is not None) == reads
    if learned.ranker.written is not None:
        assert learned.ranker.written.values.shape[0] == len(dataset.written) + 1
        assert not learned.ranker.written.values[0].any()
