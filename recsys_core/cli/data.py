"""`reclens ingest` and `reclens split`."""

from dataclasses import asdict
from math import isnan
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from recsys_core.cli.options import MapOption
from recsys_core.cli.output import JsonOption, WorkspaceOption, answer, app
from recsys_core.errors import ConfigError

if TYPE_CHECKING:
    from recsys_core.data.leakage import Leakage

PathOption = Annotated[Path | None, typer.Option()]


@app.command()
def ingest(
    name: str,
    interactions: Annotated[
        Path | None, typer.Option(help="CSV, TSV, JSON lines, Parquet, zip or folder.")
    ] = None,
    items: PathOption = None,
    users: PathOption = None,
    map: MapOption = None,
    min_rating: Annotated[float | None, typer.Option(help="Leave out rows with a lower rating.")] = None,
    sample: Annotated[
        str | None, typer.Option(help="simulated, complete-journey, movielens-100k or movielens-1m.")
    ] = None,
    path: Annotated[Path | None, typer.Option(help="Folder or zip of a MovieLens sample.")] = None,
    split: Annotated[
        str,
        typer.Option(help="leave-one-out, or time: the last 10 % of events test, the 10 % before validate."),
    ] = "leave-one-out",
    workspace: WorkspaceOption = None,
    json: JsonOption = False,
) -> None:
    """Bring data in: every usable row, with the rejected ones handed back."""
    from recsys_core.actions import data
    from recsys_core.data.mapping import parse_mapping

    reply = answer(workspace, json)
    if (sample is None) == (interactions is None):
        raise ConfigError("say where the data are: either --interactions PATH or --sample NAME")
    if sample is not None:
        done = data.ingest_sample(reply.workspace, name, sample, path, split=split)
    elif interactions is not None:
        mapping = parse_mapping(map or [])
        done = data.ingest(
            reply.workspace, name, interactions, items, users, mapping, min_rating, split=split
        )
    else:
        raise ConfigError("say where the data are: either --interactions PATH or --sample NAME")
    found = data.ingest_json(done)
    text = (
        f"{found['name']} ({found['dataset']}): {found['n_interactions']:,} interactions of "
        f"{found['n_users']:,} people with {found['n_items']:,} items"
    )
    if found["n_rejected"]:
        text += (
            f"\n{found['n_rejected']:,} rows were set aside; they and their reasons: {found['rejected_file']}"
        )
    reply.write(found, "\n".join([text, *(f"note: {warning}" for warning in found["warnings"])]))


@app.command()
def split(
    dataset: str,
    out: Annotated[Path, typer.Option(help="Folder for train.parquet, valid.parquet and test.parquet.")],
    check: Annotated[bool, typer.Option("--check", help="Also look for leakage.")] = False,
    workspace: WorkspaceOption = None,
    json: JsonOption = False,
) -> None:
    """Write the split that training uses."""
    from recsys_core.actions import data

    reply = answer(workspace, json)
    written = {part: str(path) for part, path in data.write_split(reply.workspace, dataset, out).items()}
    found: dict[str, Any] = dict(written)
    lines = [f"{part}: {path}" for part, path in written.items()]
    if check:
        leakage = data.check_split(reply.workspace, dataset)
        found["leakage"] = asdict(leakage)
        lines.append(_leakage_text(leakage))
    reply.write(found, "\n".join(lines))


@app.command()
def resplit(
    dataset: str,
    split: Annotated[str, typer.Option(help="leave-one-out, or time.")],
    name: Annotated[str, typer.Option(help="Name of the data set that is split like that.")],
    seed: Annotated[int, typer.Option(min=0, help="Matters where events have no order.")] = 0,
    workspace: WorkspaceOption = None,
    json: JsonOption = False,
) -> None:
    """Hold other items of a data set out: the same rows as a data set of its own; its models stay with it."""
    from recsys_core.actions import data

    reply = answer(workspace, json)
    record = data.split_again(reply.workspace, dataset, name, split, seed)
    found = {"dataset": record.id, "name": record.name, **record.details}
    notes = [f"note: {warning}" for warning in found["warnings"]]
    reply.write(found, "\n".join([f"{record.name} ({record.id}): split by {split}", *notes]))


def _leakage_text(leakage: "Leakage") -> str:
    later = leakage.later_training_share
    return (
        f"of {leakage.n_targets:,} held-out pairs {leakage.in_training:,} are in training, "
        f"{leakage.in_history:,} in the history that they are ranked from, "
        f"and {leakage.held_out_twice:,} are held out twice\n"
        + ("training events later than a test target: " + ("not known" if isnan(later) else f"{later:.1%}"))
    )
