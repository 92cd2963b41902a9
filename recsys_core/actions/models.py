"""Training models, opening kept ones, and what they rank."""

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pandas as pd
from pydantic import TypeAdapter

from recsys_core.actions.badges import read_badges
from recsys_core.actions.data import LoadedDataset, open_dataset
from recsys_core.actions.imported import check_askable, is_imported, open_lists
from recsys_core.actions.loaded import MODEL_FILE, MODEL_VERSION, RANKS_FILE, WEIGHTS_FILE, LoadedModel
from recsys_core.config import (
    EnsembleSettings,
    Settings,
    TransformerSettings,
    make_settings,
    read_settings,
)
from recsys_core.data.split import AsOf, histories
from recsys_core.encoder.cache import TextVectors
from recsys_core.encoder.ngrams import load_ngrams
from recsys_core.encoder.text import EncoderOptions
from recsys_core.errors import ConfigError, StoreError
from recsys_core.explain.faithfulness import Verification
from recsys_core.files import read_json, write_json
from recsys_core.pipeline import (
    Progress,
    TrainedModel,
    learn,
    reranker_of,
    train_model,
)
from recsys_core.ranker.ensemble import EnsembleRanker
from recsys_core.ranker.evaluation import Evaluation, evaluate
from recsys_core.ranker.imported import ImportedLists, evaluate_lists, listed
from recsys_core.ranker.inner import Inner
from recsys_core.ranker.kept_evaluation import from_columns, to_columns
from recsys_core.ranker.lists import ListRequest, Source, list_requests, recommend, source_of, without
from recsys_core.ranker.popularity import item_counts
from recsys_core.ranker.protocol import Ranker
from recsys_core.ranker.wishes import recommend_for_wish
from recsys_core.store.records import DatasetRecord, ModelRecord
from recsys_core.store.workspace import Workspace
from recsys_core.trainer.checkpoints import load_ranker, save_ranker
from recsys_core.trainer.device import choose_device
from recsys_core.trainer.processes import joined_processes
from recsys_core.trainer.recipe import Epoch, TrainingLog
from recsys_core.trainer.teachers import TEACHERS

NGRAMS_FILE = "ngrams.safetensors"
KEPT_K = 10  # of the lists that the kept figures are about


def train(
    workspace: Workspace,
    dataset: str,
    ranker: str,
    name: str,
    preset: str = "balanced",
    seed: int = 0,
    changes: Sequence[str] = (),
    device: str = "auto",
    progress: Progress = lambda share, message: None,
    on_epoch: Callable[[Epoch], None] = lambda epoch: None,
    checkpoint: Path | None = None,
) -> ModelRecord:
    """Trains a ranker on a data set, evaluates it, tests its explanations, and keeps it under a name.

    Under `torchrun` each process makes this call; they train together, and the first one keeps the model.
    The file `checkpoint` is kept while training lasts; if it is there, training goes on from it.

    Raises:
        ConfigError: ranker, preset or settings that don't exist or are out of bounds, too little memory,
            or the checkpoint of another run.
        DataError: the name is taken, or the data are too small.
        NotFoundError: there is no such data set, or a member of an ensemble isn't there.
    """
    settings = make_settings(ranker, preset, changes)
    workspace.check_free("model", name)
    member_records = check_members(workspace, workspace.resolve("dataset", dataset), settings)
    loaded = open_dataset(workspace, dataset)
    with joined_processes() as processes:
        train_here = partial(train_model, ranker_name=ranker) if processes.is_first else learn
        trained = train_here(
            loaded.dataset,
            loaded.split,
            settings=settings,
            seed=seed,
            device=choose_device(device),
            cache=workspace.cache,
            progress=progress,
            on_epoch=on_epoch,
            checkpoint=checkpoint,
            processes=processes,
            members=[_member(workspace, record, loaded) for record in member_records],
        )
        if isinstance(trained, TrainedModel):
            keep_model(workspace, name, loaded, trained, preset)
            if checkpoint is not None:
                checkpoint.unlink(missing_ok=True)
        processes.wait_for_all()
    return workspace.resolve("model", name)


