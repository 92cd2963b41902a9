"""What a history is compared with, as looked-up vectors of the same shape."""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from recsys_core.data.dataset import Histories
from recsys_core.errors import ConfigError
from recsys_core.explain.attributions import Baseline, Options
from recsys_core.explain.looked_up import Asked
from recsys_core.ranker.bert4rec import Bert4RecRanker
from recsys_core.ranker.neural import NeuralRanker

N_OTHERS = 16


@dataclass(frozen=True, slots=True)
class BaselineVectors:
    """A baseline, or several of which each is as good as the other.

    Attributes:
        vectors: [P, n, L, D] n baselines of each person.
        words: what they are.
    """

    vectors: Tensor
    words: str


def baselines_of(ranker: NeuralRanker) -> tuple[Baseline, ...]:
    """The baselines that gradients of this ranker can start from, its default first."""
    masked: tuple[Baseline, ...] = ("mask",) if isinstance(ranker, Bert4RecRanker) else ()
    return ("padding", *masked, "mean-item", "other-people")


def baseline_vectors(asked: Asked, options: Options) -> BaselineVectors:
    """The chosen baseline for each person; what is known of events beside their items stays as it is.

    Raises:
        ConfigError: the ranker lacks it, or it is made of other people's histories and none are given.
    """
    baseline = options.baseline or "padding"
    nearest = "padding, an average item in every place, needs nothing"
    if baseline not in baselines_of(asked.ranker):
        allowed = ", ".join(baselines_of(asked.ranker))
        raise ConfigError(f"this ranker lacks the baseline '{baseline}'; it has {allowed}; {nearest}")
    if baseline == "padding":
        return BaselineVectors(
            asked.look_up(torch.zeros_like(asked.batch.items))[:, None],
            "an average item in every place of the history",
        )
    if isinstance(asked.ranker, Bert4RecRanker) and baseline == "mask":
        mask = asked.ranker.mask.detach().expand_as(asked.looked_up)
        return BaselineVectors(mask[:, None], "a mask in every place of the history")
    others = options.others
    if others is None or not others.lengths.any():
        raise ConfigError(f"the baseline '{baseline}' is made of other people's histories; {nearest}")
    if baseline == "mean-item":
        return _mean_item(asked, others)
    return _other_people(asked, others, options.seed)


def _mean_item(asked: Asked, others: Histories) -> BaselineVectors:
    items, counts = np.unique(others.items, return_counts=True)
    length = asked.looked_up.shape[1]
    padded = np.zeros(-(-len(items) // length) * length, dtype=np.int64)
    padded[: len(items)] = items
    looked_up = torch.cat(
        [
            asked.look_up(torch.from_numpy(part).to(asked.batch.items.device).expand(len(asked.items), -1))[
                :1, :
            ]
            for part in padded.reshape(-1, length)
        ],
        1,
    )[0, : len(items)]  # [different items, D]
    share = torch.from_numpy(counts / counts.sum()).to(looked_up)
    mean = (share @ looked_up).expand_as(asked.looked_up)
    return BaselineVectors(mean[:, None], "the mean of what people touch, in every place of the history")


def _other_people(asked: Asked, others: Histories, seed: int) -> BaselineVectors:
    """Their last items in the last places; an average item where their histories are shorter."""
    some = np.flatnonzero(others.lengths)
    drawn = others.take(np.random.default_rng(seed).permutation(some)[:N_OTHERS])
    length = asked.batch.items.shape[1]
    looked_up = list[Tensor]()
    for number in range(len(drawn)):
        own = drawn[number]
        items = np.zeros((len(asked.items), length), dtype=np.int64)
        for row, n_real in enumerate(asked.batch.lengths.tolist()):
            n_taken = min(n_real, len(own))
            items[row, n_real - n_taken : n_real] = own[len(own) - n_taken :]
        looked_up.append(asked.look_up(torch.from_numpy(items).to(asked.batch.items.device)))
    return BaselineVectors(
        torch.stack(looked_up, 1), f"the histories of {len(drawn)} other people, averaged over them"
    )
