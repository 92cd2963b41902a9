"""From a data set and settings to a trained neural ranker: what the loop needs is put together here."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from recsys_core.config import NeuralSettings, ProfileSettings, TransformerSettings
from recsys_core.data.dataset import Dataset, Histories
from recsys_core.data.profiles import item_traits, profile_layout
from recsys_core.data.split import Split, histories
from recsys_core.encoder.cache import TextVectors
from recsys_core.encoder.images import ImageVectors
from recsys_core.encoder.kept import HalfArray
from recsys_core.metrics.ranking import per_person
from recsys_core.ranker.cold import know_untouched_by_content
from recsys_core.ranker.evaluation import held_out_ranks
from recsys_core.ranker.inner import Inner
from recsys_core.ranker.neural import NeuralRanker
from recsys_core.ranker.popularity import item_counts
from recsys_core.ranker.profile import ProfileColumns
from recsys_core.ranker.ratings import mean_rating, rating_errors
from recsys_core.ranker.registry import event_kinds, new_neural_ranker
from recsys_core.trainer.groups import GroupChoice, PeopleGroups
from recsys_core.trainer.loop import train, training_loss
from recsys_core.trainer.memory import (
    Load,
    MemoryEstimate,
    check_memory,
    estimate_memory,
    free_bytes,
    out_of_memory_in_words,
)
from recsys_core.trainer.objective import LossChoice, Objective
from recsys_core.trainer.processes import Processes
from recsys_core.trainer.recipe import Callbacks, Epoch, Recipe, TrainingLog
from recsys_core.trainer.resume import Checkpoint, digest_of
from recsys_core.trainer.teachers import NO_TEACHING, Teacher, Teaching
from recsys_core.trainer.windows import Batch

Progress = Callable[[float, str], None]


@dataclass(frozen=True, slots=True)
class _Content:
    """Vectors of what items and events say, None where a ranker doesn't read it.

    Attributes:
        text: [n_items, t] of the items' texts.
        images: [n_items, i] of their pictures.
        written: [n_texts + 1, w] of what was written at events; its first row, alone of all three's, is
            the padding's.
    """

    text: HalfArray | None
    images: HalfArray | None
    written: HalfArray | None


def train_neural_ranker(
    dataset: Dataset,
    split: Split,
    settings: NeuralSettings,
    text: TextVectors | None,
    seed: int,
    device: torch.device,
    progress: Progress,
    on_epoch: Callable[[Epoch], None],
    checkpoint: Path | None,
    processes: Processes,
    groups: PeopleGroups | None = None,
    teachers: Sequence[Inner] = (),
    images: ImageVectors | None = None,
    written: HalfArray | None = None,
) -> tuple[NeuralRanker, TrainingLog]:
    """A neural ranker as its settings describe it, trained on the split's training part.

    Args:
        dataset: whose events and items.
        split: what is held out; its validation part decides which epoch's weights stay.
        settings: of the ranker.
        text: the items' text vectors; None without text.
        seed: decides everything that is drawn.
        device: where.
        progress: told the share that is done, the texts having been the first tenth.
        on_epoch: told about each epoch.
        checkpoint: file that is kept after every epoch; if it is there, training goes on from it.
        processes: those that train together.
        groups: of the people, where the settings heed any.
        teachers: trained rankers that it learns from beside the data.
        images: the vectors of the items' pictures; None without pictures.
        written: [n_texts + 1, w] what was written at events; None where it isn't read.

    Raises:
        DataError: there is nothing to learn from.
        ConfigError: too little memory, the checkpoint of another run, or a teacher that can't teach it.
    """
    known = histories(dataset, split, "valid")
    text_size = 0 if text is None else text.vectors.shape[1]
    image_size = 0 if images is None else images.vectors.shape[1]
    estimate = check_training_memory(dataset, split, settings, text_size, device, processes, image_size)
    of_text, of_images = (None if read is None else read.vectors for read in (text, images))
    content = _Content(of_text, of_images, written)
    ranker, recipe = _new_ranker(dataset, known, settings, content, seed), _recipe(settings, seed)
    kept = None if checkpoint is None else _kept_at(checkpoint, dataset, split, settings, content, seed)
    teaching = _teaching(settings, teachers, device)
    callbacks = Callbacks(lambda share: progress(0.1 + 0.9 * share, "Learning"), on_epoch)

    def validate() -> float:
        values = per_person("ndcg@10", held_out_ranks(ranker, dataset, split, "valid"))
        return float(values[~np.isnan(values)].mean())

    def rating_error() -> float:
        return rating_errors(ranker, dataset, split, "valid").rmse

    learns_ratings = settings.loss == "squared-error" and not np.isnan(rating_error())
    by_rating = rating_error if learns_ratings else None
    with out_of_memory_in_words(estimate, recipe):
        log = train(
            ranker, known, validate, recipe, device, callbacks, kept, processes, groups, teaching, by_rating
        )
    know_untouched_by_content(ranker, item_counts(known, dataset.n_items))
    return ranker, log


def _new_ranker(
    dataset: Dataset,
    known: Histories,
    settings: NeuralSettings,
    content: _Content,
    seed: int,
) -> NeuralRanker:
    torch.manual_seed(seed)
    of_text, of_images = (
        None if vectors is None else torch.from_numpy(np.pad(vectors, ((1, 0), (0, 0))))
        for vectors in (content.text, content.images)
    )
    written = None if content.written is None else torch.from_numpy(content.written)
    events, profile = event_kinds(settings, dataset), _profile(dataset, known, settings)
    ranker = new_neural_ranker(settings, dataset.n_items, of_text, events, profile, of_images, written)
    if settings.loss == "squared-error":
        ranker.start_at_rating(mean_rating(dataset, known))
    else:
        ranker.start_at_popularity(torch.from_numpy(item_counts(known, dataset.n_items)).float())
    return ranker


def _teaching(settings: NeuralSettings, teachers: Sequence[Inner], device: torch.device) -> Teaching:
    if not isinstance(settings, TransformerSettings) or not teachers:
        return NO_TEACHING
    ready = [Teacher.of(inner.ranker, inner.name, settings.max_length, device) for inner in teachers]
    return Teaching(ready, settings.teacher_share)


def _kept_at(
    path: Path,
    dataset: Dataset,
    split: Split,
    settings: NeuralSettings,
    content: _Content,
    seed: int,
) -> Checkpoint:
    return Checkpoint(
        path,
        digest_of(type(settings).__name__, settings.model_dump(mode="json"), seed),
        digest_of(dataset.events, split, content),
    )


def _profile(dataset: Dataset, known: Histories, settings: NeuralSettings) -> ProfileColumns | None:
    """The columns of people's profiles, for rankers that read any."""
    if not isinstance(settings, ProfileSettings):
        return None
    traits = item_traits(dataset, known)
    return ProfileColumns.of(profile_layout(dataset, traits, settings.allowed_attributes), traits)


