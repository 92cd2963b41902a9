"""What a person's history is like: the factors by which a difference between groups may be explained.

All of them are read from what was known when the list was made, so none of them knows the held-out item.
"""

from typing import Literal

import numpy as np
import pandas as pd
import scipy.sparse as sp

from recsys_core.data.dataset import Dataset, FloatArray, Histories, IntArray
from recsys_core.data.split import Split, histories, history_rows
from recsys_core.metrics.popularity import item_popularity

DAY_S = 86_400.0

LENGTH, MAINSTREAM, ENTROPY = "history_length", "mainstreamness", "taste_entropy"
RECENCY, COVERAGE, TEXT = "recency_days", "catalogue_coverage", "text_quality"
FACTORS = (LENGTH, MAINSTREAM, ENTROPY, RECENCY, COVERAGE, TEXT)
FOLLOW_FROM_LENGTH = (LENGTH, ENTROPY, COVERAGE)  # whoever did more has met more of everything


def person_factors(
    dataset: Dataset, split: Split, part: Literal["valid", "test"], category_shares: sp.csr_matrix
) -> pd.DataFrame:
    """One row a person, indexed by `user_id`, one column a factor; NaN where a factor isn't known.

    `history_length`: touches known. `mainstreamness`: mean share of training people who touched an item of
    the history, 0 to 1. `taste_entropy`: of the history's mix of categories, in bits. `recency_days`: from
    the last known event to the moment that the list is for. `catalogue_coverage`: share of all items that
    the history holds, 0 to 1. `text_quality`: mean number of different words in the texts of its items.

    Args:
        dataset: whose people.
        split: what is held out.
        part: the targets that the lists are for.
        category_shares: [n_items + 1, C] how much of each item is in each category; no column where the
            items have no categories.
    """
    known = histories(dataset, split, part)
    popularity = item_popularity(histories(dataset, split, "valid"), dataset.n_items)
    words = np.array([0, *(len(set(text.lower().split())) for text in dataset.item_texts())], dtype=float)
    columns = {
        LENGTH: known.lengths.astype(np.float64),
        MAINSTREAM: _mean_over_history(known, popularity.shares),
        ENTROPY: _entropy(known, category_shares, dataset.n_items),
        RECENCY: _days_since_last(dataset, split, part),
        COVERAGE: known.without_repeats().lengths / dataset.n_items,
        TEXT: _mean_over_history(known, words),
    }
    return pd.DataFrame(columns, index=pd.Index(dataset.users["user_id"].astype(str), name="user_id"))


def _mean_over_history(known: Histories, values: FloatArray) -> FloatArray:
    """[n] mean of a value of the history's touches; NaN for an empty history."""
    sums = np.bincount(known.rows, values[known.items], minlength=len(known))
    return np.where(known.lengths > 0, sums / np.maximum(known.lengths, 1), np.nan)


def _entropy(known: Histories, category_shares: sp.csr_matrix, n_items: int) -> FloatArray:
    """[n] −Σ p log2 p over the categories of a history; NaN where none of its items has one.

    Source: Shannon, Bell System Technical Journal 1948. 0 = a single category.
    """
    ones = np.ones(len(known.items))
    touched = sp.csr_matrix(
        (ones, known.items, known.offsets), shape=(len(known), n_items + 1)
    )  # its rows may name an item twice: products add both up
    amounts = sp.csr_matrix(touched @ category_shares)
    totals = np.asarray(amounts.sum(axis=1), dtype=np.float64).ravel()
    rows = np.repeat(np.arange(len(known)), np.diff(amounts.indptr))
    shares = amounts.data / totals[rows]
    bits = np.bincount(rows, -shares * np.log2(shares), minlength=len(known))
    return np.where(totals > 0, np.maximum(bits, 0.0), np.nan)


def _days_since_last(dataset: Dataset, split: Split, part: Literal["valid", "test"]) -> FloatArray:
    """[n] days from the last known event to the target's; NaN without times, history or target."""
    rows = history_rows(dataset, split, part)
    times = dataset.timestamp_s[split.order]
    target = split.valid_row if part == "valid" else split.test_row
    has_both = (rows.lengths > 0) & (target >= 0)
    last: IntArray = rows.items[rows.offsets[1:][has_both] - 1]
    days = np.full(len(rows), np.nan)
    days[has_both] = (times[target[has_both]] - times[last]) / DAY_S
    return days
