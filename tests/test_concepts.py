"""Concepts that move a score are found, sets that mean nothing aren't, and the figures are those by hand."""

import numpy as np
import pandas as pd
import pytest
import torch
from app_workspace import BuiltWorkspace
from command import Command
from hand_made import shaken, small_transformer, tables
from scipy.stats import kstest
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from torch import Tensor

from recsys_core.actions.concepts import words_typed
from recsys_core.actions.models import open_model
from recsys_core.data.dataset import Dataset, build_dataset
from recsys_core.errors import ConfigError
from recsys_core.explain.concept_items import category_concepts, words_concept
from recsys_core.explain.concepts import (
    EVERYBODY,
    N_RANDOM,
    Concept,
    concept_effects,
    discriminants,
    history_gradients,
    holm,
    separability,
)
from recsys_core.explain.scoring import Question, item_scores
from recsys_core.ranker.bert4rec import Bert4RecRanker
from recsys_core.ranker.neighbours import fit_item_knn
from recsys_core.ranker.neural import HistoryBatch, ItemVectors, NeuralRanker
from recsys_core.store.workspace import Workspace

pytestmark = pytest.mark.usefixtures("one_thread")

N_ITEMS, SIZE = 60, 6
PLANTED = np.arange(1, 16)  # items whose vectors point along the first axis


class MeanRanker(NeuralRanker):
    """The state is the mean of the history's vectors, so every gradient can be written down."""

    def last_state(self, batch: HistoryBatch, vectors: Tensor) -> Tensor:
        real = (torch.arange(batch.items.shape[1]) < batch.lengths[:, None])[..., None]
        return (self.history_embedding(batch.items, vectors) * real).sum(1) / batch.lengths[:, None]


def mean_ranker(seed: int = 0) -> MeanRanker:
    """Item 60 likes the first axis, item 59 the opposite; items 1 to 15 point along it."""
    torch.manual_seed(seed)
    ranker = MeanRanker(ItemVectors(N_ITEMS, SIZE, None), N_ITEMS, 10)
    with torch.no_grad():
        weight = ranker.item_vectors.id.weight  # pyright: ignore[reportOptionalMemberAccess]
        weight.copy_(torch.randn_like(weight) * 0.3)
        weight[1:16, 0] += 1.5
        weight[60], weight[59] = 0.0, 0.0
        weight[60, 0], weight[59, 0] = 3.0, -3.0
    return ranker.eval()


def questions_about(item: int, n: int = 40) -> list[Question]:
    generator = np.random.default_rng(3)
    histories = [generator.permutation(np.arange(16, 59))[:5] for _ in range(n)]
    return [Question(history, item, history) for history in histories]


def test_a_planted_concept_raises_and_lowers_scores():
    planted = Concept("planted", PLANTED)
    for item, tcav in ((60, 1.0), (59, 0.0)):
        (found,) = concept_effects(mean_ranker(), questions_about(item), [planted]).effects
        assert found.tcav == tcav
        assert found.p_value <= 3 / (1 + N_RANDOM)
        assert found.p_adjusted < 0.05
        assert (found.sensitivity > 0) == (item == 60)
        assert (found.concept, found.group, found.n_items, found.n_people) == ("planted", EVERYBODY, 15, 40)


def test_p_values_of_sets_that_mean_nothing_are_uniform():
    generator = np.random.default_rng(8)
    random_sets = [Concept(str(n), generator.permutation(N_ITEMS)[:12] + 1) for n in range(150)]
    ranker = shaken(mean_ranker(), 0.5)
    questions = [*questions_about(60, 15), *questions_about(58, 15)]
    effects = concept_effects(ranker, questions, random_sets).effects
    p_values = [effect.p_value for effect in effects]
    assert kstest(p_values, "uniform", alternative="greater").pvalue > 0.01
    assert np.mean(np.array(p_values) <= 0.05) <= 0.10


def test_groups_that_are_moved_in_other_directions_are_told_apart():
    questions = [*questions_about(60, 20), *questions_about(59, 20)]
    groups = {"one": np.arange(20), "other": np.arange(20, 40)}
    report = concept_effects(mean_ranker(), questions, [Concept("planted", PLANTED)], groups)
    assert {effect.group: effect.tcav for effect in report.effects} == {
        EVERYBODY: 0.5,
        "one": 1.0,
        "other": 0.0,
    }


def test_a_small_group_is_not_shown_and_not_given_away_by_the_rest():
    groups = {"most": np.arange(22), "some": np.arange(22, 33), "few": np.arange(33, 40)}
    report = concept_effects(mean_ranker(), questions_about(60), [Concept("planted", PLANTED)], groups)
    assert {effect.group for effect in report.effects} == {EVERYBODY, "most"}
    assert report.not_tested == (
        ("few", "fewer than 11 people"),
        ("some", "it would tell of a group of fewer than 11 people"),
    )


def test_concepts_that_are_too_small_or_too_large_are_named():
    concepts = [Concept("four", np.arange(1, 5)), Concept("most", np.arange(1, 40))]
    report = concept_effects(mean_ranker(), questions_about(60), concepts)
    assert report.effects == ()
    assert report.not_tested == (
        ("four", "4 items; at least 5 are needed"),
        ("most", "39 of 60 items; half of the catalogue is the most"),
    )


def bert4rec() -> Bert4RecRanker:
    torch.manual_seed(0)
    return shaken(Bert4RecRanker(N_ITEMS, 8, 1, 2, 12, 0.0, 0.2))


