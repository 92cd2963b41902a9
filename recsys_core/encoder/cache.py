"""Vectors of a catalogue's texts, computed once: kept by the content of the texts and the encoder."""

import hashlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import load_file, save

from recsys_core.encoder.text import (
    MAX_UNKNOWN_SHARE,
    MINILM,
    NGRAMS,
    Progress,
    encode_ngrams,
    is_folder,
    load_encoder,
)
from recsys_core.files import write_atomically

HalfArray = NDArray[np.float16]


@dataclass(frozen=True, slots=True)
class TextVectors:
    """[n_texts, size] vectors, and how they came about.

    Attributes:
        vectors: half precision, so that what is kept with a model is what it was trained on.
        encoder: the encoder that was used in the end.
        unknown_share: share of tokens that the encoder asked for couldn't read.
        warning: why another encoder was used, or "".
    """

    vectors: HalfArray
    encoder: str
    unknown_share: float
    warning: str


def encode_texts(
    texts: list[str], encoder: str, device: torch.device, cache: Path, progress: Progress | None = None
) -> TextVectors:
    """The vectors of `texts`, from the cache folder if the same texts were encoded before.

    Falls back to character n-grams, with a warning, where the encoder can't read 30 % of the tokens.

    Raises:
        ConfigError: there is no such encoder.
        StoreError: the cache can't be written.
    """
    kept = cache / f"{_fingerprint(texts, encoder)}.safetensors"
    found = _read(kept)
    if found is not None:
        return _described(found[0], encoder, found[1])
    unknown_share = 0.0
    if encoder == NGRAMS:
        vectors = encode_ngrams(texts)
    else:
        loaded = load_encoder(encoder, device)
        unknown_share = loaded.unknown_share(texts)
        readable = unknown_share <= MAX_UNKNOWN_SHARE
        vectors = loaded.encode(texts, progress=progress) if readable else encode_ngrams(texts)
    half = vectors.astype(np.float16)
    cache.mkdir(parents=True, exist_ok=True)
    share = np.array([unknown_share])
    tensors = {"vectors": half, "unknown_share": share, "sha256": _sha256(half, share)}
    write_atomically(kept, lambda temporary: temporary.write_bytes(save(tensors)))
    return _described(half, encoder, unknown_share)


def _read(kept: Path) -> tuple[HalfArray, float] | None:
    """Vectors and unknown share that were kept; None where they weren't, or were damaged since."""
    try:
        stored = load_file(kept)
        vectors, share = stored["vectors"], stored["unknown_share"]
        intact = np.array_equal(_sha256(vectors, share), stored["sha256"])
        return (vectors, float(share[0])) if intact else None
    except (OSError, SafetensorError, KeyError):
        return None


def _described(vectors: HalfArray, encoder: str, unknown_share: float) -> TextVectors:
    if unknown_share <= MAX_UNKNOWN_SHARE:
        return TextVectors(vectors, encoder, unknown_share, "")
    warning = (
        f"the encoder '{encoder}' can't read {unknown_share:.0%} of the items' text, so character n-grams "
        f"were used; name a multilingual encoder instead of '{MINILM}' for better vectors"
    )
    return TextVectors(vectors, NGRAMS, unknown_share, warning)


def _fingerprint(texts: list[str], encoder: str) -> str:
    """What the vectors depend on: each text, the encoder's name, and the state of its folder if it is one."""
    parts = [encoder, *texts]
    if is_folder(encoder):
        states = ((file.name, file.stat()) for file in sorted(Path(encoder).iterdir()))
        parts += [f"{name} {state.st_size} {state.st_mtime_ns}" for name, state in states]
    digest = hashlib.sha256()
    for part in parts:
        content = part.encode("utf-8", "surrogatepass")
        digest.update(len(content).to_bytes(8, "little") + content)
    return digest.hexdigest()


def _sha256(*arrays: HalfArray | NDArray[np.float64]) -> NDArray[np.uint8]:
    """[32] of the shape, the type and the content of arrays."""
    digest = hashlib.sha256()
    for array in arrays:
        digest.update(f"{array.shape} {array.dtype.str} ".encode() + array.tobytes())
    return np.frombuffer(digest.digest(), dtype=np.uint8)
