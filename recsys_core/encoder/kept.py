"""Vectors at rest: a folder for each catalogue and encoder, whose arrays are mapped into memory when read.

    CACHE/ENCODER/CATALOGUE/vectors.npy digests.npy counts.npy about.json [ngrams.safetensors] sha256.json

A folder appears whole or not at all, and nothing is read from it before every file has the content that
sha256.json recorded; a damaged one is thrown away and made again. Another catalogue of the same encoder
takes from it the vectors of what it has in common with it.
"""

import hashlib
import os
import shutil
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from recsys_core.encoder.ngrams import NgramEncoder, load_ngrams
from recsys_core.errors import StoreError
from recsys_core.files import check_sha256, new_folder, read_json, sha256_of, write_json

HalfArray = NDArray[np.float16]
CountArray = NDArray[np.int32]
DigestArray = NDArray[np.bytes_]

MAX_CACHE_BYTES = 4 << 30

_VECTORS, _DIGESTS, _COUNTS = "vectors.npy", "digests.npy", "counts.npy"
_ABOUT, _NGRAMS, _SHA256 = "about.json", "ngrams.safetensors", "sha256.json"


@dataclass(frozen=True, slots=True)
class KeptVectors:
    """The vectors of one catalogue.

    Attributes:
        vectors: [n, size] half precision; mapped from the disk where they were read from there.
        digests: [n] SHA-256 of what each was made of.
        counts: [n, 2] parts (tokens, pictures) of each, and how many of them the encoder couldn't read.
        cosine_to_fp32: mean cosine to single precision's vectors; None where they are just those.
        ngrams: the n-grams that made the vectors, where the encoder itself couldn't read the catalogue.
    """

    vectors: HalfArray
    digests: DigestArray
    counts: CountArray
    cosine_to_fp32: float | None = None
    ngrams: NgramEncoder | None = None


def digests_of(contents: Iterable[bytes]) -> DigestArray:
    """[n] the SHA-256 of each."""
    return np.array([hashlib.sha256(content).digest() for content in contents], dtype="S32")


def name_of(*parts: str | bytes) -> str:
    """A folder's name that stands for these parts in this order, and for no others."""
    digest = hashlib.sha256()
    for part in parts:
        content = part.encode("utf-8", "surrogatepass") if isinstance(part, str) else part
        digest.update(len(content).to_bytes(8, "little") + content)
    return digest.hexdigest()[:40]


def keep(folder: Path, kept: KeptVectors) -> None:
    """Writes a catalogue's vectors; what wasn't used for longest goes where the cache gets too large.

    Raises:
        StoreError: the disk refused.
    """
    try:
        with new_folder(folder) as filling:
            for name, array in ((_VECTORS, kept.vectors), (_DIGESTS, kept.digests), (_COUNTS, kept.counts)):
                np.save(filling / name, array, allow_pickle=False)
            write_json(filling / _ABOUT, {"cosine_to_fp32": kept.cosine_to_fp32})
            if kept.ngrams is not None:
                kept.ngrams.save(filling / _NGRAMS)
            write_json(filling / _SHA256, {file.name: sha256_of(file) for file in filling.iterdir()})
    except StoreError:
        if read_kept(folder) is None:  # else another process was faster, with the same content
            raise
    _make_room(folder)


def read_kept(folder: Path) -> KeptVectors | None:
    """A catalogue's vectors, mapped; None where they weren't kept, or were damaged since."""
    if not folder.is_dir():
        return None
    try:
        sums: dict[str, str] = read_json(folder / _SHA256)
        for name in {_VECTORS, _DIGESTS, _COUNTS, _ABOUT} | set(sums):
            check_sha256(folder / name, sums[name])
        about: dict[str, Any] = read_json(folder / _ABOUT)
        kept = KeptVectors(
            vectors=np.load(folder / _VECTORS, mmap_mode="r", allow_pickle=False),
            digests=np.load(folder / _DIGESTS, allow_pickle=False),
            counts=np.load(folder / _COUNTS, allow_pickle=False),
            cosine_to_fp32=about["cosine_to_fp32"],
            ngrams=load_ngrams(folder / _NGRAMS) if _NGRAMS in sums else None,
        )
    except (StoreError, OSError, ValueError, KeyError, TypeError):
        shutil.rmtree(folder, ignore_errors=True)
        return None
    return kept


def mark_used(folder: Path) -> None:
    """Notes that a catalogue was of use now: what wasn't for longest goes first."""
    with suppress(OSError):  # another process removed it
        os.utime(folder / _SHA256)


def take_known(encoder_folder: Path, wanted: DigestArray, taken: KeptVectors) -> NDArray[np.bool_]:
    """[n] which of the wanted have vectors in an earlier catalogue; those are copied into `taken`."""
    found = np.zeros(len(wanted), dtype=np.bool_)
    for folder, kept in _catalogues(encoder_folder):
        comparable = kept.ngrams is None and kept.vectors.shape[1] == taken.vectors.shape[1]
        if found.all():
            break
        if not comparable or len(kept.digests) == 0:
            continue
        order = np.argsort(kept.digests)
        place = np.searchsorted(kept.digests, wanted, sorter=order)
        rows = order[np.minimum(place, len(order) - 1)]
        known = ~found & (kept.digests[rows] == wanted)
        if known.any():
            taken.vectors[known] = kept.vectors[rows[known]]
            taken.counts[known] = kept.counts[rows[known]]
            found |= known
            mark_used(folder)
    return found


def _catalogues(encoder_folder: Path) -> Iterator[tuple[Path, KeptVectors]]:
    """What is kept of one encoder, what was used last first."""
    for marker in _by_age(encoder_folder.glob(f"*/{_SHA256}"))[::-1]:
        kept = read_kept(marker.parent)
        if kept is not None:
            yield marker.parent, kept


def _make_room(newest: Path) -> None:
    """Removes what wasn't used for longest until the cache is within its size; `newest` stays."""
    folders = [marker.parent for marker in _by_age(newest.parent.parent.glob(f"*/*/{_SHA256}"))]
    sizes = [sum(file.stat().st_size for file in folder.iterdir()) for folder in folders]
    excess = sum(sizes) - MAX_CACHE_BYTES
    for folder, size in zip(folders, sizes, strict=True):
        if excess > 0 and folder != newest:
            shutil.rmtree(folder, ignore_errors=True)
            excess -= size


def _by_age(files: Iterable[Path]) -> list[Path]:
    aged: list[tuple[int, Path]] = []
    for file in files:
        with suppress(OSError):  # another process removed it
            aged.append((file.stat().st_mtime_ns, file))
    return [file for _, file in sorted(aged)]
