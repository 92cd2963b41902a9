"""The short-lived process that alone touches files from outside.

It is called as `python -m recsys_core.data.read_child REQUEST.json` and writes into the folder named there.
A crafted file may crash or bloat its reader. Here that costs nothing: the process has limits on memory,
processor time and the size of what it writes, and it ends when the one that started it does.
"""

import gc
import os
import resource
import sys
import threading
from pathlib import Path

import duckdb
import pyarrow as pa

from recsys_core.data.build import build_items, build_tables, read_sample
from recsys_core.data.read_request import ERROR, PREVIEW, TOLD, WORK, ReadLimits, ReadRequest
from recsys_core.errors import DataError, RecsysError
from recsys_core.files import write_json

PREVIEW_ROWS = 20
_THREADS = 2


def main() -> None:
    """Does what the request in the file named by the first argument asks, and ends."""
    request = ReadRequest.from_json(Path(sys.argv[1]).read_text(encoding="utf-8"))
    threading.Thread(target=_end_with_parent, daemon=True).start()
    limit(request.limits, request.cpu_seconds())
    gc.disable()  # rows are millions of small lists in no cycle: looking for cycles doubles the time
    try:
        run(request)
    except RecsysError as error:
        write_json(request.folder / ERROR, {"kind": type(error).__name__, "message": str(error)})
        sys.exit(TOLD)


def limit(limits: ReadLimits, cpu_s: int) -> None:
    """Asks the operating system to stop this process at the limits."""
    resource.setrlimit(resource.RLIMIT_AS, (limits.memory_bytes, limits.memory_bytes))
    resource.setrlimit(resource.RLIMIT_CPU, (cpu_s, cpu_s + 5))
    resource.setrlimit(resource.RLIMIT_FSIZE, (limits.file_bytes, limits.file_bytes))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    pa.set_cpu_count(_THREADS)
    pa.set_io_thread_count(_THREADS)


def run(request: ReadRequest) -> None:
    """Previews one file, or builds the tables of all; what is needed on the way lies in the folder `work`.

    Raises:
        DataError: what is wrong with the files, or that they need more than the limits allow.
        ConfigError: what was asked for can't be done with them.
    """
    work = request.folder / WORK
    work.mkdir()
    try:
        if request.only_items:
            build_items(request, work)
        elif request.preview_as is None:
            build_tables(request, work)
        else:
            _write_preview(request, work)
    except (MemoryError, duckdb.OutOfMemoryException) as error:
        raise DataError(
            f"{being_read(request.folder)} needs more memory than reading a file may take"
        ) from error
    except (OSError, duckdb.IOException) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise DataError(f"{being_read(request.folder)} could not be read: {reason}") from error
    except (duckdb.Error, pa.ArrowException) as error:
        raise DataError(f"{being_read(request.folder)} could not be read: {_first_line(error)}") from error


def being_read(folder: Path) -> str:
    """The file that was being read last, as messages call it."""
    path = folder / WORK / "reading"
    return path.read_text(encoding="utf-8") if path.exists() else "the file"


def _write_preview(request: ReadRequest, work: Path) -> None:
    file = read_sample(request, work)
    how = file.raw.how
    preview = {
        "label": file.raw.label,
        "columns": file.raw.columns,
        "rows": file.raw.sample(PREVIEW_ROWS),
        "kind": how.kind,
        "encoding": how.encoding,
        "delimiter": how.delimiter,
        "has_header": how.has_header,
        "guess": [[role.value, column] for role, column in file.mapping.pairs],
        "warnings": file.raw.warnings,
    }
    write_json(request.folder / PREVIEW, preview)


def _first_line(error: Exception) -> str:
    return " ".join(str(error).split())[:200]


def _end_with_parent() -> None:
    """Standard input is a pipe that nobody writes to: it ends when the parent does."""
    os.read(sys.stdin.fileno(), 1)
    os._exit(1)


if __name__ == "__main__":
    main()
