"""From a score to words: item ← history items ← their words, with what doesn't add up at each level.

The score is first shared among the history's items (integrated gradients). An item's share is the
mean gradient along the path, times its vector less that of an average item; that product is a sum over
what the vector is made of: the item's id and its text. The text's part is a product of a direction and
the text's vector, and so it goes on through the text encoder to the words. The explained item itself
adds to its logit by its vector after the state: that goes the same way.

Shapes: V = n_items + 1, L history items, d size of an item's vector, t size of a text vector.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from recsys_core.data.dataset import FloatArray
from recsys_core.encoder.ngrams import NgramEncoder
from recsys_core.encoder.text import TextEncoder
from recsys_core.errors import ConfigError
from recsys_core.explain.attributions import DEFAULT, Attributions, Options
from recsys_core.explain.baselines import baseline_vectors
from recsys_core.explain.history import attribute
from recsys_core.explain.looked_up import Asked, mean_gradients
from recsys_core.explain.quadrature import gauss_legendre
from recsys_core.explain.scoring import Question
from recsys_core.explain.text_words import TextReasons, words_by_encoder, words_by_ngrams
from recsys_core.ranker.neural import ItemVectors, NeuralRanker
from recsys_core.ranker.protocol import Ranker

POINTS_OF_THE_ITEM = 32

NO_TEXT = (
    "this ranker reads no texts, it knows items by their ids alone: the history's items are all its reasons"
)


@dataclass(frozen=True, slots=True)
class ItemReasons:
    """What one item adds to the score, and how much of it lies in which words of its text.

    value = by_id + by_text + by_rest, and by_text = Σ words + by_any_text − text_delta.

    Attributes:
        item_number: whose text.
        position: of the history, from 0; None for the explained item itself.
        value: what the item adds; of the explained item, to its logit.
        by_id: the part of its learned vector.
        by_text: the part of its text.
        by_rest: what is neither, as traits that a ranker reads beside vectors.
        by_any_text: what a text adds of which every word is masked.
        text: the words.
        text_delta: what the words miss of `by_text`; 0 = they add up exactly.
    """

    item_number: int
    position: int | None
    value: float
    by_id: float
    by_text: float
    by_rest: float
    by_any_text: float
    text: TextReasons
    text_delta: float


@dataclass(frozen=True, slots=True)
class WordChain:
    """Both levels of an explanation: items, and the words of some of them.

    Attributes:
        attributions: of all items of the history, with their δ.
        explained: the explained item.
        history: the items of the history that add or take most, the strongest first.
    """

    attributions: Attributions
    explained: ItemReasons
    history: tuple[ItemReasons, ...]


def explain_words(
    ranker: Ranker,
    question: Question,
    encoder: TextEncoder | NgramEncoder,
    texts: Sequence[str],
    n_history: int = 3,
    options: Options = DEFAULT,
    places: Sequence[int] | None = None,
) -> WordChain:
    """Why an item is where it is, down to the words of its own text and of the strongest history items.

    Args:
        ranker: one that reads texts.
        question: about a log-probability, a logit or a margin.
        encoder: what made the texts' vectors.
        texts: [n_items] of the items 1, 2, …, as they were encoded.
        n_history: how many items of the history to go into, from 0.
        options: of the integrated gradients; the baseline is an average item.
        places: of the history, from 0, to go into in this order instead of the strongest.

    Raises:
        ConfigError: the ranker reads no texts, a place is none that it reads, or as `attribute`.
    """
    vectors = ranker.item_vectors if isinstance(ranker, NeuralRanker) else None
    if not isinstance(ranker, NeuralRanker) or vectors is None or vectors.text is None:
        raise ConfigError(NO_TEXT)
    if options.baseline not in (None, "padding"):
        raise ConfigError(f"words start from an average item, not from the baseline '{options.baseline}'")
    found = attribute(ranker, question, "integrated-gradients", options)
    asked = Asked.of(ranker, [question], np.array([[question.item_number]]))
    parts = _Parts.of(vectors)
    read = _reader(encoder, texts)
    first = len(question.history) - asked.looked_up.shape[1]
    if places is None:
        strongest = np.argsort(-np.abs(found.values), kind="stable")[:n_history].tolist()
        places = [place for place in strongest if place >= first]
    _check_read(places, first, len(found.values))
    gradients = _along_history(asked)
    return WordChain(
        found,
        _of_explained(asked, parts, question.item_number, read),
        tuple(_of_history(asked, parts, gradients, place, first, question, found, read) for place in places),
    )


def _check_read(places: Sequence[int], first: int, stop: int) -> None:
    """Refuses places that the ranker doesn't read."""
    for place in places:
        if not first <= place < stop:
            raise ConfigError(
                f"the history has no place {place + 1} that this ranker reads; it reads {first + 1} to {stop}"
            )


