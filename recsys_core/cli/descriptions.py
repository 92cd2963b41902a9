"""`reclens describe`."""

from typing import Annotated

import typer

from recsys_core.cli.output import JsonOption, WorkspaceOption, answer, app, table_text

COLUMNS = ["parameter", "value", "ci_low", "ci_high", "even", "n"]


@app.command()
def describe(
    model: str,
    people: Annotated[int | None, typer.Option(help="How many are drawn; default 200.")] = None,
    language: Annotated[str, typer.Option(help="Of the paragraph: en or zh.")] = "en",
    seed: Annotated[int, typer.Option(min=0)] = 0,
    workspace: WorkspaceOption = None,
    json: JsonOption = False,
) -> None:
    """Say what a whole model goes by: main parameters and how much each counts, per cohort too."""
    from recsys_core.actions import descriptions, models

    reply = answer(workspace, json)
    opened = models.open_model(reply.workspace, model)
    told = descriptions.describe_model(opened, people, seed, reply.workspace)
    found = descriptions.description_json(told, language)
    cohorts = [
        {"cohort": f"{cohort['attribute']} {cohort['group']}", **row}
        for cohort in found["cohorts"]
        for row in cohort["parameters"]
    ]
    text = [
        found["text"],
        table_text(found["parameters"], COLUMNS),
        table_text(cohorts, ["cohort", *COLUMNS]),
    ]
    reply.write(found, "\n\n".join(text))
