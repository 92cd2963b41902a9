"""What a history item adds to a score: exact sums, integrated gradients against Captum, leave-one-out."""

import math

import numpy as np
import pytest
import torch
from captum.attr import IntegratedGradients
from hand_made import WeightedSum, histories_in, random_histories, small_transformer
from numpy.typing import NDArray
from planted import decided_by_the_key, history_with_a_key, keyed_transformer

from recsys_core.data.dataset import Histories
from recsys_core.errors import ConfigError
from recsys_core.explain.attributions import MAX_RELATIVE_DELTA, Method, Options
from recsys_core.explain.explanation import about_first_items as explained_first_items
from recsys_core.explain.history import attribute, default_method
from recsys_core.explain.scoring import Question, item_scores, removed
from recsys_core.ranker.neighbours import NeighbourRanker, fit_ease, fit_item_knn, fit_transitions
from recsys_core.ranker.neural import HistoryBatch
from recsys_core.ranker.popularity import PopularityRanker, fit_popularity
from recsys_core.ranker.protocol import Ranker, ScoreArray
from recsys_core.ranker.top_k import mask_seen, top_k
from recsys_core.ranker.transformer import TransformerRanker

pytestmark = pytest.mark.usefixtures("one_thread")

N_ITEMS = 15
LEARNED_FROM = random_histories(seed=1, n=60, n_items=N_ITEMS, longest=12)


def ask(history: list[int], item_number: int, seen: list[int] | None = None) -> Question:
    return Question(np.array(history, dtype=np.int64), item_number, np.array(seen or [], dtype=np.int64))


def about_first_items(ranker: Ranker, histories: Histories) -> list[Question]:
    """Why the first item of each list is there; lists without a candidate are left out."""
    first = top_k(mask_seen(ranker.score(histories), histories), 1)[:, 0]
    questions = zip(histories_in(histories), first, strict=True)
    return [Question(history, int(item), history) for history, item in questions if item > 0]


def test_first_items_of_many_people_are_scored_a_few_people_at_a_time(monkeypatch: pytest.MonkeyPatch):
    weights = np.random.default_rng(4).integers(0, 9, (N_ITEMS + 1, N_ITEMS + 1)).astype(np.float64)
    ranker, sizes = WeightedSum(weights), list[int]()

    class Watched(WeightedSum):
        def score(self, histories: Histories) -> ScoreArray:
            sizes.append(len(histories))
            return ranker.score(histories)

    people = random_histories(5, 7, N_ITEMS, 6)
    people = Histories.of([*histories_in(people)[:6], np.arange(1, N_ITEMS + 1)])  # the last one knows all
    together = about_first_items(ranker, people)
    monkeypatch.setattr("recsys_core.explain.explanation.SCORES_AT_ONCE", 3 * (N_ITEMS + 1))
    listed, questions = explained_first_items(Watched(weights), people)
    assert sizes == [3, 3, 1]
    assert listed.tolist() == [0, 1, 2, 3, 4, 5]
    assert [own.item_number for own in questions] == [own.item_number for own in together]
    assert [own.history.tolist() for own in questions] == [own.history.tolist() for own in together]
    assert explained_first_items(ranker, Histories.of([]))[1] == []


def test_removed_closes_the_gap():
    gone = np.array([[False, False, False], [True, False, False], [False, True, True], [True, True, True]])
    left = histories_in(removed(Histories.of([[7, 8, 9]]), gone, in_place=False))
    assert [history.tolist() for history in left] == [[7, 8, 9], [8, 9], [7], []]


def test_removed_in_place_leaves_no_item_in_particular():
    gone = np.array([[False, False, False], [True, False, False], [False, True, True]])
    left = histories_in(removed(Histories.of([[7, 8, 9]]), gone, in_place=True))
    assert [history.tolist() for history in left] == [[7, 8, 9], [0, 8, 9], [7, 0, 0]]


def test_removed_takes_one_place_of_an_item_that_occurs_twice():
    left = histories_in(removed(Histories.of([[7, 7]]), np.array([[True, False]]), in_place=False))
    assert left[0].tolist() == [7]


def test_candidates_stay_those_of_the_full_history():
    """Item 1 leaves the history and item 2 the list; both stay off the softmax, as does the padding."""
    ranker = small_transformer(5)
    question = ask([1, 2, 3], item_number=4, seen=[1, 2, 3])
    logits = ranker.score(Histories.of([[2, 3]]))[0].astype(np.float64)
    expected = logits[4] - math.log(math.exp(logits[4]) + math.exp(logits[5]))
    assert item_scores(ranker, question, Histories.of([[2, 3]]))[0] == pytest.approx(expected, abs=1e-9)


def test_the_explained_item_is_always_a_candidate():
    ranker = small_transformer(5)
    with_it, without_it = (
        item_scores(ranker, ask([1, 2], 4, seen), Histories.of([[1, 2]])) for seen in ([1, 2, 4], [1, 2])
    )
    assert with_it == pytest.approx(without_it, abs=1e-12)


