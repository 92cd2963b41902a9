"""What a mitigation has finished, kept in a folder, so that one that was stopped goes on from there.

A training lies there as its checkpoint, also when it is over: taken up, it is whole at once. What people
would get lies there as one table for each half of them and each way to rank.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
import pyarrow as pa

from recsys_core.data.dataset import FloatArray, IntArray
from recsys_core.errors import StoreError
from recsys_core.files import write_atomically

PERSON = "user_number"


@dataclass(frozen=True, slots=True)
class KeptWork:
    """The folder of one plan for one model; without a folder nothing is kept."""

    folder: Path | None = None

    def checkpoint(self, name: str) -> Path | None:
        """Where a training of that name keeps its checkpoint."""
        if self.folder is None:
            return None
        self.folder.mkdir(parents=True, exist_ok=True)
        return self.folder / f"{_file_name(name)}.safetensors"

    def values(
        self, name: str, people: IntArray, options: Sequence[str], work_out: Callable[[], FloatArray]
    ) -> FloatArray:
        """[n_options, n] what people get under each option: as kept under that name, or worked out and kept.

        Args:
            name: of the table.
            people: [n] numbers of the people; those of another table make it useless.
            options: what each row is.
            work_out: what makes the values where they aren't kept.

        Raises:
            StoreError: the disk refused.
        """
        if self.folder is None:
            return work_out()
        self.folder.mkdir(parents=True, exist_ok=True)
        path = self.folder / f"{_file_name(name)}.parquet"
        if path.exists():
            kept = _read(path)
            if list(kept.columns) == [PERSON, *options] and kept[PERSON].tolist() == people.tolist():
                return kept[list(options)].to_numpy(dtype="float64").T.copy()
        found = work_out()
        table = pd.DataFrame({PERSON: people} | dict(zip(options, found, strict=True)))
        write_atomically(path, lambda temporary: table.to_parquet(temporary, index=False))
        return found


NOTHING_KEPT = KeptWork()


def _file_name(name: str) -> str:
    return "".join(letter if letter.isalnum() or letter in ".-" else "_" for letter in name)


def _read(path: Path) -> pd.DataFrame:
    try:
        return pd.read_parquet(path)
    except (OSError, pa.ArrowInvalid) as error:
        raise StoreError(f"{path.name} can't be read; delete it to work it out again") from error
