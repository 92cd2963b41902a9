"""`reclens add-items`."""

from pathlib import Path
from typing import Annotated

import typer

from recsys_core.cli.options import MapOption
from recsys_core.cli.output import JsonOption, WorkspaceOption, answer, app


@app.command("add-items")
def add_items(
    model: str,
    file: Annotated[Path, typer.Argument(help="item_id with title, category, provider or text.")],
    name: Annotated[str, typer.Option(help="Name of the model that knows them too.")],
    map: MapOption = None,
    workspace: WorkspaceOption = None,
    json: JsonOption = False,
) -> None:
    """Give a trained model items that nobody has touched yet: it ranks them by their texts at once."""
    from recsys_core.actions import added_items
    from recsys_core.data.mapping import parse_mapping

    reply = answer(workspace, json)
    mapping = parse_mapping(map) if map else None
    done = added_items.add_items_to_model(reply.workspace, model, file, name, mapping, reply.progress)
    found = added_items.added_json(done)
    text = (
        f"{found['name']} ({found['model']}) ranks {found['n_added']:,} new items among {found['n_items']:,}"
        f"; '{model}' stays as it is"
    )
    reply.write(found, text + (f"\nnote: {found['warning']}" if found["warning"] else ""))
