"""`reclens import-recommendations`."""

from pathlib import Path
from typing import Annotated

import typer

from recsys_core.cli.options import MapOption
from recsys_core.cli.output import JsonOption, WorkspaceOption, answer, app


@app.command("import-recommendations")
def import_recommendations(
    dataset: str,
    file: Annotated[
        Path, typer.Argument(help="user_id, item_id and rank or score: CSV, JSON lines, Parquet.")
    ],
    name: Annotated[str, typer.Option(help="Name of the lists, taken wherever a model's is.")],
    map: MapOption = None,
    workspace: WorkspaceOption = None,
    json: JsonOption = False,
) -> None:
    """Keep lists that another system made, to evaluate, compare, audit and look at like a model's."""
    from recsys_core.actions import imported
    from recsys_core.data.mapping import parse_mapping

    reply = answer(workspace, json)
    mapping = parse_mapping(map) if map else None
    done = imported.import_recommendations(reply.workspace, dataset, file, name, mapping)
    found = imported.imported_json(done, done.record.dataset_id)
    lines = [
        f"{found['name']} ({found['model']}): lists of {found['n_lists']:,} people, up to {found['longest']} "
        f"places, from {found['n_rows']:,} rows",
        *(f"note: {warning}" for warning in found["warnings"]),
    ]
    if found["set_aside_file"]:
        lines.append(f"rows that weren't used, and why: {found['set_aside_file']}")
    reply.write(found, "\n".join(lines))
