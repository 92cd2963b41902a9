"""Scales of the report's charts, and numbers as it writes them."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil, floor, log10

TICKS_WANTED = 4
EDGE_PERCENT = 4.0  # free space at both ends of an axis, so that no mark is cut off


@dataclass(frozen=True, slots=True)
class Axis:
    """A horizontal scale, drawn in percent of the width."""

    low: float
    high: float
    ticks: tuple[float, ...]

    def x(self, value: float) -> str:
        """Where a value lies, as an SVG length."""
        share = (value - self.low) / (self.high - self.low)
        return f"{EDGE_PERCENT + share * (100 - 2 * EDGE_PERCENT):.2f}%"

    def width(self, low: float, high: float) -> str:
        """How long a stretch of the scale is, as an SVG length."""
        return f"{(high - low) / (self.high - self.low) * (100 - 2 * EDGE_PERCENT):.2f}%"

    def tick(self, value: float) -> str:
        """A tick's label, with as many digits as the steps need."""
        step = self.ticks[1] - self.ticks[0] if len(self.ticks) > 1 else 1.0
        digits = max(0, -floor(log10(step) + 1e-9))
        return _minus(f"{value:.{digits}f}")


def axis_of(values: Sequence[float]) -> Axis:
    """A scale that holds all values, with ticks at 1, 2 or 5 times a power of ten."""
    low, high = min(values), max(values)
    if high <= low:
        high = low + 1.0
    rough = (high - low) / TICKS_WANTED
    power = 10.0 ** floor(log10(rough))
    step = next(power * factor for factor in (1, 2, 5, 10) if power * factor >= rough * (1 - 1e-9))
    ticks = tuple(place * step for place in range(ceil(low / step), floor(high / step) + 1))
    return Axis(low, high, ticks)


def number(value: float) -> str:
    """A metric value with four decimals, two from 10 on, and a true minus sign."""
    return _minus(f"{value:.{4 if abs(value) < 10 else 2}f}")


def effect(value: float) -> str:
    """A standardised difference with two decimals and a true minus sign."""
    return _minus(f"{value:.2f}")


def whole(value: int) -> str:
    """A count with commas, as the cards of data and model write theirs."""
    return f"{value:,}"


def percent(value: float) -> str:
    """A share in percent with one decimal."""
    return f"{100 * value:.1f}\u202f%"


def p_value(value: float) -> str:
    """A probability with three decimals, "< 0.001" below that."""
    return "< 0.001" if value < 0.001 else f"{value:.3f}"


def _minus(text: str) -> str:
    return text.replace("-", "−") if float(text) != 0 else text.lstrip("-")
