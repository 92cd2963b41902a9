"""How many people touched each item in training: what novelty, popularity and serendipity are measured by."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from recsys_core.data.dataset import FloatArray, Histories, IntArray

SKETCH_SIZE = 128


@dataclass(frozen=True, slots=True)
class ItemPopularity:
    """The people that items have in training.

    Attributes:
        n_people: [n_items + 1] how many people touched each item; the padding has none.
        n_users: how many people have a history at all.
    """

    n_people: IntArray
    n_users: int

    @property
    def shares(self) -> FloatArray:
        """[n_items + 1] φ: each item's share of the people, 0 to 1."""
        return self.n_people / max(self.n_users, 1)

    @property
    def information(self) -> FloatArray:
        """[n_items + 1] −log2 φ in bits, φ smoothed to (n + 1) / (U + 1): unseen items have a value too.

        From 0 for what everybody knows to log2(U + 1) for what nobody knows.
        """
        return np.log2((self.n_users + 1) / (self.n_people + 1))

    @property
    def places(self) -> IntArray:
        """[n_items + 1] each item's place by popularity, from 1; ties by item number; the padding's is 0."""
        places = np.zeros(len(self.n_people), dtype=np.int64)
        places[1 + np.argsort(-self.n_people[1:], kind="stable")] = np.arange(1, len(places))
        return places


def item_popularity(known: Histories, n_items: int) -> ItemPopularity:
    """The popularity of items in training histories; a person counts once, however often they came."""
    items = known.without_repeats().items
    return ItemPopularity(np.bincount(items, minlength=n_items + 1), int((known.lengths > 0).sum()))


def candidate_counts(known: Histories, n_items: int) -> IntArray:
    """[n] how many items are left to be ranked for each person once the known ones are taken out."""
    return n_items - known.without_repeats().lengths


def popular_ranks(popularity: ItemPopularity, known: Histories, relevant: Histories) -> IntArray:
    """[n_relevant] the rank of each relevant item, had each person's candidates been ranked by popularity.

    An item's place among all items, less the known items that stand before it.
    """
    places, seen = popularity.places, known.without_repeats()
    n_places = len(places)
    by_person = np.sort(seen.rows * n_places + places[seen.items])
    own = relevant.rows * n_places + places[relevant.items]
    before = np.searchsorted(by_person, own) - seen.offsets[relevant.rows]
    return places[relevant.items] - before


def people_vectors(
    known: Histories, n_items: int, size: int = SKETCH_SIZE, seed: int = 0
) -> NDArray[np.float32]:
    """[n_items + 1, size] who touched each item, hashed: cosines are near those of the sets of people.

    Each person adds +1 or −1, drawn by the seed, to one coordinate, drawn by the seed. The cosine of two
    items is off by about 1 / √size, without bias in the dot product. Source: Charikar, Chen &
    Farach-Colton, ICALP 2002 (count sketch); Weinberger et al., ICML 2009 (feature hashing).
    """
    generator = np.random.default_rng(seed)
    coordinate = generator.integers(0, size, len(known))
    sign = generator.choice(np.array([-1, 1], dtype=np.float32), len(known))
    seen = known.without_repeats()
    vectors = np.zeros((n_items + 1, size), dtype=np.float32)
    np.add.at(vectors, (seen.items, coordinate[seen.rows]), sign[seen.rows])
    return vectors