def check_members(workspace: Workspace, dataset: DatasetRecord, settings: Settings) -> list[ModelRecord]:
    """The trained models that an ensemble is to be made of, or a transformer's teachers; else none.

    Raises:
        NotFoundError: one of them isn't there.
        ConfigError: fewer than an ensemble needs, one twice, or one that learned from other data.
    """
    if isinstance(settings, TransformerSettings):
        records = [workspace.resolve("model", name) for name in settings.teacher_names]
        _check_same_data(records, dataset)
        if mute := [record.name for record in records if record.details.get("ranker") not in TEACHERS]:
            raise ConfigError(
                f"{', '.join(mute)} can't teach; teachers are models of {' and '.join(TEACHERS)}"
            )
        return records
    if not isinstance(settings, EnsembleSettings):
        return []
    records = [workspace.resolve("model", name) for name in settings.member_names]
    same_data = [record.name for record in workspace.models() if record.dataset_id == dataset.id]
    if len({record.id for record in records}) < max(2, len(records)):
        there = ", ".join(same_data) or "none yet"
        raise ConfigError(
            f"an ensemble is made of 2 or more different trained models, and members is "
            f"'{settings.members}'; write members=a,b; models of '{dataset.name}': {there}"
        )
    _check_same_data(records, dataset)
    lists = [record.name for record in records if is_imported(record)]
    if lists:
        raise ConfigError(f"{', '.join(lists)}: imported lists have no scores, so an ensemble can't use them")
    if settings.weights and len(settings.weight_values) != len(records):
        raise ConfigError(
            f"weights has {len(settings.weight_values)} numbers for {len(records)} members; write one each"
        )
    return records


def _check_same_data(records: list[ModelRecord], dataset: DatasetRecord) -> None:
    if foreign := [record.name for record in records if record.dataset_id != dataset.id]:
        raise ConfigError(f"{', '.join(foreign)} learned from another data set than '{dataset.name}'")


def open_model(workspace: Workspace, model: str, data: LoadedDataset | None = None) -> LoadedModel:
    """A model by id or name. `data` saves reading the data set again where it is at hand.

    Raises:
        NotFoundError: there is none of that id or name.
        StoreError: a file of it is damaged or of another version.
    """
    record = workspace.resolve("model", model)
    folder = workspace.checked_folder(record)
    if data is None or data.record.id != record.dataset_id:
        data = open_dataset(workspace, record.dataset_id)
    if is_imported(record):
        return open_lists(folder, record, data)
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


def evaluate_model(model: LoadedModel, part: Literal["valid", "test"] = "test", k: int = 10) -> Evaluation:
    """Full-ranking figures at any k; those at 10 were kept from training."""
    if k < 1:
        raise ConfigError(f"k is {k}; a list has at least 1 item")
    kept = model.valid if part == "valid" else model.test
    if k == kept.k and kept.complete:
        return kept
    if isinstance(model.ranker, ImportedLists):
        kept.mean(f"ndcg@{k}")  # refuses the other part, and what is beyond the lists
        return evaluate_lists(model.ranker, model.data.dataset, model.data.split, k)
    return evaluate(model.ranker, model.data.dataset, model.data.split, part, k)


def list_for_user(
    model: LoadedModel,
    user_id: str,
    k: int,
    as_of: AsOf = "test",
    without_items: Sequence[str] = (),
    keep_repeats: bool = False,
    rerank: str | None = None,
) -> pd.DataFrame:
    """One person's ranked list: user_id, item_id, title, rank, score, source (what it is made from).

    Args:
        model: an opened model.
        user_id: whose list.
        k: its length, at least 1.
        as_of: before the held-out item, or now.
        without_items: as if these had never happened.
        keep_repeats: rank touched items too.
        rerank: a re-ranking like `mmr:0.3`, `calibration:0.5`, `popularity:0.2` or `cap:3`.

    Raises:
        NotFoundError: no such person or item.
        ConfigError: there is no such re-ranking.
    """
    check_askable(model.ranker, as_of, without_items, keep_repeats, rerank)
    return _lists(model, [request_for(model, user_id, as_of, without_items, keep_repeats)], k, rerank)


def list_source(
    model: LoadedModel, user_id: str, as_of: AsOf = "test", without_items: Sequence[str] = ()
) -> Source:
    """What a person's list is made from.

    Raises:
        NotFoundError: no such person or item.
    """
    return source_of(model.ranker, request_for(model, user_id, as_of, without_items))


