"""Lists made elsewhere, kept under a name and taken wherever a model is, bar what needs a model's scores."""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from recsys_core.actions.data import LoadedDataset, open_dataset
from recsys_core.actions.loaded import LISTS_FILE, MODEL_FILE, MODEL_VERSION, LoadedModel
from recsys_core.config import Settings
from recsys_core.data.mapping import Mapping
from recsys_core.data.ranked_lists import ReadLists, read_lists
from recsys_core.data.split import AsOf, histories
from recsys_core.errors import ConfigError, StoreError
from recsys_core.files import read_json, write_json
from recsys_core.ranker.imported import IMPORTED, ImportedLists, evaluate_lists, nothing_held_out
from recsys_core.ranker.protocol import Ranker
from recsys_core.store.records import ModelRecord
from recsys_core.store.workspace import Workspace

SET_ASIDE_FILE = "set_aside.csv"
SUMMARY_K = 10  # of the figures beside the name, where the lists are as long
SHOWN_SET_ASIDE = 100


@dataclass(frozen=True, slots=True)
class ImportedRecommendations:
    """Lists that are kept now, the account of them, and where the rows that weren't used are."""

    record: ModelRecord
    lists: ReadLists
    set_aside_file: Path | None


def import_recommendations(
    workspace: Workspace, dataset: str, path: Path, name: str, mapping: Mapping | None = None
) -> ImportedRecommendations:
    """Keeps the lists of a file under a name: for the test items, from what was known before them.

    Raises:
        DataError: the name is taken, the file can't be read, or nothing in it can be used.
        NotFoundError: there is no such data set.
    """
    start = time.perf_counter()
    workspace.check_free("model", name)
    data = open_dataset(workspace, dataset)
    read = read_lists(path, data.dataset, histories(data.dataset, data.split, "test"), mapping)
    lists = ImportedLists(read.items, read.scores, data.dataset.n_items)
    evaluation = evaluate_lists(lists, data.dataset, data.split, min(SUMMARY_K, lists.longest))
    details: dict[str, Any] = {
        "ranker": IMPORTED,
        "preset": IMPORTED,
        "source": path.name,
        "longest": lists.longest,
        "n_lists": int(read.has_list.sum()),
        "n_set_aside": len(read.set_aside),
        "epochs": 0,
        "seconds": time.perf_counter() - start,
        "interactions_per_s": None,
        "peak_memory_bytes": 0,
        "valid": {},
        "test": evaluation.summary(),
        "verified": False,
        "warning": " ".join(f"{warning}." for warning in read.warnings),
    }
    record = workspace.add_model(name, data.record.id, details, lambda folder: _write(read, data, folder))
    aside = workspace.folder(record) / SET_ASIDE_FILE if len(read.set_aside) else None
    return ImportedRecommendations(record, read, aside)


def is_imported(record: ModelRecord) -> bool:
    """Whether a model of the workspace is nothing but lists."""
    return record.details.get("ranker") == IMPORTED


def open_lists(folder: Path, record: ModelRecord, data: LoadedDataset) -> LoadedModel:
    """Imported lists in the form in which models are opened.

    Raises:
        StoreError: they are of another version of RecLens.
    """
    version = read_json(folder / MODEL_FILE).get("version")
    if version != MODEL_VERSION:
        raise StoreError(
            f"lists '{record.name}' are of version {version}, this RecLens reads {MODEL_VERSION}"
        )
    rows = pd.read_parquet(folder / LISTS_FILE)
    users = pd.Index(data.dataset.users["user_id"]).get_indexer(pd.Index(rows["user_id"]))
    items = pd.Index(data.dataset.items["item_id"]).get_indexer(pd.Index(rows["item_id"])) + 1
    place = rows["rank"].to_numpy() - 1
    shape = data.dataset.n_users, int(place.max()) + 1
    numbers, scores = np.zeros(shape, dtype=np.int64), np.full(shape, np.nan)
    numbers[users, place], scores[users, place] = items, rows["score"].to_numpy()
    lists = ImportedLists(numbers, scores, data.dataset.n_items)
    return LoadedModel(
        record=record,
        data=data,
        ranker_name=IMPORTED,
        settings=Settings(),
        seed=0,
        ranker=lists,
        valid=nothing_held_out(data.dataset.n_users),
        test=evaluate_lists(lists, data.dataset, data.split, min(SUMMARY_K, lists.longest)),
        log=None,
        verification=None,
        text=None,
    )


def check_askable(
    ranker: Ranker,
    as_of: AsOf = "test",
    without_items: Sequence[str] = (),
    keep_repeats: bool = False,
    rerank: str | None = None,
) -> None:
    """Refuses what can't be asked of imported lists: they are one list a person, as of the test.

    Raises:
        ConfigError: with what was asked.
    """
    if not isinstance(ranker, ImportedLists):
        return
    asked = {
        "as of now": as_of != "test",
        "without some items": len(without_items) > 0,
        "with touched items": keep_repeats,
        "re-ranked": rerank is not None,
    }
    named = [what for what, is_asked in asked.items() if is_asked]
    if named:
        raise ConfigError(
            f"these lists were made elsewhere, as of the test, and can't be had {' or '.join(named)}"
        )


def imported_json(done: ImportedRecommendations, dataset: str) -> dict[str, Any]:
    """The contract of `reclens import-recommendations --json`: 100 rows set aside, all of them in a file."""
    first = done.lists.set_aside.head(SHOWN_SET_ASIDE).astype(object)
    return {
        "model": done.record.id,
        "name": done.record.name,
        "dataset": dataset,
        "n_rows": done.lists.n_rows,
        "n_lists": int(done.lists.has_list.sum()),
        "n_people_without_list": int((~done.lists.has_list).sum()),
        "longest": done.lists.items.shape[1],
        "n_tied": done.lists.n_tied,
        "n_set_aside": len(done.lists.set_aside),
        "set_aside": first.where(first.notna(), None).to_dict("records"),
        "set_aside_file": str(done.set_aside_file) if done.set_aside_file else None,
        "warnings": list(done.lists.warnings),
        "test": done.record.details["test"],
    }


def _write(read: ReadLists, data: LoadedDataset, folder: Path) -> None:
    people, place = np.nonzero(read.items)
    pd.DataFrame(
        {
            "user_id": data.dataset.users["user_id"].to_numpy()[people],
            "item_id": data.dataset.item_ids[read.items[people, place]],
            "rank": place + 1,
            "score": read.scores[people, place],
        }
    ).to_parquet(folder / LISTS_FILE, index=False)
    read.set_aside.to_csv(folder / SET_ASIDE_FILE, index=False, encoding="utf-8-sig")
    write_json(folder / MODEL_FILE, {"version": MODEL_VERSION, "ranker": IMPORTED, "by_rank": read.by_rank})
