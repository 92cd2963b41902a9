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
import pandas as pd
import torch

from recsys_core.config import (
    CrossEncoderSettings,
    EaseSettings,
    EnsembleSettings,
    NeuralSettings,
    Settings,
    make_settings,
)
from recsys_core.data.dataset import Dataset
from recsys_core.data.reviews import item_texts
from recsys_core.data.split import Split, histories, targets
from recsys_core.encoder.cache import TextVectors, encode_more, encode_texts
from recsys_core.encoder.loading import load_encoder
from recsys_core.encoder.text import EncoderOptions
from recsys_core.errors import ConfigError, DataError
from recsys_core.explain.explanation import verify_method
from recsys_core.explain.faithfulness import Verification
from recsys_core.explain.history import default_method
from recsys_core.explain.knowledge import item_knowledge
from recsys_core.ranker.cross_encoder import CrossEncoderRanker
from recsys_core.ranker.ensemble import EnsembleRanker, new_ensemble
from recsys_core.ranker.evaluation import Evaluation, evaluate
from recsys_core.ranker.inner import Inner
from recsys_core.ranker.late_fusion import fit_weights
from recsys_core.ranker.popularity import fit_popularity
from recsys_core.ranker.protocol import Ranker
from recsys_core.ranker.registry import fit_counting_ranker
from recsys_core.ranker.rerank import ItemFacts, Reranker, category_shares, parse_reranking
from recsys_core.ranker.top_k import top_k
from recsys_core.trainer.cross_encoder import ReadingRecipe, new_cross_encoder, train_cross_encoder
from recsys_core.trainer.device import working_precision
from recsys_core.trainer.learning import check_training_memory, train_neural_ranker
from recsys_core.trainer.memory import check_ease_memory, free_bytes, peak_bytes
from recsys_core.trainer.processes import ALONE, Processes
from recsys_core.trainer.recipe import Epoch, TrainingLog

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


