"""What kind an event was, how strong and when, as learned vectors that join the item's.

All of them start at 0 and stay there for what is unknown, so that they can only be learned to matter.
Shapes: B people, L history items, d size of a vector.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

if TYPE_CHECKING:
    from recsys_core.ranker.neural import HistoryBatch

N_BUCKETS = 64
STRENGTH_BUCKETS_A_DOUBLING = 4.0  # tells one star from two and 10 seconds from 12
TIME_BUCKETS_A_DOUBLING = 2.0  # 64 of them reach from a second to a century
PLACE_BUCKETS_A_DOUBLING = 5.0  # 64 of them reach beyond the 5,000th item


@dataclass(frozen=True, slots=True)
class EventKinds:
    """Which features of events a ranker reads.

    Attributes:
        n_types: how many types of events there are; 0 = types aren't read.
        strength: whether strengths are read.
        time: whether it reads how long after the event before an event came.
        request_time: whether it reads how long after an event the next item is asked for. This tells
            something of the item that comes, so figures with it are of another protocol (T).
        place: whether it reads how many items of the whole history came before an event.
    """

    n_types: int = 0
    strength: bool = False
    time: bool = False
    request_time: bool = False
    place: bool = False

    @property
    def any(self) -> bool:
        """Whether anything is read that the items in their order don't tell."""
        return bool(self.n_types or self.strength or self.time or self.request_time)

    @staticmethod
    def kept_in(tensors: dict[str, Tensor]) -> "EventKinds":
        """The features that a kept ranker reads."""
        types = tensors.get("event_vectors.event_type.weight")
        return EventKinds(
            0 if types is None else len(types) - 1,
            "event_vectors.strength.weight" in tensors,
            "event_vectors.gap.weight" in tensors,
            "event_vectors.request_gap.weight" in tensors,
            "place_vectors.place.weight" in tensors,
        )


ITEMS_ALONE = EventKinds()


class EventVectors(nn.Module):
    """The sum of the vectors of an event's type, strength and time."""

    def __init__(self, embedding_size: int, kinds: EventKinds) -> None:
        super().__init__()
        self.event_type = _table(kinds.n_types + 1, embedding_size) if kinds.n_types else None
        self.strength, self.gap, self.request_gap = (
            _table(N_BUCKETS, embedding_size) if wanted else None
            for wanted in (kinds.strength, kinds.time, kinds.request_time)
        )

    def forward(self, batch: "HistoryBatch") -> Tensor | None:
        """[B, L, d]; None where the batch knows nothing of what is read."""
        parts = list[Tensor]()
        if self.event_type is not None and batch.event_types is not None:
            parts.append(self.event_type(batch.event_types))
        if self.strength is not None and batch.strengths is not None:
            parts.append(self.strength(buckets(batch.strengths, STRENGTH_BUCKETS_A_DOUBLING)))
        times = batch.timestamps_s
        if self.gap is not None and times is not None:
            parts.append(self.gap(buckets(gaps_before(times), TIME_BUCKETS_A_DOUBLING)))
        if self.request_gap is not None and times is not None and batch.request_s is not None:
            parts.append(self.request_gap(buckets(batch.request_s - times, TIME_BUCKETS_A_DOUBLING)))
        return torch.stack(parts).sum(0) if parts else None


class PlaceVectors(nn.Module):
    """A vector for how many items came before each one, in buckets that widen.

    Attention's bias knows distances alone, so without it a window that was cut from a long history looks
    like a beginning.
    """

    def __init__(self, embedding_size: int) -> None:
        super().__init__()
        self.place = _table(N_BUCKETS, embedding_size)

    def forward(self, batch: "HistoryBatch") -> Tensor:
        """[B, L, d]; [1, L, d] where all histories are whole."""
        place = torch.arange(batch.items.shape[1], device=batch.items.device)[None]
        if batch.n_before is not None:
            place = place + batch.n_before[:, None]
        return self.place(buckets(place, PLACE_BUCKETS_A_DOUBLING))


def buckets(values: Tensor, a_doubling: float) -> Tensor:
    """Whole numbers from 1 to 63, `a_doubling` of them for each doubling of 1 + value; 0 where it is NaN.

    Values below 0 count as 0.
    """
    places = ((values.double().clamp(min=0) + 1).log2() * a_doubling).floor() + 1
    return places.clamp(max=N_BUCKETS - 1).nan_to_num(0).long()


def gaps_before(timestamps_s: Tensor) -> Tensor:
    """[B, L] seconds since the event before; NaN for the first one and where a time is unknown."""
    first = torch.full_like(timestamps_s[:, :1], torch.nan)
    return torch.cat([first, timestamps_s[:, 1:] - timestamps_s[:, :-1]], dim=1)


def _table(n: int, embedding_size: int) -> nn.Embedding:
    """n vectors, all 0 at the start; that of 0, the unknown, stays so."""
    return nn.Embedding.from_pretrained(torch.zeros(n, embedding_size), freeze=False, padding_idx=0)
