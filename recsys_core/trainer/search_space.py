"""What a search tries: for each setting worth trying, values around the preset's, within its bounds."""

from collections.abc import Collection
from dataclasses import dataclass

from recsys_core.config import NeuralSettings, Settings, limits

Value = int | str | bool

FACTORS = {  # how far above and below the preset, on a logarithmic scale
    "learning_rate": 5.0,
    "weight_decay": 10.0,
    "batch_size": 2.0,
    "n_neighbours": 5.0,
    "shrinkage": 10.0,
    "l2": 10.0,
    "window": 4.0,
    "n_negatives": 4.0,
}
RANGES = {
    "dropout": (0.0, 0.6),
    "decay": (0.3, 1.0),
    "mask_share": (0.05, 0.6),
    "warm_up_share": (0.0, 0.2),
    "negatives_exponent": (0.0, 1.0),
    "calibration": (0.0, 1.0),
}
CHOICES: dict[str, tuple[Value, ...]] = {
    "loss": ("softmax", "sampled-softmax", "gbce", "bce", "bpr"),
    "block": ("sasrec", "ligr", "hstu"),
    "cell": ("lstm", "gru"),
    "schedule": ("cosine", "linear", "constant"),
    "item_id": (True, False),  # with the text alone, or with both
    "event_type": (True, False),
    "strength": (True, False),
    "time": (True, False),
}
SAMPLED_LOSSES = ("sampled-softmax", "gbce", "bce", "bpr")
HEADS = (1, 2, 4)
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
    """One of a few values."""

    values: tuple[Value, ...]


Space = dict[str, Range | Choice]


def search_space(base: Settings, fixed: Collection[str] = (), over: Collection[str] = ()) -> Space:
    """What to try around `base`, setting by setting; empty where it has nothing worth trying.

    Args:
        base: the settings in the middle.
        fixed: settings that stay as they are there.
        over: try these alone; () = all that are worth it.
    """
    names = [name for name in type(base).model_fields if name not in fixed and (name in over or not over)]
    tried = {name: _around(base, name) for name in names}
    space = {name: values for name, values in tried.items() if values is not None}
    if "n_heads" in space:
        space["n_heads"] = _heads(base, space)
    return space


def matters(name: str, drawn: dict[str, float | Value], base: Settings) -> bool:
    """Whether a setting makes any difference, and is allowed, beside those that were drawn before it."""

    def now(other: str) -> object:
        return drawn.get(other, getattr(base, other, None))

    if name in ("n_negatives", "negatives_exponent"):
        return now("loss") in SAMPLED_LOSSES
    if name == "calibration":
        return now("loss") == "gbce"
    return name != "item_id" or now("encoder") != "none"


def _heads(base: Settings, space: Space) -> Choice:
    """Numbers of heads that every size that is tried can be divided by."""
    sizes = space.get("embedding_size")
    widths = sizes.values if isinstance(sizes, Choice) else (getattr(base, "embedding_size"),)  # noqa: B009
    heads = [heads for heads in HEADS if all(int(width) % heads == 0 for width in widths)]
    return Choice(tuple(sorted({*heads, getattr(base, "n_heads")})))  # noqa: B009


def _around(base: Settings, name: str) -> Range | Choice | None:
    value = getattr(base, name)
    if name == "embedding_size":
        sizes = {max(1, round(share * value / SIZE_MULTIPLE)) * SIZE_MULTIPLE for share in SIZE_SHARES}
        return Choice(tuple(sorted(sizes | {value})))
    if name == "n_blocks":
        return Choice(tuple(range(1, value + MORE_BLOCKS + 1)))
    if name == "n_layers":
        return Choice(tuple(range(1, value + 2)))
    if name == "n_heads":
        return Choice((value,))
    if name == "encoder":
        return _with_and_without_text(base)
    if name in CHOICES:
        return Choice(CHOICES[name]) if value in CHOICES[name] else None
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


def _with_and_without_text(base: Settings) -> Choice | None:
    """The encoder of `base` or none; None where an item is known by its text alone, or isn't read at all."""
    if not isinstance(base, NeuralSettings) or not base.item_id:
        return None
    reads = base.encoder != "none" and base.fine_tune == "none"
    return Choice((base.encoder, "none")) if reads else None
