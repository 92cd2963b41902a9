"""Every setting, with its bounds: stated here once and nowhere else.

A bad setting is answered with all problems at once, each with what is allowed.
"""

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, Literal, Self, get_args, get_origin

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator
from pydantic.fields import FieldInfo
from pydantic_settings import BaseSettings, SettingsConfigDict

from recsys_core.errors import ConfigError
from recsys_core.presets import PRESET_VALUES, PRESETS

_NUMBERS = r"^( *\d*\.?\d+ *(, *\d*\.?\d+ *)*)?$"


def names_in(text: str) -> tuple[str, ...]:
    """The names in a text that separates them by commas."""
    return tuple(name.strip() for name in text.split(",") if name.strip())


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


class AlsSettings(Settings):
    """ALS: the size of the vectors, the pull towards zero, and how much a touch is trusted."""

    factors: Annotated[int, Field(ge=1, le=1_024)] = 64
    regularization: Annotated[float, Field(gt=0, le=1e6)] = 10.0
    alpha: Annotated[float, Field(gt=0, le=1e6)] = 1.0
    iterations: Annotated[int, Field(ge=1, le=1_000)] = 15


class NeuralSettings(Settings):
    """What all rankers that learn by gradients have in common: how items are known and how it learns."""

    epochs: Annotated[int, Field(ge=1, le=1_000)] = 20
    patience: Annotated[int, Field(ge=1, le=1_000)] = 5
    max_length: Annotated[int, Field(ge=2, le=1_000)] = 100
    embedding_size: Annotated[int, Field(ge=4, le=1_024)] = 64
    dropout: Annotated[float, Field(ge=0, lt=1)] = 0.2
    optimizer: Literal["muon", "adamw"] = "muon"  # of the matrices of layers; adamw wants a third of the rate
    learning_rate: Annotated[float, Field(gt=0, le=1)] = 0.03
    weight_decay: Annotated[float, Field(ge=0, le=1)] = 0.1
    batch_size: Annotated[int, Field(ge=1, le=8_192)] = 32
    accumulation: Annotated[int, Field(ge=1, le=1_024)] = 1  # pieces of a batch, one after the other
    schedule: Literal["cosine", "constant", "linear"] = "cosine"
    warm_up_share: Annotated[float, Field(ge=0, lt=1)] = 0.05
    max_gradient_norm: Annotated[float, Field(gt=0, le=1_000)] = 5.0
    precision: Literal["auto", "fp32", "bf16"] = "auto"
    encoder: Annotated[str, Field(min_length=1, max_length=400)] = "minilm"  # "none": ids alone
    encoder_pooling: Literal["auto", "mean", "cls", "last"] = "auto"
    encoder_precision: Literal["auto", "fp32", "bf16", "int8"] = "auto"
    fine_tune: Literal["none", "lora", "full"] = "none"  # of the encoder, on what follows what
    fine_tune_steps: Annotated[int, Field(ge=1, le=100_000)] = 100
    image_encoder: Annotated[str, Field(min_length=1, max_length=400)] = "none"  # of the items' pictures
    image_folder: Annotated[str, Field(max_length=1_000)] = ""  # where their files lie
    item_id: bool = True
    loss: Literal["softmax", "sampled-softmax", "gbce", "bce", "bpr", "squared-error"] = "softmax"
    n_negatives: Annotated[int, Field(ge=1, le=20_000)] = 256
    negatives_exponent: Annotated[float, Field(ge=0, le=1)] = 0.0
    calibration: Annotated[float, Field(ge=0, le=1)] = 0.75
    group_attribute: Annotated[str, Field(max_length=400)] = ""  # of people, that training may look at
    group_objective: Literal["none", "resampling", "reweighting", "dro", "gap", "adversarial"] = "none"
    group_strength: Annotated[float, Field(gt=0, le=10)] = 1.0

    @model_validator(mode="after")
    def _check_together(self) -> Self:
        """Finds settings that contradict each other, before any work is done with them."""
        if problems := self.problems():
            raise ValueError("; ".join(problems))
        return self

    def problems(self) -> list[str]:
        """What these settings contradict each other in, in words."""
        found = list[str]()
        if self.encoder == "none" and not self.item_id:
            found.append("an item needs its id or its text, and both are switched off")
        if self.encoder in ("none", "character-ngrams") and self.fine_tune != "none":
            found.append(f"fine_tune is {self.fine_tune}, and encoder '{self.encoder}' has nothing to tune")
        if (self.group_objective == "none") != (self.group_attribute.strip() == ""):
            found.append(
                f"group_objective is {self.group_objective} and group_attribute is '{self.group_attribute}'; "
                "training by groups needs both, training without needs neither"
            )
        if self.group_objective in ("resampling", "reweighting") and self.group_strength > 1:
            found.append(
                f"group_strength is {self.group_strength:g}; {self.group_objective} takes up to 1, at which "
                "all groups count alike"
            )
        if (self.image_encoder == "none") != (self.image_folder == ""):
            found.append(
                f"image_encoder is '{self.image_encoder}' and image_folder '{self.image_folder}': pictures "
                "need both an encoder and the folder that their files lie in"
            )
        return found


