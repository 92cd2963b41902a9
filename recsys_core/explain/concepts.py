"""Which concepts move a model's scores: categories of items, or words that somebody types.

TCAV (Kim et al., ICML 2018) where a history enters a ranker. A concept is a set of items; its direction is
the normal of the linear discriminant between their vectors and those of all other items. The TCAV score is
the share of people whose list item would gain if their whole history moved a little in that direction.

Whether that says anything is tested against random sets of as many items, drawn from the same catalogue:
under "no more than any set" the concept is one of them, so the p-value is exact. What is compared is the mean
change of the score: where everybody's score rises in much the same direction, every other direction has a
share near 0 or 1, chance or not.

Shapes: Q questions, N items, d size of an item's vector.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from scipy.stats import false_discovery_control, rankdata
from torch import Tensor, nn

from recsys_core.data.dataset import FloatArray, Histories, IntArray
from recsys_core.errors import ConfigError
from recsys_core.explain.scoring import Question
from recsys_core.ranker.neural import HistoryBatch, NeuralRanker
from recsys_core.ranker.protocol import Ranker

QUESTIONS_AT_ONCE = 64
FEWEST_ITEMS = 5
LARGEST_SHARE = 0.5  # of the catalogue: beyond it the concept is what is left over
FEWEST_PEOPLE = 11  # of a group; of fewer nothing is said
N_RANDOM = 1_999
RIDGE = 0.01  # of the mean variance, so that directions in which items hardly differ aren't blown up
EVERYBODY = "everybody"


@dataclass(frozen=True, slots=True)
class Concept:
    """A set of items under a name; `items` are item numbers."""

    name: str
    items: IntArray


@dataclass(frozen=True, slots=True)
class ConceptEffect:
    """What a concept does to the scores of some people's list items.

    Attributes:
        concept: its name.
        group: of people; "everybody" for all.
        n_items: of the concept.
        n_people: of the group.
        tcav: share of people whose score rises in its direction, 0 to 1; ½ = no more up than down.
        sensitivity: mean change of the score for a step of length 1 of every history item in its direction,
            as far as the score is linear.
        separability: how surely its direction, found on one half of its items, tells the other half from the
            rest of the catalogue: AUC, ½ = not at all.
        p_value: of a mean change so far from 0, among random sets of as many items.
        p_adjusted: by Holm over the concepts for everybody, by Benjamini & Hochberg over groups.
    """

    concept: str
    group: str
    n_items: int
    n_people: int
    tcav: float
    sensitivity: float
    separability: float
    p_value: float
    p_adjusted: float


@dataclass(frozen=True, slots=True)
class ConceptReport:
    """Effects in the order of concepts and groups, and what couldn't be tested, with the reason."""

    effects: tuple[ConceptEffect, ...]
    not_tested: tuple[tuple[str, str], ...]


def concept_effects(
    ranker: Ranker,
    questions: Sequence[Question],
    concepts: Sequence[Concept],
    groups: dict[str, IntArray] | None = None,
    seed: int = 0,
) -> ConceptReport:
    """What each concept does to the scores of everybody's list items, and of each group's.

    Args:
        ranker: a neural one.
        questions: one a person.
        concepts: which; those of under 5 items, or over half of the catalogue, aren't tested.
        groups: rows of `questions` by name, nobody in two; those of under 11 people aren't tested.
        seed: draws the random sets.

    Raises:
        ConfigError: the ranker has no vectors in which a concept could be a direction.
    """
    if not isinstance(ranker, NeuralRanker):
        raise ConfigError(
            "this ranker counts and knows items by no vectors, so no concept is a direction to it; "
            "ask which history items speak for an item instead"
        )
    gradients = history_gradients(ranker, questions)
    with torch.no_grad():
        looked_up = ranker.item_vectors()[1:].double().cpu().numpy()
    vectors = looked_up * looked_up.shape[1] ** 0.5  # as `HistoryEmbedding` hands them on
    normals = discriminants(vectors)
    people, too_small = _people(groups or {}, len(questions))
    fitting, refused = _fitting(concepts, ranker.n_items)
    effects, generator = list[ConceptEffect](), np.random.default_rng(seed)
    for concept in fitting:
        direction = _unit(normals[:, concept.items - 1].mean(axis=1))
        by_chance = _random_directions(normals, len(concept.items), generator)
        apart = separability(vectors, concept.items, generator)
        for group, rows in people.items():
            moved = gradients[rows] @ direction
            change = float(moved.mean())
            as_far = (np.abs(gradients[rows].mean(axis=0) @ by_chance) >= abs(change) * (1 - 1e-9)).sum()
            p_value, tcav = float((1 + as_far) / (1 + N_RANDOM)), float((moved > 0).mean())
            counts = len(concept.items), len(rows)
            effects.append(ConceptEffect(concept.name, group, *counts, tcav, change, apart, p_value, p_value))
    return ConceptReport(_adjusted(effects), (*refused, *too_small))


def history_gradients(ranker: NeuralRanker, questions: Sequence[Question]) -> FloatArray:
    """[Q, d] the gradient of each question's score, summed over all items of its history."""
    ranker.eval()
    with torch.no_grad():
        vectors = ranker.item_vectors()
    parts = [
        _gradients(ranker, questions[start : start + QUESTIONS_AT_ONCE], vectors)
        for start in range(0, len(questions), QUESTIONS_AT_ONCE)
    ]
    return np.concatenate(parts) if parts else np.zeros((0, vectors.shape[1]))


