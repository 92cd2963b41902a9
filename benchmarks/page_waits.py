"""What Fairness and Report wait for: python -m benchmarks.page_waits SAMPLE [FOLDER] [--ranker R] [--k K]

Reads a sample in (`complete-journey`, or `movielens-1m` with the folder of its files), trains a ranker under
the preset quick, and calls one after the other what the pages call, each once: opening the model, the
audit by three attributes, the items' side by all theirs, keeping both with what the report tells beside
them, and writing the report. Prints Markdown.
"""

import argparse
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import torch

from recsys_core.actions.audits import audit_model, keep_audit, open_audit, write_report
from recsys_core.actions.data import ingest_sample
from recsys_core.actions.item_audits import audit_with
from recsys_core.actions.models import open_model, train
from recsys_core.fairness.exposure_groups import item_attributes
from recsys_core.fairness.result import AuditSettings
from recsys_core.store.workspace import Workspace
from recsys_core.trainer.memory import peak_bytes

BY = {
    "complete-journey": ("age", "household_size", "activity"),
    "movielens-1m": ("gender", "age", "activity"),
}
Found = TypeVar("Found")


def main() -> None:
    """Prints a row for each step."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("sample", choices=sorted(BY))
    parser.add_argument("folder", nargs="?", type=Path)
    parser.add_argument("--ranker", default="transitions")
    parser.add_argument("--k", type=int, default=100)
    asked = parser.parse_args()
    folder = asked.folder.parent if asked.folder and asked.folder.is_file() else asked.folder
    print(f"{asked.sample}, {asked.ranker}, k = {asked.k}, {torch.get_num_threads()} threads\n")
    print("| step | seconds | peak memory of the process so far |\n|---|---|---|")
    with tempfile.TemporaryDirectory(prefix="reclens-waits-") as home:
        _steps(Workspace.open(Path(home)), asked.sample, folder, asked.ranker, asked.k)


def _steps(workspace: Workspace, sample: str, folder: Path | None, ranker: str, k: int) -> None:
    dataset = _timed("reading in", lambda: ingest_sample(workspace, sample, sample, folder)).record
    record = _timed("training and its badge", lambda: train(workspace, dataset.id, ranker, ranker, "quick"))
    model = _timed("opening the model", lambda: open_model(workspace, record.id))
    settings = AuditSettings(BY[sample], metric=f"ndcg@{k}")
    by = tuple(item_attributes(model.data.dataset.items))
    result = _timed("the audit", lambda: audit_model(model, settings, workspace))
    items = _timed(f"the items' side by {', '.join(by)}", lambda: audit_with(model, settings, by))
    kept = _timed("keeping both", lambda: keep_audit(workspace, model, result, items))
    out = workspace.home / "report.html"
    _timed("writing the report", lambda: write_report(open_audit(workspace, kept.id), out))
    print(f"\n{len(result.gaps)} gaps; the report has {out.stat().st_size / 1e3:.0f} kB")


def _timed(step: str, work: Callable[[], Found]) -> Found:
    start = time.perf_counter()
    found = work()
    print(f"| {step} | {time.perf_counter() - start:.1f} | {peak_bytes() / 2**30:.2f} GiB |", flush=True)
    return found


if __name__ == "__main__":
    main()
