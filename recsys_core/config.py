"""Every setting, with its bounds: stated here once and nowhere else.

A bad setting is answered with all problems at once, each with what is allowed.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

from recsys_core.errors import ConfigError

Preset = Literal["quick", "balanced", "best"]
PRESETS: tuple[Preset, ...] = ("quick", "balanced", "best")


class Settings(BaseModel):
    """Settings of a ranker: frozen, bounded, nothing unknown."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class PopularitySettings(Settings):
    """Popularity has nothing to set."""


class ItemKnnSettings(Settings):
    """Item-kNN: how many neighbours an item keeps, and how much rare pairs are held back."""

    n_neighbours: Annotated[int, Field(ge=1, le=10_000)] = 100
    shrinkage: Annotated[float, Field(ge=0, le=1_000)] = 10.0


class EaseSettings(Settings):
    """EASE: the ridge on the diagonal of the item-to-item matrix."""

    l2: Annotated[float, Field(gt=0, le=1e6)] = 500.0


class TransitionsSettings(Settings):
    """Transition counts: how far apart two items may be, and how fast distance fades."""

    window: Annotated[int, Field(ge=1, le=200)] = 20
    decay: Annotated[float, Field(gt=0, le=1)] = 0.7


class TransformerSettings(Settings):
    """Causal self-attention over ids and texts."""

    epochs: Annotated[int, Field(ge=1, le=1_000)] = 20
    patience: Annotated[int, Field(ge=1, le=1_000)] = 5
    max_length: Annotated[int, Field(ge=2, le=1_000)] = 100
    embedding_size: Annotated[int, Field(ge=4, le=1_024)] = 64
    n_blocks: Annotated[int, Field(ge=1, le=24)] = 2
    n_heads: Annotated[int, Field(ge=1, le=16)] = 2
    dropout: Annotated[float, Field(ge=0, lt=1)] = 0.2
    learning_rate: Annotated[float, Field(gt=0, le=1)] = 3e-3
    weight_decay: Annotated[float, Field(ge=0, le=1)] = 0.01
    batch_size: Annotated[int, Field(ge=1, le=8_192)] = 32
    encoder: Annotated[str, Field(min_length=1, max_length=400)] = "minilm"  # "none": ids alone
    item_id: bool = True


SETTINGS: dict[str, type[Settings]] = {
    "transformer": TransformerSettings,
    "popularity": PopularitySettings,
    "item-knn": ItemKnnSettings,
    "ease": EaseSettings,
    "transitions": TransitionsSettings,
}

_PRESET_VALUES: dict[tuple[str, str], dict[str, Any]] = {
    ("transformer", "quick"): {"epochs": 8, "max_length": 50, "embedding_size": 48},
    ("transformer", "best"): {"epochs": 60, "max_length": 200, "embedding_size": 96, "patience": 10},
}


_TYPE_WORDS: dict[Any, str] = {int: "a whole number", float: "a number", bool: "true or false", str: "a text"}
_LIMIT_WORDS = {"Ge": "from {}", "Gt": "above {}", "Le": "up to {}", "Lt": "below {}"}


class Environment(BaseSettings):
    """What the environment says: `RECLENS_HOME`, `RECLENS_DATABASE_URL`."""

    model_config = SettingsConfigDict(env_prefix="RECLENS_", frozen=True)

    home: Path = Path.home() / ".reclens"
    database_url: str | None = None


def make_settings(ranker: str, preset: str = "balanced", changes: Sequence[str] = ()) -> Settings:
    """The settings of a ranker: a preset, with `key=value` changes on top.

    Raises:
        ConfigError: no such ranker, preset or key, or values out of bounds: all of them in one sentence.
    """
    if ranker not in SETTINGS:
        raise ConfigError(f"there is no ranker '{ranker}'; rankers are {', '.join(SETTINGS)}")
    if preset not in PRESETS:
        raise ConfigError(f"there is no preset '{preset}'; presets are {', '.join(PRESETS)}")
    values: dict[str, Any] = dict(_PRESET_VALUES.get((ranker, preset), {}))
    for change in changes:
        key, equals, value = change.partition("=")
        if not equals:
            raise ConfigError(f"'{change}' is no setting; write key=value")
        values[key.strip()] = value.strip()
    return read_settings(ranker, values)


def read_settings(ranker: str, values: dict[str, Any]) -> Settings:
    """The settings of a ranker from plain values, as they are kept beside a model.

    Raises:
        ConfigError: as `make_settings`.
    """
    if ranker not in SETTINGS:
        raise ConfigError(f"there is no ranker '{ranker}'; rankers are {', '.join(SETTINGS)}")
    kind = SETTINGS[ranker]
    try:
        return kind.model_validate(values)
    except ValidationError as error:
        problems = "; ".join(_problem(kind, dict(problem)) for problem in error.errors())
        raise ConfigError(f"{ranker}: {problems}") from error


def _problem(kind: type[Settings], problem: dict[str, Any]) -> str:
    key = str(problem["loc"][0])
    if key not in kind.model_fields:
        allowed = ", ".join(kind.model_fields) or "none: it has nothing to set"
        return f"there is no setting '{key}' (settings are {allowed})"
    return f"{key} is {problem['input']}, but {bounds(kind, key)}"


def bounds(kind: type[Settings], key: str) -> str:
    """What is allowed for a setting, in words: "it must be a whole number from 1 to 1000"."""
    field = kind.model_fields[key]
    limits = [
        _LIMIT_WORDS[name].format(f"{getattr(limit, name.lower()):g}")
        for limit in field.metadata
        if (name := type(limit).__name__) in _LIMIT_WORDS
    ]
    return " ".join(["it must be", _TYPE_WORDS.get(field.annotation, "a value"), *limits])
