"""`reclens explain-cohort`."""

from pathlib import Path
from typing import Annotated

import typer

from recsys_core.cli.output import JsonOption, WorkspaceOption, answer, app


@app.command()
def explain_cohort(
    model: str,
    out: Annotated[Path, typer.Option(help="Parquet file for the reasons; a row for each of them.")],
    k: Annotated[int, typer.Option(help="How many items of each list.")] = 10,
    where: Annotated[
        list[str] | None, typer.Option(help="attribute=value; repeated: all must hold. Default: everybody.")
    ] = None,
    method: Annotated[str | None, typer.Option(help="Default: the one that fits the ranker.")] = None,
    delta: Annotated[
        float, typer.Option(help="How far values may miss the score difference, as a share of it.")
    ] = 1e-3,
    as_of: Annotated[str, typer.Option(help="test: before the held-out item; now: all.")] = "test",
    workspace: WorkspaceOption = None,
    json: JsonOption = False,
) -> None:
    """Explain the lists of everybody, or of a group; the same command again goes on after a stop."""
    from recsys_core.actions import cohorts, models

    reply = answer(workspace, json)
    plan = cohorts.CohortPlan(k, method, tuple(where or ()), models.checked_as_of(as_of), delta)
    opened = models.open_model(reply.workspace, model)
    result = cohorts.explain_cohort(opened, plan, out, reply.progress)
    text = f"{result.n_rows:,} reasons of {result.n_people:,} people by {result.method} in {out}"
    if result.n_without_history:
        text += f"\nnote: {result.n_without_history:,} people without a history have no reasons of their own"
    reply.write(cohorts.cohort_json(result), text)
