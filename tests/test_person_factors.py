"""What histories are like: every factor of a small data set worked out by hand."""

import numpy as np
import pytest
from hand_made import tables

from recsys_core.data.dataset import Dataset, build_dataset
from recsys_core.data.split import leave_one_out
from recsys_core.metrics.person_factors import FACTORS, person_factors
from recsys_core.ranker.rerank import category_shares

DAY = 86_400.0
EVENTS = [
    ("ann", "a", 0), ("ann", "b", 1), ("ann", "a", 2), ("ann", "c", 4), ("ann", "d", 9),
    ("bob", "a", 0), ("bob", "c", 3), ("bob", "b", 4),
    ("cid", "a", 5),
]  # fmt: skip


def data(times: bool = True, categories: bool = True) -> Dataset:
    made = tables([event[:2] for event in EVENTS], [DAY * event[2] for event in EVENTS] if times else None)
    made.items["title"] = ["one", "one two", "one two three", "one one"]
    if categories:
        made.items["category"] = ["x", "y", "x|y", ""]
    return build_dataset(made)


def factors_of(dataset: Dataset):
    return person_factors(dataset, leave_one_out(dataset), "test", category_shares(dataset))


def test_factors_are_those_of_the_history_before_the_test_item():
    """Ann is asked for d on day 9, knowing a, b, a, c; bob for b on day 4, knowing a, c.

    All three touch a before validation; ann b too.
    """
    found = factors_of(data())
    assert list(found.columns) == list(FACTORS)
    assert found.loc["ann", "history_length"] == 4
    assert found.loc["bob", "history_length"] == 2
    assert found.loc["ann", "catalogue_coverage"] == 3 / 4
    assert found.loc["ann", "recency_days"] == 5
    assert found.loc["bob", "recency_days"] == 1


def test_mainstreamness_is_the_mean_share_of_training_people_who_touched_the_items():
    """In training a was touched by three of three, b by ann alone, c by nobody."""
    found = factors_of(data())
    assert found.loc["ann", "mainstreamness"] == pytest.approx((1 + 1 / 3 + 1 + 0) / 4)
    assert found.loc["bob", "mainstreamness"] == pytest.approx(1 / 2)


def test_taste_entropy_is_in_bits_over_the_mix_of_categories():
    """Ann's mix is x 2.5 and y 1.5 of 4; bob's x 1.5 and y .5 of 2; cid's x alone."""
    found = factors_of(data())
    p = np.array([2.5, 1.5]) / 4
    assert found.loc["ann", "taste_entropy"] == pytest.approx(-(p * np.log2(p)).sum())
    p = np.array([1.5, 0.5]) / 2
    assert found.loc["bob", "taste_entropy"] == pytest.approx(-(p * np.log2(p)).sum())
    assert found.loc["cid", "taste_entropy"] == 0


def test_text_quality_counts_the_different_words_of_the_items_texts():
    """Title and category of a, b, c have 2, 3 and 5 different words: 'one x', 'one two y', …"""
    words = [len(set(text.lower().split())) for text in ("one. x", "one two. y", "one two three. x, y")]
    assert words == [2, 3, 5]
    found = factors_of(data())
    assert found.loc["bob", "text_quality"] == (2 + 5) / 2


def test_what_the_data_do_not_hold_is_unknown_and_not_zero():
    found = factors_of(data(times=False, categories=False))
    assert found["recency_days"].isna().all()
    assert found["taste_entropy"].isna().all()
    assert found["history_length"].notna().all()


def test_a_person_without_targets_has_no_recency():
    assert np.isnan(factors_of(data()).loc["cid", "recency_days"])
