"""Vectors of a catalogue's texts, computed once: kept by the content of the texts and the encoder."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from recsys_core.encoder.int8 import mean_cosine, quantised
from recsys_core.encoder.kept import (
    HalfArray,
    KeptVectors,
    digests_of,
    keep,
    mark_used,
    name_of,
    read_kept,
    take_known,
)
from recsys_core.encoder.loading import load_encoder
from recsys_core.encoder.ngrams import NGRAMS, NgramEncoder, fit_ngrams
from recsys_core.encoder.sources import MINILM, folder_state, local_folder
from recsys_core.encoder.text import (
    EncoderOptions,
    FloatArray,
    Progress,
    TextEncoder,
    share_unknown,
)
from recsys_core.errors import ConfigError

MAX_UNKNOWN_SHARE = 0.3
MAX_UNKNOWN_SHARE_OF_FEW = 0.5  # of a wish, in which a single sign may be a third
MIN_COSINE = 0.98
COMPARED_TEXTS = 256
_VERSION = "2"  # of what is kept, so that another layout is never read as this one


@dataclass(frozen=True, slots=True)
class TextVectors:
    """[n_texts, size] unit vectors, and how they came about.

    Attributes:
        vectors: half precision, so that what is kept with a model is what it was trained on.
        encoder: the encoder that was used in the end.
        unknown_share: share of tokens that the encoder asked for couldn't read.
        warning: why another encoder was used, or what was lost, or "".
        options: how the encoder was used.
        cosine_to_fp32: mean cosine to single precision's vectors, where bf16 or int8 was used.
        ngrams: the n-grams, where they made the vectors: a wish or a new item needs them.
    """

    vectors: HalfArray
    encoder: str
    unknown_share: float
    warning: str
    options: EncoderOptions = field(default_factory=EncoderOptions)
    cosine_to_fp32: float | None = None
    ngrams: NgramEncoder | None = None


def encode_texts(
    texts: Sequence[str],
    encoder: str,
    device: torch.device,
    cache: Path,
    progress: Progress | None = None,
    options: EncoderOptions | None = None,
) -> TextVectors:
    """The vectors of `texts`, mapped from the cache folder if the same texts were encoded before.

    Where some of them were, in another catalogue, only the others are encoded. Falls back to character
    n-grams, with a warning, where the encoder can't read 30 % of the tokens.

    Raises:
        ConfigError: there is no such encoder.
        StoreError: the cache can't be written.
    """
    options = options or EncoderOptions()
    shelf = cache / _shelf(encoder, options)
    digests = digests_of(text.encode("utf-8", "surrogatepass") for text in texts)
    folder = shelf / name_of(digests.tobytes())
    kept = read_kept(folder)
    if kept is None:
        made = _encode(texts, digests, encoder, device, shelf, progress, options)
        keep(folder, made)
        kept = read_kept(folder) or made
    mark_used(folder)
    return _described(kept, encoder, options)


def encode_more(
    model: TextVectors, texts: Sequence[str], device: torch.device, cache: Path, as_query: bool = False
) -> TextVectors:
    """Vectors of texts that weren't in the catalogue: new items, or a typed wish (`as_query`).

    They come from the encoder, or from the n-grams, that made the vectors of `model`, and can be
    compared with them. A text that the n-grams know nothing of has the vector 0.

    Raises:
        ConfigError: the encoder isn't there any more, or isn't the same any more.
    """
    if model.encoder == NGRAMS:
        if model.ngrams is None:
            raise ConfigError(
                "this model was trained before character n-grams were kept with models, so it can't read "
                "new texts; train it again"
            )
        return replace(model, vectors=model.ngrams.encode(texts).astype(np.float16), warning="")
    loaded = _open(model.encoder, device, cache / _shelf(model.encoder, model.options), model.options)
    if loaded.size != model.vectors.shape[1]:
        raise ConfigError(
            f"the encoder '{model.encoder}' gives vectors of {loaded.size} numbers, and this model learned "
            f"from vectors of {model.vectors.shape[1]}: its files have been replaced; train the model again"
        )
    share = loaded.unknown_share(texts)
    warning = f"the encoder '{model.encoder}' can't read {share:.0%} of this text"
    return replace(
        model,
        vectors=_unit(loaded.encode(texts, as_query=as_query)).astype(np.float16),
        unknown_share=share,
        warning=warning if share > MAX_UNKNOWN_SHARE_OF_FEW else "",
    )


def _encode(
    texts: Sequence[str],
    digests: NDArray[np.bytes_],
    encoder: str,
    device: torch.device,
    shelf: Path,
    progress: Progress | None,
    options: EncoderOptions,
) -> KeptVectors:
    """The vectors of a catalogue that wasn't encoded before, those of known texts taken from others."""
    counts = np.zeros((len(texts), 2), dtype=np.int32)
    if encoder == NGRAMS:
        return _by_ngrams(texts, digests, counts)
    loaded = _open(encoder, device, shelf, options)
    made = KeptVectors(np.zeros((len(texts), loaded.size), dtype=np.float16), digests, counts)
    known = take_known(shelf, digests, made)
    _, first, again = np.unique(digests, return_index=True, return_inverse=True)
    new = first[~known[first]]  # one row of each text that has no vector yet
    new_texts = [texts[int(row)] for row in new]
    counts[new] = loaded.token_counts(new_texts)
    counts[:] = counts[first][again]
    if share_unknown(counts) > MAX_UNKNOWN_SHARE:
        return _by_ngrams(texts, digests, counts)
    made.vectors[new] = _unit(loaded.encode(new_texts, progress=progress))
    made.vectors[:] = made.vectors[first][again]
    return replace(made, cosine_to_fp32=_cosine_to_fp32(loaded, texts, options))


