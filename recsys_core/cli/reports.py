"""`reclens report`: a kept audit as a file for people, machines or archives."""

from pathlib import Path
from typing import Annotated

import typer

from recsys_core.cli.output import JsonOption, WorkspaceOption, answer, app
from recsys_core.errors import ConfigError


@app.command()
def report(
    audit: Annotated[str, typer.Argument(help="Id or name of a kept audit; see `reclens list audits`.")],
    out: Annotated[Path, typer.Option(help="The file to write.")],
    format: Annotated[
        str | None, typer.Option(help="html, json, csv or pdf; default: by the file's ending.")
    ] = None,
    section: Annotated[
        list[str] | None,
        typer.Option(help="groups, items, rates, no_profiling, rules, data, model; repeated; default: all."),
    ] = None,
    notes: Annotated[str, typer.Option(help="A few words of yours, shown at the top.")] = "",
    workspace: WorkspaceOption = None,
    json: JsonOption = False,
) -> None:
    """Hand a kept audit over: what was found, where it comes from, and what it supports."""
    from recsys_core.actions import audits
    from recsys_core.report.contents import SECTIONS
    from recsys_core.report.formats import checked_format

    reply = answer(workspace, json)
    word = format or out.suffix.lstrip(".").lower()
    form = checked_format(word)
    asked = section or list(SECTIONS)
    unknown = [name for name in asked if name not in SECTIONS]
    if unknown:
        raise ConfigError(f"a report has no section {', '.join(unknown)}; sections are {', '.join(SECTIONS)}")
    kept = audits.open_audit(reply.workspace, audit)
    audits.write_report(kept, out, form, tuple(name for name in SECTIONS if name in asked), notes)
    found = {"audit": kept.record.id, "format": form, "out": str(out), "sections": asked}
    reply.write(found, f"{kept.record.name}: {out}")
