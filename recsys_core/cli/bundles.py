"""`reclens export` and `reclens import`: work in one file, from one workspace into another."""

from pathlib import Path
from typing import Annotated

import typer

from recsys_core.cli.output import JsonOption, WorkspaceOption, answer, app, folder_made


@app.command("export")
def export(
    what: Annotated[str, typer.Argument(help="Id or name of a model, data set or audit.")],
    file: Annotated[Path, typer.Argument(help="The bundle to write, such as films.zip.")],
    with_data: Annotated[
        bool, typer.Option("--with-data", help="A model with its data set, an audit with its model and data.")
    ] = False,
    kind: Annotated[
        str | None, typer.Option(help="model, dataset or audit, where a name means several.")
    ] = None,
    workspace: WorkspaceOption = None,
    json: JsonOption = False,
) -> None:
    """Write a model, data set or audit into one file that another workspace can import."""
    from recsys_core.actions import bundles

    reply = answer(workspace, json)
    named = bundles.checked_kind(kind)
    done = bundles.export_bundle(reply.workspace, what, folder_made(file), named, with_data)
    found = bundles.exported_json(done)
    names = ", ".join(f"{thing['kind']} {thing['name']}" for thing in found["things"])
    lines = [f"{names}: {file} ({found['bytes']:,} bytes, SHA-256 {found['sha256']})"]
    if any(thing["kind"] == "dataset" for thing in found["things"]):
        lines.append("note: it holds the people's ids and interactions; hand it on as you would the data")
    reply.write(found, "\n".join(lines))


@app.command("import")
def import_(
    file: Annotated[Path, typer.Argument(help="A bundle that `reclens export` wrote.")],
    workspace: WorkspaceOption = None,
    json: JsonOption = False,
) -> None:
    """Bring a bundle in, all of it or nothing; what is here already stays as it is."""
    from recsys_core.actions import bundles

    reply = answer(workspace, json)
    found = bundles.imported_json(bundles.import_bundle(reply.workspace, file))
    lines = [f"{thing['kind']} {thing['name']} ({thing['id']}) is here now" for thing in found["added"]]
    lines += [f"{thing['kind']} {thing['name']} ({thing['id']}) was here before" for thing in found["known"]]
    reply.write(found, "\n".join(lines))