class AttentionSettings(NeuralSettings):
    """What rankers made of attention blocks have in common."""

    n_blocks: Annotated[int, Field(ge=1, le=24)] = 2
    n_heads: Annotated[int, Field(ge=1, le=16)] = 2

    def problems(self) -> list[str]:
        if self.embedding_size % self.n_heads == 0:
            return super().problems()
        uneven = f"embedding_size ({self.embedding_size}) must be divisible by n_heads ({self.n_heads})"
        return [uneven, *super().problems()]


class TransformerSettings(AttentionSettings):
    """Causal self-attention over ids and texts."""

    block: Literal["sasrec", "ligr", "hstu"] = "sasrec"
    event_type: bool = True  # these five where the data know them
    strength: bool = True
    time: bool = True
    request_time: bool = False  # tells of the item that comes: figures with it are of protocol T
    reviews: bool = True  # what was written at events, where there is a text encoder
    place: bool = True  # a vector for how many items came before
    teachers: Annotated[str, Field(max_length=2_000)] = ""  # names or ids of trained models, with commas
    teacher_share: Annotated[float, Field(gt=0, le=1)] = 0.5  # of what is learned comes from them

    @property
    def teacher_names(self) -> tuple[str, ...]:
        """The names or ids of the teachers."""
        return names_in(self.teachers)

    def problems(self) -> list[str]:
        found = super().problems()
        if self.teacher_names and self.loss != "softmax":
            found.append(f"teachers teach the loss softmax alone, and loss is {self.loss}")
        if self.teacher_names and self.group_objective in ("reweighting", "dro", "gap"):
            found.append(
                f"group_objective is {self.group_objective}, which weighs people, and teachers teach them "
                "all alike; take none, resampling or adversarial with teachers"
            )
        return found


class Bert4RecSettings(AttentionSettings):
    """Self-attention in both directions, learned by hiding items."""

    mask_share: Annotated[float, Field(gt=0, le=0.9)] = 0.2

    def problems(self) -> list[str]:
        found = super().problems()
        if self.loss == "squared-error":
            found.append("loss squared-error learns the rating of the next item, and bert4rec hides items")
        return found


class LstmSettings(NeuralSettings):
    """A recurrent network over the history."""

    cell: Literal["lstm", "gru"] = "lstm"
    n_layers: Annotated[int, Field(ge=1, le=8)] = 1


class ProfileSettings(NeuralSettings):
    """What rankers that read a person's profile have in common."""

    attributes: Annotated[str, Field(max_length=400)] = (
        ""  # those of people that may enter: "age_band,region"
    )

    reviews: bool = True  # what was written at events, where there is a text encoder
    optimizer: Literal["muon", "adamw"] = "adamw"  # they have hardly a hidden layer
    learning_rate: Annotated[float, Field(gt=0, le=1)] = 8e-3
    weight_decay: Annotated[float, Field(ge=0, le=1)] = 0.01

    @property
    def allowed_attributes(self) -> list[str]:
        """The attributes of people that the profile may hold."""
        return list(names_in(self.attributes))


