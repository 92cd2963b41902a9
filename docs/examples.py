"""Makes the example reports in docs/examples: of the simulated shop, and of The Complete Journey.

Run `.venv/bin/python docs/examples.py`. Both start from what comes with RecLens or its extra `samples`, in a
workspace of their own, which is gone afterwards; no file of MovieLens is needed, for it may not be passed on.
"""

import sys
import tempfile
from pathlib import Path

from recsys_core.actions.audits import audit_model, keep_audit, open_audit, write_report
from recsys_core.actions.data import ingest_sample
from recsys_core.actions.item_audits import audit_with
from recsys_core.actions.models import open_model, train
from recsys_core.actions.samples import open_sample
from recsys_core.fairness.result import AuditSettings
from recsys_core.store.workspace import Workspace

OUT = Path(__file__).resolve().parent / "examples"


def main() -> int:
    """Writes both reports."""
    OUT.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="reclens-examples-") as home:
        workspace = Workspace.open(Path(home))
        _, sample = open_sample(workspace)
        shop = AuditSettings(("gender", "age_band", "gender*age_band"))
        _write(workspace, sample.id, shop, ("provider", "category", "popularity"), "simulated-shop")
        ingest_sample(workspace, "The Complete Journey", "complete-journey")
        journey = train(workspace, "The Complete Journey", "transitions", "Transitions", "quick")
        _write(
            workspace,
            journey.id,
            AuditSettings(("age", "income", "household_size", "activity"), metric="ndcg@100"),
            ("provider", "category", "popularity"),
            "complete-journey",
        )
    return 0


def _write(
    workspace: Workspace, model_id: str, settings: AuditSettings, items_by: tuple[str, ...], name: str
) -> None:
    model = open_model(workspace, model_id)
    items = audit_with(model, settings, items_by)
    record = keep_audit(workspace, model, audit_model(model, settings), items)
    write_report(open_audit(workspace, record.id), OUT / f"{name}.html")
    print(OUT / f"{name}.html")


if __name__ == "__main__":
    sys.exit(main())
