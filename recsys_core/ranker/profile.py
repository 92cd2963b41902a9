"""People's profiles as rankers read them, computed from a history each time it is looked at.

A profile has no life of its own: take an item out of a history and the profile is another one, so that
explanations by removal are about everything that the item told. `data.profiles` says which columns there
are; rankers and decompositions read the same ones.

Shapes: B people, L history items, d size of an item's vector, p item traits, P columns of a profile.
"""

import numpy as np
import torch
from torch import Tensor, nn

from recsys_core.data.dataset import FloatArray, Histories
from recsys_core.data.events import Askers, BoolArray
from recsys_core.data.profiles import HOURS, ItemTraits, ProfileLayout
from recsys_core.ranker.events import gaps_before
from recsys_core.ranker.neural import HistoryBatch, ItemVectors, NeuralRanker
from recsys_core.ranker.noise import Dropout
from recsys_core.ranker.written import WrittenTexts

DAY_S = 86_400.0
N_POOLS = 4
LOG_SCALE = 5.0  # log(1 + days) and log(1 + seconds) are divided by it, so that columns are of about 1


class ProfileColumns(nn.Module):
    """A person's profile after each event of their history; nothing in it is learned.

    Its layout and the items' traits are kept with the weights.
    """

    def __init__(self, layout: ProfileLayout, traits: Tensor) -> None:
        super().__init__()
        self.columns = layout
        self.traits: Tensor
        self.layout: Tensor
        self.register_buffer("traits", traits)  # [V, p]
        self.register_buffer("layout", torch.from_numpy(np.frombuffer(layout.to_json(), np.uint8).copy()))

    @staticmethod
    def of(layout: ProfileLayout, traits: ItemTraits) -> "ProfileColumns":
        """The profile of a data set."""
        return ProfileColumns(layout, torch.from_numpy(traits.values).float())

    @staticmethod
    def kept_in(tensors: dict[str, Tensor]) -> "ProfileColumns | None":
        """The profile of a kept ranker; None where it has none."""
        if "profile.layout" not in tensors:
            return None
        layout = ProfileLayout.from_json(tensors["profile.layout"].numpy().tobytes())
        return ProfileColumns(layout, tensors["profile.traits"])

    def for_items(self, n_items: int) -> "ProfileColumns":
        """The same columns for a catalogue of another size, of whose items nothing is known."""
        return ProfileColumns(self.columns, self.traits.new_zeros(n_items + 1, self.traits.shape[1]))

    @property
    def size(self) -> int:
        """P."""
        return len(self.columns.names)

    def forward(self, batch: HistoryBatch, traits: Tensor) -> Tensor:
        """[B, L, P] in the order of the layout's names; what is unknown is 0.

        Args:
            batch: histories with all that is known of them.
            traits: [B, L, p] of the items of the histories.
        """
        columns, n_events = self.columns, torch.arange(1, traits.shape[1] + 1, device=traits.device)
        parts = [(n_events.log1p() / LOG_SCALE)[:, None].expand(*traits.shape[:2], 1)]
        if columns.has_times:
            parts += _times(batch)
        for is_known, values in (
            (columns.has_dwell, batch.dwell_s),
            (columns.has_strengths, batch.strengths),
        ):
            if is_known:
                parts.append(_known_mean(_log(_or_unknown(values, batch))))
        parts.append(traits.float().cumsum(1) / n_events[:, None])
        parts += [
            _known_mean(_one_hot(batch, number, len(codes.values)))
            for number, codes in enumerate(columns.contexts)
        ]
        attributes = self.attributes(batch)[:, None].expand(-1, traits.shape[1], -1)
        return torch.cat([*parts, attributes], -1)

    def before_any_event(self, batch: HistoryBatch) -> Tensor:
        """[B, P] zeros, and the allowed attributes."""
        attributes = self.attributes(batch)
        zeros = attributes.new_zeros(len(attributes), self.size - attributes.shape[1])
        return torch.cat([zeros, attributes], -1)

    def attributes(self, batch: HistoryBatch) -> Tensor:
        """[B, all values of all allowed attributes] 1 for each person's value of each attribute."""
        parts = [torch.zeros(len(batch.items), 0, device=self.traits.device)]
        for column, codes in zip(self.columns.attribute_columns, self.columns.attributes, strict=True):
            values = torch.arange(1, len(codes.values) + 1, device=self.traits.device)
            if batch.attributes is None:
                parts.append(torch.zeros(len(batch.items), len(values), device=self.traits.device))
            else:
                parts.append((batch.attributes[:, column, None] == values).float())
        return torch.cat(parts, -1)


class RecencyPools(nn.Module):
    """Weighted means of what a history holds, with weights by age that are learned, from even to steep."""

    def __init__(self, n_pools: int, max_length: int) -> None:
        super().__init__()
        steepness = torch.tensor([0.0, *(4.0**-place for place in range(n_pools - 1))])
        self.log_weights = nn.Parameter(-steepness[:, None] * torch.arange(max_length))

    def forward(self, x: Tensor) -> Tensor:
        """[B, L, n_pools · d] after each place of [B, L, d], the means of what came up to there."""
        place = torch.arange(x.shape[1], device=x.device)
        age = place[:, None] - place
        weights = self.log_weights[:, age.clamp(min=0)].masked_fill(age < 0, -torch.inf).softmax(-1)
        pooled = torch.einsum("hij,bjd->bihd", weights.to(x.dtype), x)  # [B, L, n_pools, d]
        return pooled.flatten(2)


