"""The model trained again in ways that heed a group, to stand on the frontier beside re-rankings."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from recsys_core.actions.loaded import LoadedModel
from recsys_core.actions.mitigation_kept import NOTHING_KEPT, KeptWork
from recsys_core.config import NeuralSettings, Settings, TransformerSettings, read_settings
from recsys_core.errors import ConfigError
from recsys_core.explain.explanation import verify_method
from recsys_core.explain.history import default_method
from recsys_core.pipeline import Learned, Progress, TrainedModel, learn
from recsys_core.ranker.evaluation import evaluate
from recsys_core.trainer.device import choose_device
from recsys_core.trainer.groups import parse_group_choice
from recsys_core.trainer.memory import peak_bytes

PREFIX = "train "  # before what a training is called among the options of a frontier
EVERY_METHOD = "all"
METHODS = ("resampling", "reweighting", "dro", "gap", "adversarial")


@dataclass(frozen=True, slots=True)
class TrainedVariant:
    """A model trained like another one, but for what it does about groups.

    Attributes:
        name: such as "train dro:1".
        settings: those of the other model, with the attribute and what is done about it.
        learned: what came of it.
        seconds: that it took.
    """

    name: str
    settings: Settings
    learned: Learned
    seconds: float


def training_settings(model: LoadedModel, by: str, trainings: Sequence[str]) -> dict[str, Settings]:
    """The settings of each training by its name, all checked before anything is trained.

    Raises:
        ConfigError: the model doesn't learn by steps, or from other models too, or there is no such training.
    """
    asked = [
        name for text in trainings for name in (METHODS if text.strip() == EVERY_METHOD else (text.strip(),))
    ]
    if asked and not isinstance(model.settings, NeuralSettings):
        raise ConfigError(
            f"'{model.record.name}' is of the kind {model.ranker_name}, which doesn't learn by steps, so "
            "training by groups can't be tried with it; a transformer, bert4rec, lstm, fusion or hybrid can"
        )
    if asked and isinstance(model.settings, TransformerSettings) and model.settings.teacher_names:
        raise ConfigError(
            f"'{model.record.name}' also learned from other models, and it can't be trained again without "
            "them; train one without teachers to try training by groups"
        )
    plain = model.settings.model_dump()
    found = dict[str, Settings]()
    for text in asked:
        choice = parse_group_choice(text)
        changes = {
            "group_attribute": by,
            "group_objective": choice.method,
            "group_strength": choice.strength,
        }
        found[f"{PREFIX}{choice.method}:{choice.strength:g}"] = read_settings(
            model.ranker_name, plain | changes
        )
    return found


def train_variants(
    model: LoadedModel,
    settings: dict[str, Settings],
    cache: Path,
    progress: Progress,
    kept: KeptWork = NOTHING_KEPT,
) -> tuple[TrainedVariant, ...]:
    """The model trained again, from its seed, with each of these settings.

    Like the model itself they learn from everybody's training part and stop by everybody's validation part.
    What `kept` has of them isn't trained again.

    Raises:
        DataError, ConfigError: as `learn`.
    """
    data, found = model.data, list[TrainedVariant]()
    for number, (name, own) in enumerate(settings.items()):
        start = number / len(settings)

        def told(share: float, message: str, start: float = start, name: str = name) -> None:
            progress(start + share / len(settings), f"{name}: {message}")

        learned = learn(
            data.dataset,
            data.split,
            own,
            seed=model.seed,
            device=choose_device(),
            cache=cache,
            progress=told,
            on_epoch=lambda epoch: None,
            checkpoint=kept.checkpoint(name),
        )
        seconds = learned.log.seconds if learned.log else 0.0
        found.append(TrainedVariant(name, own, learned, seconds))
    return tuple(found)


def trained_model(model: LoadedModel, variant: TrainedVariant) -> TrainedModel:
    """A variant with all that is known of any trained model: its figures, the badge of its explanations."""
    data, ranker = model.data, variant.learned.ranker
    return TrainedModel(
        model.ranker_name,
        variant.settings,
        model.seed,
        ranker,
        variant.learned.text,
        variant.learned.log,
        valid=evaluate(ranker, data.dataset, data.split, "valid"),
        test=evaluate(ranker, data.dataset, data.split, "test"),
        verification=verify_method(ranker, data.dataset, data.split, default_method(ranker), model.seed),
        seconds=variant.seconds,
        peak_memory_bytes=peak_bytes(),
    )
