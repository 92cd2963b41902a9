"""Worlds in which it is known why one group is served worse: values of people with factors and a group."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

GAINS = 1 / np.log2(np.arange(1, 11) + 1)


@dataclass(frozen=True, slots=True)
class World:
    """People with a value, a group and factors."""

    values: NDArray[np.float64]
    in_group: NDArray[np.bool_]
    factors: pd.DataFrame


def hits(rate: NDArray[np.float64], rng: np.random.Generator) -> NDArray[np.float64]:
    """[n] NDCG@10 of one held-out item, found with these probabilities at a random place."""
    return np.where(rng.random(len(rate)) < rate, rng.choice(GAINS, len(rate)), 0.0)


def length_world(seed: int, n: int = 4_000, shorter: float = 0.3, beside: float = 0.0) -> World:
    """A gap whose only cause is the length of histories, unless there is a gap `beside` it.

    Entropy and coverage follow from length; mainstreamness, recency and texts have nothing to do with it.
    """
    rng = np.random.default_rng(seed)
    in_group = rng.random(n) < 0.3
    length = np.ceil(np.exp(rng.normal(3.2, 0.7, n)) * np.where(in_group, shorter, 1.0))
    rate = 0.05 + 0.6 * (1 - np.exp(-length / 20)) - beside * in_group
    factors = pd.DataFrame(
        {
            "history_length": length,
            "mainstreamness": rng.beta(2, 5, n),
            "taste_entropy": np.log2(1 + length) * rng.uniform(0.6, 1.0, n),
            "recency_days": rng.exponential(10, n),
            "catalogue_coverage": length * rng.uniform(0.8, 1.0, n) / 1_000,
            "text_quality": rng.normal(20, 3, n),
        }
    )
    return World(hits(np.clip(rate, 0.0, 1.0), rng), in_group, factors)
