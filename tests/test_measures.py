"""Every measure of faithfulness: by hand, against captum.metrics, and what batches may not change."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from captum.metrics import infidelity as captum_infidelity
from captum.metrics import sensitivity_max
from hand_made import WeightedSum, random_histories, small_transformer

from recsys_core.data.dataset import Histories
from recsys_core.explain.answers import answers, items_of
from recsys_core.explain.faithfulness import REMOVALS, Removal, measure
from recsys_core.explain.history import attribute
from recsys_core.explain.measures import (
    Curve,
    Measures,
    infidelities,
    max_sensitivity,
    mean_measures,
    measure_orders,
)
from recsys_core.explain.orders import by_item, leave_one_out_falls
from recsys_core.explain.scoring import Question, item_scores, removed
from recsys_core.ranker.lists import ListRequest, rank_of
from recsys_core.ranker.top_k import candidate_scores

N_ITEMS = 20


def ask(history: list[int], item_number: int) -> Question:
    return Question(np.array(history), item_number, np.array(history))


def of_four() -> WeightedSum:
    """Items 1 to 4 speak for item 20 with 4, 3, 2, 1; item 4 speaks for item 19 with 5."""
    weights = np.zeros((21, 21))
    weights[1:5, 20] = [4, 3, 2, 1]
    weights[4, 19] = 5
    return WeightedSum(weights)


def of_the_true_order(removal: Removal, k: int = 1) -> Measures:
    orders = [{"true": np.array([4.0, 3, 2, 1])}]
    return measure_orders(of_four(), [ask([1, 2, 3, 4], 20)], orders, removal, k)[0]["true"].measures


@pytest.mark.parametrize("removal", REMOVALS)
def test_areas_of_four_items_by_hand(removal: Removal):
    """The score is 10, 6, 3, 1, 0 while items leave and 0, 4, 7, 9, 10 while they enter."""
    found = of_the_true_order(removal)
    assert found.deletion == pytest.approx(np.mean([4, 7, 9, 10, 10]))
    assert found.deletion_auc == pytest.approx((10 / 2 + 6 + 3 + 1) / 4)
    assert found.insertion_auc == pytest.approx((4 + 7 + 9 + 10 / 2) / 4)


@pytest.mark.parametrize("removal", REMOVALS)
def test_ranks_while_items_leave_by_hand(removal: Removal):
    """Item 19 stays at 5 until item 4 goes; with nothing left all 16 candidates are level, item 20 last."""
    found = of_the_true_order(removal)
    assert found.pos == 1 / 4
    assert found.neg == 3 / 4
    assert found.cdcg == pytest.approx(np.mean([1, 1 / np.log2(3), 1 / np.log2(3), 1 / np.log2(17)]))


def test_fixed_sizes_are_ratios_to_the_first_score():
    found = of_the_true_order("delete-and-shift")
    assert found.fixed_deletion == pytest.approx((0.6, 0.3, 0.1, 0, 0))
    assert found.fixed_insertion == pytest.approx((0.4, 0.7, 0.9, 1, 1))


def test_necessary_and_sufficient_sizes_by_hand():
    found = of_the_true_order("delete-and-shift")
    assert found.necessity == (0, 1, 1, 1, 1)
    assert found.sufficing == (1, 1, 1, 1, 1)


def test_an_item_that_is_not_on_the_list_can_not_drop_out():
    """Item 19 has 5 points and stands behind item 20."""
    orders = [{"any": np.array([1.0, 2, 3, 4])}]
    found = measure_orders(of_four(), [ask([1, 2, 3, 4], 19)], orders, "delete-and-shift", 1)[0]["any"]
    assert np.isnan(found.measures.necessity).all()
    assert np.isnan(found.measures.sufficing).all()


def test_without_ranks_what_needs_them_is_unknown_and_the_rest_is_the_same():
    orders, question = [{"any": np.array([1.0, 2, 3, 4])}], ask([1, 2, 3, 4], 20)
    with_ranks, without = (
        measure_orders(of_four(), [question], orders, "mask-in-place", with_ranks=known)[0]["any"]
        for known in (True, False)
    )
    assert without.faithfulness == with_ranks.faithfulness
    assert without.deletion.scores.tolist() == with_ranks.deletion.scores.tolist()
    own = without.measures
    assert np.isnan([own.pos, own.neg, own.cdcg, *own.necessity, *own.sufficing]).all()


def test_a_first_score_of_zero_has_no_ratio():
    orders = [{"any": np.array([1.0])}]
    found = measure_orders(of_four(), [ask([5], 20)], orders, "delete-and-shift")[0]["any"]
    assert np.isnan(found.measures.fixed_deletion).all()


def test_the_true_order_beats_the_same_upside_down_by_every_measure():
    orders = [{"true": np.array([4.0, 3, 2, 1]), "false": np.array([1.0, 2, 3, 4])}]
    both = measure_orders(of_four(), [ask([1, 2, 3, 4], 20)], orders, "mask-in-place", 1)[0]
    true, false = both["true"].measures, both["false"].measures
    for high in ("comprehensiveness", "insertion_auc", "neg"):
        assert getattr(true, high) > getattr(false, high)
    for low in ("sufficiency", "deletion_auc", "pos", "cdcg"):
        assert getattr(true, low) < getattr(false, low)


def test_measures_that_the_badge_knows_are_the_same_here():
    questions = [ask(history, 20) for history in ([1, 2, 3, 4], [4, 4, 2], [3])]
    generator = np.random.default_rng(0)
    orders = [{"a": generator.random(len(set(q.history.tolist())))} for q in questions]
    for removal in REMOVALS:
        many = measure_orders(of_four(), questions, orders, removal)
        for question, own, found in zip(questions, orders, many, strict=True):
            known = measure(of_four(), question, own, removal)["a"]
            assert found["a"].measures.comprehensiveness == pytest.approx(known.comprehensiveness)
            assert found["a"].measures.sufficiency == pytest.approx(known.sufficiency)


def test_a_ratio_of_a_ranker_of_probabilities_is_one_of_probabilities():
    ranker, question = small_transformer(N_ITEMS), ask([3, 1, 4], 7)
    order = {"a": np.array([1.0, 3, 2])}  # of items 1, 3, 4: item 3 goes first
    found = measure_orders(ranker, [question], [order], "delete-and-shift")[0]["a"].measures
    versions = Histories.of([[3, 1, 4], [1, 4], [3]])
    seen = Histories.of([[3, 1, 4]] * 3)
    full, without, alone = np.exp(candidate_scores(ranker.score(versions), seen, "log-probability")[:, 7])
    assert found.fixed_deletion[0] == pytest.approx(without / full, rel=1e-4)
    assert found.fixed_insertion[0] == pytest.approx(alone / full, rel=1e-4)


def test_a_curve_of_a_long_history_has_ten_steps():
    history = list(range(1, 38))
    ranker = WeightedSum(np.zeros((51, 51)))
    curve = measure_orders(ranker, [ask(history, 50)], [{"a": np.arange(37.0)}], "mask-in-place")[0][
        "a"
    ].deletion
    assert curve.n_moved.tolist() == [0, 4, 7, 11, 15, 18, 22, 26, 30, 33, 37]


def test_the_area_of_uneven_steps_by_hand():
    curve = Curve(np.array([0, 1, 4]), np.array([8.0, 4, 0]), np.array([1, 1, 1]))
    assert curve.area == pytest.approx((8 + 4) / 2 * 0.25 + (4 + 0) / 2 * 0.75)


def test_means_over_people_leave_out_what_is_unknown():
    tuples = ((1.0, np.nan), (0.0, np.nan))
    own = [Measures(n, n, n, n, n, n, n, n, t, t, t, t) for n, t in zip((1.0, 2.0), tuples, strict=True)]
    mean = mean_measures(own)
    assert mean.pos == 1.5
    assert mean.necessity[0] == 0.5
    assert np.isnan(mean.necessity[1])


@pytest.mark.parametrize("removal", REMOVALS)
def test_answers_are_the_scores_and_ranks_of_asking_one_by_one(removal: Removal):
    ranker, generator = small_transformer(N_ITEMS), np.random.default_rng(1)
    histories = random_histories(3, 12, N_ITEMS, 9, shortest=1)
    questions = [ask(histories[row].tolist(), 7) for row in range(12)]
    gone = [generator.random((5, len(items_of(q.history)[0]))) < 0.4 for q in questions]
    found = answers(ranker, questions, gone, removal == "mask-in-place", with_ranks=True)
    for question, own, answer in zip(questions, gone, found, strict=True):
        versions = removed(question.known, own[:, items_of(question.history)[1]], removal == "mask-in-place")
        np.testing.assert_allclose(answer.scores, item_scores(ranker, question, versions), atol=2e-5)
        seen = np.setdiff1d(question.history, [7])
        ranks = [rank_of(ranker, ListRequest(versions[row], seen), 7) for row in range(5)]
        assert answer.ranks.tolist() == ranks


def test_answers_of_a_margin_and_of_a_plain_score_are_those_of_asking_alone():
    ranker = small_transformer(N_ITEMS)
    plain = replace(ask([3, 1, 4], 7), explained="logit")
    margin = replace(ask([3, 1, 4], 7), explained="margin", rival=9)
    gone = [np.eye(3, dtype=bool)] * 3
    found = answers(ranker, [plain, margin, ask([3, 1, 4], 7)], gone, False)
    for question, answer in zip((plain, margin, ask([3, 1, 4], 7)), found, strict=True):
        versions = removed(question.known, gone[0][:, items_of(question.history)[1]], in_place=False)
        np.testing.assert_allclose(answer.scores, item_scores(ranker, question, versions), atol=2e-5)


def test_answers_do_not_depend_on_how_questions_are_grouped(monkeypatch: pytest.MonkeyPatch):
    ranker = of_four()
    questions = [ask(history, 20) for history in ([1, 2, 3], [4], [2, 4, 4, 1])]
    gone = [np.eye(len(set(question.history.tolist())), dtype=bool) for question in questions]
    together = answers(ranker, questions, gone, False, with_ranks=True)
    monkeypatch.setattr("recsys_core.explain.answers.EVENTS_AT_ONCE", 1)
    monkeypatch.setattr("recsys_core.explain.answers.SCORES_AT_ONCE", 1)
    for a, b in zip(together, answers(ranker, questions, gone, False, with_ranks=True), strict=True):
        assert a.scores.tolist() == b.scores.tolist()
        assert a.ranks.tolist() == b.ranks.tolist()


@pytest.mark.parametrize("max_length", [100, 2])
def test_falls_of_many_people_are_those_of_leave_one_out(max_length: int):
    weights = np.random.default_rng(2).normal(size=(21, 21))
    ranker = WeightedSum(weights, max_length)
    questions = [ask(history, 20) for history in ([1, 2, 1, 3], [5], [7, 8, 9, 9])]
    for question, falls in zip(questions, leave_one_out_falls(ranker, questions), strict=True):
        values = attribute(ranker, question, "leave-one-out").values
        np.testing.assert_allclose(falls, by_item(question.history, values), atol=1e-5)


def test_infidelity_of_the_terms_of_a_sum_is_zero():
    question = ask([1, 2, 3, 4], 20)
    exact = np.array([4.0, 3, 2, 1])
    generator = np.random.default_rng(0)
    for removal in REMOVALS:
        assert infidelities(of_four(), [question], [exact], removal, generator)[0] == pytest.approx(
            0, abs=1e-9
        )


def test_infidelity_of_one_wrong_term_is_its_error_squared_where_the_item_goes():
    """2² in about half of the sets, and 0 in the others."""
    wrong = np.array([6.0, 3, 2, 1])
    question, generator = ask([1, 2, 3, 4], 20), np.random.default_rng(0)
    (found,) = infidelities(of_four(), [question], [wrong], "mask-in-place", generator)
    share = (np.random.default_rng(0).random((50, 4))[:, 0] < 0.5).mean()
    assert found == pytest.approx(4 * share)


def test_infidelity_equals_that_of_captum():
    """The input is which items are there; captum takes the sets away that ours has drawn."""
    ranker, question = small_transformer(N_ITEMS), ask([3, 1, 4, 9], 7)
    values = np.array([0.3, -0.2, 0.5, 0.1])
    (found,) = infidelities(ranker, [question], [values], "mask-in-place", np.random.default_rng(5))
    drawn = torch.from_numpy(np.random.default_rng(5).random((50, 4)) < 0.5).double()
    place = items_of(question.history)[1]

    def score(there: torch.Tensor) -> torch.Tensor:
        gone = there.numpy()[:, place] < 0.5
        return torch.from_numpy(item_scores(ranker, question, removed(question.known, gone, in_place=True)))

    def taken(there: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        return drawn, there - drawn

    expected = captum_infidelity(
        score,
        taken,
        torch.ones(1, 4, dtype=torch.float64),
        torch.from_numpy(values)[None],
        n_perturb_samples=50,
    )
    assert found == pytest.approx(float(expected), rel=1e-4)


def test_max_sensitivity_equals_that_of_captum():
    ranker, question = small_transformer(N_ITEMS), ask([3, 1, 4, 9], 7)
    edits = [[3, 1, 4, 8], [2, 1, 4, 9], [3, 5, 4, 9]]

    def explained(asked: Question) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
        return attribute(ranker, asked, "leave-one-out").values

    edited = [Question(np.array(history), 7, question.seen) for history in edits]

    def explained_rows(items: tuple[torch.Tensor, ...]) -> tuple[torch.Tensor, ...]:
        rows = [explained(Question(row.long().numpy(), 7, question.seen)) for row in items[0]]
        return (torch.from_numpy(np.stack(rows)),)

    expected = sensitivity_max(
        explained_rows,
        (torch.tensor([[3.0, 1, 4, 9]], dtype=torch.float64),),
        perturb_func=lambda inputs, radius: (torch.tensor(edits, dtype=torch.float64),),
        n_perturb_samples=3,
    )
    assert max_sensitivity(explained, question, edited) == pytest.approx(float(expected), rel=1e-6)


def test_an_explanation_that_never_moves_has_no_sensitivity_and_one_of_zeros_has_none_to_speak_of():
    question = ask([3, 1], 7)
    assert max_sensitivity(lambda asked: np.ones(2), question, [question]) == 0
    assert np.isnan(max_sensitivity(lambda asked: np.zeros(2), question, [question]))
