"""What every ranker can do, so that all of them are trained, explained and audited by the same code."""

from typing import Literal, Protocol

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from recsys_core.data.dataset import Histories, IntArray

ScoreArray = NDArray[np.float32]

ScoreKind = Literal["log-probability", "count", "similarity", "imported"]


class Ranker(Protocol):
    """Scores of all items for given histories; it knows nothing of people, files or lists."""

    @property
    def n_items(self) -> int:
        """Number of items it can score."""
        ...

    @property
    def score_kind(self) -> ScoreKind:
        """What a score means. Log-probabilities are over the candidates, once seen items are left out."""
        ...

    @property
    def max_length(self) -> int:
        """How many of a person's last items it looks at."""
        ...

    def score(self, histories: Histories) -> ScoreArray:
        """[len(histories), n_items + 1] higher ranks first; column 0, the padding, means nothing.

        An empty history is scored too: by popularity, where the ranker has learned it.
        """
        ...

    def tensors(self) -> dict[str, Tensor]:
        """Everything that was learned, to be kept as safetensors."""
        ...


class AdditiveRanker(Ranker, Protocol):
    """A ranker whose score is a plain sum over the history: it explains itself exactly."""

    def contributions(self, history: IntArray, item_number: int) -> NDArray[np.float64]:
        """[len(history)] what each item of the history adds to the score of an item."""
        ...