class ProfileRanker(NeuralRanker):
    """Rankers that know a person by a profile and by the pooled vectors of the history's items.

    What the person wrote at an event joins the vector of its item ahead of the pools: it is their own text.
    Someone without a history is known by the allowed attributes; where there are none, by nothing, and
    the list is by popularity.
    """

    reads_events = True

    def __init__(
        self,
        item_vectors: ItemVectors,
        n_items: int,
        max_length: int,
        profile: ProfileColumns,
        dropout: float,
    ) -> None:
        super().__init__(item_vectors, n_items, max_length)
        self.profile = profile
        self.pools = RecencyPools(N_POOLS, max_length)
        self.dropout = Dropout(dropout)

    def read_written(self, values: Tensor) -> None:
        self.written = WrittenTexts(values, self.item_vectors.embedding_size)

    def state(self, person: Tensor) -> Tensor:
        """[…, size of a state] from pools and profile […, n_pools · d + P]."""
        raise NotImplementedError

    def hidden(self, batch: HistoryBatch, vectors: Tensor) -> Tensor:
        looked_up = self.history_embedding(batch.items, vectors, self.profile.traits)  # [B, L, d + p]
        of_items, traits = looked_up.split([vectors.shape[1], self.profile.traits.shape[1]], -1)
        of_texts = None if self.written is None else self.written(batch)
        pooled = self.pools(of_items if of_texts is None else of_items + of_texts)
        return self.state(self.dropout(torch.cat([pooled, self.profile(batch, traits)], -1)))

    def state_of_nobody(self, like: Tensor) -> Tensor:
        """[B, size of a state] under which the score is the item's bias."""
        return torch.zeros_like(like)

    def last_state(self, batch: HistoryBatch, vectors: Tensor) -> Tensor:
        states = super().last_state(batch, vectors)
        nothing = self.profile.before_any_event(batch)
        pooled = nothing.new_zeros(len(nothing), N_POOLS * vectors.shape[1])
        from_attributes = self.state(torch.cat([pooled, nothing], -1))
        without = torch.where(nothing.any(1, keepdim=True), from_attributes, self.state_of_nobody(states))
        return torch.where((batch.lengths > 0)[:, None], states, without)

    def knows(self, askers: Askers | None) -> BoolArray:
        """[n] of whom an allowed attribute is known, so that a list needs no history."""
        if askers is None:
            return np.zeros(0, dtype=bool)
        allowed = askers.attributes[:, list(self.profile.columns.attribute_columns)]
        return np.asarray((allowed > 0).any(axis=1))

    @staticmethod
    def person_size(embedding_size: int, profile: ProfileColumns) -> int:
        """How many values a person is known by."""
        return N_POOLS * embedding_size + profile.size


def profiles(columns: ProfileColumns, histories: Histories, max_length: int) -> FloatArray:
    """[len(histories), P] the profile after each whole history, of its last `max_length` events."""
    batch = HistoryBatch.of(histories, max_length, columns.traits.device)
    with torch.no_grad():
        after_each = columns(batch, columns.traits[batch.items])
        last = after_each[torch.arange(len(histories)), (batch.lengths - 1).clamp(min=0)]
        known = torch.where((batch.lengths > 0)[:, None], last, columns.before_any_event(batch))
    return known.double().cpu().numpy()


def _times(batch: HistoryBatch) -> list[Tensor]:
    """Mean gap and last gap between events, then the share of events in each quarter of the day."""
    times = _or_unknown(batch.timestamps_s, batch)
    gaps = _log(gaps_before(times) / DAY_S)
    quarter = (times % DAY_S / (DAY_S / len(HOURS))).floor()  # NaN stays NaN
    quarters = torch.arange(len(HOURS), device=times.device)
    hours = torch.where(times.isnan(), torch.nan, (quarter == quarters).double())
    return [_known_mean(gaps), gaps.nan_to_num(0).float(), _known_mean(hours)]


def _or_unknown(values: Tensor | None, batch: HistoryBatch) -> Tensor:
    """[B, L, 1] in double precision; NaN where nothing is known."""
    known = torch.full(batch.items.shape, torch.nan, device=batch.items.device) if values is None else values
    return known.double()[..., None]


def _log(values: Tensor) -> Tensor:
    return values.clamp(min=0).log1p() / LOG_SCALE


def _one_hot(batch: HistoryBatch, column: int, n_values: int) -> Tensor:
    """[B, L, n_values] NaN where the value of the context column is unknown."""
    if batch.contexts is None:
        return torch.full((*batch.items.shape, n_values), torch.nan, device=batch.items.device)
    codes = batch.contexts[..., column, None]
    hot = (codes == torch.arange(1, n_values + 1, device=codes.device)).double()
    return torch.where(codes == 0, torch.nan, hot)


def _known_mean(values: Tensor) -> Tensor:
    """[B, L, c] the mean of what is known up to each place; 0 where nothing is."""
    n_known = (~values.isnan()).cumsum(1).clamp(min=1)
    return (values.nan_to_num(0).cumsum(1) / n_known).float()
