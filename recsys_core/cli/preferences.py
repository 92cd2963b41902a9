"""`reclens settings`: what a workspace is set to, takes and runs on."""

from typing import Annotated

import typer

from recsys_core.cli.output import JsonOption, WorkspaceOption, answer, app, table_text


@app.command()
def settings(
    minimum_group: Annotated[
        int | None, typer.Option(help="Groups of fewer people show nothing: 11 and upwards.")
    ] = None,
    clear_caches: Annotated[
        bool, typer.Option("--clear-caches", help="Remove what can be worked out again.")
    ] = False,
    workspace: WorkspaceOption = None,
    json: JsonOption = False,
) -> None:
    """Show the privacy threshold, storage, versions and device, or change the threshold."""
    from recsys_core.actions import preferences

    reply = answer(workspace, json)
    opened = reply.workspace
    if minimum_group is not None:
        preferences.set_minimum_group(opened, minimum_group)
    freed = preferences.clear_caches(opened) if clear_caches else None
    found = preferences.preferences_json(opened)
    lines = [
        f"workspace {found['workspace']}",
        f"groups of fewer than {found['minimum_group']} people show nothing",
        table_text(found["storage"], ["folder", "files", "bytes"]),
        ", ".join(f"{name} {version}" for name, version in found["versions"].items()),
        f"models run on {found['device']}",
    ]
    if freed is not None:
        found["freed_bytes"] = freed
        lines.append(f"{freed:,} bytes of caches are gone")
    reply.write(found, "\n".join(lines))
