"""Training models, opening kept ones, and what they rank."""

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pandas as pd

from recsys_core.actions.data import LoadedDataset, open_dataset
from recsys_core.actions.imported import check_askable, is_imported
from recsys_core.actions.kept_models import keep_model, open_model
from recsys_core.actions.loaded import WEIGHTS_FILE, LoadedModel
from recsys_core.actions.reranking import reranker_of
from recsys_core.config import EnsembleSettings, Settings, TransformerSettings, make_settings
from recsys_core.data.split import AsOf, histories
from recsys_core.errors import ConfigError
from recsys_core.pipeline import (
    Progress,
    TrainedModel,
    learn,
    train_model,
)
from recsys_core.ranker.evaluation import Evaluation, evaluate
from recsys_core.ranker.imported import ImportedLists, evaluate_lists, listed
from recsys_core.ranker.inner import Inner
from recsys_core.ranker.lists import ListRequest, Source, list_requests, recommend, source_of, without
from recsys_core.ranker.popularity import item_counts
from recsys_core.ranker.slices import are_cold
from recsys_core.ranker.wishes import recommend_for_wish
from recsys_core.store.records import DatasetRecord, ModelRecord
from recsys_core.store.workspace import Workspace
from recsys_core.trainer.device import choose_device
from recsys_core.trainer.processes import joined_processes
from recsys_core.trainer.recipe import Epoch
from recsys_core.trainer.teachers import TEACHERS


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
    if grown := [record.name for record in records if record.details.get("n_added")]:
        raise ConfigError(
            f"{', '.join(grown)} knows items that the data set hasn't, so no model can be made of it; take "
            "the model that the items were added to"
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
    """One person's ranked list: user_id, item_id, title, rank, score, source (what it is made from), cold.

    An item is cold where fewer than five people touched it in training; one that nobody touched is known
    by its text alone.

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
    lists = recommend_for_wish(
        model.text, model.data.dataset, wish, k, choose_device(), workspace.cache, model.ranker
    )
    return _with_cold(model.data, lists)


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
        return _with_cold(data, listed(model.ranker, data.dataset, [one.user_id for one in requests], k))
    if any(len(request.history) == 0 for request in requests):
        popularity = item_counts(histories(data.dataset, data.split, "valid"), data.dataset.n_items)
    reranker = None if rerank is None else reranker_of(model.ranker, data.dataset, data.split, rerank)
    return _with_cold(data, recommend(model.ranker, data.dataset, requests, k, popularity, reranker))


def _with_cold(data: LoadedDataset, lists: pd.DataFrame) -> pd.DataFrame:
    items = pd.Index(data.dataset.items["item_id"]).get_indexer(pd.Index(lists["item_id"])) + 1
    return lists.assign(cold=are_cold(data.dataset, data.split, items))


def _member(workspace: Workspace, record: ModelRecord, data: LoadedDataset) -> Inner:
    model = open_model(workspace, record.id, data)
    return Inner(record.name, model.ranker_name, model.settings, model.ranker)
