"""What the parts of a ranker add: Shapley values by hand, and coalitions against rankers changed by hand."""

import copy
from itertools import permutations
from math import log

import numpy as np
import pytest
import torch
from hand_made import shaken
from numpy.typing import NDArray

from recsys_core.data.dataset import Histories
from recsys_core.data.events import Askers, Codes, EventContext
from recsys_core.data.profiles import ItemTraits, ProfileLayout
from recsys_core.errors import ConfigError
from recsys_core.explain.components import Components, explain_components, parts_of, shapley
from recsys_core.explain.scoring import Question, item_scores
from recsys_core.ranker.events import EventKinds
from recsys_core.ranker.fusion import FusionRanker
from recsys_core.ranker.lstm import RecurrentRanker
from recsys_core.ranker.popularity import fit_popularity
from recsys_core.ranker.profile import ProfileColumns
from recsys_core.ranker.top_k import candidate_scores
from recsys_core.ranker.transformer import TransformerRanker

N_ITEMS = 12
TEXTS = torch.from_numpy(np.random.default_rng(3).normal(size=(N_ITEMS + 1, 5)).astype(np.float16))
CONTEXT = EventContext(
    np.array([1, 2, 1]),
    np.array([1.0, 5.0, 2.0]),
    np.array([1e6, 2e6, 2.5e6]),
    np.full(3, np.nan),
    np.zeros((3, 0), dtype=np.int64),
    np.zeros(3, dtype=np.int64),
)
QUESTION = Question(
    np.array([3, 1, 4]), 7, np.array([1, 3, 4]), CONTEXT, Askers(np.array([[1]]), np.array([3e6]))
)
NOTHING = np.zeros(0, dtype=np.int64)


def transformer(events: EventKinds | None = None) -> TransformerRanker:
    torch.manual_seed(0)
    kinds = EventKinds(2, strength=True, time=True) if events is None else events
    ranker = TransformerRanker(N_ITEMS, 8, 1, 2, 6, 0.0, TEXTS, events=kinds)
    shaken(ranker, 0.5)
    if ranker.event_vectors is not None:
        with torch.no_grad():  # the vector of what is unknown is 0 and stays so
            for table in ranker.event_vectors.children():
                table.weight[0] = 0.0  # pyright: ignore[reportIndexIssue, reportArgumentType]
    return ranker


def fusion(attributes: bool = False) -> FusionRanker:
    torch.manual_seed(0)
    traits = ItemTraits(("popularity taste", "category: a"), TEXTS[:, :2].double().numpy())
    allowed = (Codes("age", ("young", "old")),) if attributes else ()
    layout = ProfileLayout(traits.names, (), allowed, (0,) if attributes else (), False, False, False)
    return shaken(FusionRanker(N_ITEMS, 8, 6, 0.0, ProfileColumns.of(layout, traits), TEXTS, use_id=True))


def part(found: Components, name: str) -> float:
    return dict(zip(found.parts, found.contributions.tolist(), strict=True))[name]  # pyright: ignore[reportArgumentType]


def by_permutations(values: NDArray[np.float64]) -> list[float]:
    """Shapley values from their other definition: the mean gain over all orders of arrival."""
    c = len(values).bit_length() - 1
    gains = np.zeros(c)
    orders = list(permutations(range(c)))
    for order in orders:
        there = 0
        for player in order:
            gains[player] += values[there | 1 << player] - values[there]
            there |= 1 << player
    return (gains / len(orders)).tolist()


def test_shapley_values_of_the_glove_game():
    """One left glove (player 0), two right ones; only a pair is worth anything. Shapley & Shubik 1969."""
    values = np.array([[0, 0, 0, 1, 0, 1, 0, 1]], dtype=np.float64)
    assert shapley(values)[0] == pytest.approx([2 / 3, 1 / 6, 1 / 6])


@pytest.mark.parametrize("c", [1, 2, 4])
def test_shapley_values_are_the_mean_gain_over_all_orders(c: int):
    values = np.random.default_rng(c).normal(size=(3, 2**c))
    assert shapley(values).tolist() == [pytest.approx(by_permutations(row)) for row in values]


@pytest.mark.parametrize("ranker", [transformer(), transformer(EventKinds()), fusion()])
def test_contributions_lead_from_no_knowledge_to_the_score_on_the_list(ranker: TransformerRanker):
    (found,) = explain_components(ranker, [QUESTION])
    on_the_list = float(item_scores(ranker, QUESTION, QUESTION.known)[0])
    assert found.score == pytest.approx(on_the_list, abs=1e-5)
    assert found.baseline_score == pytest.approx(-log(N_ITEMS - 3), abs=1e-6)
    assert found.contributions.sum() == pytest.approx(found.score - found.baseline_score, abs=1e-12)
    assert abs(found.delta) < 1e-12


