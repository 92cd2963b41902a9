"""What the reasons of many people have in common, without saying anything of a few."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from recsys_core.actions.cohorts import EXPLAIN, RESULT_FILE
from recsys_core.actions.models import LoadedModel
from recsys_core.errors import DataError, StoreError
from recsys_core.fairness.suppression import SMALLEST_GROUP, hidden_groups
from recsys_core.store.records import JobRecord
from recsys_core.store.workspace import Workspace


@dataclass(frozen=True, slots=True)
class CommonReason:
    """A history item, and how many people have it as the strongest reason for their first recommendation."""

    item_id: str
    n_people: int


@dataclass(frozen=True, slots=True)
class CohortSummary:
    """What a file of reasons says of everybody in it.

    Attributes:
        n_people: with a first recommendation in the file.
        largest_delta: of any list item, by size; 0 = all add up exactly, NaN = the method promises no sum.
        reasons: those of enough people to be shown, the most frequent first.
        n_without_reason: people for whose first recommendation nothing speaks; None = too few to be shown.
    """

    n_people: int
    largest_delta: float
    reasons: tuple[CommonReason, ...]
    n_without_reason: int | None


def cohort_groups(model: LoadedModel, attribute: str, least: int = SMALLEST_GROUP) -> list[str]:
    """The values of an attribute that a cohort may be made of: none of few people, nor their neighbours.

    The most frequent comes first; people without a value are no group.

    Raises:
        DataError: there is no such attribute.
    """
    users = model.data.dataset.users
    if attribute not in model.data.attributes:
        known = ", ".join(model.data.attributes) or "none"
        raise DataError(f"there is no attribute '{attribute}'; attributes are {known}")
    labels = users[attribute].astype(str)
    hidden = hidden_groups({attribute: labels}, least)[attribute]
    return [str(value) for value in labels.value_counts().index if str(value).strip() and value not in hidden]


def reasons_file(workspace: Workspace, job: JobRecord) -> Path:
    """The Parquet file that a job of explaining left in its folder.

    Raises:
        DataError: it is a job of another kind, or it isn't done.
        StoreError: the file is gone.
    """
    if job.kind != EXPLAIN or job.state != "done":
        raise DataError(
            f"job {job.id} ({job.kind}) is {job.state}; only a finished one of explaining has a file"
        )
    path = workspace.job_folder(job.id) / RESULT_FILE
    if not path.is_file():
        raise StoreError(f"the file of reasons of job {job.id} is gone; explain the cohort again")
    return path


def summarise_reasons(path: Path, most: int = 10, least: int = SMALLEST_GROUP) -> CohortSummary:
    """What most people have as their strongest reason, of a file that `explain_cohort` wrote.

    The events of one item count together. Items that are the reason of fewer than `least` people aren't
    named.

    Raises:
        StoreError: the file can't be read.
    """
    columns = ["user_id", "history_item_id", "attribution"]
    try:
        deltas = pq.read_table(path, columns=["delta"])["delta"].to_numpy()
        rows = pq.read_table(path, columns=columns, filters=[("rank", "=", 1)]).to_pandas()
    except (OSError, pa.ArrowInvalid) as error:
        raise StoreError(f"{path.name} can't be read; explain the cohort again") from error
    sums = rows.groupby(["user_id", "history_item_id"], sort=True)["attribution"].sum().reset_index()
    strongest = sums.loc[sums.groupby("user_id")["attribution"].idxmax()]
    speaking = strongest[strongest["attribution"] > 0]
    counts = speaking["history_item_id"].value_counts()
    named = [CommonReason(str(item), int(n)) for item, n in counts.items() if n >= least]
    n_without = len(strongest) - len(speaking)
    sized = np.abs(deltas[np.isfinite(deltas)])
    return CohortSummary(
        len(strongest),
        float(sized.max()) if len(sized) else float("nan"),
        tuple(named[:most]),
        n_without if n_without == 0 or n_without >= least else None,
    )