Reader = Callable[[int, FloatArray], TextReasons]


def _reader(encoder: TextEncoder | NgramEncoder, texts: Sequence[str]) -> Reader:
    if isinstance(encoder, NgramEncoder):
        return lambda item, direction: words_by_ngrams(encoder, texts[item - 1], direction)
    return lambda item, direction: words_by_encoder(encoder, texts[item - 1], direction)


@dataclass(frozen=True, slots=True)
class _Parts:
    """What items' vectors are sums of, each less that of an average item.

    Attributes:
        by_id: [V, d] zeros where ids aren't read.
        text: [V, t] as it is kept.
        mean_text: [t].
        projection: [d, t].
    """

    by_id: Tensor
    text: Tensor
    mean_text: Tensor
    projection: Tensor

    @staticmethod
    def of(vectors: ItemVectors) -> "_Parts":
        """Of a ranker whose items have texts."""
        if vectors.text is None or vectors.projection is None:
            raise ConfigError(NO_TEXT)
        projection = vectors.projection.weight.detach().float()
        text = vectors.text.float()
        table = torch.zeros(len(text), len(projection), device=text.device)
        by_id = table if vectors.id is None else vectors.id.weight.detach().float()
        return _Parts(by_id - by_id[1:].mean(0), text, text[1:].mean(0), projection)

    def reasons(
        self, item: int, position: int | None, value: float, gradient: Tensor, read: Reader
    ) -> ItemReasons:
        """An item's value in parts, by the gradient [d] that its vector met."""
        direction = gradient @ self.projection  # [t]
        by_id = float(gradient @ self.by_id[item])
        by_text = float(direction @ (self.text[item] - self.mean_text))
        words = read(item, direction.double().cpu().numpy())
        by_any_text = words.without_words - float(direction @ self.mean_text)
        sum_of_words = sum(word.value for word in words.words)
        return ItemReasons(
            item_number=item,
            position=position,
            value=value,
            by_id=by_id,
            by_text=by_text,
            by_rest=value - by_id - by_text,
            by_any_text=by_any_text,
            text=words,
            text_delta=sum_of_words + by_any_text - by_text,
        )


def _along_history(asked: Asked) -> Tensor:
    """[L, D] the mean gradient along the path from an average item in every place."""
    start = baseline_vectors(asked, Options(baseline="padding")).vectors[0]  # [1, L, D]
    rule = gauss_legendre(POINTS_OF_THE_ITEM * 2)
    return mean_gradients(asked, start, asked.looked_up - start, rule.positions, rule.weights)


def _of_history(
    asked: Asked,
    parts: _Parts,
    gradients: Tensor,
    place: int,
    first: int,
    question: Question,
    found: Attributions,
    read: Reader,
) -> ItemReasons:
    size = asked.vectors.shape[1]
    gradient = gradients[place - first, :size] * size**0.5  # looked-up vectors are that much longer
    item = int(question.history[place])
    return parts.reasons(item, place, float(found.values[place]), gradient, read)


def _of_explained(asked: Asked, parts: _Parts, item: int, read: Reader) -> ItemReasons:
    """The item's own vector after the state of the history; for plain products the gradient is the state."""
    ranker, people = asked.ranker, torch.zeros(1, dtype=torch.long, device=asked.items.device)
    with torch.no_grad():
        state = asked.states(people, asked.looked_up).expand(POINTS_OF_THE_ITEM, -1)
    rule = gauss_legendre(POINTS_OF_THE_ITEM)
    start, end = asked.vectors[0], asked.vectors[item]
    positions = torch.from_numpy(rule.positions).to(start)
    weights = torch.from_numpy(rule.weights).to(start)
    x = (start + positions[:, None] * (end - start)).requires_grad_()
    no_bias = torch.zeros(len(x), device=x.device)
    (back,) = torch.autograd.grad(ranker.own_logits(state, x, no_bias).sum(), x)
    with torch.no_grad():
        ends = ranker.own_logits(state[:2], torch.stack([start, end]), no_bias[:2]).double()
    return parts.reasons(item, None, float(ends[1] - ends[0]), weights @ back, read)