def test_scores_of_many_histories_do_not_depend_on_batches(monkeypatch: pytest.MonkeyPatch):
    ranker, question = small_transformer(N_ITEMS), ask([1, 2, 3], 4, [1, 2, 3])
    together = item_scores(ranker, question, LEARNED_FROM)
    monkeypatch.setattr("recsys_core.explain.scoring.BATCH_ROWS", 7)
    np.testing.assert_allclose(item_scores(ranker, question, LEARNED_FROM), together, atol=1e-5)


def plain_integrated_gradients(
    ranker: TransformerRanker, question: Question, n_steps: int
) -> NDArray[np.float64]:
    """[length] Captum's own integrated gradients over the embeddings, which never meets our layer hook."""
    with torch.no_grad():
        vectors = ranker.item_vectors()
    candidates = [item for item in range(1, ranker.n_items + 1) if item not in question.seen]
    place = candidates.index(question.item_number)
    scale = math.sqrt(vectors.shape[1])

    def log_probability(x: torch.Tensor) -> torch.Tensor:
        items = torch.from_numpy(question.history).expand(len(x), -1)
        batch = HistoryBatch(items, torch.full((len(x),), items.shape[1]))
        for block in ranker.blocks:
            x = block(x, batch)
        logits = ranker.logits(ranker.norm(x)[:, -1], vectors, ranker.item_bias)[:, candidates]
        return logits.log_softmax(1)[:, place]

    inputs = (vectors[question.history] * scale)[None]
    baseline = (vectors[1:].mean(0) * scale).expand_as(inputs)
    values = IntegratedGradients(log_probability).attribute(
        inputs, baseline, n_steps=n_steps, method="gausslegendre"
    )
    return values.sum(-1)[0].detach().double().numpy()


