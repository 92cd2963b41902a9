"""`reclens recommend`."""

from pathlib import Path
from typing import Annotated

import pandas as pd
import typer

from recsys_core.cli.output import (
    Answer,
    JsonOption,
    WorkspaceOption,
    answer,
    app,
    folder_made,
    listed,
    table_text,
)
from recsys_core.errors import ConfigError
from recsys_core.files import write_atomically

FILE_COLUMNS = ["user_id", "item_id", "rank", "score"]
SHOWN_COLUMNS = ["user_id", "rank", "score", "item_id", "title"]


@app.command()
def recommend(
    model: str,
    k: Annotated[int, typer.Option(help="Length of the list.")] = 10,
    user: Annotated[str | None, typer.Option(help="Id of a person.")] = None,
    without: Annotated[
        list[str] | None, typer.Option(help="With --user: as if these had never happened.")
    ] = None,
    all: Annotated[bool, typer.Option("--all", help="Everybody.")] = False,
    history: Annotated[list[str] | None, typer.Option(help="Item ids of somebody new, oldest first.")] = None,
    seen: Annotated[list[str] | None, typer.Option(help="With --history: what stays off the list.")] = None,
    wish: Annotated[str | None, typer.Option(help="A few words, for somebody without a history.")] = None,
    as_of: Annotated[str, typer.Option(help="test: before the held-out item; now: all.")] = "test",
    repeats: Annotated[str, typer.Option(help="drop, or keep to rank touched items too.")] = "drop",
    rerank: Annotated[
        str | None,
        typer.Option(
            help="mmr:0.3, calibration:0.3, popularity:0.3 (0 to 1), cap:3 a category, "
            "share:0.2@popularity=tail (FA*IR) or exposure:0.2@category=Poetry."
        ),
    ] = None,
    out: Annotated[Path | None, typer.Option(help="Parquet file for user_id, item_id, rank, score.")] = None,
    workspace: WorkspaceOption = None,
    json: JsonOption = False,
) -> None:
    """Rank items for a person, for everybody, for a history, or for a wish."""
    from recsys_core.actions import models

    reply = answer(workspace, json)
    if sum([user is not None, all, history is not None, wish is not None]) != 1:
        raise ConfigError("say for whom: exactly one of --user, --all, --history and --wish")
    if without and user is None:
        raise ConfigError("--without goes with --user")
    if seen and history is None:
        raise ConfigError("--seen goes with --history")
    if rerank is not None and wish is not None:
        raise ConfigError("--rerank goes with --user, --all and --history, not with --wish")
    if repeats not in ("drop", "keep"):
        raise ConfigError(f"--repeats is '{repeats}'; write drop or keep")
    moment, keep = models.checked_as_of(as_of), repeats == "keep"
    if k < 1:
        raise ConfigError(f"k is {k}; a list has at least 1 item")
    if out is not None:
        folder_made(out)
    opened = models.open_model(reply.workspace, model)
    if user is not None:
        lists = models.list_for_user(opened, user, k, moment, listed(without or []), keep, rerank)
    elif history is not None:
        lists = models.list_for_history(
            opened, listed(history), k, None if seen is None else listed(seen), rerank
        )
    elif wish is not None:
        lists = models.list_for_wish(reply.workspace, opened, wish, k)
    else:
        lists = models.lists_for_all(opened, k, moment, keep, rerank)
    if out is not None:
        write_atomically(out, lambda temporary: lists[FILE_COLUMNS].to_parquet(temporary, index=False))
    _write(reply, lists, out)


def _write(reply: Answer, lists: pd.DataFrame, out: Path | None) -> None:
    rows = [{str(key): value for key, value in row.items()} for row in lists.to_dict("records")]
    text = f"{len(lists):,} rows in {out}" if out else table_text(rows, SHOWN_COLUMNS)
    if not out and (cold := list(dict.fromkeys(lists.loc[lists["cold"], "item_id"]))):
        text += f"\nnote: fewer than five people touched {', '.join(cold)} in training"
    others = sorted(set(lists["source"]) - {"history", "imported"})
    if others and not out:
        text += f"\nnote: without a history, made from {' or '.join(others)}"
    reply.write({"recommendations": [row | {"user_id": row["user_id"] or None} for row in rows]}, text)
