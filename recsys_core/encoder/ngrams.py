"""Text → vectors by the letters alone: what stands in where an encoder can't read a catalogue's script.

TF-IDF of 2 to 4 neighbouring characters, brought to few dimensions by a truncated SVD (latent semantic
analysis: Deerwester et al. 1990). What was learned is three arrays, so that a wish or a new item can be
encoded later, and so that it can be kept without pickle.
"""

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import load_file, save

from recsys_core.errors import StoreError
from recsys_core.files import write_atomically

if TYPE_CHECKING:  # scikit-learn takes seconds to import
    from sklearn.feature_extraction.text import TfidfVectorizer

FloatArray = NDArray[np.float32]

NGRAMS = "character-ngrams"
NGRAM_SIZE = 256
MAX_NGRAMS = 65_536
_SHORTEST, _LONGEST = 2, 4
_NOTHING = "∅"  # stands for an empty text, so that a catalogue of empty texts has something to count


@dataclass(frozen=True, slots=True)
class NgramEncoder:
    """Character n-grams of one catalogue and what they tell; `encode` gives unit vectors.

    Attributes:
        ngrams: [V] the n-grams that are counted, the most frequent of the catalogue.
        idf: [V] how rare each is: ln((1 + n_texts) / (1 + n_texts with it)) + 1.
        components: [size, V] the directions in which the catalogue's texts differ most.
    """

    ngrams: tuple[str, ...]
    idf: NDArray[np.float64]
    components: FloatArray

    def encode(self, texts: Sequence[str]) -> FloatArray:
        """[len(texts), size] unit vectors; 0 for a text that shares no n-gram with the catalogue."""
        if len(texts) == 0:
            return np.zeros((0, len(self.components)), dtype=np.float32)
        counts = _vectoriser(self.ngrams)
        counts.idf_ = self.idf
        return _unit(counts.transform(_plain(texts)) @ self.components.T)

    def weights(self, text: str) -> dict[int, float]:
        """What each n-gram of a text weighs, by its row: 1 + ln(how often it occurs), times its idf."""
        return {
            row: (1 + math.log(len(places))) * float(self.idf[row])
            for row, places in self.places(text).items()
        }

    def places(self, text: str) -> dict[int, list[list[int]]]:
        """By row, each place where an n-gram occurs in a text, as its characters' places, spaces left out.

        N-grams don't cross words; a word has a space in front and one behind.
        """
        row_of = {ngram: row for row, ngram in enumerate(self.ngrams)}
        found = dict[int, list[list[int]]]()
        for word in re.finditer(r"\S+", text.replace("\x00", " ")):
            letters = [" ", *(character.lower() for character in word.group()), " "]
            for size in range(_SHORTEST, _LONGEST + 1):
                for first in range(max(1, len(letters) - size + 1)):
                    row = row_of.get("".join(letters[first : first + size]))
                    if row is not None:
                        inside = range(max(first, 1), min(first + size, len(letters) - 1))
                        found.setdefault(row, []).append([word.start() + place - 1 for place in inside])
                if len(letters) <= size:  # a short word is counted once
                    break
        return found

    def save(self, path: Path) -> None:
        """Writes the arrays to a safetensors file, each n-gram as its characters' numbers.

        Raises:
            StoreError: the disk refused.
        """
        points = np.zeros((len(self.ngrams), _LONGEST), dtype=np.int32)
        for row, ngram in enumerate(self.ngrams):
            points[row, : len(ngram)] = [ord(character) for character in ngram]
        arrays = {"ngrams": points, "idf": self.idf, "components": np.ascontiguousarray(self.components)}
        write_atomically(path, lambda temporary: temporary.write_bytes(save(arrays)))


def fit_ngrams(texts: Sequence[str], size: int = NGRAM_SIZE) -> NgramEncoder:
    """An encoder of at most `size` dimensions for these texts and others of their kind, in any script."""
    from sklearn.decomposition import TruncatedSVD

    counts = _vectoriser(None)
    weighed = counts.fit_transform(_plain(texts) or [_NOTHING])  # [n_texts, V]
    n_components = max(1, min(size, len(texts) - 1, len(counts.vocabulary_) - 1))
    with np.errstate(divide="ignore", invalid="ignore"):  # scikit-learn's share of a variance that is 0
        components = TruncatedSVD(n_components, random_state=0).fit(weighed).components_
    return NgramEncoder(
        ngrams=tuple(str(ngram) for ngram in counts.get_feature_names_out()),
        idf=np.asarray(counts.idf_, dtype=np.float64),
        components=np.asarray(components, dtype=np.float32),
    )


def load_ngrams(path: Path) -> NgramEncoder:
    """The encoder of a file that `NgramEncoder.save` wrote.

    Raises:
        StoreError: the file holds none.
    """
    try:
        arrays = load_file(path)
        ngrams = tuple("".join(chr(point) for point in row if point) for row in arrays["ngrams"])
        return NgramEncoder(ngrams, arrays["idf"], arrays["components"])
    except (OSError, SafetensorError, KeyError, ValueError, OverflowError) as error:
        raise StoreError(f"{path.name} holds no character n-grams") from error


def encode_ngrams(texts: Sequence[str], size: int = NGRAM_SIZE) -> FloatArray:
    """[len(texts), ≤ size] unit vectors of texts that are their own catalogue."""
    return fit_ngrams(texts, size).encode(texts)


def _vectoriser(ngrams: tuple[str, ...] | None) -> "TfidfVectorizer":
    from sklearn.feature_extraction.text import TfidfVectorizer

    return TfidfVectorizer(
        analyzer="char_wb",
        ngram_range=(_SHORTEST, _LONGEST),
        sublinear_tf=True,
        max_features=MAX_NGRAMS if ngrams is None else None,
        vocabulary=ngrams,
    )


def _plain(texts: Sequence[str]) -> list[str]:
    return [text.replace("\x00", " ").strip() or _NOTHING for text in texts]


def _unit(vectors: Any) -> FloatArray:
    from sklearn.preprocessing import normalize

    return np.asarray(normalize(np.asarray(vectors)), dtype=np.float32)
