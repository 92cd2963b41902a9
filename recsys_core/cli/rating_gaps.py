"""`reclens rating-gaps`: for whom are ratings predicted worse?"""

from pathlib import Path
from typing import Annotated

import typer

from recsys_core.cli.options import EachByOption, MapOption, SeedOption
from recsys_core.cli.output import JsonOption, WorkspaceOption, answer, app, table_text

COLUMNS = ["attribute", "group", "reference", "measure", "value", "by_chance", "p_adjusted", "n"]


@app.command("rating-gaps")
def rating_gaps(
    dataset: str,
    file: Annotated[
        Path,
        typer.Argument(help="user_id, item_id, rating and prediction: CSV, JSON lines, Parquet."),
    ],
    by: EachByOption,
    map: MapOption = None,
    shuffles: Annotated[int, typer.Option(help="How often groups are dealt out anew.")] = 999,
    seed: SeedOption = 0,
    workspace: WorkspaceOption = None,
    json: JsonOption = False,
) -> None:
    """Audit ratings that another system predicted: five figures a group, beside what chance gives."""
    from recsys_core.actions import rating_gaps as actions
    from recsys_core.data.mapping import parse_mapping

    reply = answer(workspace, json)
    mapping = parse_mapping(map) if map else None
    found = actions.audit_predictions(reply.workspace, dataset, file, tuple(by), mapping, shuffles, seed)
    known = actions.rating_audit_json(found)
    head = (
        f"{found.n_ratings:,} ratings of {found.n_people:,} people, mean absolute error "
        f"{found.mean_absolute_error:.4f}; {found.n_set_aside:,} rows were set aside"
    )
    told = [row for row in known["gaps"] if row["reason"] is None]
    reasons = dict.fromkeys(
        f"not computed: {row.attribute} {row.group}: {row.reason}" for row in found.gaps if row.reason
    )
    reply.write(known, "\n".join([head, table_text(told, COLUMNS) if told else "no gap", *reasons]))