def check_training_memory(
    dataset: Dataset,
    split: Split,
    settings: NeuralSettings,
    text_size: int,
    device: torch.device,
    processes: Processes,
    image_size: int = 0,
) -> MemoryEstimate:
    """The estimate, if it fits.

    Raises:
        ConfigError: it doesn't.
    """
    estimate = training_memory(dataset, split, settings, text_size, device, processes.size, image_size)
    check_memory(estimate, free_bytes(device), _recipe(settings, 0))
    return estimate


def training_memory(
    dataset: Dataset,
    split: Split,
    settings: NeuralSettings,
    text_size: int,
    device: torch.device,
    n_processes: int = 1,
    image_size: int = 0,
) -> MemoryEstimate:
    """What training will take, beside what the process holds already.

    `text_size` numbers stand for an item's text, `image_size` for its picture.
    """
    known = histories(dataset, split, "valid")
    length = min(settings.max_length, max(2, int(known.lengths.max(initial=0)) - 1))
    n_windows = int(np.ceil(np.maximum(known.lengths - 1, 0) / settings.max_length).sum())
    load = Load(dataset.n_items, length, max(1, min(settings.batch_size, n_windows)), n_processes)
    size = 0 if settings.encoder == "none" else text_size
    events, profile = event_kinds(settings, dataset), _profile(dataset, known, settings)

    def new_ranker(n_items: int) -> NeuralRanker:
        text = torch.zeros(n_items + 1, size, dtype=torch.float16) if size else None
        own = None if profile is None else profile.for_items(n_items)
        image = torch.zeros(n_items + 1, image_size, dtype=torch.float16) if image_size else None
        return new_neural_ranker(settings, n_items, text, events, own, image)

    recipe = _recipe(settings, 0)

    def loss(ranker: NeuralRanker, batch: Batch) -> Tensor:
        return training_loss(ranker, batch, Objective.of(recipe.loss, np.zeros(ranker.n_items + 1)))

    return estimate_memory(new_ranker, loss, load, recipe, device)


def _recipe(settings: NeuralSettings, seed: int) -> Recipe:
    return Recipe(
        epochs=settings.epochs,
        patience=settings.patience,
        batch_size=settings.batch_size,
        learning_rate=settings.learning_rate,
        weight_decay=settings.weight_decay,
        seed=seed,
        precision=settings.precision,
        accumulation=settings.accumulation,
        schedule=settings.schedule,
        warm_up_share=settings.warm_up_share,
        max_gradient_norm=settings.max_gradient_norm,
        loss=LossChoice(
            settings.loss, settings.n_negatives, settings.negatives_exponent, settings.calibration
        ),
        groups=GroupChoice(settings.group_objective, settings.group_strength),
        optimizer=settings.optimizer,
    )
