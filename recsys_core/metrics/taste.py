"""How far a list is from what its person is like: the mix of categories, and how known the items are.

One value a person, NaN where the history or the list tells nothing. None of these says that a list is good.
"""

import numpy as np
import scipy.sparse as sp

from recsys_core.data.dataset import Histories
from recsys_core.metrics.popularity import ItemPopularity
from recsys_core.metrics.ranks import FloatArray, IntArray

ALPHA = 0.01  # how much of the history is mixed into a list's categories, so that none has share 0
HEAD_SHARE, TAIL_SHARE = 0.2, 0.2  # of all touches: the head has the first fifth, the tail the last


def category_counts(items: IntArray, rows: IntArray, n_rows: int, shares: sp.csr_matrix) -> FloatArray:
    """[n_rows, n_categories] how much of each category each row's items hold, in items.

    Args:
        items: [n] item numbers, 0 = none.
        rows: [n] whose they are.
        n_rows: how many rows there are.
        shares: [n_items + 1, n_categories] items in equal parts in each of their categories; row 0 is empty.
    """
    own = np.asarray(shares[items].toarray(), dtype=np.float64)  # [n, n_categories]
    totals = sp.csr_matrix((np.ones(len(items)), (rows, np.arange(len(items)))), shape=(n_rows, len(items)))
    return np.asarray(totals @ own, dtype=np.float64)


def miscalibration(history: FloatArray, listed: FloatArray) -> FloatArray:
    """[n] KL(p‖q̃) between the category mix p of the history and q of the list, q̃ = (1 − α) q + α p, α = .01.

    Range 0 to ln(1 / α) = 4.6; lower is better calibrated; 0 = the same mix. NaN where either has no
    category.
    Source: Steck, RecSys 2018, equation 6, with natural logarithms.

    Args:
        history: [n, n_categories] amounts of each category, as `category_counts`.
        listed: [n, n_categories] the same of the list.
    """
    p, q = _mix(history), _mix(listed)
    mixed = (1 - ALPHA) * q + ALPHA * p
    terms = np.where(p > 0, p * np.log(np.where(p > 0, p, 1.0) / np.where(p > 0, mixed, 1.0)), 0.0)
    return np.where(np.isnan(p).any(axis=1) | np.isnan(q).any(axis=1), np.nan, terms.sum(axis=1))


def popularity_bands(popularity: ItemPopularity) -> IntArray:
    """[n_items + 1] 0 for the head, 1 for the middle, 2 for the tail of the catalogue.

    Items in order of popularity: the head are those that begin within the first fifth of all touches, the
    tail those that begin within the last. Source: Abdollahpouri et al., UMAP 2021, section 3. The padding is
    2.
    """
    order = np.argsort(-popularity.n_people[1:], kind="stable")
    amounts = popularity.n_people[1:][order]
    before = (np.cumsum(amounts) - amounts) / max(int(amounts.sum()), 1)
    bands = np.full(len(amounts) + 1, 2, dtype=np.int64)
    bands[1 + order] = np.where(before < HEAD_SHARE, 0, np.where(before < 1 - TAIL_SHARE, 1, 2))
    return bands


def popularity_deviation(history: FloatArray, listed: FloatArray) -> FloatArray:
    """[n] Jensen–Shannon divergence in bits between head, middle and tail shares of history and list.

    Range 0 to 1; lower = as mainstream as the person; 0 = the same shares. NaN where either is empty.
    Source: Abdollahpouri et al., UMAP 2021, user popularity deviation; Lin, IEEE Transactions on Information
    Theory 37 (1991).

    Args:
        history: [n, 3] items of each band.
        listed: [n, 3] the same of the list.
    """
    p, q = _mix(history), _mix(listed)
    middle = (p + q) / 2
    return (_bits(p, middle) + _bits(q, middle)) / 2


def band_counts(items: IntArray, rows: IntArray, n_rows: int, bands: IntArray) -> FloatArray:
    """[n_rows, 3] how many of each row's items are of the head, the middle and the tail; item 0 is none."""
    real = items > 0
    cells = rows[real] * 3 + bands[items[real]]
    return np.bincount(cells, minlength=3 * n_rows).reshape(n_rows, 3).astype(np.float64)


def history_popularity(known: Histories, popularity: ItemPopularity) -> FloatArray:
    """[n] mean φ of a person's history, the share of people who touched an item; NaN for an empty one.

    Range 0 to 1; the profile side of GAP. Source: Abdollahpouri et al., RMSE at RecSys 2019.
    """
    touched = known.without_repeats()
    total = np.bincount(touched.rows, popularity.shares[touched.items], minlength=len(known))
    return np.where(touched.lengths > 0, total / np.maximum(touched.lengths, 1), np.nan)


def _mix(amounts: FloatArray) -> FloatArray:
    total = amounts.sum(axis=1, keepdims=True)
    return np.where(total > 0, amounts / np.where(total > 0, total, 1.0), np.nan)


def _bits(p: FloatArray, middle: FloatArray) -> FloatArray:
    positive = p > 0
    logs = np.log2(np.where(positive, p, 1.0) / np.where(positive, middle, 1.0))
    return np.where(np.isnan(p).any(axis=1) | np.isnan(middle).any(axis=1), np.nan, (p * logs).sum(axis=1))
