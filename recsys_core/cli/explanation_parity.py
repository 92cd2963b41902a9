"""`reclens explanation-parity`: are explanations as true, as short and as steady for everybody?"""

from typing import Annotated, Any

import typer

from recsys_core.cli.options import DrawsOption, EachByOption, SeedOption
from recsys_core.cli.output import JsonOption, WorkspaceOption, answer, app, table_text

GROUP_COLUMNS = ["measure", "attribute", "group", "n", "value", "ci_low", "ci_high"]
GAP_COLUMNS = ["measure", "group", "reference", "difference", "ci_low", "ci_high", "p_adjusted", "verdict"]


@app.command("explanation-parity")
def explanation_parity(
    model: str,
    by: EachByOption,
    people: Annotated[int, typer.Option(help="How many people have an item explained.")] = 300,
    draws: DrawsOption = 1000,
    seed: SeedOption = 0,
    workspace: WorkspaceOption = None,
    json: JsonOption = False,
) -> None:
    """Audit explanations by group: faithfulness, size and stability."""
    from recsys_core.actions import models
    from recsys_core.actions.explanation_parity import audit_explanations, parity_json
    from recsys_core.fairness.result import AuditSettings

    reply = answer(workspace, json)
    settings = AuditSettings(tuple(by), draws=draws, seed=seed)
    opened = models.open_model(reply.workspace, model)
    found = parity_json(audit_explanations(opened, settings, people, reply.progress, reply.workspace))
    head = f"{found['method']}, the first item of {found['n']:,} people's lists"
    groups, gaps = _rows(found, "by_group"), _rows(found, "gaps")
    gap_text = table_text(gaps, GAP_COLUMNS) if gaps else "no gap could be computed"
    reply.write(found, "\n\n".join([head, table_text(groups, GROUP_COLUMNS), gap_text]))


def _rows(found: dict[str, Any], part: str) -> list[dict[str, Any]]:
    return [{"measure": name, **row} for name, result in found["measures"].items() for row in result[part]]
