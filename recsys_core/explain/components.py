"""What each part of a neural ranker adds to a score: id, text, picture, kinds of events, their strengths
and times, what was written at them, profile.

A part that is absent has its neutral value (`NEUTRAL`), so that every coalition of parts gives a score, and
the exact Shapley values over all coalitions lead from the score in which nothing is known to the score on
the list, without a remainder. Source: Shapley 1953; Lundberg & Lee, NeurIPS 2017.

Shapes: n questions, c parts, V = n_items + 1, d size of a vector.
"""

import copy
from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import factorial
from typing import Literal

import numpy as np
import torch
from torch import Tensor

from recsys_core.data.dataset import FloatArray, Histories
from recsys_core.errors import ConfigError
from recsys_core.explain.scoring import Question
from recsys_core.ranker.neural import HistoryBatch, NeuralRanker
from recsys_core.ranker.profile import ProfileColumns, ProfileRanker
from recsys_core.ranker.protocol import Ranker
from recsys_core.ranker.transformer import TransformerRanker

Part = Literal["popularity", "id", "text", "image", "event type", "strength", "time", "review", "profile"]
NEUTRAL: dict[Part, str] = {
    "popularity": "every item has the mean of the items' learned levels, which start at their popularity",
    "id": "every item has the mean of the items' learned vectors",
    "text": "every item has the mean of the items' text vectors",
    "image": "every item has the mean of the pictures' vectors",
    "event type": "of no event it is known of which kind it was",
    "strength": "of no event it is known how strong it was",
    "time": "of no event, nor of the request, it is known when it was",
    "review": "of no event it is known what the person wrote",
    "profile": "nothing is known of the person beside which items they touched",
}
BATCH_PEOPLE = 64


@dataclass(frozen=True, slots=True)
class Components:
    """What the parts of a ranker add to the score of one item, from nothing known to everything known.

    Attributes:
        parts: the parts that the ranker has.
        contributions: [c] their Shapley values; they sum to score − baseline_score exactly.
        score: the log-probability of the item among the candidates, as on the list.
        baseline_score: the same with every part neutral: each candidate is as likely as any other.
        delta: Σ contributions − (score − baseline_score); what rounding leaves.
    """

    parts: tuple[Part, ...]
    contributions: FloatArray
    score: float
    baseline_score: float
    delta: float


def parts_of(ranker: Ranker) -> tuple[Part, ...]:
    """The parts that a ranker's scores are made of.

    Raises:
        ConfigError: the ranker isn't made of such parts.
    """
    neural = _made_of_parts(ranker)
    events = neural.event_vectors if isinstance(neural, TransformerRanker) else None
    has: dict[Part, bool] = {
        "popularity": True,
        "id": neural.item_vectors.id is not None,
        "text": neural.item_vectors.projection is not None,
        "image": neural.item_vectors.image_projection is not None,
        "event type": events is not None and events.event_type is not None,
        "strength": events is not None and events.strength is not None,
        "time": events is not None and (events.gap is not None or events.request_gap is not None),
        "review": neural.written is not None,
        "profile": isinstance(neural, ProfileRanker),
    }
    return tuple(part for part, is_there in has.items() if is_there)


def explain_components(ranker: Ranker, questions: Sequence[Question]) -> list[Components]:
    """What the parts of a ranker add to the score of each question's item; histories may be empty.

    Raises:
        ConfigError: the ranker isn't made of such parts.
    """
    neural, parts = _made_of_parts(ranker), parts_of(ranker)
    values = np.concatenate(
        [
            _coalition_values(neural, parts, questions[start : start + BATCH_PEOPLE])
            for start in range(0, len(questions), BATCH_PEOPLE)
        ]
        or [np.zeros((0, 2 ** len(parts)))]
    )
    contributions = shapley(values)
    scores, baselines = values[:, -1], values[:, 0]
    deltas = contributions.sum(axis=1) - (scores - baselines)
    return [
        Components(parts, own, float(score), float(baseline), float(delta))
        for own, score, baseline, delta in zip(contributions, scores, baselines, deltas, strict=True)
    ]


def shapley(values: FloatArray) -> FloatArray:
    """[n, c] exact Shapley values of n games of c players.

    φ_p = Σ_{S without p} |S|! (c − |S| − 1)! / c! · (v(S with p) − v(S)).

    Args:
        values: [n, 2^c] v of each coalition; bit p of its number says whether player p is in it.
    """
    n_coalitions = values.shape[1]
    c = n_coalitions.bit_length() - 1
    coalitions = np.arange(n_coalitions)
    sizes = np.array([coalition.bit_count() for coalition in range(n_coalitions)])
    weights = np.array([factorial(size) * factorial(c - size - 1) / factorial(c) for size in range(c)])
    found = np.zeros((len(values), c))
    for player in range(c):
        without = coalitions[coalitions & (1 << player) == 0]
        gains = values[:, without | (1 << player)] - values[:, without]
        found[:, player] = gains @ weights[sizes[without]]
    return found