def request_for(
    model: LoadedModel,
    user_id: str,
    as_of: AsOf = "test",
    without_items: Sequence[str] = (),
    keep_repeats: bool = False,
) -> ListRequest:
    """What a person's list is made from; `without_items` never happened, and stay off the list."""
    data = model.data
    user = np.array([data.dataset.user_number(user_id)])
    request = list_requests(data.dataset, data.split, user, as_of, keep_repeats)[0]
    gone = [data.dataset.item_number(item_id) for item_id in without_items]
    return without(request, gone) if gone else request


def lists_for_all(
    model: LoadedModel, k: int, as_of: AsOf = "test", keep_repeats: bool = False, rerank: str | None = None
) -> pd.DataFrame:
    """Everybody's list, one under the other; `rerank` as in `list_for_user`."""
    data = model.data
    check_askable(model.ranker, as_of, (), keep_repeats, rerank)
    users = np.arange(data.dataset.n_users)
    return _lists(model, list_requests(data.dataset, data.split, users, as_of, keep_repeats), k, rerank)


def list_for_history(
    model: LoadedModel,
    history: Sequence[str],
    k: int,
    seen: Sequence[str] | None = None,
    rerank: str | None = None,
) -> pd.DataFrame:
    """The list of someone with this history of item ids, oldest first; `seen` stays off, else the history."""
    numbers, off = (
        np.array([model.data.dataset.item_number(item_id) for item_id in ids], dtype=np.int64)
        for ids in (history, history if seen is None else seen)
    )
    return _lists(model, [ListRequest(numbers, off)], k, rerank)


def list_for_wish(workspace: Workspace, model: LoadedModel, wish: str, k: int) -> pd.DataFrame:
    """The list of someone of whom only a typed wish is known, by the nearness of texts."""
    return recommend_for_wish(
        model.text, model.data.dataset, wish, k, choose_device(), workspace.cache, model.ranker
    )


def training_json(record: ModelRecord) -> dict[str, Any]:
    """The contract of `reclens train --json`."""
    return {"model": record.id, **record.details, "weights_sha256": record.folder_sha256[WEIGHTS_FILE]}


def checked_as_of(value: str) -> AsOf:
    """`test` or `now`.

    Raises:
        ConfigError: anything else.
    """
    if value in ("test", "now"):
        return value
    raise ConfigError(f"the moment is '{value}'; write test or now")


def checked_part(value: str) -> Literal["valid", "test"]:
    """`valid` or `test`.

    Raises:
        ConfigError: anything else.
    """
    if value in ("valid", "test"):
        return value
    raise ConfigError(f"the split is '{value}'; write test or valid")


def _lists(model: LoadedModel, requests: Sequence[ListRequest], k: int, rerank: str | None) -> pd.DataFrame:
    """The lists; who has no history is served by popularity where the ranker knows nothing better."""
    data, popularity = model.data, None
    if isinstance(model.ranker, ImportedLists) and all(request.user_id for request in requests):
        return listed(model.ranker, data.dataset, [request.user_id for request in requests], k)
    if any(len(request.history) == 0 for request in requests):
        popularity = item_counts(histories(data.dataset, data.split, "valid"), data.dataset.n_items)
    reranker = None if rerank is None else reranker_of(model.ranker, data.dataset, data.split, rerank)
    return recommend(model.ranker, data.dataset, requests, k, popularity, reranker)


_LOG: TypeAdapter[TrainingLog | None] = TypeAdapter(TrainingLog | None)
_VERIFICATION: TypeAdapter[Verification | None] = TypeAdapter(Verification | None)


def keep_model(
    workspace: Workspace, name: str, data: LoadedDataset, trained: TrainedModel, preset: str
) -> None:
    """Keeps a model with its figures under a name."""
    summary = _summary(trained, preset)
    workspace.add_model(name, data.record.id, summary, lambda folder: _write(trained, preset, folder))


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
        **({"weights": _weights(ranker)} if isinstance(ranker, EnsembleRanker) else {}),
    }


def _weights(ensemble: EnsembleRanker) -> dict[str, float]:
    names = [member.name for member in ensemble.members]
    return dict(zip(names, ensemble.weights.tolist(), strict=True))


def _member(workspace: Workspace, record: ModelRecord, data: LoadedDataset) -> Inner:
    model = open_model(workspace, record.id, data)
    return Inner(record.name, model.ranker_name, model.settings, model.ranker)


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
