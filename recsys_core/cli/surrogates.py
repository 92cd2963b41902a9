"""`reclens explain-lists`: why an item is on a list that another system made."""

from typing import Annotated

import typer

from recsys_core.cli.output import JsonOption, WorkspaceOption, answer, app, table_text


@app.command("explain-lists")
def explain_lists(
    lists: Annotated[str, typer.Argument(help="Name of lists from `reclens import-recommendations`.")],
    user: Annotated[str, typer.Option(help="Id of a person.")],
    item: Annotated[str | None, typer.Option(help="Id of an item; default: the first of the list.")] = None,
    k: Annotated[int, typer.Option(min=1, help="How much of the lists is learned and compared.")] = 10,
    min_agreement: Annotated[
        float, typer.Option(min=0, max=1, help="Share of the first k below which nothing is explained.")
    ] = 0.5,
    seed: Annotated[int, typer.Option(min=0)] = 0,
    workspace: WorkspaceOption = None,
    json: JsonOption = False,
) -> None:
    """Teach a ranker lists that were made elsewhere, say how far it agrees with them, and let it explain."""
    from recsys_core.actions import models, surrogates

    reply = answer(workspace, json)
    opened = models.open_model(reply.workspace, lists)
    surrogate = surrogates.surrogate_of(opened, k, seed, min_agreement)
    item_id = item or surrogates.first_on_list(opened, user)
    found = surrogates.list_item_json(opened, surrogate, user, item_id)
    strongest = sorted(found["attributions"], key=lambda row: -abs(row["attribution"]))[:10]
    text = [
        found["reason"],
        f"By it, the strongest reasons for '{found['title']}' on the list of {user}:",
        table_text(strongest, ["position", "attribution", "item_id", "title"]),
    ]
    reply.write(found, "\n".join(text))