@dataclass(frozen=True, slots=True)
class Learned:
    """A ranker as its training left it, before anything is known of how good it is.

    Attributes:
        text: the items' text vectors; None for rankers without text.
        log: epochs and their validation NDCG@10; None for counting rankers.
    """

    ranker: Ranker
    text: TextVectors | None
    log: TrainingLog | None


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

    `members` are the trained models that an ensemble is made of; other rankers have none.

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
    progress(0.8, "Evaluating")
    valid, test = (evaluate(ranker, dataset, split, part) for part in ("valid", "test"))
    progress(0.85, "Testing its explanations")
    verification = verify_method(ranker, dataset, split, default_method(ranker), seed)
    progress(1.0, "Done")
    return TrainedModel(
        ranker_name,
        settings,
        seed,
        ranker,
        learned.text,
        learned.log,
        valid=valid,
        test=test,
        verification=verification,
        seconds=time.perf_counter() - start,
        peak_memory_bytes=peak_bytes(),
    )


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
        members: trained rankers, for an ensemble of them.

    Raises:
        DataError: the data are too small.
        ConfigError: no such encoder, too little memory, or the checkpoint of another run.
    """
    _check_size(dataset, split)
    if isinstance(settings, EnsembleSettings):
        progress(0.1, "Weighing")
        return Learned(fit_ensemble(dataset, split, settings, members), None, None)
    if isinstance(settings, CrossEncoderSettings):
        return _learn_cross_encoder(dataset, split, settings, seed, device, cache, progress)
    if not isinstance(settings, NeuralSettings):
        progress(0.1, "Counting")
        return Learned(_counted(dataset, split, settings, seed), None, None)
    check_training_memory(dataset, split, settings, GUESSED_TEXT_SIZE, device, processes)
    options = EncoderOptions(settings.encoder_pooling, settings.encoder_precision)
    with processes.first_goes_ahead():  # the others find its texts in the cache
        text = encode_items(
            dataset, split, settings.encoder, device, cache, lambda s, m: progress(0.1 * s, m), options
        )
    ranker, log = train_neural_ranker(
        dataset, split, settings, text, seed, device, progress, on_epoch, checkpoint, processes
    )
    return Learned(ranker, text, log)


def recommend_for_wish(
    text: TextVectors | None,
    dataset: Dataset,
    wish: str,
    k: int,
    device: torch.device,
    cache: Path,
    ranker: Ranker | None = None,
) -> pd.DataFrame:
    """A list for somebody of whom only a typed wish is known: items whose text is nearest to it by cosine.

    A cross-encoder then reads the wish together with the texts of the nearest, and ranks these anew.

    Raises:
        ConfigError: the model knows no text, or one that can't be compared with a wish.
    """
    if text is None:
        raise ConfigError("this model reads no text, so it can't serve a wish; train one with an encoder")
    if not wish.strip():
        raise ConfigError("the wish is empty; type a few words")
    wished = encode_more(text, [wish], device, cache, as_query=True)
    if wished.warning or not wished.vectors.any():
        raise ConfigError(
            wished.warning or f"no item's text has anything in common with '{wish}'; type other words"
        )
    scores = np.zeros((1, dataset.n_items + 1), dtype=np.float32)
    scores[0, 1:] = text.vectors.astype(np.float32) @ wished.vectors[0].astype(np.float32)
    scores[0, 0] = -np.inf
    if isinstance(ranker, CrossEncoderRanker):
        scores = ranker.score_wish(wish, scores)
    items = top_k(scores, k)[0]
    columns = {"user_id": "", "item_id": dataset.item_ids[items], "title": dataset.titles[items]}
    ranked = {"rank": np.arange(1, len(items) + 1), "score": scores[0, items], "source": "wish"}
    return pd.DataFrame(columns | ranked)


def _counted(dataset: Dataset, split: Split, settings: Settings, seed: int) -> Ranker:
    if isinstance(settings, EaseSettings):
        check_ease_memory(dataset.n_items, free_bytes(torch.device("cpu")))
    return fit_counting_ranker(settings, histories(dataset, split, "valid"), dataset.n_items, seed)


def _learn_cross_encoder(
    dataset: Dataset,
    split: Split,
    settings: CrossEncoderSettings,
    seed: int,
    device: torch.device,
    cache: Path,
    progress: Progress,
) -> Learned:
    text = encode_items(dataset, split, settings.encoder, device, cache, lambda s, m: progress(0.1 * s, m))
    if text is None:
        raise ConfigError("a cross-encoder reads texts; name another encoder than 'none'")
    known = histories(dataset, split, "valid")
    kind, first = settings.first_stage, make_settings(settings.first_stage)
    stage = fit_counting_ranker(first, known, dataset.n_items, seed)
    precision = working_precision(settings.precision, device)
    untrained = new_cross_encoder(
        load_encoder(settings.encoder, device),
        item_texts(dataset, split),
        torch.from_numpy(np.pad(text.vectors, ((1, 0), (0, 0)))),
        Inner(kind, kind, first, stage),
        fit_popularity(known, dataset.n_items),
        item_tokens=settings.item_tokens,
        depth=settings.depth,
        window=settings.max_length,
        precision=precision,
    )
    steps, batch_size, rate = settings.steps, settings.batch_size, settings.learning_rate
    recipe = ReadingRecipe(steps, batch_size, settings.negatives, rate, seed, precision)
    ranker = train_cross_encoder(
        untrained,
        known,
        targets(dataset, split, "valid"),
        recipe,
        lambda share, message: progress(0.1 + 0.9 * share, message),
    )
    return Learned(ranker, text, None)


def fit_ensemble(
    dataset: Dataset, split: Split, settings: EnsembleSettings, members: Sequence[Inner]
) -> EnsembleRanker:
    """The ensemble of trained models; weights that weren't given are chosen on the validation part alone.

    Raises:
        ConfigError: too few members, or members and weights that don't fit together.
    """
    equal = new_ensemble(members, [1] * len(members), settings.fusion)
    weights = settings.weight_values or fit_weights(
        [member.ranker for member in equal.members],
        histories(dataset, split, "valid"),
        targets(dataset, split, "valid"),
        settings.fusion,
    )
    return new_ensemble(members, list(weights), settings.fusion)


def reranker_of(ranker: Ranker, dataset: Dataset, split: Split, spec: str) -> Reranker:
    """The re-ranking that a text like `mmr:0.3` asks for, with what it needs to know of the items.

    Raises:
        ConfigError: there is no such re-ranking, or the data have nothing for it to go by.
    """
    reranking = parse_reranking(spec)
    known = item_knowledge(ranker, dataset, split)
    return Reranker(reranking, ItemFacts(known.vectors, category_shares(dataset), known.popularity))


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
