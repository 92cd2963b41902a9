"""Worlds in which it is known why one group is served worse: values of people with factors and a group."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from recsys_core.data.dataset import build_dataset
from recsys_core.data.schema import Tables
from recsys_core.data.simulate import ShopSize, simulate_shop
from recsys_core.data.simulate_people import SHORTER_GROUP
from recsys_core.data.split import histories, leave_one_out
from recsys_core.metrics.person_factors import person_factors
from recsys_core.ranker.evaluation import held_out_ranks
from recsys_core.ranker.neighbours import fit_transitions
from recsys_core.ranker.rerank import category_shares

GAINS = 1 / np.log2(np.arange(1, 11) + 1)


@dataclass(frozen=True, slots=True)
class World:
    """People with a value, a group and factors.

    Attributes:
        values: [n] of the metric.
        expected: [n] its mean over everybody of such factors, whichever the group; NaN where nobody knows it.
        in_group: [n] who is served worse.
        factors: [n, n_factors]
    """

    values: NDArray[np.float64]
    expected: NDArray[np.float64]
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
    alike = 0.05 + 0.6 * (1 - np.exp(-length / 20))
    rate = np.clip(alike - beside * in_group, 0.0, 1.0)
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
    return World(hits(rate, rng), alike * GAINS.mean(), in_group, factors)


def shop_world(seed: int, size: ShopSize) -> World:
    """The 65+ of a simulated shop, who have shorter histories, by NDCG@10 of transitions."""
    shop = simulate_shop(seed, size)
    touched = shop.interactions[shop.interactions["item_id"] != ""]
    dataset = build_dataset(Tables(touched, shop.items, shop.users))
    split = leave_one_out(dataset)
    ranker = fit_transitions(histories(dataset, split, "valid"), dataset.n_items, 20, 0.7)
    ranks = held_out_ranks(ranker, dataset, split, "test").first
    asked = ranks > 0
    gains = np.where(ranks <= len(GAINS), 1 / np.log2(np.maximum(ranks, 1) + 1), 0.0)
    factors = person_factors(dataset, split, "test", category_shares(dataset))
    in_group = (dataset.users["age_band"] == SHORTER_GROUP).to_numpy()
    unknown = np.full(int(asked.sum()), np.nan)
    return World(gains[asked], unknown, in_group[asked], factors[asked])
