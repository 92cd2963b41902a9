"""What a search tries: for each setting worth trying, values around the preset's, within its bounds."""

from collections.abc import Collection
from dataclasses import dataclass

from recsys_core.config import Settings, limits

FACTORS = {  # how far above and below the preset, on a logarithmic scale
    "learning_rate": 5.0,
    "weight_decay": 10.0,
    "batch_size": 2.0,
    "n_neighbours": 5.0,
    "shrinkage": 10.0,
    "l2": 10.0,
    "window": 4.0,
}
RANGES = {"dropout": (0.0, 0.6), "decay": (0.3, 1.0)}
SIZE_SHARES, SIZE_MULTIPLE = (0.5, 0.75, 1.0, 1.5, 2.0), 16  # so that any usual number of heads divides it
MORE_BLOCKS = 2


@dataclass(frozen=True, slots=True)
class Range:
    """Numbers from `low` to `high`."""

    low: float
    high: float
    is_logarithmic: bool
    is_whole: bool


@dataclass(frozen=True, slots=True)
class Choice:
    """One of a few whole numbers."""

    values: tuple[int, ...]


Space = dict[str, Range | Choice]


def search_space(base: Settings, fixed: Collection[str] = ()) -> Space:
    """What to try around `base`, setting by setting; empty where it has nothing worth trying.

    Args:
        base: the settings in the middle.
        fixed: settings that stay as they are there.
    """
    tried = {name: _around(base, name) for name in type(base).model_fields if name not in fixed}
    return {name: values for name, values in tried.items() if values is not None}


def _around(base: Settings, name: str) -> Range | Choice | None:
    value = getattr(base, name)
    if name == "embedding_size":
        sizes = {max(1, round(share * value / SIZE_MULTIPLE)) * SIZE_MULTIPLE for share in SIZE_SHARES}
        return Choice(tuple(sorted(sizes | {value})))
    if name == "n_blocks":
        return Choice(tuple(range(1, value + MORE_BLOCKS + 1)))
    if name in RANGES:
        low, high = RANGES[name]
        return Range(min(low, value), max(high, value), is_logarithmic=False, is_whole=False)
    if name not in FACTORS or not value:
        return None
    lowest, highest = limits(type(base).model_fields[name])
    low, high = value / FACTORS[name], value * FACTORS[name]
    low = low if lowest is None else max(low, lowest)
    high = high if highest is None else min(high, highest)
    whole = isinstance(value, int)
    return Range(round(low) if whole else low, round(high) if whole else high, True, whole)
