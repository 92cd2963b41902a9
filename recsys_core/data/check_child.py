"""The short-lived process that alone looks into files of a bundle from outside.

It is called as `python -m recsys_core.data.check_child FOLDER`, and reads every file of the folder to its
end, as what its ending says it is. A crafted file may crash or bloat its reader; here that costs nothing. It
ends with 0, or with 3 and one sentence on standard error.
"""

import json
import resource
import sys
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
from safetensors import SafetensorError, safe_open

from recsys_core.data.read_request import TOLD

MEMORY_BYTES = 8 * 2**30  # of addresses, which are more than the memory really used
CPU_S = 300
MAX_JSON_BYTES = 512 * 2**20


def main() -> None:
    """Reads every file of the folder that the first argument names."""
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
    resource.setrlimit(resource.RLIMIT_CPU, (CPU_S, CPU_S + 5))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))  # it writes nothing
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    for path in sorted(Path(sys.argv[1]).rglob("*")):
        if path.is_file():
            _check(path)


def _check(path: Path) -> None:
    try:
        match path.suffix:
            case ".parquet":
                with pq.ParquetFile(path) as file:
                    for batch in file.iter_batches():
                        batch.validate(full=True)
            case ".safetensors":
                with safe_open(path, framework="numpy") as file:
                    for name in file.keys():  # noqa: SIM118 - it is no dict, and can't be iterated
                        file.get_slice(name).get_shape()
            case ".json":
                _check_json(path)
            case _:
                path.read_text(encoding="utf-8-sig")
    except (pa.ArrowException, SafetensorError, ValueError, OSError, RecursionError, MemoryError) as error:
        sys.stderr.write(f"{path.name} is damaged: {' '.join(str(error).split())[:200]}\n")
        sys.exit(TOLD)


def _check_json(path: Path) -> None:
    if path.stat().st_size > MAX_JSON_BYTES:
        raise ValueError(f"{path.stat().st_size:,} bytes of JSON; at most {MAX_JSON_BYTES:,} are read")
    json.loads(path.read_text(encoding="utf-8"))


if __name__ == "__main__":
    main()
