"""READ FIRST: the whole flow, one function a stage, in the order in which things happen.

files → tables → ValidationReport → Dataset → Split → item vectors → TrainedModel → recommendations
→ Explanation → AuditResult → report

Nothing here knows of a workspace, a job or a page; `actions.py` runs these stages on what is kept.
The other stages live where they are simple enough to be called as they are: before training
`data.readers.read_tables`, `data.dataset.build_dataset`, `data.split.leave_one_out`; after it
`explain.explanation.explain`, `fairness.audit.audit`.
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from recsys_core.config import (
    CrossEncoderSettings,
    EaseSettings,
    EnsembleSettings,
    NeuralSettings,
    ProfileSettings,
    Settings,
    TransformerSettings,
)
from recsys_core.data.dataset import Dataset
from recsys_core.data.reviews import item_texts, written_in_training
from recsys_core.data.split import Split, histories
from recsys_core.encoder.cache import TextVectors, encode_texts
from recsys_core.encoder.images import ImageVectors, encode_images
from recsys_core.encoder.kept import HalfArray
from recsys_core.encoder.pictures import image_files
from recsys_core.encoder.text import EncoderOptions
from recsys_core.encoder.written import encode_written
from recsys_core.errors import ConfigError, DataError
from recsys_core.explain.explanation import verify_method
from recsys_core.explain.faithfulness import Verification
from recsys_core.explain.history import default_method
from recsys_core.fairness.groups import attribute_names, group_labels
from recsys_core.ranker.evaluation import Evaluation, evaluate
from recsys_core.ranker.inner import Inner
from recsys_core.ranker.protocol import Ranker
from recsys_core.ranker.ratings import RatingErrors, rating_errors
from recsys_core.ranker.registry import fit_counting_ranker
from recsys_core.trainer.cross_encoder import learn_cross_encoder
from recsys_core.trainer.ensembles import fit_ensemble
from recsys_core.trainer.groups import PeopleGroups
from recsys_core.trainer.learning import check_training_memory, train_neural_ranker
from recsys_core.trainer.memory import check_ease_memory, free_bytes, peak_bytes
from recsys_core.trainer.processes import ALONE, Processes
from recsys_core.trainer.recipe import Epoch, TrainingLog
from recsys_core.trainer.text_tuning import tuned_encoder

NO_ENCODER = "none"
GUESSED_TEXT_SIZE = 384  # of an item's text vector, before the encoder has been asked

Progress = Callable[[float, str], None]


@dataclass(frozen=True, slots=True)
class TrainedModel:
    """A ranker and everything that is known of how it came about.

    Attributes:
        text: the items' text vectors that it was trained with; None for rankers without text.
        log: epochs and their validation NDCG@10; None for counting rankers.
        verification: the badge of its default explanation method.
        seconds: from the first text read to the last figure.
        peak_memory_bytes: of the whole process.
        ratings: how far its scores are from test ratings; None where they aren't meant to be ratings.
        n_without_picture: items of which no picture was seen; None for rankers without pictures.
    """

    ranker_name: str
    settings: Settings
    seed: int
    ranker: Ranker
    text: TextVectors | None
    log: TrainingLog | None
    valid: Evaluation
    test: Evaluation
    verification: Verification | None
    seconds: float
    peak_memory_bytes: int
    n_without_picture: int | None = None
    ratings: RatingErrors | None = None


@dataclass(frozen=True, slots=True)
class Examined:
    """What is found out of a ranker that is done: how it ranks, and whether its explanations are true."""

    valid: Evaluation
    test: Evaluation
    verification: Verification | None


@dataclass(frozen=True, slots=True)
class Learned:
    """A ranker as its training left it, before anything is known of how good it is.

    Attributes:
        text: the items' text vectors; None for rankers without text.
        log: epochs and their validation NDCG@10; None for counting rankers.
        images: the vectors of the items' pictures; None for rankers without pictures.
    """

    ranker: Ranker
    text: TextVectors | None
    log: TrainingLog | None
    images: ImageVectors | None = None


def encode_items(
    dataset: Dataset,
    split: Split,
    encoder: str,
    device: torch.device,
    cache: Path,
    progress: Progress,
    options: EncoderOptions | None = None,
) -> TextVectors | None:
    """The text vectors of all items, from the cache where the same texts were encoded before."""
    if encoder == NO_ENCODER:
        return None
    return encode_texts(
        item_texts(dataset, split),
        encoder,
        device,
        cache,
        lambda share: progress(share, "Reading the items' texts"),
        options,
    )


def encode_reviews(
    dataset: Dataset,
    split: Split,
    settings: NeuralSettings,
    text: TextVectors | None,
    device: torch.device,
    cache: Path,
    progress: Progress,
) -> HalfArray | None:
    """What was written at events, for rankers that read it; None where nobody wrote or no text is read."""
    reads = isinstance(settings, TransformerSettings | ProfileSettings) and settings.reviews
    if not reads or text is None or not dataset.written:
        return None
    found = encode_written(
        dataset.written,
        written_in_training(dataset, split),
        text,
        device,
        cache,
        lambda share: progress(share, "Reading what people wrote"),
    )
    return found if found.shape[1] else None


def encode_pictures(
    dataset: Dataset, settings: NeuralSettings, device: torch.device, cache: Path, progress: Progress
) -> ImageVectors | None:
    """The vectors of the items' pictures, if the settings ask for them; from the cache where they are known.

    Raises:
        ConfigError: there is no such encoder, or no folder of pictures.
        DataError: no item has a picture there, or some can't be read.
    """
    if settings.image_encoder == NO_ENCODER:
        return None
    folder = Path(settings.image_folder).expanduser()
    if not folder.is_dir():
        raise ConfigError(f"image_folder is '{settings.image_folder}', and there is no such folder")
    files = [
        file if file and file.is_file() else None
        for file in image_files(dataset.items["image"].tolist(), folder)
    ]
    if not any(files):
        raise DataError(
            f"none of {dataset.n_items:,} items has a picture in {folder}; the column 'image' of the "
            "catalogue says the file of each, as a path within that folder"
        )
    return encode_images(
        files, settings.image_encoder, device, cache, lambda share: progress(share, "Looking at the pictures")
    )


def train_model(
    dataset: Dataset,
    split: Split,
    ranker_name: str,
    settings: Settings,
    *,
    seed: int,
    device: torch.device,
    cache: Path,
    progress: Progress,
    on_epoch: Callable[[Epoch], None],
    checkpoint: Path | None = None,
    processes: Processes = ALONE,
    members: Sequence[Inner] = (),
) -> TrainedModel:
    """Trains a ranker on the split's training part, evaluates it, and tests its explanations.

    `members` are the trained models that an ensemble is made of, or that teach a transformer.

    Raises:
        DataError, ConfigError: as `learn`.
    """
    start = time.perf_counter()
    learned = learn(
        dataset,
        split,
        settings,
        seed=seed,
        device=device,
        cache=cache,
        progress=lambda share, message: progress(0.8 * share, message),
        on_epoch=on_epoch,
        checkpoint=checkpoint,
        processes=processes,
        members=members,
    )
    ranker = learned.ranker
    examined = examine(ranker, dataset, split, seed, _scaled(progress, 0.8, 0.2))
    return TrainedModel(
        ranker_name,
        settings,
        seed,
        ranker,
        learned.text,
        learned.log,
        valid=examined.valid,
        test=examined.test,
        verification=examined.verification,
        seconds=time.perf_counter() - start,
        peak_memory_bytes=peak_bytes(),
        ratings=_rating_errors(ranker, dataset, split, settings),
        n_without_picture=None if learned.images is None else learned.images.n_without,
    )


def _rating_errors(ranker: Ranker, dataset: Dataset, split: Split, settings: Settings) -> RatingErrors | None:
    learned = isinstance(settings, NeuralSettings) and settings.loss == "squared-error"
    return rating_errors(ranker, dataset, split, "test") if learned else None


def examine(ranker: Ranker, dataset: Dataset, split: Split, seed: int, progress: Progress) -> Examined:
    """The figures of a ranker on the validation and the test part, and the badge of its explanations."""
    progress(0.0, "Evaluating")
    valid, test = (evaluate(ranker, dataset, split, part) for part in ("valid", "test"))
    progress(0.25, "Testing its explanations")
    verification = verify_method(ranker, dataset, split, default_method(ranker), seed)
    progress(1.0, "Done")
    return Examined(valid, test, verification)


def learn(
    dataset: Dataset,
    split: Split,
    settings: Settings,
    *,
    seed: int,
    device: torch.device,
    cache: Path,
    progress: Progress,
    on_epoch: Callable[[Epoch], None],
    checkpoint: Path | None = None,
    processes: Processes = ALONE,
    members: Sequence[Inner] = (),
) -> Learned:
    """Learns from the split's training part, watched on its validation part; the test part is not touched.

    Args:
        dataset: whose events, people and items.
        split: what is held out.
        settings: of the ranker.
        seed: decides everything that is drawn.
        device: where.
        cache: folder of encoded texts.
        progress: told the share that is done, and with what it is busy.
        on_epoch: told about each epoch.
        checkpoint: file that is kept after every epoch; if it is there, training goes on from it.
        processes: those that train together, each with this same call.
        members: trained rankers, for an ensemble of them, or to teach the one that is trained.

    Raises:
        DataError: the data are too small, or can't form the groups that the settings name.
        ConfigError: no such encoder, too little memory, or the checkpoint of another run.
    """
    _check_size(dataset, split)
    if isinstance(settings, EnsembleSettings):
        progress(0.1, "Weighing")
        return Learned(fit_ensemble(dataset, split, settings, members), None, None)
    if isinstance(settings, CrossEncoderSettings):
        text = encode_items(dataset, split, settings.encoder, device, cache, _scaled(progress, 0.0, 0.1))
        rest = _scaled(progress, 0.1, 0.9)
        return Learned(learn_cross_encoder(dataset, split, settings, text, seed, device, rest), text, None)
    if not isinstance(settings, NeuralSettings):
        progress(0.1, "Counting")
        return Learned(_counted(dataset, split, settings, seed), None, None)
    groups = people_groups(dataset, settings.group_attribute)
    check_training_memory(dataset, split, settings, GUESSED_TEXT_SIZE, device, processes)
    options = EncoderOptions(settings.encoder_pooling, settings.encoder_precision)
    with processes.first_goes_ahead():  # the others find its texts in the cache
        encoder = tuned_encoder(dataset, split, settings, seed, device, cache, _scaled(progress, 0.0, 0.05))
        text = encode_items(dataset, split, encoder, device, cache, _scaled(progress, 0.05, 0.05), options)
        written = encode_reviews(dataset, split, settings, text, device, cache, _scaled(progress, 0.05, 0.05))
        images = encode_pictures(dataset, settings, device, cache, _scaled(progress, 0.05, 0.05))
    ranker, log = train_neural_ranker(
        dataset,
        split,
        settings,
        text,
        seed,
        device,
        progress,
        on_epoch,
        checkpoint,
        processes,
        groups,
        members,
        images,
        written,
    )
    return Learned(ranker, text, log, images)


def people_groups(dataset: Dataset, by: str) -> PeopleGroups | None:
    """Who is in which group of an attribute, for training that heeds it; None for no attribute.

    Raises:
        DataError: it can't form groups.
    """
    if not by.strip():
        return None
    labels = group_labels(dataset.users, by.strip())
    known = [codes.name for codes in dataset.attributes]
    columns = tuple(known.index(name) for name in attribute_names(dataset.users, by.strip()))
    rows, first = np.unique(dataset.attribute_codes[:, list(columns)], axis=0, return_index=True)
    return PeopleGroups(
        names=tuple(map(str, labels.cat.categories)),
        columns=columns,
        codes=tuple(tuple(int(code) for code in row) for row in rows.tolist()),
        groups=tuple(int(code) for code in labels.cat.codes.to_numpy()[first]),
    )


def _counted(dataset: Dataset, split: Split, settings: Settings, seed: int) -> Ranker:
    if isinstance(settings, EaseSettings):
        check_ease_memory(dataset.n_items, free_bytes(torch.device("cpu")))
    return fit_counting_ranker(settings, histories(dataset, split, "valid"), dataset.n_items, seed)


def _scaled(progress: Progress, start: float, span: float) -> Progress:
    return lambda share, message: progress(start + span * share, message)


def _check_size(dataset: Dataset, split: Split) -> None:
    if dataset.n_users < 2:
        raise DataError(
            f"the data set has {dataset.n_users} person, so there is nobody to learn from for anybody else; "
            "at least 2 are needed"
        )
    if dataset.n_items < 2:
        raise DataError("the data set has one item, so there is nothing to rank; at least 2 are needed")
    if not (split.test_row >= 0).any():
        raise DataError(
            "nobody in the data set has touched 3 different items, so nothing can be held out to test a "
            "model; add people with longer histories"
        )