@pytest.mark.parametrize("ranker", [mean_ranker(), small_transformer(N_ITEMS), bert4rec()])
def test_gradients_foretell_what_a_small_step_of_all_history_items_does(ranker: NeuralRanker):
    """The step is made by moving what the history looks up, by a hook that the code doesn't know of."""
    questions = questions_about(60, 3)
    gradients = history_gradients(ranker, questions)
    step = torch.randn(gradients.shape[1], generator=torch.Generator().manual_seed(0)) * 2e-3

    def scores() -> np.ndarray[tuple[int], np.dtype[np.float64]]:
        return np.array([item_scores(ranker, question, question.known)[0] for question in questions])

    moved = list[np.ndarray[tuple[int], np.dtype[np.float64]]]()
    for sign in (1, -1):
        handle = ranker.history_embedding.register_forward_hook(lambda _m, _i, out, s=sign: out + s * step)
        moved.append(scores())
        handle.remove()
    np.testing.assert_allclose(gradients @ step.numpy(), (moved[0] - moved[1]) / 2, rtol=0.05, atol=2e-5)


def test_the_direction_of_a_set_is_that_of_linear_discriminant_analysis():
    generator = np.random.default_rng(0)
    vectors = generator.normal(size=(N_ITEMS, SIZE)) * np.array([3, 1, 1, 0.5, 1, 2])
    vectors[:15] += [1, 0, 1, 0, 0, 0]
    ours = discriminants(vectors)[:, :15].mean(axis=1)
    labels = np.arange(N_ITEMS) < 15
    theirs = LinearDiscriminantAnalysis(solver="lsqr").fit(vectors, labels).coef_[0]
    cosine = ours @ theirs / np.linalg.norm(ours) / np.linalg.norm(theirs)
    assert cosine > 0.999


def test_a_concept_that_lies_apart_is_separable_and_a_random_one_is_not():
    vectors = mean_ranker().item_vectors()[1:].detach().double().numpy()
    assert separability(vectors, PLANTED, np.random.default_rng(0)) > 0.9
    drawn = [np.random.default_rng(seed).permutation(N_ITEMS)[:14] + 1 for seed in range(30)]
    auc = [separability(vectors, items, np.random.default_rng(0)) for items in drawn]
    assert np.mean(auc) == pytest.approx(0.5, abs=0.08)


def test_holm_by_hand():
    """.01 · 4, .02 · 3 (equal to it: .06), .03 · 2 and .5; never falling."""
    assert holm(np.array([0.5, 0.01, 0.03, 0.02])) == pytest.approx([0.5, 0.04, 0.06, 0.06])
    assert holm(np.array([])).tolist() == []


def test_a_ranker_that_counts_has_no_directions():
    ranker = fit_item_knn(small_dataset().events, 3, 2, 1.0)
    with pytest.raises(ConfigError, match="counts and knows items by no vectors"):
        concept_effects(ranker, [], [])


def small_dataset() -> Dataset:
    made = tables([("u", "a"), ("u", "b"), ("v", "c")])
    items: pd.DataFrame = made.items.assign(
        category=["film|war", "film", ""],
        title=["War and Peace", "Warm days", "战争与和平"],
        text=["", "no WAR here", ""],
    )
    return build_dataset(type(made)(made.interactions, items, made.users))


def test_categories_are_concepts():
    found = {concept.name: concept.items.tolist() for concept in category_concepts(small_dataset())}
    assert found == {"film": [1, 2], "war": [1]}


@pytest.mark.parametrize(
    ("words", "items"),
    [
        (["war"], [1, 2]),
        (["warm"], [2]),
        (["wa"], []),
        (["peace", "days"], [1, 2]),
        (["和平"], [3]),
        (["c++"], []),
    ],
)
def test_words_stand_by_themselves_where_a_script_has_spaces(words: list[str], items: list[int]):
    assert words_concept(small_dataset(), "typed", words).items.tolist() == items


def test_a_concept_without_words_is_refused():
    with pytest.raises(ConfigError, match="the concept 'war' has no word"):
        words_concept(small_dataset(), "war", ["", " "])


def test_the_command_tests_categories_words_and_groups(shop: BuiltWorkspace):
    reclens = Command(shop.home)
    titles = open_model(Workspace.open(shop.home), shop.transformer).data.dataset.titles[1:8]
    words = "typed=" + ",".join(title.replace(",", " ").split()[-1] for title in titles)
    found = reclens.json("concepts", shop.transformer, "--words", words, "--by", "gender", "--people", "60")
    assert "typed" in {row["concept"] for row in found["effects"]}
    assert {row["group"] for row in found["effects"]} > {EVERYBODY}
    for row in found["effects"]:
        assert 0 <= row["tcav"] <= 1
        assert 0 < row["p_value"] <= row["p_adjusted"] <= 1
    assert "counts" in reclens.refusal("concepts", shop.item_knn)
    assert "no attribute 'height'" in reclens.refusal("concepts", shop.transformer, "--by", "height")
    assert "write name=word,word" in reclens.refusal("concepts", shop.transformer, "--words", "typed")


@pytest.mark.parametrize("typed", ["wizard, spell", "wizard，spell", "wizard、spell，"])
def test_words_of_a_concept_are_parted_by_commas_of_either_script(typed: str):
    assert words_typed(typed) == ["wizard", "spell"]
