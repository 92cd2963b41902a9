"""Models at rest: what of a trained model is written into its folder, and how it is opened again."""

from dataclasses import asdict
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pandas as pd
from pydantic import TypeAdapter

from recsys_core.actions.badges import read_badges
from recsys_core.actions.data import LoadedDataset, open_dataset, with_added_items
from recsys_core.actions.imported import is_imported, open_lists
from recsys_core.actions.loaded import (
    ADDED_FILE,
    MODEL_FILE,
    MODEL_VERSION,
    RANKS_FILE,
    WEIGHTS_FILE,
    LoadedModel,
)
from recsys_core.config import read_settings
from recsys_core.data.validate import read_own_parquet
from recsys_core.encoder.cache import TextVectors
from recsys_core.encoder.ngrams import load_ngrams
from recsys_core.encoder.text import EncoderOptions
from recsys_core.errors import StoreError
from recsys_core.explain.faithfulness import Verification
from recsys_core.files import read_json, write_json
from recsys_core.pipeline import TrainedModel
from recsys_core.ranker.ensemble import EnsembleRanker
from recsys_core.ranker.evaluation import Evaluation
from recsys_core.ranker.kept_evaluation import from_columns, to_columns
from recsys_core.ranker.protocol import Ranker
from recsys_core.store.workspace import Workspace
from recsys_core.trainer.checkpoints import load_ranker, save_ranker
from recsys_core.trainer.device import choose_device
from recsys_core.trainer.recipe import TrainingLog

NGRAMS_FILE = "ngrams.safetensors"
KEPT_K = 10  # of the lists that the kept figures are about

_LOG: TypeAdapter[TrainingLog | None] = TypeAdapter(TrainingLog | None)
_VERIFICATION: TypeAdapter[Verification | None] = TypeAdapter(Verification | None)


def open_model(workspace: Workspace, model: str, data: LoadedDataset | None = None) -> LoadedModel:
    """A model by id or name. `data` saves reading the data set again where it is at hand.

    Raises:
        NotFoundError: there is none of that id or name.
        StoreError: a file of it is damaged or of another version.
    """
    record = workspace.resolve("model", model)
    folder = workspace.checked_folder(record)
    if data is None or data.record.id != record.dataset_id or data.n_added:
        data = open_dataset(workspace, record.dataset_id)
    if is_imported(record):
        return open_lists(folder, record, data)
    if ADDED_FILE in record.folder_sha256:
        data = with_added_items(data, read_own_parquet(folder / ADDED_FILE))
    kept = read_json(folder / MODEL_FILE)
    if kept.get("version") != MODEL_VERSION:
        raise StoreError(
            f"model '{record.name}' is of version {kept.get('version')}, this RecLens reads "
            f"version {MODEL_VERSION}; train it again"
        )
    settings = read_settings(kept["ranker"], kept["settings"])
    ranks = pd.read_parquet(folder / RANKS_FILE)
    ranker = load_ranker(settings, folder / WEIGHTS_FILE, choose_device())
    return LoadedModel(
        record=record,
        data=data,
        ranker_name=kept["ranker"],
        settings=settings,
        seed=int(kept["seed"]),
        ranker=ranker,
        valid=_evaluation(kept, ranks, "valid"),
        test=_evaluation(kept, ranks, "test"),
        log=_LOG.validate_python(kept["log"]),
        verification=_VERIFICATION.validate_python(kept["verification"]),
        text=_text(kept, ranker, folder),
        badges=read_badges(record, folder),
    )


def keep_model(
    workspace: Workspace, name: str, data: LoadedDataset, trained: TrainedModel, preset: str
) -> None:
    """Keeps a model with its figures under a name, and the items that were added to its data set's."""
    summary = _summary(trained, preset) | {"held_out": data.split_kind}
    if data.n_added:
        summary |= {"n_added": data.n_added}

    def write(folder: Path) -> None:
        _write(trained, preset, folder)
        if data.n_added:
            data.dataset.items.iloc[-data.n_added :].to_parquet(folder / ADDED_FILE, index=False)

    workspace.add_model(name, data.record.id, summary, write)


def _summary(trained: TrainedModel, preset: str) -> dict[str, Any]:
    log, ranker = trained.log, trained.ranker
    return {
        "ranker": trained.ranker_name,
        "preset": preset,
        "epochs": len(log.epochs) if log else 0,
        "seconds": trained.seconds,
        "interactions_per_s": float(np.mean([epoch.targets_per_s for epoch in log.epochs])) if log else None,
        "peak_memory_bytes": trained.peak_memory_bytes,
        "valid": trained.valid.summary(),
        "test": trained.test.summary(),
        "verified": trained.verification is not None and trained.verification.verified,
        "warning": trained.text.warning if trained.text else "",
        **({} if trained.ratings is None else {"ratings": asdict(trained.ratings)}),
        **({} if trained.n_without_picture is None else {"n_without_picture": trained.n_without_picture}),
        **({"weights": _weights(ranker)} if isinstance(ranker, EnsembleRanker) else {}),
    }


def _weights(ensemble: EnsembleRanker) -> dict[str, float]:
    names = [member.name for member in ensemble.members]
    return dict(zip(names, ensemble.weights.tolist(), strict=True))


def _write(trained: TrainedModel, preset: str, folder: Path) -> None:
    save_ranker(trained.ranker, folder / WEIGHTS_FILE)
    ranks = pd.DataFrame(to_columns(trained.valid) | to_columns(trained.test))
    ranks.to_parquet(folder / RANKS_FILE, index=False)
    if (text := trained.text) is not None and text.ngrams is not None:
        text.ngrams.save(folder / NGRAMS_FILE)
    write_json(
        folder / MODEL_FILE,
        {
            "version": MODEL_VERSION,
            "ranker": trained.ranker_name,
            "preset": preset,
            "settings": trained.settings.model_dump(mode="json"),
            "seed": trained.seed,
            "coverage": {"valid": trained.valid.coverage, "test": trained.test.coverage},
            "gini": {"valid": trained.valid.lists.gini, "test": trained.test.lists.gini},
            "text": None if text is None else _text_facts(text),
            "log": _LOG.dump_python(trained.log, mode="json"),
            "verification": _VERIFICATION.dump_python(trained.verification, mode="json"),
        },
    )


def _evaluation(kept: dict[str, Any], ranks: pd.DataFrame, part: Literal["valid", "test"]) -> Evaluation:
    gini = kept.get("gini", {}).get(part, float("nan"))  # not kept by earlier versions
    return from_columns(ranks, part, KEPT_K, kept["coverage"][part], gini)


def _text_facts(text: TextVectors) -> dict[str, Any]:
    return {
        "encoder": text.encoder,
        "unknown_share": text.unknown_share,
        "warning": text.warning,
        "cosine_to_fp32": text.cosine_to_fp32,
        "pooling": text.options.pooling,
        "precision": text.options.precision,
    }


def _text(kept: dict[str, Any], ranker: Ranker, folder: Path) -> TextVectors | None:
    facts: dict[str, Any] | None = kept["text"]
    if facts is None:
        return None
    ngrams = folder / NGRAMS_FILE
    return TextVectors(
        vectors=ranker.tensors()["item_vectors.text"][1:].numpy(),
        encoder=facts["encoder"],
        unknown_share=facts["unknown_share"],
        warning=facts["warning"],
        options=EncoderOptions(facts.get("pooling", "auto"), facts.get("precision", "auto")),
        cosine_to_fp32=facts.get("cosine_to_fp32"),
        ngrams=load_ngrams(ngrams) if ngrams.is_file() else None,
    )
