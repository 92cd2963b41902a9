"""What a person's profile is made of: named columns, and the traits of items that some of them average.

Traits come from the item table and from training counts alone, so a profile made of a history knows
nothing of what came after it. An attribute of a person enters only if it is named: a protected one
never does unasked.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from pydantic import TypeAdapter, ValidationError

from recsys_core.data.dataset import Dataset, FloatArray, Histories
from recsys_core.data.events import Codes
from recsys_core.data.schema import CATEGORY_SEPARATOR
from recsys_core.errors import ConfigError, StoreError

MAX_CATEGORIES = 32
PRICE = "price"
POPULARITY_TRAIT, PRICE_TRAIT, CATEGORY_TRAIT = "popularity taste", "price taste", "category: "
HOURS = ("hour: 0-5", "hour: 6-11", "hour: 12-17", "hour: 18-23")  # UTC, for want of anybody's own clock


@dataclass(frozen=True, slots=True)
class ProfileLayout:
    """Which columns a profile has.

    Attributes:
        traits: of items; a person's is the mean over their history.
        contexts: context columns; a person's are the shares of each value.
        attributes: the allowed attributes of people.
        attribute_columns: where each of them is among all attributes of the data.
        has_times: whether pace and hours are known.
        has_dwell: whether dwell times are known.
        has_strengths: whether ratings, quantities or the like are known.
    """

    traits: tuple[str, ...]
    contexts: tuple[Codes, ...]
    attributes: tuple[Codes, ...]
    attribute_columns: tuple[int, ...]
    has_times: bool
    has_dwell: bool
    has_strengths: bool

    @property
    def names(self) -> tuple[str, ...]:
        """The names of all columns, in the order of a profile."""
        times = ("mean gap", "last gap", *HOURS) if self.has_times else ()
        given = [("dwell", self.has_dwell), ("strength", self.has_strengths)]
        shares = [f"{codes.name}: {value}" for codes in self.contexts for value in codes.values]
        attributes = [f"{codes.name} = {value}" for codes in self.attributes for value in codes.values]
        known = [name for name, is_known in given if is_known]
        return ("activity", *times, *known, *self.traits, *shares, *attributes)

    def to_json(self) -> bytes:
        """The layout as it is kept beside weights."""
        return _LAYOUT.dump_json(self)

    @staticmethod
    def from_json(kept: bytes) -> "ProfileLayout":
        """The layout that `to_json` wrote.

        Raises:
            StoreError: it isn't one.
        """
        try:
            return _LAYOUT.validate_json(kept)
        except ValidationError as error:
            raise StoreError("the profile's layout can't be read") from error


_LAYOUT: TypeAdapter[ProfileLayout] = TypeAdapter(ProfileLayout)


@dataclass(frozen=True, slots=True)
class ItemTraits:
    """[n_items + 1, len(names)] what profiles average over a history.

    Row 0, "no item in particular", is the mean of the others.
    """

    names: tuple[str, ...]
    values: FloatArray


def item_traits(dataset: Dataset, known: Histories) -> ItemTraits:
    """Popularity, price and categories of all items.

    Popularity and price are logarithms with mean 0 and standard deviation 1 over items; categories are
    the 32 that most items have, and an item of two categories has one half of each.

    Args:
        dataset: whose items.
        known: training histories, which popularity is counted in.
    """
    counts = np.bincount(known.items, minlength=dataset.n_items + 1)[1:]
    columns = {POPULARITY_TRAIT: _standardised(np.log1p(counts))}
    if PRICE in dataset.items:
        prices = pd.to_numeric(dataset.items[PRICE], errors="coerce").to_numpy(dtype=np.float64)
        columns[PRICE_TRAIT] = _standardised(np.log1p(np.maximum(prices, 0)))
    columns |= _category_shares(dataset)
    values = np.stack(list(columns.values()), axis=1)
    return ItemTraits(tuple(columns), np.concatenate([values.mean(0, keepdims=True), values]))


def profile_layout(dataset: Dataset, traits: ItemTraits, allowed: Sequence[str] = ()) -> ProfileLayout:
    """The columns that a data set's profiles can have.

    Args:
        dataset: whose people.
        traits: of its items.
        allowed: the attributes of people that may enter; none by default.

    Raises:
        ConfigError: an allowed attribute isn't in the data.
    """
    names = [codes.name for codes in dataset.attributes]
    unknown = [name for name in allowed if name not in names]
    if unknown:
        raise ConfigError(
            f"the people have no attribute {', '.join(map(repr, unknown))}; "
            f"attributes are {', '.join(names) or 'none'}"
        )
    columns = tuple(names.index(name) for name in dict.fromkeys(allowed))
    context = dataset.events.context
    return ProfileLayout(
        traits=traits.names,
        contexts=dataset.contexts,
        attributes=tuple(dataset.attributes[column] for column in columns),
        attribute_columns=columns,
        has_times=dataset.time_key == "timestamp_s",
        has_dwell=context is not None and not np.isnan(context.dwell_s).all(),
        has_strengths=dataset.strength != "",
    )


def _category_shares(dataset: Dataset) -> dict[str, FloatArray]:
    """One column a category; an item's row sums to 1 where it has no rarer category, 0 where it has none."""
    own = [
        [part for part in categories.split(CATEGORY_SEPARATOR) if part]
        for categories in dataset.items["category"]
    ]
    counts = pd.Series([name for names in own for name in names], dtype="str").value_counts()
    frequent = sorted(counts.index, key=lambda name: (-int(counts[name]), str(name)))[:MAX_CATEGORIES]
    place = {name: column for column, name in enumerate(frequent)}
    shares = np.zeros((dataset.n_items, len(frequent)))
    for row, names in enumerate(own):
        for name in names:
            if name in place:
                shares[row, place[name]] += 1 / len(names)
    return {f"{CATEGORY_TRAIT}{name}": shares[:, column] for name, column in place.items()}


def _standardised(values: FloatArray) -> FloatArray:
    """The values with mean 0 and standard deviation 1; unknown or constant ones are 0."""
    known = values[~np.isnan(values)]
    if len(known) == 0 or known.std() == 0:
        return np.zeros(len(values))
    return np.nan_to_num((values - known.mean()) / known.std())