class FusionSettings(ProfileSettings):
    """Texts against profiles through a learned bilinear map, whose rank is `embedding_size`."""

    item_id: bool = False


class HybridSettings(ProfileSettings):
    """Matrix factorisation and a perceptron over id, text and profile."""


class CrossEncoderSettings(Settings):
    """Cross-encoder: what is read, how it learns, and how much of the first ranker's list it re-ranks."""

    first_stage: Literal["transitions", "item-knn", "ease", "als"] = "transitions"
    depth: Annotated[int, Field(ge=2, le=1_000)] = 50
    max_length: Annotated[int, Field(ge=1, le=50)] = 8
    item_tokens: Annotated[int, Field(ge=4, le=128)] = 16
    steps: Annotated[int, Field(ge=1, le=100_000)] = 400
    batch_size: Annotated[int, Field(ge=1, le=1_024)] = 16
    negatives: Annotated[int, Field(ge=1, le=100)] = 7
    learning_rate: Annotated[float, Field(gt=0, le=1)] = 1e-4
    precision: Literal["auto", "fp32", "bf16"] = "auto"
    encoder: Annotated[str, Field(min_length=1, max_length=400)] = "minilm"


class EnsembleSettings(Settings):
    """Ensemble: which trained models of the data set, and how their scores are added up."""

    members: Annotated[str, Field(max_length=2_000)] = ""  # names or ids, separated by commas
    weights: Annotated[str, Field(max_length=400, pattern=_NUMBERS)] = ""  # "": chosen on validation
    fusion: Literal["log-probability", "standardised", "reciprocal-rank"] = "log-probability"

    @property
    def member_names(self) -> tuple[str, ...]:
        """The names or ids of the members."""
        return names_in(self.members)

    @property
    def weight_values(self) -> tuple[float, ...]:
        """The weights that were given; none where they are to be chosen."""
        return tuple(float(weight) for weight in self.weights.split(",") if weight.strip())


class RerankedSettings(Settings):
    """Re-ranked: which trained model, and which re-ranking each group of people gets."""

    model: Annotated[str, Field(min_length=1, max_length=400)]
    by: Annotated[str, Field(min_length=1, max_length=400)]
    rules: Annotated[str, Field(max_length=4_000)]  # in words, for people


SETTINGS: dict[str, type[Settings]] = {
    "transformer": TransformerSettings,
    "bert4rec": Bert4RecSettings,
    "lstm": LstmSettings,
    "fusion": FusionSettings,
    "hybrid": HybridSettings,
    "popularity": PopularitySettings,
    "item-knn": ItemKnnSettings,
    "ease": EaseSettings,
    "transitions": TransitionsSettings,
    "als": AlsSettings,
    "cross-encoder": CrossEncoderSettings,
    "ensemble": EnsembleSettings,
}

MADE_OF_MODELS: dict[str, type[Settings]] = {"reranked": RerankedSettings}  # nobody trains these by name

_CAME_LATER = dict.fromkeys(("event_type", "strength", "time", "place", "reviews"), False) | {
    "optimizer": "adamw"
}
_TYPE_WORDS: dict[Any, str] = {int: "a whole number", float: "a number", bool: "true or false", str: "a text"}
_LIMIT_WORDS = {
    "ge": "from {:g}",
    "gt": "above {:g}",
    "le": "up to {:g}",
    "lt": "below {:g}",
    "min_length": "of {:g} or more",
    "max_length": "and up to {:g} characters",
}


class Environment(BaseSettings):
    """What the environment says: `RECLENS_HOME`, `RECLENS_DATABASE_URL`, `RECLENS_AUDIT_PEOPLE`.

    Attributes:
        home: folder of the workspace.
        database_url: of a catalogue elsewhere.
        audit_people: whether pages show single people: behind a group on Fairness, on Explore, Explain and
            Compare; false shows groups alone.
    """

    model_config = SettingsConfigDict(env_prefix="RECLENS_", frozen=True)

    home: Path = Path.home() / ".reclens"
    database_url: str | None = None
    audit_people: bool = True


