"""Losses of scores: the item that came against drawn ones that didn't. All: range ≥ 0, lower is better.

Shapes: n states, m negatives that all of them share. `positive` is [n], the score of the item that came;
`negative` is [n, m]; `allowed` is [n, m], false where a negative is the target itself or was seen before.
"""

import torch
import torch.nn.functional as F
from torch import Tensor


def sampled_softmax(positive: Tensor, negative: Tensor, allowed: Tensor, log_expected: Tensor) -> Tensor:
    """Mean cross-entropy with the sum over all candidates estimated from the negatives.

    Each negative stands for 1 / (how often it was expected to be drawn) items, so that the estimated sum
    is right on average; the target is in the sum by itself and needs no correction. With each item drawn
    once and expected once it is the full softmax.

    Source: importance sampling of the partition function, Bengio & Senécal, IEEE TNN 2008.

    Args:
        positive: [n].
        negative: [n, m].
        allowed: [n, m].
        log_expected: [m] log of the expected number of draws of each negative, log(m · q).
    """
    corrected = (negative - log_expected).masked_fill(~allowed, -torch.inf)
    return (torch.logsumexp(torch.cat([positive[:, None], corrected], 1), 1) - positive).mean()


def binary_cross_entropy(positive: Tensor, negative: Tensor, allowed: Tensor, power: float = 1.0) -> Tensor:
    """Mean over states of −(power · log σ(s⁺) + Σ log(1 − σ(s⁻))) / (1 + number of allowed negatives).

    A power of 1 is BCE as in SASRec; `gbce_power` gives that of gBCE, which takes back the overconfidence
    that comes from seeing few negatives.

    Source: Petrov & Macdonald, gSASRec, RecSys 2023, equation 6.
    """
    losses = power * F.softplus(-positive) + (F.softplus(negative) * allowed).sum(1)
    return (losses / (1 + allowed.sum(1))).mean()


def gbce_power(n_negatives: int, n_items: int, calibration: float) -> float:
    """The power of σ(s⁺) in gBCE: 1 at calibration 0, the share of items drawn at calibration 1.

    Source: as `binary_cross_entropy`: β = α (t (1 − 1/α) + 1/α) with α = m / (|I| − 1), at most 1.
    """
    share = min(1.0, n_negatives / max(1, n_items - 1))
    return share * (calibration * (1 - 1 / share) + 1 / share)


def bayesian_personalised_ranking(positive: Tensor, negative: Tensor, allowed: Tensor) -> Tensor:
    """Mean over states of the mean −log σ(s⁺ − s⁻); a state without an allowed negative counts as 0.

    Source: Rendle et al., UAI 2009.
    """
    losses = F.softplus(negative - positive[:, None]) * allowed
    return (losses.sum(1) / allowed.sum(1).clamp(min=1)).mean()


def squared_error(predicted: Tensor, strength: Tensor) -> Tensor:
    """Mean of (predicted − strength)² over the ratings that are known; 0 where none is.

    Args:
        predicted: [n] scores of the items that came.
        strength: [n] their ratings; NaN where there is none.
    """
    known = ~strength.isnan()
    errors = torch.where(known, predicted - strength.nan_to_num(), 0.0)
    return errors.square().sum() / known.sum().clamp(min=1)
