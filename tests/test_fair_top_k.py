"""Protected items in lists: FA*IR's table, its adjustment, floors that are met, nobody protected demoted."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recsys_core.errors import ConfigError
from recsys_core.ranker.fair_top_k import (
    adjusted_significance,
    exposed_top_k,
    failure_probability,
    fair_top_k,
    fewest_protected,
)

SHARES = st.floats(0.05, 0.9)
LISTS = st.lists(st.tuples(st.integers(0, 20), st.booleans()), min_size=1, max_size=30)


def arrays(candidates: list[tuple[int, bool]]) -> tuple[np.ndarray, np.ndarray]:
    return np.array([float(score) for score, _ in candidates]), np.array([own for _, own in candidates])


def test_the_table_of_the_paper():
    """FA*IR, CIKM 2017, table 2, without adjustment, α = .1: rows p = .1, .3, .5 and .7, lengths 1 to 12."""
    expected = {
        0.1: [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
        0.3: [0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 1, 2],
        0.5: [0, 0, 0, 1, 1, 1, 2, 2, 3, 3, 3, 4],
        0.7: [0, 1, 1, 2, 2, 3, 3, 4, 5, 5, 6, 6],
    }
    for share, row in expected.items():
        assert fewest_protected(12, share, 0.1).tolist() == row


def test_how_often_a_random_list_fails_by_hand():
    """One of the first two places, share ½: a list fails if both are others, ¼; both places: ¾."""
    assert failure_probability(np.array([0, 1]), 0.5) == pytest.approx(0.25)
    assert failure_probability(np.array([1, 2]), 0.5) == pytest.approx(0.75)
    assert failure_probability(np.array([0, 0, 0]), 0.3) == pytest.approx(0)


@pytest.mark.parametrize(("k", "share"), [(50, 0.5), (100, 0.5), (40, 0.7), (60, 0.3)])
def test_without_adjustment_random_lists_fail_too_often_and_with_it_they_do_not(k: int, share: float):
    """The known fault: α = .1 at every length rejects far more than a tenth of lists drawn at random."""
    adjusted = fewest_protected(k, share, adjusted_significance(k, share, 0.1))
    assert failure_probability(fewest_protected(k, share, 0.1), share) > 0.15
    assert failure_probability(adjusted, share) <= 0.1


def test_simulated_lists_fail_as_often_as_is_worked_out():
    least = fewest_protected(30, 0.4, 0.1)
    drawn = np.random.default_rng(0).random((20_000, 30)) < 0.4
    failed = (drawn.cumsum(axis=1) < least).any(axis=1).mean()
    assert failure_probability(least, 0.4) == pytest.approx(failed, abs=0.01)


def test_the_adjustment_is_as_large_as_it_may_be():
    """A significance a little larger than the adjusted one fails random lists more often than allowed."""
    alpha = adjusted_significance(50, 0.5, 0.1)
    assert failure_probability(fewest_protected(50, 0.5, alpha * 1.001), 0.5) > 0.1
    assert 0 < alpha < 0.1


@settings(max_examples=150, deadline=None)
@given(candidates=LISTS, k=st.integers(1, 20), share=SHARES)
def test_every_length_holds_as_many_protected_items_as_it_must(
    candidates: list[tuple[int, bool]], k: int, share: float
):
    scores, protected = arrays(candidates)
    chosen = fair_top_k(scores, protected, k, share)
    length = min(k, len(scores))
    least = fewest_protected(length, share, adjusted_significance(length, share, 0.1))
    held = protected[chosen].cumsum()
    assert len(chosen) == length == len(set(chosen.tolist()))
    assert (held >= np.minimum(least, protected.sum())).all()


@settings(max_examples=150, deadline=None)
@given(candidates=LISTS, k=st.integers(1, 20), share=st.floats(0, 1))
def test_protected_items_have_their_share_of_exposure_or_all_come_as_early_as_they_can(
    candidates: list[tuple[int, bool]], k: int, share: float
):
    scores, protected = arrays(candidates)
    chosen = exposed_top_k(scores, protected, k, share)
    weights = 1 / np.log2(np.arange(2, len(chosen) + 2))
    got, possible = weights[protected[chosen]].sum(), weights[: int(protected.sum())].sum()
    assert got >= min(share * weights.sum(), possible) - 1e-9


@settings(max_examples=150, deadline=None)
@given(candidates=LISTS, k=st.integers(1, 20), share=SHARES, by_exposure=st.booleans())
def test_no_protected_item_loses_a_place_and_nobody_overtakes_a_better_one_of_their_own(
    candidates: list[tuple[int, bool]], k: int, share: float, by_exposure: bool
):
    scores, protected = arrays(candidates)
    rerank = exposed_top_k if by_exposure else fair_top_k
    order = np.argsort(-scores, kind="stable")
    place_before = {int(item): place for place, item in enumerate(order)}
    chosen = [int(item) for item in rerank(scores, protected, k, share)]
    for place, item in enumerate(chosen):
        assert not protected[item] or place <= place_before[item]
    for side in (True, False):
        own = [place_before[item] for item in chosen if protected[item] == side]
        assert own == sorted(own)
    left_out = [item for item in place_before if protected[item] and item not in chosen]
    assert all(place_before[item] >= len(chosen) for item in left_out)


def test_without_protected_candidates_or_with_nobody_else_the_order_stays():
    scores = np.array([1.0, 3.0, 2.0])
    for protected in (np.zeros(3, dtype=bool), np.ones(3, dtype=bool)):
        assert fair_top_k(scores, protected, 3, 0.5).tolist() == [1, 2, 0]
        assert exposed_top_k(scores, protected, 3, 0.5).tolist() == [1, 2, 0]


def test_no_candidates_make_an_empty_list():
    nothing = np.zeros(0)
    assert len(fair_top_k(nothing, nothing.astype(bool), 5, 0.5)) == 0
    assert len(exposed_top_k(nothing, nothing.astype(bool), 5, 0.5)) == 0


@pytest.mark.parametrize("share", [0.0, 1.0, -0.1, 1.2])
def test_a_share_out_of_bounds_is_refused(share: float):
    with pytest.raises(ConfigError, match=r"the share is .* between 0 and 1"):
        fair_top_k(np.zeros(2), np.zeros(2, dtype=bool), 2, share)


def test_a_share_of_exposure_out_of_bounds_is_refused():
    with pytest.raises(ConfigError, match=r"share of exposure is 1.1; it must lie from 0 to 1"):
        exposed_top_k(np.zeros(2), np.zeros(2, dtype=bool), 2, 1.1)
