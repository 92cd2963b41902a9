"""What the reading child is asked to do, and how much of the machine it may use for that."""

import json
from dataclasses import asdict, dataclass
from pathlib import Path

from recsys_core.data.mapping import Kind, Mapping
from recsys_core.data.schema import Role

GIB = 2**30
WORK = "work"  # the child's own folder within the one it was given; the parent removes it
PREVIEW = "preview.json"
ERROR = "error.json"
TOLD = 3  # the exit code of a child that has written into ERROR what is wrong


@dataclass(frozen=True, slots=True)
class ReadLimits:
    """Where the operating system stops the child.

    Attributes:
        memory_bytes: address space, which is more than the memory really used.
        cpu_s: processor seconds over all threads; None = two minutes and two seconds for each MiB.
        file_bytes: the largest single file it may write.
    """

    memory_bytes: int = 4 * GIB
    cpu_s: int | None = None
    file_bytes: int = 64 * GIB


@dataclass(frozen=True, slots=True)
class ReadRequest:
    """One task of the child: a preview of `preview_as`, or the tables of all the files.

    Attributes:
        interactions: a file, a zip or a folder; in a preview, whatever is looked at.
        items: the same for the items; None = take them from `interactions` if it is a zip or a folder.
        users: the same for the people.
        mapping: what a person said about the columns.
        min_rating: rows of a lower rating, or of none, are left out; None = all stay.
        sample: the MovieLens that `interactions` must be; None = anything may come.
        preview_as: show only the first rows, read as a file of this kind.
        folder: where the child writes, and nowhere else.
        limits: where the child is stopped.
        only_items: `interactions` is a catalogue of items, and nothing else is to be read.
    """

    interactions: Path
    items: Path | None
    users: Path | None
    mapping: Mapping
    min_rating: float | None
    sample: str | None
    preview_as: Kind | None
    folder: Path
    limits: ReadLimits
    only_items: bool = False

    def cpu_seconds(self) -> int:
        """The processor time that this request may take."""
        if self.limits.cpu_s is not None:
            return self.limits.cpu_s
        files = [path for path in (self.interactions, self.items, self.users) if path is not None]
        return 120 + 2 * sum(_size(path) for path in files) // 2**20

    def to_json(self) -> str:
        """The request as text, for the child to read."""
        plain = asdict(self)
        plain["mapping"] = [[role.value, column] for role, column in self.mapping.pairs]
        return json.dumps(
            {key: str(value) if isinstance(value, Path) else value for key, value in plain.items()}
        )

    @classmethod
    def from_json(cls, text: str) -> "ReadRequest":
        """The request that `to_json` wrote."""
        plain = json.loads(text)
        plain["mapping"] = Mapping(tuple((Role(role), column) for role, column in plain["mapping"]))
        plain["limits"] = ReadLimits(**plain["limits"])
        for name in ("interactions", "items", "users", "folder"):
            plain[name] = None if plain[name] is None else Path(plain[name])
        return cls(**plain)


def _size(path: Path) -> int:
    if path.is_dir():
        return sum(file.stat().st_size for file in path.rglob("*") if file.is_file())
    return path.stat().st_size if path.exists() else 0
