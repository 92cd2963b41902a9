"""What the words of a text add to a number that is read off its vector: direction · vector.

Through a text encoder by integrated gradients over its token embeddings, from a text in which every
token is masked; through character n-grams exactly. Tokens are merged to words; where a script sets no
spaces (Chinese, Japanese, Thai), every token stays a word of its own.

Shapes: T tokens, h size of a token's embedding, t size of a text vector.
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

import numpy as np
import torch
from torch import Tensor

from recsys_core.data.dataset import FloatArray
from recsys_core.encoder.ngrams import NgramEncoder
from recsys_core.encoder.text import TextEncoder
from recsys_core.errors import ConfigError
from recsys_core.explain.quadrature import nested_rules

if TYPE_CHECKING:
    from transformers.modeling_outputs import BaseModelOutput

MAX_RELATIVE_DELTA = 1e-2
SMALLEST_DIFFERENCE = 1e-4
POINTS_AT_ONCE = 16

Span = tuple[int, int]

_UNSPACED = re.compile(r"[぀-ヿ㐀-䶿一-鿿豈-﫿฀-๿\U00020000-\U0003ffff]")


@dataclass(frozen=True, slots=True)
class Word:
    """A word of a text, where it stands, and what it adds."""

    text: str
    start: int
    stop: int
    value: float


@dataclass(frozen=True, slots=True)
class TextReasons:
    """What the words of one text add to direction · vector.

    Attributes:
        text: as it was encoded; an encoder may cut the end, of which there are no words then.
        words: in the order of the text.
        value: direction · vector of the text.
        without_words: the same for a text of which nothing is known.
        delta: Σ words − (value − without_words); 0 = they add up exactly.
    """

    text: str
    words: tuple[Word, ...]
    value: float
    without_words: float
    delta: float


def words_by_encoder(encoder: TextEncoder, text: str, direction: FloatArray) -> TextReasons:
    """What each word adds, through the encoder; special tokens and prompts stay as they are.

    Args:
        encoder: in full or mixed precision.
        text: as it was encoded for its vector.
        direction: [t].

    Raises:
        ConfigError: the encoder's tokenizer or model doesn't let words be told apart.
    """
    ids, spans = _tokens(encoder, text)
    embeddings = cast(torch.nn.Embedding, cast(Any, encoder.model).get_input_embeddings())
    masked = ids.clone()
    masked[[row for row, (start, stop) in enumerate(spans) if stop > start]] = _mask_token(encoder)
    with torch.no_grad():
        real, bare = embeddings(ids).float(), embeddings(masked).float()  # [T, h]
    along = torch.from_numpy(direction).float().to(encoder.device)
    with torch.no_grad():
        value, without = _read(encoder, torch.stack([real, bare]), along).double().tolist()
    values = _along_path(encoder, bare, real - bare, along, value - without)
    words = merged(text, spans, values)
    return TextReasons(text, words, value, without, float(values.sum()) - (value - without))


def words_by_ngrams(encoder: NgramEncoder, text: str, direction: FloatArray) -> TextReasons:
    """What each word adds, exactly: an n-gram's part is shared by the characters of all its places."""
    weights = encoder.weights(text)  # by n-gram
    vector = encoder.encode([text])[0].astype(np.float64)
    pulls = encoder.components.T.astype(np.float64)  # [V, t]
    unscaled = sum((weight * pulls[row] for row, weight in weights.items()), np.zeros(len(vector)))
    length = float(np.linalg.norm(unscaled)) or 1.0
    of_characters = np.zeros(len(text))
    for row, places in encoder.places(text).items():
        part = weights[row] * float(pulls[row] @ direction) / length
        for place in places:
            of_characters[place] += part / (len(places) * len(place))
    spans = _words_of(text)
    words = tuple(Word(text[a:b], a, b, float(of_characters[a:b].sum())) for a, b in spans)
    value = float(vector @ direction)
    return TextReasons(text, words, value, 0.0, float(of_characters.sum()) - value)


