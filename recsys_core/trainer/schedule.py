"""What becomes of the learning rate in the course of a run."""

import math
from typing import Literal

Schedule = Literal["cosine", "constant", "linear"]


def rate_at(step: int, n_steps: int, schedule: Schedule = "cosine", warm_up_share: float = 0.05) -> float:
    """Factor of the learning rate, above 0 to 1: linear up in the warm-up, then as the schedule says.

    Args:
        step: from 0.
        n_steps: of the whole run; the factor would be 0 there, but for "constant".
        schedule: "cosine" is half a cosine down to 0, "linear" a straight line, "constant" stays.
        warm_up_share: of the steps, 0 to 1.
    """
    warm_up = round(warm_up_share * n_steps)
    if step < warm_up:
        return (step + 1) / warm_up
    gone = (step - warm_up) / max(1, n_steps - warm_up)
    match schedule:
        case "cosine":
            return 0.5 * (1 + math.cos(math.pi * gone))
        case "linear":
            return 1 - gone
        case "constant":
            return 1.0