def test_parts_are_those_that_a_ranker_has():
    assert parts_of(transformer()) == ("popularity", "id", "text", "event type", "strength", "time")
    assert parts_of(fusion()) == ("popularity", "id", "text", "profile")
    assert parts_of(RecurrentRanker(N_ITEMS, 8, 1, 6, 0.0)) == ("popularity", "id")
    text_alone = RecurrentRanker(N_ITEMS, 8, 1, 6, 0.0, text_vectors=TEXTS, use_id=False)
    assert parts_of(text_alone) == ("popularity", "text")


def changed_by_hand(ranker: TransformerRanker, absent: set[str]) -> float:
    """The score once the weights themselves, or the events, are neutral."""
    other, question = copy.deepcopy(ranker), QUESTION
    with torch.no_grad():
        if "popularity" in absent:
            other.item_bias.fill_(1.0)
        if "id" in absent and other.item_vectors.id is not None:
            other.item_vectors.id.weight[:] = other.item_vectors.id.weight[1:].mean(0)
        if "text" in absent and other.item_vectors.text is not None:
            exact = other.item_vectors.text.float()
            other.item_vectors.text = exact[1:].mean(0).expand_as(exact)
    context = EventContext(
        np.zeros(3, dtype=np.int64) if "event type" in absent else CONTEXT.types,
        np.full(3, np.nan) if "strength" in absent else CONTEXT.strengths,
        np.full(3, np.nan) if "time" in absent else CONTEXT.timestamps_s,
        CONTEXT.dwell_s,
        CONTEXT.contexts,
        CONTEXT.texts,
    )
    known = Histories(question.history, np.array([0, 3]), context, question.askers)
    scores = other.score(known)
    return float(candidate_scores(scores, Histories.of([question.seen]), "log-probability")[0, 7])


def test_coalitions_are_rankers_without_the_parts_that_are_absent():
    ranker = transformer()
    parts = parts_of(ranker)
    values = np.array(
        [
            changed_by_hand(ranker, {name for place, name in enumerate(parts) if not coalition >> place & 1})
            for coalition in range(2 ** len(parts))
        ]
    )
    (found,) = explain_components(ranker, [QUESTION])
    assert found.contributions.tolist() == pytest.approx(by_permutations(values), abs=1e-4)


def test_a_part_that_changes_nothing_adds_nothing():
    ranker = transformer()
    assert ranker.event_vectors is not None and ranker.event_vectors.strength is not None
    with torch.no_grad():
        ranker.event_vectors.strength.weight.zero_()
    (found,) = explain_components(ranker, [QUESTION])
    assert part(found, "strength") == pytest.approx(0, abs=1e-6)
    assert abs(part(found, "event type")) > 1e-3


def test_many_questions_are_answered_as_one_by_one():
    other = Question(np.array([5, 6]), 2, np.array([5, 6]), CONTEXT.at(slice(0, 2)), QUESTION.askers)
    nobody = Question(NOTHING, 7, NOTHING, CONTEXT.at(slice(0, 0)), QUESTION.askers)
    ranker = transformer()
    together = explain_components(ranker, [QUESTION, other, nobody])
    for found, question in zip(together, (QUESTION, other, nobody), strict=True):
        (alone,) = explain_components(ranker, [question])
        assert found.contributions.tolist() == pytest.approx(alone.contributions.tolist(), abs=1e-5)
    assert explain_components(ranker, []) == []


def test_without_a_history_popularity_is_all():
    ranker = transformer()
    (found,) = explain_components(ranker, [Question(NOTHING, 7, NOTHING)])
    assert part(found, "popularity") == pytest.approx(found.score - found.baseline_score)
    assert found.contributions[1:].tolist() == pytest.approx([0] * 5, abs=1e-9)


def test_without_a_history_an_allowed_attribute_is_the_profile():
    ranker = fusion(attributes=True)
    known = Question(NOTHING, 7, NOTHING, None, Askers(np.array([[2]]), np.array([np.nan])))
    (found,) = explain_components(ranker, [known])
    assert abs(part(found, "profile")) > 1e-3
    unknown = Question(NOTHING, 7, NOTHING, None, Askers(np.array([[0]]), np.array([np.nan])))
    (found,) = explain_components(ranker, [unknown])
    assert part(found, "profile") == pytest.approx(0, abs=1e-9)


def test_a_ranker_stays_as_it_is():
    ranker = fusion()
    before = {name: weight.clone() for name, weight in ranker.state_dict().items()}
    scores = ranker.score(QUESTION.known)
    explain_components(ranker, [QUESTION])
    assert all(torch.equal(weight, before[name]) for name, weight in ranker.state_dict().items())
    assert np.array_equal(ranker.score(QUESTION.known), scores)


def test_a_counting_ranker_has_no_parts():
    with pytest.raises(ConfigError, match="has no components"):
        explain_components(fit_popularity(Histories.of([[1, 2]]), 3), [QUESTION])
