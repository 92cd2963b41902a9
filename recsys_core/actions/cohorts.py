"""The lists of many people explained in one go, to one Parquet file; a run that was stopped goes on."""

import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from pydantic import TypeAdapter

from recsys_core.actions.models import LoadedModel, open_model
from recsys_core.actions.preferences import minimum_group
from recsys_core.data.dataset import IntArray
from recsys_core.data.split import AsOf, histories
from recsys_core.errors import ConfigError, DataError, StoreError
from recsys_core.explain.attributions import MAX_RELATIVE_DELTA, Options
from recsys_core.explain.cohort import Wanted, explain_lists, parts_by_length
from recsys_core.explain.history import METHODS, default_method, methods_of
from recsys_core.files import new_folder, read_json, write_atomically, write_json
from recsys_core.pipeline import Progress
from recsys_core.ranker.lists import list_requests
from recsys_core.store import folders, jobs
from recsys_core.store.records import JobRecord
from recsys_core.store.reporter import JobReporter
from recsys_core.store.workspace import Workspace

EXPLAIN = "explain"
PLAN_FILE, RESULT_FILE = "plan.json", "reasons.parquet"
MAX_K = 100

SCHEMA = pa.schema(
    [
        ("user_id", pa.string()),
        ("item_id", pa.string()),
        ("rank", pa.int32()),
        ("score", pa.float64()),
        ("history_item_id", pa.string()),
        ("position", pa.int32()),
        ("attribution", pa.float64()),
        ("delta", pa.float64()),
        ("method", pa.string()),
    ]
)


@dataclass(frozen=True, slots=True)
class CohortPlan:
    """What is to be explained to whom; the same plan goes on where it stopped.

    Attributes:
        k: the first items of each list, 1 to 100.
        method: None = the ranker's default.
        where: `attribute=value` pairs that all hold for a person; none = everybody.
        as_of: before the held-out item, or now.
        max_relative_delta: of integrated gradients.
    """

    k: int = 10
    method: str | None = None
    where: tuple[str, ...] = ()
    as_of: AsOf = "test"
    max_relative_delta: float = MAX_RELATIVE_DELTA


@dataclass(frozen=True, slots=True)
class CohortExplained:
    """What became of a plan.

    Attributes:
        n_people: who were explained.
        n_without_history: who have no history, so that there is nothing to explain their lists by.
        n_rows: of the file.
        seconds: of this run alone, if it went on with an earlier one.
    """

    file: str
    method: str
    n_people: int
    n_without_history: int
    n_rows: int
    seconds: float


def explain_cohort(
    model: LoadedModel,
    plan: CohortPlan,
    out: Path,
    progress: Progress = lambda share, message: None,
) -> CohortExplained:
    """Writes the reasons of everybody's first k items to a Parquet file.

    Parts lie in a folder beside it until all are there; the same call goes on with them, and whatever
    `progress` raises leaves them as they are.

    Raises:
        ConfigError: a bad plan, or the folder of parts is another plan's.
        DataError: nobody is meant.
        StoreError: the disk refused.
    """
    start, wanted = time.perf_counter(), _wanted(model, plan)
    people = people_where(model, plan.where)
    data = model.data
    known = histories(data.dataset, data.split, plan.as_of).take(people)
    parts = parts_by_length(known.lengths, model.ranker.max_length)
    folder = _folder_of_parts(out, model, plan, len(parts))
    n_people, n_done = sum(map(len, parts)), 0
    for number, part in enumerate(parts):
        file = _part_file(folder, number)
        if not file.exists():
            progress(n_done / max(1, n_people), f"{n_done:,} of {n_people:,} people explained")
            requests = list_requests(data.dataset, data.split, people[part], plan.as_of)
            table = pa.Table.from_pandas(
                explain_lists(model.ranker, data.dataset, requests, wanted), SCHEMA, preserve_index=False
            )
            write_atomically(file, lambda temporary, table=table: pq.write_table(table, temporary))
        n_done += len(part)
    n_rows = _merge(folder, len(parts), out)
    folders.remove(folder)
    progress(1.0, f"{n_people:,} people explained")
    seconds = time.perf_counter() - start
    return CohortExplained(str(out), wanted.method, n_people, len(people) - n_people, n_rows, seconds)