def discriminants(vectors: FloatArray) -> FloatArray:
    """[d, N] for each item the normal of the linear discriminant between it and all others, to be averaged.

    Σ⁻¹ (x − μ). With the covariance Σ of the whole catalogue the normal for a set of items is proportional
    to the mean over the set (Fisher, 1936), which is what makes many random sets cheap.

    Args:
        vectors: [N, d].
    """
    centred = vectors - vectors.mean(axis=0)
    covariance = centred.T @ centred / len(vectors)
    ridge = RIDGE * np.trace(covariance) / len(covariance)
    return np.linalg.solve(covariance + (ridge or 1.0) * np.eye(len(covariance)), centred.T)


def separability(vectors: FloatArray, items: IntArray, generator: np.random.Generator) -> float:
    """AUC, ½ to tell nothing: a direction from half of the items, tried on the other half and all others."""
    own = generator.permutation(items)
    learned, tried = own[: len(own) // 2], own[len(own) // 2 :]
    others = np.setdiff1d(np.arange(1, len(vectors) + 1), items)
    direction = discriminants(vectors)[:, learned - 1].mean(axis=1)
    ranks = rankdata(np.concatenate([vectors[tried - 1], vectors[others - 1]]) @ direction)
    above = ranks[: len(tried)].sum() - len(tried) * (len(tried) + 1) / 2
    return float(above / (len(tried) * len(others)))


def holm(p_values: FloatArray) -> FloatArray:
    """p-values adjusted so that the chance of any false alarm among them stays in bounds (Holm, 1979)."""
    order = np.argsort(p_values, kind="stable")
    stepped = np.maximum.accumulate(p_values[order] * np.arange(len(order), 0, -1))
    adjusted = np.empty(len(order))
    adjusted[order] = np.minimum(stepped, 1.0)
    return adjusted


def _gradients(ranker: NeuralRanker, questions: Sequence[Question], vectors: Tensor) -> FloatArray:
    known = Histories.joined([question.known for question in questions])
    device = vectors.device
    batch = HistoryBatch.of(known if ranker.reads_events else known.bare(), ranker.max_length, device)
    looked_up = list[Tensor]()

    def start_here(_module: nn.Module, _inputs: object, output: Tensor) -> Tensor:
        looked_up.append(output.detach().requires_grad_())
        return looked_up[-1]

    handle = ranker.history_embedding.register_forward_hook(start_here)
    try:
        states = ranker.last_state(batch, vectors)
    finally:
        handle.remove()
    seen = Histories.of([np.append(np.setdiff1d(q.seen, [q.item_number]), 0) for q in questions])
    places = (torch.from_numpy(seen.rows).to(device), torch.from_numpy(seen.items).to(device))
    logits = ranker.logits(states, vectors, ranker.item_bias.detach())
    logits = logits.index_put(places, logits.new_tensor(-torch.inf))
    items = torch.tensor([question.item_number for question in questions], device=device)
    score = logits.log_softmax(1).gather(1, items[:, None]).sum()
    (gradient,) = torch.autograd.grad(score, looked_up[0])
    return gradient[..., : vectors.shape[1]].sum(1).double().cpu().numpy()


def _random_directions(normals: FloatArray, n_items: int, generator: np.random.Generator) -> FloatArray:
    """[d, N_RANDOM] the directions of random sets of as many items, of length 1."""
    n = normals.shape[1]
    chosen = np.argpartition(generator.random((N_RANDOM, n)), n_items - 1, axis=1)[:, :n_items]
    members = np.zeros((n, N_RANDOM))
    members[chosen.T, np.arange(N_RANDOM)] = 1
    return _unit(normals @ members)


def _unit(directions: FloatArray) -> FloatArray:
    """Vectors [d] or [d, n] at length 1; zeros stay."""
    lengths = np.linalg.norm(directions, axis=0)
    return directions / np.where(lengths > 0, lengths, 1.0)


def _people(groups: dict[str, IntArray], n: int) -> tuple[dict[str, IntArray], list[tuple[str, str]]]:
    """Everybody and the groups that are large enough, and the others with the reason.

    Where those who are in no shown group are under 11, the smallest shown one goes too: else what is said of
    everybody would tell of them.
    """
    shown = {name: rows for name, rows in groups.items() if len(rows) >= FEWEST_PEOPLE}
    hidden = [(name, f"fewer than {FEWEST_PEOPLE} people") for name in groups if name not in shown]
    if shown and 0 < n - sum(map(len, shown.values())) < FEWEST_PEOPLE:
        smallest = min(shown, key=lambda name: len(shown[name]))
        del shown[smallest]
        hidden.append((smallest, f"it would tell of a group of fewer than {FEWEST_PEOPLE} people"))
    return {EVERYBODY: np.arange(n)} | shown, hidden


def _fitting(concepts: Sequence[Concept], n_items: int) -> tuple[list[Concept], list[tuple[str, str]]]:
    fitting, refused = list[Concept](), list[tuple[str, str]]()
    for concept in concepts:
        n = len(concept.items)
        if n < FEWEST_ITEMS:
            refused.append((concept.name, f"{n} items; at least {FEWEST_ITEMS} are needed"))
        elif n > LARGEST_SHARE * n_items:
            refused.append((concept.name, f"{n} of {n_items} items; half of the catalogue is the most"))
        else:
            fitting.append(concept)
    return fitting, refused


def _adjusted(effects: list[ConceptEffect]) -> tuple[ConceptEffect, ...]:
    adjusted = np.array([effect.p_value for effect in effects])
    of_all = np.array([effect.group == EVERYBODY for effect in effects], dtype=bool)
    if of_all.any():
        adjusted[of_all] = holm(adjusted[of_all])
    if (~of_all).any():
        adjusted[~of_all] = false_discovery_control(adjusted[~of_all])
    pairs = zip(effects, adjusted.tolist(), strict=True)
    return tuple(replace(effect, p_adjusted=p_adjusted) for effect, p_adjusted in pairs)