def _by_ngrams(texts: Sequence[str], digests: NDArray[np.bytes_], counts: NDArray[np.int32]) -> KeptVectors:
    ngrams = fit_ngrams(texts)
    return KeptVectors(ngrams.encode(texts).astype(np.float16), digests, counts, ngrams=ngrams)


def _open(encoder: str, device: torch.device, shelf: Path, options: EncoderOptions) -> TextEncoder:
    if options.precision != "int8":
        return load_encoder(encoder, device, options)
    return quantised(load_encoder(encoder, torch.device("cpu"), options), shelf / "int8.onnx")


def _cosine_to_fp32(loaded: TextEncoder, texts: Sequence[str], options: EncoderOptions) -> float | None:
    """Mean cosine, over up to 256 of the texts, to what the same encoder says in single precision."""
    if loaded.precision == "fp32" or len(texts) == 0:
        return None
    rows = np.linspace(0, len(texts) - 1, min(len(texts), COMPARED_TEXTS)).astype(int)
    some = [texts[int(row)] for row in rows]
    exact = load_encoder(loaded.name, loaded.device, replace(options, precision="fp32"))
    cosine = mean_cosine(loaded.encode(some), exact.encode(some))
    return None if np.isnan(cosine) else cosine


def _described(kept: KeptVectors, encoder: str, options: EncoderOptions) -> TextVectors:
    unknown_share, warnings = share_unknown(kept.counts), list[str]()
    if unknown_share > MAX_UNKNOWN_SHARE:
        warnings.append(
            f"the encoder '{encoder}' can't read {unknown_share:.0%} of the items' text, so character "
            f"n-grams were used; name a multilingual encoder instead of '{MINILM}' for better vectors"
        )
    cosine = kept.cosine_to_fp32
    if cosine is not None and cosine < MIN_COSINE:
        warnings.append(
            f"{options.precision} turned the texts' vectors to a mean cosine of {cosine:.3f} with those of "
            "fp32; choose fp32 or bf16 for better ones"
        )
    return TextVectors(
        vectors=kept.vectors,
        encoder=encoder if kept.ngrams is None else NGRAMS,
        unknown_share=unknown_share,
        warning="; ".join(warnings),
        options=options,
        cosine_to_fp32=cosine,
        ngrams=kept.ngrams,
    )


def _shelf(encoder: str, options: EncoderOptions) -> str:
    """The folder of what an encoder made: another one when its files are replaced or it is used otherwise."""
    state = "" if encoder == NGRAMS else folder_state(local_folder(encoder))
    how = f"{options.pooling} {options.precision} {options.max_tokens}"
    return name_of(_VERSION, encoder, state, how)


def _unit(vectors: FloatArray) -> FloatArray:
    """Every row at length 1, rows of 0 as they are."""
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    return vectors / np.where(lengths > 0, lengths, 1).astype(np.float32)