def _made_of_parts(ranker: Ranker) -> NeuralRanker:
    if isinstance(ranker, NeuralRanker):
        return ranker
    raise ConfigError(
        "this ranker knows items by who touched them and by nothing else (or is made of other rankers), so "
        "its score has no components that could be told apart; ask for its history items instead"
    )


def _coalition_values(
    ranker: NeuralRanker, parts: tuple[Part, ...], questions: Sequence[Question]
) -> FloatArray:
    """[n, 2^c] log-probability of each question's item under each coalition."""
    ranker.eval()
    known = Histories.joined([question.known for question in questions])
    device = ranker.item_bias.device
    items = torch.tensor([question.item_number for question in questions], device=device)
    no_candidate = torch.zeros(len(questions), ranker.n_items + 1, dtype=torch.bool, device=device)
    no_candidate[:, 0] = True
    for row, question in enumerate(questions):
        no_candidate[row, torch.from_numpy(question.seen).to(device)] = True
    no_candidate[torch.arange(len(questions)), items] = False
    values = np.empty((len(questions), 2 ** len(parts)))
    for coalition in range(2 ** len(parts)):
        present = frozenset[Part](part for place, part in enumerate(parts) if coalition >> place & 1)
        with torch.inference_mode():
            logits = _logits(ranker, known, present).double().masked_fill(no_candidate, -torch.inf)
            chosen = logits.log_softmax(1)[torch.arange(len(questions)), items]
        values[:, coalition] = chosen.cpu().numpy()
    return values


def _logits(ranker: NeuralRanker, known: Histories, present: frozenset[Part]) -> Tensor:
    """[n, V] scores of everything, with the parts that aren't present at their neutral values."""
    vectors, bias = _vectors(ranker, present), ranker.item_bias
    if "popularity" not in present:
        bias = bias[1:].mean().expand_as(bias)
    if isinstance(ranker, ProfileRanker) and "profile" not in present:
        ranker = _without_profile(ranker)
    known = _known(known, frozenset(parts_of(ranker)) - present)
    known = known if ranker.reads_events else known.bare()
    states = ranker.last_state(HistoryBatch.of(known, ranker.max_length, bias.device), vectors)
    return ranker.logits(states, vectors, bias)


def _vectors(ranker: NeuralRanker, present: frozenset[Part]) -> Tensor:
    """[V, d] item vectors; row 0 is the mean of the others, as always."""
    own = ranker.item_vectors
    parts = list[Tensor]()
    if own.id is not None:
        parts.append(own.id.weight if "id" in present else own.id.weight[1:].mean(0, keepdim=True))
    if own.text is not None and own.projection is not None:
        of_text = own.projection(own.text.to(own.projection.weight.dtype))
        parts.append(of_text if "text" in present else of_text[1:].mean(0, keepdim=True))
    if own.image is not None and own.image_projection is not None:
        of_image = own.image_projection(own.image.to(own.image_projection.weight.dtype))
        parts.append(of_image if "image" in present else of_image[1:].mean(0, keepdim=True))
    vectors = torch.stack([part.expand(ranker.n_items + 1, -1) for part in parts]).sum(0)
    return torch.cat([vectors[1:].mean(0, keepdim=True), vectors[1:]])


def _known(known: Histories, absent: frozenset[Part]) -> Histories:
    """The histories with what is absent unknown at every event."""
    context, askers = known.context, known.askers
    if context is not None:
        unknown = np.full(len(known.items), np.nan)
        context = replace(
            context,
            types=np.zeros_like(context.types) if "event type" in absent else context.types,
            strengths=unknown if "strength" in absent else context.strengths,
            timestamps_s=unknown if "time" in absent else context.timestamps_s,
            texts=np.zeros_like(context.texts) if "review" in absent else context.texts,
        )
    if askers is not None and "time" in absent:
        askers = replace(askers, time_s=np.full(len(known), np.nan))
    return Histories(known.items, known.offsets, context, askers)


class _UnknownProfile(ProfileColumns):
    """A profile of which every column is 0, as what is unknown always is."""

    def forward(self, batch: HistoryBatch, traits: Tensor) -> Tensor:
        return torch.zeros_like(super().forward(batch, traits))

    def before_any_event(self, batch: HistoryBatch) -> Tensor:
        return torch.zeros_like(super().before_any_event(batch))


def _without_profile(ranker: ProfileRanker) -> ProfileRanker:
    """The same ranker, its weights shared, that knows nothing of people's profiles."""
    blind = copy.copy(ranker)
    blind.__dict__ = ranker.__dict__ | {"_modules": dict(ranker._modules)}  # pyright: ignore[reportPrivateUsage]
    blind.profile = _UnknownProfile(ranker.profile.columns, ranker.profile.traits)
    return blind
