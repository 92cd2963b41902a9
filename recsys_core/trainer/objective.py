"""What a neural ranker learns by: the loss that its settings name, from states to a number."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from recsys_core.data.dataset import FloatArray, Histories
from recsys_core.ranker.neural import NeuralRanker, Prediction
from recsys_core.ranker.noise import noise_of_this_thread
from recsys_core.trainer.drawn_softmax import softmax_over_drawn
from recsys_core.trainer.losses import softmax_over_candidates
from recsys_core.trainer.negatives import NegativeSampler, allowed_negatives
from recsys_core.trainer.sampled_losses import (
    bayesian_personalised_ranking,
    binary_cross_entropy,
    gbce_power,
    sampled_softmax,
    squared_error,
)
from recsys_core.trainer.teachers import NO_TEACHING, Taught, Teaching

LossName = Literal["softmax", "sampled-softmax", "gbce", "bce", "bpr", "squared-error"]


@dataclass(frozen=True, slots=True)
class LossChoice:
    """Which loss, and what those with drawn negatives need.

    Attributes:
        name: "softmax" is over all items and draws none, but for rankers whose score is no plain product;
            "squared-error" is of ratings, and draws none.
        n_negatives: drawn for each part of a batch and shared by its states.
        negatives_exponent: of popularity in the draw; 0 = all items alike, 1 = as often as touched.
        calibration: t of gBCE, from 0, which is BCE, to 1.
    """

    name: LossName = "softmax"
    n_negatives: int = 256
    negatives_exponent: float = 0.0
    calibration: float = 0.75


FULL_SOFTMAX = LossChoice()


@dataclass(frozen=True, slots=True)
class Objective:
    """A loss made ready for a data set.

    Attributes:
        choice: as in the settings.
        sampler: of negatives; None for the softmax over all items.
        teaching: trained rankers that the softmax over all items learns from as well.
    """

    choice: LossChoice
    sampler: NegativeSampler | None
    teaching: Teaching = NO_TEACHING

    @staticmethod
    def of(choice: LossChoice, counts: FloatArray, teaching: Teaching = NO_TEACHING) -> "Objective":
        """The loss of a choice.

        Args:
            choice: as in the settings.
            counts: [n_items + 1] how often each item occurs in training.
            teaching: by whom, for the softmax over all items.
        """
        if choice.name == "softmax":
            return Objective(choice, None, teaching)
        if choice.name == "squared-error":
            return Objective(choice, None)
        return Objective(choice, NegativeSampler.by_popularity(counts, choice.negatives_exponent))

    def loss(
        self,
        ranker: NeuralRanker,
        asked: Prediction,
        vectors: Tensor,
        seen: Histories,
        taught: Sequence[Taught] = (),
        ratings: Tensor | None = None,
    ) -> Tensor:
        """The mean loss of what was asked; negatives come from the noise of this thread.

        Args:
            ranker: whose scores are to be learned.
            asked: states and targets.
            vectors: [V, d] item vectors.
            seen: [n] item numbers that are no candidates after each state.
            taught: what each teacher says of what was asked.
            ratings: [n] of the targets, NaN where there is none; None = of none.
        """
        if self.choice.name == "squared-error":
            return _of_ratings(ranker, asked, vectors, ratings)
        if self.sampler is None or self.choice.name == "softmax":
            if not ranker.is_product:
                return softmax_over_drawn(ranker, asked, vectors, seen)
            return softmax_over_candidates(
                asked.states, vectors, ranker.item_bias, asked.targets, seen, taught, self.teaching.share
            )
        drawn = self.sampler.draw(self.choice.n_negatives, noise_of_this_thread())
        device = vectors.device
        items = torch.from_numpy(drawn.items).to(device)
        allowed = allowed_negatives(drawn.items, asked.targets.cpu().numpy(), seen).to(device)
        bias, targets = ranker.item_bias, asked.targets
        positive = ranker.own_logits(asked.states, vectors[targets], bias[targets]).float()
        negative = ranker.logits(asked.states, vectors[items], bias[items]).float()
        match self.choice.name:
            case "sampled-softmax":
                log_expected = torch.from_numpy(drawn.log_expected).to(negative)
                return sampled_softmax(positive, negative, allowed, log_expected)
            case "bpr":
                return bayesian_personalised_ranking(positive, negative, allowed)
            case "bce":
                return binary_cross_entropy(positive, negative, allowed)
            case "gbce":
                power = gbce_power(self.choice.n_negatives, ranker.n_items, self.choice.calibration)
                return binary_cross_entropy(positive, negative, allowed, power)


def _of_ratings(ranker: NeuralRanker, asked: Prediction, vectors: Tensor, ratings: Tensor | None) -> Tensor:
    targets = asked.targets
    predicted = ranker.own_logits(asked.states, vectors[targets], ranker.item_bias[targets]).float()
    return squared_error(predicted, torch.full_like(predicted, torch.nan) if ratings is None else ratings)


ALL_ITEMS = Objective(FULL_SOFTMAX, None)
