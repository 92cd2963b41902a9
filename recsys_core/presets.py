"""Presets: what quick, balanced and best change in the settings of each ranker.

Balanced is what the settings say by themselves. benchmarks/RESULTS.md tells what each of them is worth.
"""

from typing import Any, Literal

Preset = Literal["quick", "balanced", "best"]
PRESETS: tuple[Preset, ...] = ("quick", "balanced", "best")

PRESET_VALUES: dict[tuple[str, str], dict[str, Any]] = {
    ("cross-encoder", "quick"): {"steps": 120, "depth": 20, "max_length": 5},
    ("cross-encoder", "best"): {"steps": 800, "max_length": 12},
    ("als", "quick"): {"factors": 32, "iterations": 10},
    ("als", "best"): {"factors": 128, "iterations": 30},
    ("transformer", "quick"): {"epochs": 8, "max_length": 50, "embedding_size": 48},
    ("transformer", "best"): {"epochs": 30, "patience": 30, "max_length": 200, "dropout": 0.4},
    ("bert4rec", "quick"): {"epochs": 20, "max_length": 50, "embedding_size": 48, "patience": 15},
    ("bert4rec", "balanced"): {"epochs": 40, "patience": 15},
    ("bert4rec", "best"): {"epochs": 60, "patience": 60, "max_length": 200, "dropout": 0.3},
    ("lstm", "quick"): {"epochs": 8, "max_length": 50, "embedding_size": 48},
    ("lstm", "best"): {"epochs": 30, "patience": 30, "max_length": 200, "dropout": 0.3},
    ("fusion", "quick"): {"epochs": 8, "max_length": 50},
    ("fusion", "best"): {"epochs": 30, "patience": 30, "max_length": 200, "dropout": 0.3},
    ("hybrid", "quick"): {"epochs": 8, "max_length": 50, "embedding_size": 48},
    ("hybrid", "best"): {"epochs": 60, "max_length": 200, "embedding_size": 96, "patience": 10},
}
