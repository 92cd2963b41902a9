"""`reclens report`: a kept audit as a file for people, machines or archives."""

from pathlib import Path
from typing import Annotated

import typer

from recsys_core.cli.output import JsonOption, WorkspaceOption, answer, app, folder_made
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
    language: Annotated[str, typer.Option(help="en or zh: of HTML and PDF, not of JSON and CSV.")] = "en",
    notes: Annotated[str, typer.Option(help="A few words of yours, shown at the top.")] = "",
    workspace: WorkspaceOption = None,
    json: JsonOption = False,
) -> None:
    """Hand a kept audit over: what was found, where it comes from, and what it supports."""
    from recsys_core.actions import audits
    from recsys_core.report.contents import SECTIONS, Section
    from recsys_core.report.formats import checked_format
    from recsys_core.report.words import checked_language

    reply = answer(workspace, json)
    word = format or out.suffix.lstrip(".").lower()
    form, spoken = checked_format(word), checked_language(language)
    asked = section or list(SECTIONS)
    unknown = [name for name in asked if name not in SECTIONS]
    if unknown:
        raise ConfigError(f"a report has no section {', '.join(unknown)}; sections are {', '.join(SECTIONS)}")
    kept = audits.open_audit(reply.workspace, audit)
    sections: tuple[Section, ...] = tuple(name for name in SECTIONS if name in asked)
    audits.write_report(kept, folder_made(out), form, sections, notes, spoken)
    found = {"audit": kept.record.id, "format": form, "out": str(out), "sections": asked}
    reply.write(found, f"{kept.record.name}: {out}")
