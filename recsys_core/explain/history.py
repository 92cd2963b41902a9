"""What each item of a history adds to the score of an item on the list.

Three methods: the exact terms of a ranker that is a sum (`counts`), integrated gradients through
Captum for a neural one, and leave-one-out for any. All of them return one value a history position.
"""

from dataclasses import dataclass
from typing import Literal, cast

import numpy as np
import torch
from torch import Tensor

from recsys_core.data.dataset import FloatArray
from recsys_core.errors import ConfigError
from recsys_core.explain.scoring import Question, item_scores, removed
from recsys_core.ranker.als import AlsRanker
from recsys_core.ranker.neighbours import NeighbourRanker
from recsys_core.ranker.neural import HistoryBatch, NeuralRanker
from recsys_core.ranker.popularity import PopularityRanker
from recsys_core.ranker.protocol import Ranker

Method = Literal["integrated-gradients", "leave-one-out", "counts"]
METHODS: tuple[Method, ...] = ("integrated-gradients", "leave-one-out", "counts")

SumRanker = AlsRanker | NeighbourRanker | PopularityRanker

MAX_RELATIVE_DELTA = 0.01
SMALLEST_DIFFERENCE = 1e-3  # a smaller one is near what single precision rounds away, so no share of it
STEPS = (16, 32, 64, 128, 256, 512)
PATH_BATCH = 256


@dataclass(frozen=True, slots=True)
class Attributions:
    """One value a history position, and the check that they add up.

    Attributes:
        values: [length] oldest first; 0 for what the model's window doesn't reach.
        method: how they were found.
        baseline: what the score is compared with, in words.
        score: the score of the item with the full history.
        baseline_score: its score at the baseline.
        delta: Σ values − (score − baseline_score); 0 = they add up exactly. NaN for leave-one-out,
            which promises no sum.
        n_steps: points on the path of integrated gradients; 0 for the other methods.
    """

    values: FloatArray
    method: Method
    baseline: str
    score: float
    baseline_score: float
    delta: float
    n_steps: int

    @property
    def relative_delta(self) -> float:
        """|delta| as a share of the score difference, of 0.001 at least; NaN where there is no sum."""
        if np.isnan(self.delta):
            return self.delta
        return abs(self.delta) / max(abs(self.score - self.baseline_score), SMALLEST_DIFFERENCE)


def default_method(ranker: Ranker) -> Method:
    """The method that fits a ranker: gradients, its own terms where it is a sum, or leaving items out."""
    if isinstance(ranker, NeuralRanker):
        return "integrated-gradients"
    return "counts" if isinstance(ranker, SumRanker) else "leave-one-out"


def attribute(ranker: Ranker, question: Question, method: Method) -> Attributions:
    """What each history item adds to the score, by a method that this ranker can carry.

    Raises:
        ConfigError: the method doesn't fit the ranker, or there is no history to explain by.
    """
    if len(question.history) == 0:
        raise ConfigError(
            "this person has no history yet, so no item of it can be the reason; the list is by popularity"
        )
    if method == "leave-one-out":
        return _leave_one_out(ranker, question)
    if method == "integrated-gradients" and isinstance(ranker, NeuralRanker):
        return _integrated_gradients(ranker, question)
    if method == "counts" and isinstance(ranker, SumRanker):
        return _counts(ranker, question)
    fitting = ", ".join(dict.fromkeys([default_method(ranker), "leave-one-out"]))
    raise ConfigError(f"the method '{method}' doesn't fit this ranker; methods that do: {fitting}")


def _counts(ranker: SumRanker, question: Question) -> Attributions:
    values = ranker.contributions(question.history, question.item_number)
    score = float(item_scores(ranker, question, question.known)[0])
    base = score if isinstance(ranker, PopularityRanker) else 0.0
    delta = float(values.sum()) - (score - base)
    return Attributions(values, "counts", "an empty history", score, base, delta, 0)


def _leave_one_out(ranker: Ranker, question: Question) -> Attributions:
    """The fall of the score when an item goes with all its events, shared by those that the model reaches."""
    items, place = np.unique(question.history, return_inverse=True)
    gone = np.concatenate([np.zeros((1, len(place)), dtype=bool), place == np.arange(len(items))[:, None]])
    scores = item_scores(ranker, question, removed(question.known, gone, in_place=False))
    reached = np.arange(len(place)) >= len(place) - ranker.max_length
    n_events = np.bincount(place[reached], minlength=len(items))
    values = np.where(reached, ((scores[0] - scores[1:]) / np.maximum(n_events, 1))[place], 0.0)
    return Attributions(values, "leave-one-out", "the history without the item", scores[0], np.nan, np.nan, 0)


def _integrated_gradients(ranker: NeuralRanker, question: Question) -> Attributions:
    """Captum's layer integrated gradients over the looked-up history vectors.

    The baseline is an average item in every place, each event's type, strength and time staying as they
    were. The path starts with few Gauss–Legendre points and
    gets more until the values add up within `MAX_RELATIVE_DELTA`. Source: Sundararajan et al., ICML 2017.
    """
    from captum.attr import LayerIntegratedGradients  # brings matplotlib along, which takes seconds

    ranker.eval()
    device = ranker.item_bias.device
    known = question.known if ranker.reads_events else question.known.bare()
    window = HistoryBatch.of(known, ranker.max_length, device)
    inputs = window.items  # [1, L]
    with torch.no_grad():
        vectors = ranker.item_vectors()  # [V, d]
    no_candidates = np.append(np.setdiff1d(question.seen, [question.item_number]), 0)  # 0 is the padding
    left_out = torch.from_numpy(no_candidates).to(device)

    def log_probability(history: Tensor) -> Tensor:
        states = ranker.last_state(window.repeated(history), vectors)  # [steps, d]
        logits = ranker.logits(states, vectors, ranker.item_bias)
        return logits.index_fill(1, left_out, -torch.inf).log_softmax(1)[:, question.item_number]

    with torch.no_grad():
        score, base = log_probability(torch.cat([inputs, torch.zeros_like(inputs)])).double().tolist()
    captum = LayerIntegratedGradients(log_probability, ranker.history_embedding)
    values, delta, n_steps = np.zeros(inputs.shape[1]), np.inf, 0
    for n_steps in STEPS:
        attributed = captum.attribute(
            inputs,
            torch.zeros_like(inputs),
            n_steps=n_steps,
            method="gausslegendre",
            internal_batch_size=PATH_BATCH,
        )
        values = cast(Tensor, attributed).sum(-1)[0].double().cpu().numpy()
        delta = float(values.sum()) - (score - base)
        if abs(delta) <= MAX_RELATIVE_DELTA / 2 * max(abs(score - base), SMALLEST_DIFFERENCE):
            break
    padded = np.concatenate([np.zeros(len(question.history) - len(values)), values])
    baseline = "an average item in every place of the history"
    return Attributions(padded, "integrated-gradients", baseline, score, base, delta, n_steps)
