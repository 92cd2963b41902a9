"""Measures of how lists spread their places over groups of items, each from sums over people.

Every function takes arrays [..., n_groups] and works along the last axis, so that one call serves the people
as they are and all their resamples. Undefined is NaN.
"""

import numpy as np
from scipy.special import rel_entr

from recsys_core.data.dataset import FloatArray, IntArray


def shares(values: FloatArray) -> FloatArray:
    """[..., n_groups] each group's part of the total; NaN where there is nothing to share."""
    return _over(values, values.sum(axis=-1, keepdims=True))


def exposure_per_merit(exposure: FloatArray, merit: FloatArray) -> FloatArray:
    """[..., n_groups] exposure share / merit share: 1 = as much as merited; NaN where there is no merit.

    Source: Singh & Joachims, KDD 2018, disparate treatment (exposure in proportion to merit).
    """
    return _over(shares(exposure), shares(merit))


def expected_exposure(exposure: FloatArray, ideal: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
    """EE-D = ‖E‖², EE-R = E·E*, EE-L = ‖E − E*‖² over groups; EE-L = EE-D − 2 EE-R + ‖E*‖².

    EE-D: how concentrated exposure is, at least 0. EE-R: how much of it goes where relevance is, higher is
    better. EE-L: 0 = every group has just the exposure that ideal lists would give it.
    Source: Diaz et al., CIKM 2020, group exposure.

    Args:
        exposure: attention of each group, the mean over people.
        ideal: the same under the ideal policy.
    """
    return (
        (exposure**2).sum(axis=-1),
        (exposure * ideal).sum(axis=-1),
        ((exposure - ideal) ** 2).sum(axis=-1),
    )


def awrf(exposure: FloatArray, target: FloatArray) -> FloatArray:
    """1 − Jensen–Shannon divergence in bits of exposure shares and target shares: 0 to 1, 1 = as targeted.

    Source: Raj & Ekstrand, SIGIR 2022 (attention-weighted rank fairness; Sapiezynski et al. 2019).
    """
    p, q = shares(exposure), shares(target)
    middle = (p + q) / 2
    return 1 - (rel_entr(p, middle) + rel_entr(q, middle)).sum(axis=-1) / (2 * np.log(2))


def relative_spread(rates: FloatArray) -> FloatArray:
    """Standard deviation / mean over groups, those without a rate (NaN) left out; 0 = all the same.

    RSP with the rates at which a group's candidates are recommended, REO with those of its held-out items.
    Source: Zhu, Wang & Caverlee, SIGIR 2020; the deviation has n below, as there. NaN with fewer than two.
    """
    known = ~np.isnan(rates)
    n = known.sum(axis=-1)
    filled = np.where(known, rates, 0.0)
    mean = _over(filled.sum(axis=-1), n)
    squares = np.where(known, (filled - mean[..., None]) ** 2, 0.0).sum(axis=-1)
    return np.where(n >= 2, _over(np.sqrt(_over(squares, n)), mean), np.nan)


def gini(exposure: FloatArray) -> FloatArray:
    """Gini coefficient over groups: 0 = all have the same, (G − 1) / G = one has everything."""
    ordered = np.sort(exposure, axis=-1)
    n = exposure.shape[-1]
    ranks = 2 * np.arange(1, n + 1) - n - 1
    return _over((ranks * ordered).sum(axis=-1), n * ordered.sum(axis=-1))


def entropy(exposure: FloatArray) -> FloatArray:
    """Shannon entropy of the shares / log of the number of groups: 0 to 1, 1 = all the same."""
    p = shares(exposure)
    bits = -np.where(p > 0, p * np.log(np.where(p > 0, p, 1.0)), 0.0).sum(axis=-1) / np.log(
        exposure.shape[-1]
    )
    return np.where(np.isnan(p).any(axis=-1), np.nan, bits)


def min_max_ratio(exposure: FloatArray) -> FloatArray:
    """The smallest group's exposure / the largest one's: 0 to 1, 1 = all the same."""
    return _over(exposure.min(axis=-1), exposure.max(axis=-1))


def poorest_half(exposure: FloatArray) -> FloatArray:
    """Share that the half of the groups with the least exposure has: 0 to ½, ½ = all the same.

    The Lorenz curve at ½: of an odd number of groups the one in the middle counts half.
    """
    ordered = np.sort(shares(exposure), axis=-1)
    half, n = exposure.shape[-1] // 2, exposure.shape[-1]
    below = ordered[..., :half].sum(axis=-1)
    return below + (ordered[..., half] / 2 if n % 2 else 0.0)


def rates(part: FloatArray, whole: FloatArray) -> FloatArray:
    """[..., n_groups] part / whole; NaN where there is no whole."""
    return _over(part, whole)


def _over(part: FloatArray, whole: FloatArray | IntArray) -> FloatArray:
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(whole > 0, part / whole, np.nan)
