"""`reclens counterfactual`."""

from typing import Annotated, Any

import typer

from recsys_core.cli.output import JsonOption, WorkspaceOption, answer, app, table_text
from recsys_core.cli.reasons import AsOfOption
from recsys_core.errors import ConfigError


@app.command()
def counterfactual(
    model: str,
    user: Annotated[str, typer.Option(help="Id of a person.")],
    item: Annotated[str | None, typer.Option(help="Id of an item; default: the first of the list.")] = None,
    k: Annotated[int, typer.Option(help="Places on the list.")] = 10,
    overtaken_by: Annotated[
        str | None, typer.Option(help="What would let this item rank above it, instead of dropping it?")
    ] = None,
    add: Annotated[bool, typer.Option("--add", help="What would lift it into the first k?")] = False,
    each_k: Annotated[bool, typer.Option("--each-k", help="Also for k = 1 to 5.")] = False,
    as_of: AsOfOption = "test",
    workspace: WorkspaceOption = None,
    json: JsonOption = False,
) -> None:
    """Find the smallest change of a history that moves an item on the list, by really ranking again."""
    from recsys_core.actions import counterfactuals, models

    reply = answer(workspace, json)
    moment = models.checked_as_of(as_of)
    if add and (overtaken_by is not None or each_k):
        raise ConfigError("--add goes neither with --overtaken-by nor with --each-k")
    if add and item is None:
        raise ConfigError("--add needs --item: which item is to be lifted?")
    opened = models.open_model(reply.workspace, model)
    if add and item is not None:
        change = counterfactuals.what_would_lift(opened, user, item, k, moment)
    else:
        change = counterfactuals.what_would_drop(opened, user, item, k, overtaken_by, moment)
    found = counterfactuals.change_json(opened, change)
    text = _text(found, user)
    if each_k:
        changes = counterfactuals.what_would_drop_at_each_k(opened, user, item, moment)
        found["at_each_k"] = [counterfactuals.change_json(opened, own) for own in changes]
        rows = [row | {"size": len(row["removed"])} for row in found["at_each_k"]]
        text += "\n" + table_text(rows, ["k", "size", "rank_after", "minimal", "removed"])
    reply.write(found, text)


def _text(found: dict[str, Any], user: str) -> str:
    now = f"'{found['title']}' is number {found['rank_before']} for {user}"
    wanted = {
        "leave": f"drops it out of the first {found['k']}",
        "enter": f"lifts it into the first {found['k']}",
        "overtaken": f"lets '{found['overtaken_by']}' overtake it",
    }[found["goal"]]
    ids = found["removed"] or found["added"]
    if not ids:
        return f"{now}; no change was found that {wanted}"
    proof = ", and nothing less than all of them does" if found["minimal"] and len(ids) > 1 else ""
    verb = "added" if found["added"] else "gone"
    rows = [{"item_id": own, "title": title} for own, title in zip(ids, found["titles"], strict=True)]
    return (
        f"{now}. With these {len(ids)} {verb} it is number {found['rank_after']}, which {wanted}{proof}:\n"
        + table_text(rows, ["item_id", "title"])
    )
