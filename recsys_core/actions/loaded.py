"""A model of the workspace as it is when it is open, trained here or imported as lists."""

from dataclasses import dataclass

from recsys_core.actions.data import LoadedDataset
from recsys_core.config import Settings
from recsys_core.encoder.cache import TextVectors
from recsys_core.explain.faithfulness import Verification
from recsys_core.ranker.evaluation import Evaluation
from recsys_core.ranker.protocol import Ranker
from recsys_core.store.records import ModelRecord
from recsys_core.trainer.recipe import TrainingLog

WEIGHTS_FILE, MODEL_FILE, RANKS_FILE = "weights.safetensors", "model.json", "ranks.parquet"
LISTS_FILE, ADDED_FILE = "lists.parquet", "added_items.parquet"
MODEL_VERSION = 1


@dataclass(frozen=True, slots=True)
class LoadedModel:
    """A model and the data set that it learned from, ready to rank, explain and be audited.

    Attributes:
        verification: the badge of the default method, from training.
        badges: those of later tests, oldest first.
    """

    record: ModelRecord
    data: LoadedDataset
    ranker_name: str
    settings: Settings
    seed: int
    ranker: Ranker
    valid: Evaluation
    test: Evaluation
    log: TrainingLog | None
    verification: Verification | None
    text: TextVectors | None
    badges: tuple[Verification, ...] = ()


def content_sha256(record: ModelRecord) -> str:
    """The SHA-256 of what a model recommends by: its weights, or the lists that were imported."""
    hashes = record.folder_sha256
    return hashes[WEIGHTS_FILE] if WEIGHTS_FILE in hashes else hashes[LISTS_FILE]
