"""`reclens concepts`: which categories and words move a model's scores, and for whom."""

from typing import Annotated

import typer

from recsys_core.cli.output import JsonOption, WorkspaceOption, answer, app, table_text

COLUMNS = [
    "concept",
    "group",
    "n_items",
    "n_people",
    "tcav",
    "sensitivity",
    "separability",
    "p_value",
    "p_adjusted",
]


@app.command()
def concepts(
    model: str,
    words: Annotated[list[str] | None, typer.Option(help="A concept as name=word,word; repeated.")] = None,
    by: Annotated[str | None, typer.Option(help="Also by this attribute of people.")] = None,
    item: Annotated[str | None, typer.Option(help="Whose score; default: each list's first item.")] = None,
    people: Annotated[int, typer.Option(min=1, help="How many at most.")] = 500,
    seed: Annotated[int, typer.Option(min=0)] = 0,
    workspace: WorkspaceOption = None,
    json: JsonOption = False,
) -> None:
    """Test each category, and words that you type, against random sets of items: does it move scores?"""
    from recsys_core.actions import models
    from recsys_core.actions.concepts import concepts_json, find_concepts

    reply = answer(workspace, json)
    opened = models.open_model(reply.workspace, model)
    found = concepts_json(find_concepts(opened, words or [], by, item, people, seed, reply.workspace))
    by_surety = sorted(found["effects"], key=lambda row: (row["p_adjusted"], -abs(row["tcav"] - 0.5)))
    left_out = [f"not tested: {row['name']}: {row['reason']}" for row in found["not_tested"]]
    reply.write(found, "\n".join([table_text(by_surety, COLUMNS), *left_out]))
