"""Learning from trained rankers as well as from what came next: distillation of several into one.

A teacher tells how likely it finds every item after each prefix, where the data tell one item alone.
Rankers that were trained from different seeds err differently; their mean errs less than any of them, and
most of that is learned by one ranker of the same size.

Source: Hinton, Vinyals & Dean, "Distilling the Knowledge in a Neural Network", 2015, at temperature 1.
Shapes: B people, L history items, V = n_items + 1, d size of a teacher's vectors, n asked prefixes.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from recsys_core.errors import ConfigError
from recsys_core.ranker.bert4rec import Bert4RecRanker
from recsys_core.ranker.neural import HistoryBatch, NeuralRanker
from recsys_core.ranker.protocol import Ranker

TEACHERS = ("transformer", "lstm")  # rankers that know what comes after every prefix, from one pass


@dataclass(frozen=True, slots=True)
class Taught:
    """What one teacher says of a batch, short of the product that makes it scores.

    Attributes:
        states: [n, d].
        vectors: [V, d].
        bias: [V].
    """

    states: Tensor
    vectors: Tensor
    bias: Tensor


@dataclass(frozen=True, slots=True)
class Teacher:
    """A trained ranker that others learn from; it stays as it is."""

    ranker: NeuralRanker
    vectors: Tensor

    @staticmethod
    def of(ranker: Ranker, name: str, max_length: int, device: torch.device) -> "Teacher":
        """A trained ranker made ready to teach.

        Args:
            ranker: it is moved to `device`.
            name: what to call it in an error.
            max_length: the longest history of the one that learns.
            device: where it teaches.

        Raises:
            ConfigError: it doesn't say how likely the next item is after every prefix of so long a history.
        """
        reads_ahead = isinstance(ranker, Bert4RecRanker)
        if not isinstance(ranker, NeuralRanker) or reads_ahead or not ranker.is_product:
            raise ConfigError(f"{name} can't teach; teachers are models of {' and '.join(TEACHERS)}")
        if ranker.max_length < max_length:
            raise ConfigError(
                f"{name} reads {ranker.max_length} items of a history, so it can't teach one that reads "
                f"{max_length}; lower max_length or take another teacher"
            )
        ranker.to(device).eval()
        with torch.no_grad():
            return Teacher(ranker, ranker.item_vectors())

    def tell(self, batch: HistoryBatch, targets: Tensor) -> Taught:
        """What it says after each prefix of the batch [B, L] that has a target [B, L]."""
        with torch.no_grad():
            states = self.ranker.predict(batch, targets, self.vectors).states
        return Taught(states, self.vectors, self.ranker.item_bias.detach())


@dataclass(frozen=True, slots=True)
class Teaching:
    """Teachers, and how much of what is learned comes from their mean rather than from the data.

    Attributes:
        teachers: any number of them.
        share: 0 to 1.
    """

    teachers: Sequence[Teacher] = ()
    share: float = 0.5

    @property
    def reads_events(self) -> bool:
        """Whether a teacher looks at more than the items of a history."""
        return any(teacher.ranker.reads_events for teacher in self.teachers)


NO_TEACHING = Teaching()