@pytest.mark.parametrize("seen", [[3, 1, 4, 9], []], ids=["history off the list", "repeats kept"])
def test_integrated_gradients_equal_plain_captum_on_the_embeddings(seen: list[int]):
    ranker = small_transformer(N_ITEMS)
    question = ask([3, 1, 4, 1, 9], item_number=7, seen=seen)
    found = attribute(ranker, question, "integrated-gradients", Options(n_steps=50))
    expected = plain_integrated_gradients(ranker, question, 50)
    np.testing.assert_allclose(found.values, expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("seen", [[3, 1, 4, 9], []], ids=["history off the list", "repeats kept"])
def test_the_explained_score_is_the_one_on_the_list(seen: list[int]):
    ranker = small_transformer(N_ITEMS)
    question = ask([3, 1, 4, 1, 9], item_number=7, seen=seen)
    found = attribute(ranker, question, "integrated-gradients")
    versions = Histories.of([[3, 1, 4, 1, 9], [0, 0, 0, 0, 0]])
    assert [found.score, found.baseline_score] == pytest.approx(
        item_scores(ranker, question, versions).tolist(), abs=1e-5
    )


def test_integrated_gradients_add_up_within_a_thousandth_on_a_hundred_lists():
    ranker = small_transformer(N_ITEMS, spread=0.3)
    histories = random_histories(seed=7, n=100, n_items=N_ITEMS, longest=14, shortest=1)
    found = [attribute(ranker, q, "integrated-gradients") for q in about_first_items(ranker, histories)]
    assert len(found) == 100
    for attributions in found:
        difference = attributions.score - attributions.baseline_score
        assert attributions.values.sum() == pytest.approx(difference, rel=MAX_RELATIVE_DELTA, abs=1e-5)
        assert attributions.delta == pytest.approx(attributions.values.sum() - difference, abs=1e-9)
        assert attributions.relative_delta <= MAX_RELATIVE_DELTA


def test_what_the_window_does_not_reach_adds_nothing():
    ranker = small_transformer(N_ITEMS, max_length=3)
    question = ask([5, 6, 1, 2, 3], item_number=7, seen=[5, 6, 1, 2, 3])
    for method in ("integrated-gradients", "leave-one-out"):
        values = attribute(ranker, question, method).values
        assert values[:2].tolist() == [0, 0]
        assert (np.abs(values[2:]) > 0).all()


def test_an_average_item_adds_nothing():
    """Where the history already is the baseline, there is no path to go."""
    found = attribute(small_transformer(N_ITEMS), ask([0, 0], 7), "integrated-gradients")
    assert found.values.tolist() == [0, 0]
    assert found.relative_delta == 0


def test_a_history_that_changes_nothing_is_explained_by_nothing_and_at_once():
    """Items that can't be told apart: what single precision leaves is no share of a difference of 0."""
    ranker = small_transformer(N_ITEMS)
    with torch.no_grad():
        for weight in ranker.item_vectors.parameters():
            weight.copy_(weight[1].expand_as(weight).clone())
    found = attribute(ranker, ask([3, 1, 4], 7, [3, 1, 4]), "integrated-gradients")
    assert found.score - found.baseline_score == pytest.approx(0, abs=1e-5)
    np.testing.assert_allclose(found.values, 0, atol=1e-5)
    assert found.relative_delta <= MAX_RELATIVE_DELTA
    assert found.n_steps == 11


@pytest.mark.parametrize(
    "ranker",
    [
        fit_item_knn(LEARNED_FROM, N_ITEMS, 8, 2.0),
        fit_ease(LEARNED_FROM, N_ITEMS, 5.0),
        fit_transitions(LEARNED_FROM, N_ITEMS, 5, 0.7),
    ],
    ids=["item-knn", "ease", "transitions"],
)
def test_sums_are_explained_exactly(ranker: NeighbourRanker):
    for question in about_first_items(ranker, random_histories(3, 20, N_ITEMS, 9, shortest=1)):
        found = attribute(ranker, question, "counts")
        weights = ranker.weights.toarray()[question.history, question.item_number]
        ages = np.arange(len(question.history))[::-1]
        expected = np.where(ages < ranker.max_length, ranker.decay**ages * weights, 0)
        np.testing.assert_allclose(found.values, expected, atol=1e-12)
        assert abs(found.delta) < 1e-6
        assert found.relative_delta < 1e-6


def test_no_history_item_adds_to_a_popularity_list():
    found = attribute(fit_popularity(LEARNED_FROM, N_ITEMS), ask([1, 2], 3, [1, 2]), "counts")
    assert found.values.tolist() == [0, 0]
    assert (found.score - found.baseline_score, found.delta, found.relative_delta) == (0, 0, 0)


def by_hand(max_length: int = 100) -> WeightedSum:
    """Item 1 speaks for item 4 with 1, item 2 with 2, item 3 against it with 5."""
    weights = np.zeros((6, 6))
    weights[[1, 2, 3], 4] = [1, 2, -5]
    return WeightedSum(weights, max_length)


def test_leave_one_out_is_the_fall_of_the_score():
    found = attribute(by_hand(), ask([1, 2, 3, 5], item_number=4, seen=[1, 2, 3, 5]), "leave-one-out")
    assert found.values.tolist() == [1, 2, -5, 0]
    assert found.score == -2


def test_leave_one_out_takes_all_events_of_an_item_and_shares_the_fall():
    found = attribute(by_hand(), ask([2, 1, 2], 4, [1, 2]), "leave-one-out")
    assert found.values.tolist() == [2, 1, 2]


def test_leave_one_out_shares_the_fall_among_the_events_within_the_window():
    """A window of three sees [1, 2, 2] of [2, 1, 2, 2]: without item 2, the score falls from 5 to 1."""
    found = attribute(by_hand(max_length=3), ask([2, 1, 2, 2], 4, [1, 2]), "leave-one-out")
    assert found.values.tolist() == [0, 5 - 6, 2, 2]


def test_leave_one_out_lets_an_older_item_into_the_window():
    """Of [1, 2, 3] a window of two holds 2 and 3 (2 − 5); without 3, it holds 1 and 2 (1 + 2)."""
    found = attribute(by_hand(max_length=2), ask([1, 2, 3], 4, [1, 2, 3]), "leave-one-out")
    assert found.values.tolist() == [0, -3 - (1 - 5), -3 - (1 + 2)]


def test_leave_one_out_promises_no_sum():
    found = attribute(by_hand(), ask([1, 2], 4), "leave-one-out")
    assert math.isnan(found.delta)
    assert math.isnan(found.relative_delta)


@pytest.mark.parametrize("method", ["counts", "leave-one-out", "integrated-gradients"])
def test_no_history_explains_nothing(method: Method):
    with pytest.raises(ConfigError, match="no history yet"):
        attribute(fit_popularity(LEARNED_FROM, N_ITEMS), ask([], 3), method)


def test_a_method_that_does_not_fit_names_those_that_do():
    with pytest.raises(ConfigError, match=r"'integrated-gradients' doesn't fit .* counts, leave-one-out"):
        attribute(fit_popularity(LEARNED_FROM, N_ITEMS), ask([1], 3), "integrated-gradients")
    with pytest.raises(ConfigError, match=r"'counts' doesn't fit .* integrated-gradients, leave-one-out"):
        attribute(small_transformer(N_ITEMS), ask([1], 3), "counts")


def test_every_ranker_has_a_method_of_its_own():
    assert default_method(small_transformer(3)) == "integrated-gradients"
    assert default_method(PopularityRanker(np.zeros(4))) == "counts"


@pytest.fixture(scope="module")
def keyed() -> TransformerRanker:
    return keyed_transformer()


@pytest.mark.parametrize("method", ["integrated-gradients", "leave-one-out"])
def test_the_one_item_that_decides_ranks_first(keyed: TransformerRanker, method: Method):
    generator = np.random.default_rng(1)
    n, found = 100, 0
    for _ in range(n):
        history, place = history_with_a_key(generator)
        question = ask(history, decided_by_the_key(history), history)
        found += int(np.argmax(attribute(keyed, question, method).values) == place)
    assert found >= 0.99 * n
