"""What was found in the files: how much came in, what was set aside and why, and what to look at."""

from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from recsys_core.errors import StoreError
from recsys_core.files import read_json, write_atomically, write_json

INTERACTIONS, ITEMS, USERS = "interactions.parquet", "items.parquet", "users.parquet"
REJECTED = "rejected.parquet"
_REPORT = "report.json"
REJECTED_COLUMNS = ("file", "row", "column", "reason")


@dataclass(frozen=True, slots=True)
class ValidationReport:
    """The account of one import.

    `n_read` = `n_interactions` + `n_below_min_rating` + the rows of the interactions file set aside.

    Attributes:
        n_read: rows of the interactions file, without its header and blank lines.
        n_interactions: rows kept.
        n_users: people, those without an interaction included.
        n_items: items, those without an interaction included.
        n_cold_users: people of the users file without an interaction.
        n_cold_items: items of the items file without an interaction.
        n_rejected: rows set aside, of all files.
        n_duplicates: those of them that repeat another row exactly.
        n_below_min_rating: rows left out because their rating was lower, or not given.
        first_timestamp_s: the earliest time kept, in Unix seconds; None without times.
        last_timestamp_s: the latest.
        sparsity: the share of person × item pairs without an interaction, in [0, 1].
        warnings: sentences about what was kept but may not be what was meant.
        rejected: every row set aside: `file`, `row` (the number of its first line in a text file, in which
            the header is row 1; in a Parquet file the number of the record, from 1), `column` (the file's
            own name for it; "" = the row as a whole) and `reason`.
    """

    n_read: int
    n_interactions: int
    n_users: int
    n_items: int
    n_cold_users: int
    n_cold_items: int
    n_rejected: int
    n_duplicates: int
    n_below_min_rating: int
    first_timestamp_s: float | None
    last_timestamp_s: float | None
    sparsity: float
    warnings: tuple[str, ...]
    rejected: pd.DataFrame

    def save(self, folder: Path) -> None:
        """Writes the report into a folder, the rows set aside as Parquet.

        Raises:
            StoreError: the disk refused.
        """
        write_atomically(folder / REJECTED, lambda path: self.rejected.to_parquet(path, index=False))
        write_counts(folder, {field.name: getattr(self, field.name) for field in fields(self)})

    @classmethod
    def load(cls, folder: Path) -> "ValidationReport":
        """The report that was written into a folder.

        Raises:
            StoreError: it is missing or damaged.
        """
        counts = read_json(folder / _REPORT)
        counts["warnings"] = tuple(counts["warnings"])
        return cls(**counts, rejected=read_own_parquet(folder / REJECTED))


def write_counts(folder: Path, counts: dict[str, Any]) -> None:
    """Writes all of a report but its `rejected`, which is a table of its own."""
    write_json(folder / _REPORT, {name: value for name, value in counts.items() if name != "rejected"})


def read_own_parquet(path: Path) -> pd.DataFrame:
    """A table that RecLens wrote, checked in full before it is used.

    Raises:
        StoreError: it is missing or damaged.
    """
    try:
        table = pq.read_table(path)
        table.validate(full=True)
    except (pa.ArrowException, OSError, ValueError) as error:
        raise StoreError(f"{path.name} can't be read: {' '.join(str(error).split())[:200]}") from error
    return table.to_pandas()
