"""Lists as they would be, had a person's attribute another value: only rankers that read it can change."""

from dataclasses import dataclass, replace

import numpy as np

from recsys_core.data.dataset import Dataset, Histories, IntArray
from recsys_core.ranker.ensemble import EnsembleRanker
from recsys_core.ranker.profile import ProfileRanker
from recsys_core.ranker.protocol import Ranker
from recsys_core.ranker.top_k import mask_seen, top_k

BATCH_USERS = 512
WITHHELD = 0  # the code of an attribute that isn't known


@dataclass(frozen=True, slots=True)
class FlippedLists:
    """Everybody's list as it is and as it would be.

    Attributes:
        as_it_is: [n, k] item numbers.
        withheld: [n, k] the attribute not known.
        others: [n, n_others, k] the attribute at each other value; n_others = number of values − 1.
    """

    as_it_is: IntArray
    withheld: IntArray
    others: IntArray


def attribute_inputs(ranker: Ranker) -> tuple[str, ...]:
    """The attributes of people that a ranker reads, those of an ensemble's members among them."""
    if isinstance(ranker, EnsembleRanker):
        names = [name for member in ranker.members for name in attribute_inputs(member.ranker)]
        return tuple(dict.fromkeys(names))
    if isinstance(ranker, ProfileRanker):
        return tuple(codes.name for codes in ranker.profile.columns.attributes)
    return ()


def flipped_lists(ranker: Ranker, dataset: Dataset, known: Histories, attribute: str, k: int) -> FlippedLists:
    """The lists of people whose attribute is known, as it is, withheld, and at every other value.

    Args:
        ranker: one that reads the attribute (see `attribute_inputs`).
        dataset: whose people.
        known: [n] histories with who asks; all of them have a value of the attribute.
        attribute: its name.
        k: length of the lists.
    """
    column = next(number for number, codes in enumerate(dataset.attributes) if codes.name == attribute)
    n_values = len(dataset.attributes[column].values)
    own = np.zeros(len(known), dtype=np.int64) if known.askers is None else known.askers.attributes[:, column]
    turned = [(own - 1 + step) % n_values + 1 for step in range(1, n_values)]
    others = [_lists(ranker, _with(known, column, codes), k) for codes in turned]
    return FlippedLists(
        as_it_is=_lists(ranker, known, k),
        withheld=_lists(ranker, _with(known, column, np.full(len(known), WITHHELD)), k),
        others=np.stack(others, axis=1),
    )


def _with(known: Histories, column: int, codes: IntArray) -> Histories:
    """The same people with other codes [n] of one attribute."""
    if known.askers is None:
        return known
    attributes = known.askers.attributes.copy()
    attributes[:, column] = codes
    return replace(known, askers=replace(known.askers, attributes=attributes))


def _lists(ranker: Ranker, known: Histories, k: int) -> IntArray:
    """[n, min(k, n_items)] item numbers, best first; what a person has touched stays off."""
    parts = list[IntArray]()
    for start in range(0, len(known), BATCH_USERS):
        batch = known.take(np.arange(start, min(start + BATCH_USERS, len(known))))
        parts.append(top_k(mask_seen(ranker.score(batch), batch), k))
    return np.concatenate(parts)