def merged(text: str, spans: Sequence[Span], values: FloatArray) -> tuple[Word, ...]:
    """Tokens as words: those that no space parts, unless one is of a script that sets no spaces.

    Args:
        text: of the tokens.
        spans: [T] where each token stands; an empty one is of no word.
        values: [T].
    """
    found = list[tuple[int, int, float]]()
    for (begins, stop), value in zip(spans, values.tolist(), strict=True):
        if stop <= begins:
            continue
        start = begins + len(text[begins:stop]) - len(text[begins:stop].lstrip())
        if found and _continues(text, found[-1], start, stop):
            first, _, sum_so_far = found[-1]
            found[-1] = (first, max(stop, found[-1][1]), sum_so_far + value)
        else:
            found.append((start, stop, value))
    return tuple(Word(text[start:stop], start, stop, value) for start, stop, value in found)


def _continues(text: str, before: tuple[int, int, float], start: int, stop: int) -> bool:
    """Whether a token goes on with the word before it."""
    if start < before[1] or start >= stop:  # pieces of one character, or a space alone
        return True
    pieces = text[before[1] - 1] + text[start]
    return start == before[1] and pieces.isalnum() and not _UNSPACED.search(pieces)


def _words_of(text: str) -> list[Span]:
    """Words between spaces, and each character of an unspaced script."""
    spans = list[Span]()
    for word in re.finditer(r"\S+", text):
        start = word.start()
        for character in _UNSPACED.finditer(text, word.start(), word.end()):
            spans += [(start, character.start()), character.span()]
            start = character.end()
        spans.append((start, word.end()))
    return [(start, stop) for start, stop in spans if stop > start]


def _tokens(encoder: TextEncoder, text: str) -> tuple[Tensor, list[Span]]:
    """[T] ids, and where each token stands in the text; (0, 0) for those that stand for no part of it."""
    if not getattr(encoder.tokenizer, "is_fast", False):
        raise ConfigError(f"the tokenizer of '{encoder.name}' doesn't say where in a text its tokens stand")
    if not hasattr(encoder.model, "get_input_embeddings"):
        raise ConfigError(f"'{encoder.name}' runs in int8, which has no gradients; load it in fp32")
    prompted = encoder.prompts.before([text], False)[0]
    n_prompt = len(prompted) - len(text)
    tokens = encoder.tokenizer(
        prompted,
        truncation=True,
        max_length=encoder.max_tokens,
        return_offsets_mapping=True,
        return_special_tokens_mask=True,
        verbose=False,
    )
    rows = zip(tokens["offset_mapping"], tokens["special_tokens_mask"], strict=True)
    spans = [
        (0, 0) if is_special or start < n_prompt else (start - n_prompt, stop - n_prompt)
        for (start, stop), is_special in cast("list[tuple[Span, int]]", list(rows))
    ]
    return torch.tensor(tokens["input_ids"], device=encoder.device, dtype=torch.long), spans


def _mask_token(encoder: TextEncoder) -> int:
    tokenizer = encoder.tokenizer
    named = (tokenizer.mask_token_id, tokenizer.pad_token_id, tokenizer.eos_token_id)
    return next((int(cast(int, token)) for token in named if token is not None), 0)


def _read(encoder: TextEncoder, embedded: Tensor, along: Tensor) -> Tensor:
    """[n] direction · vector of texts given as embedded tokens [n, T, h]."""
    mask = torch.ones(embedded.shape[:2], dtype=torch.long, device=embedded.device)
    model = cast("Callable[..., BaseModelOutput]", encoder.model)
    hidden = cast(Tensor, model(inputs_embeds=embedded, attention_mask=mask).last_hidden_state)
    return encoder.head(hidden, mask) @ along


def _along_path(
    encoder: TextEncoder, start: Tensor, way: Tensor, along: Tensor, difference: float
) -> FloatArray:
    """[T] integrated gradients of the tokens, with as many points as it takes to add up."""
    known = list[Tensor]()  # [points, T] by rule
    values = np.zeros(len(start))
    for rule in nested_rules():
        for positions in torch.from_numpy(rule.positions).to(start).split(POINTS_AT_ONCE):
            x = (start + positions[:, None, None] * way).requires_grad_()
            (back,) = torch.autograd.grad(_read(encoder, x, along).sum(), x)
            known.append((back * way).sum(-1))
        values = (torch.cat(known).double().cpu().numpy() * rule.weights[:, None]).sum(0)
        missed = abs(values.sum() - difference)
        if missed <= MAX_RELATIVE_DELTA * max(abs(difference), SMALLEST_DIFFERENCE):
            break
    return values