def make_settings(ranker: str, preset: str = "balanced", changes: Sequence[str] = ()) -> Settings:
    """The settings of a ranker: a preset, with `key=value` changes on top.

    Raises:
        ConfigError: no such ranker, preset or key, or values out of bounds: all of them in one sentence.
    """
    unknown: list[str] = []
    if ranker not in SETTINGS:
        unknown.append(f"there is no ranker '{ranker}'; rankers are {', '.join(SETTINGS)}")
    if preset not in PRESETS:
        unknown.append(f"there is no preset '{preset}'; presets are {', '.join(PRESETS)}")
    if unknown:
        raise ConfigError("; ".join(unknown))
    pairs = [change.partition("=") for change in changes]
    values = {key.strip(): value.strip() for key, equals, value in pairs if equals}
    malformed = [f"'{key}' is no setting; write key=value" for key, equals, _ in pairs if not equals]
    return _validated(ranker, PRESET_VALUES.get((ranker, preset), {}) | values, malformed)


def read_settings(ranker: str, values: dict[str, Any]) -> Settings:
    """The settings of a ranker from plain values, as they are kept beside a model.

    What a ranker reads beside items came in one kind after the other, and so did Muon. Settings that don't
    name one are from before it, and their ranker has none of it, whatever the default has become.

    Raises:
        ConfigError: as `make_settings`.
    """
    if ranker not in SETTINGS | MADE_OF_MODELS:
        raise ConfigError(f"there is no ranker '{ranker}'; rankers are {', '.join(SETTINGS)}")
    settings = _validated(ranker, values, [])
    absent = type(settings).model_fields.keys() - settings.model_fields_set
    return settings.model_copy(update={key: _CAME_LATER[key] for key in absent.intersection(_CAME_LATER)})


def _validated(ranker: str, values: dict[str, Any], problems: list[str]) -> Settings:
    kind = (SETTINGS | MADE_OF_MODELS)[ranker]
    try:
        settings = kind.model_validate(values)
    except ValidationError as error:
        problems = problems + [_problem(kind, dict(problem)) for problem in error.errors()]
        raise ConfigError(f"{ranker}: {'; '.join(problems)}") from error
    if problems:
        raise ConfigError(f"{ranker}: {'; '.join(problems)}")
    return settings


def _problem(kind: type[Settings], problem: dict[str, Any]) -> str:
    if not problem["loc"]:  # of the settings together, not of one
        return str(problem.get("ctx", {}).get("error", problem["msg"]))
    key = str(problem["loc"][0])
    if key not in kind.model_fields:
        allowed = ", ".join(kind.model_fields) or "none: it has nothing to set"
        return f"there is no setting '{key}' (settings are {allowed})"
    return f"{key} is {problem['input']}, but {bounds(kind, key)}"


def bounds(kind: type[Settings], key: str) -> str:
    """What is allowed for a setting, in words: "it must be a whole number from 1 to 1000"."""
    field = kind.model_fields[key]
    if get_origin(field.annotation) is Literal:
        *others, last = get_args(field.annotation)
        return f"it must be {', '.join(others)} or {last}"
    limits = [
        words.format(getattr(limit, name))
        for limit in field.metadata
        for name, words in _LIMIT_WORDS.items()
        if hasattr(limit, name)
    ]
    return " ".join(["it must be", _TYPE_WORDS.get(field.annotation, "a value"), *limits])


def limits(field: FieldInfo) -> tuple[float | None, float | None]:
    """The smallest and the largest number that a setting may have; None where there is no bound."""
    low = high = None
    for bound in field.metadata:
        low = getattr(bound, "ge", low)
        high = getattr(bound, "le", high)
        if hasattr(bound, "gt"):
            low = math.nextafter(float(bound.gt), math.inf)
        if hasattr(bound, "lt"):
            high = math.nextafter(float(bound.lt), -math.inf)
    return low, high