def people_where(model: LoadedModel, where: Sequence[str]) -> IntArray:
    """User numbers of the people for whom all `attribute=value` pairs hold.

    Raises:
        ConfigError: no such attribute, or no pair.
        DataError: that is nobody.
    """
    users = model.data.dataset.users
    inside = np.ones(len(users), dtype=bool)
    attributes = [str(name) for name in users.columns if name != "user_id"]
    for pair in where:
        name, equals, value = pair.partition("=")
        if not equals or name not in attributes:
            known = ", ".join(attributes) or "none"
            raise ConfigError(f"'{pair}' names no group; write attribute=value; attributes are {known}")
        inside &= (users[name].astype(str) == value).to_numpy()
    if not inside.any():
        raise DataError(f"nobody is in the cohort {' and '.join(where) or 'of everybody'}")
    return np.flatnonzero(inside)


def cohort_json(result: CohortExplained) -> dict[str, Any]:
    """The contract of `reclens explain-cohort --json`."""
    return asdict(result)


def submit_explaining(
    workspace: Workspace, model: str, plan: CohortPlan, submission_key: str | None = None
) -> JobRecord:
    """Starts explaining as a job; whatever can be refused is refused here, before anything starts.

    Raises:
        ConfigError, DataError, NotFoundError: as `explain_cohort`; or too few people are in the cohort.
    """
    opened = open_model(workspace, model)
    _wanted(opened, plan)
    least = minimum_group(workspace)
    if plan.where and len(people_where(opened, plan.where)) < least:
        raise DataError(
            f"fewer than {least} people are in the cohort {' and '.join(plan.where)}; "
            "take a larger one, or everybody"
        )
    spec = {
        "model": opened.record.id,
        "name": opened.record.name,
        "plan": asdict(plan) | {"where": list(plan.where)},
    }
    return jobs.submit(workspace, EXPLAIN, spec, submission_key)


def run_explaining(workspace: Workspace, spec: dict[str, Any], reporter: JobReporter) -> dict[str, Any]:
    """What the worker does for such a job: its file lies in the job's folder; resuming goes on."""
    plan = _PLAN.validate_python(spec["plan"])
    model = open_model(workspace, spec["model"])
    result = explain_cohort(model, plan, reporter.folder / RESULT_FILE, reporter.progress)
    return cohort_json(result)


_PLAN: TypeAdapter[CohortPlan] = TypeAdapter(CohortPlan)


def _wanted(model: LoadedModel, plan: CohortPlan) -> Wanted:
    if not 1 <= plan.k <= MAX_K:
        raise ConfigError(f"k is {plan.k}; a list to be explained has 1 to {MAX_K} items")
    carried = methods_of(model.ranker)
    method = default_method(model.ranker) if plan.method is None else plan.method
    for name in METHODS:
        if name == method and name in carried:
            return Wanted(plan.k, name, Options(max_relative_delta=plan.max_relative_delta))
    raise ConfigError(f"the method '{method}' doesn't fit this ranker; methods that do: {', '.join(carried)}")


def _folder_of_parts(out: Path, model: LoadedModel, plan: CohortPlan, n_parts: int) -> Path:
    folder = out.with_name(out.name + ".parts")
    own = asdict(plan) | {
        "where": list(plan.where),
        "model": model.record.id,
        "weights": model.record.folder_sha256,
        "n_parts": n_parts,
    }
    if folder.exists():
        if read_json(folder / PLAN_FILE) != own:
            raise ConfigError(
                f"{folder.name} holds parts of another run; delete it, or write to another file"
            )
        return folder
    with new_folder(folder) as fresh:
        write_json(fresh / PLAN_FILE, own)
    return folder


def _part_file(folder: Path, number: int) -> Path:
    return folder / f"{number:06}.parquet"


def _merge(folder: Path, n_parts: int, out: Path) -> int:
    """All parts in one file; how many rows it has."""
    n_rows = 0

    def write(temporary: Path) -> None:
        nonlocal n_rows
        with pq.ParquetWriter(temporary, SCHEMA) as writer:
            for number in range(n_parts):
                try:
                    table = pq.read_table(_part_file(folder, number), schema=SCHEMA)
                except (OSError, pa.ArrowInvalid) as error:
                    raise StoreError(f"a part of {out.name} can't be read; delete {folder.name}") from error
                n_rows += table.num_rows
                writer.write_table(table)

    write_atomically(out, write)
    return n_rows
