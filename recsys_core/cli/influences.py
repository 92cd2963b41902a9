"""`reclens influence`: which training examples taught a model an item of a list."""

from typing import Annotated

import typer

from recsys_core.cli.output import JsonOption, WorkspaceOption, answer, app, table_text

COLUMNS = ["influence", "user_id", "position", "item_id", "title", "after"]


@app.command()
def influence(
    model: str,
    user: Annotated[str, typer.Option(help="Id of a person.")],
    item: Annotated[str, typer.Option(help="Id of an item that is a candidate for their list.")],
    k: Annotated[int, typer.Option(min=1, help="How many examples each way.")] = 10,
    as_of: Annotated[
        str, typer.Option(help="test: before the held-out item; now: the whole history.")
    ] = "test",
    workspace: WorkspaceOption = None,
    json: JsonOption = False,
) -> None:
    """Say which people's choices taught the model to score an item as it does for a person."""
    from recsys_core.actions import influences, models

    reply = answer(workspace, json)
    opened = models.open_model(reply.workspace, model)
    traced = influences.trace_influence(opened, user, item, models.checked_as_of(as_of), reply.progress)
    found = influences.influence_json(opened, traced, k)
    text = [
        f"'{found['title']}' for {user}; of {found['n_examples']:,} examples the strongest that raised it",
        table_text(found["raised"], COLUMNS),
        "the strongest that lowered it",
        table_text(found["lowered"], COLUMNS),
    ]
    reply.write(found, "\n".join(text))
