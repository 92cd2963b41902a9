"""What all commands share: where they work, how they answer, and how they fail."""

import json
import logging
import os
import sys
from dataclasses import dataclass
from math import isfinite
from pathlib import Path
from typing import Annotated, Any, NoReturn

import typer
from typer.core import TyperGroup

from recsys_core.config import Environment
from recsys_core.errors import ConfigError, RecsysError
from recsys_core.store.workspace import Workspace


class OneSentence(TyperGroup):
    """A group of commands whose every error is one sentence on stderr and an exit code."""

    def main(self, *args: Any, **kwargs: Any) -> Any:
        """Runs a command and ends the process."""
        kwargs["standalone_mode"] = False
        try:
            code = super().main(*args, **kwargs)
        except RecsysError as error:
            _end(str(error), error.exit_code)
        except (typer.Abort, KeyboardInterrupt):
            _end("stopped", 1)
        except BrokenPipeError:  # whoever read our output has gone: there is nobody left to tell
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            sys.exit(1)
        except typer.TyperException as error:
            _end(error.format_message(), 2)
        sys.exit(code if isinstance(code, int) else 0)


app = typer.Typer(
    name="reclens",
    cls=OneSentence,
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="See what a recommender recommends, why, and for whom it works worse.",
)

WorkspaceOption = Annotated[
    Path | None,
    typer.Option("--workspace", help="Folder of the workspace. Default: RECLENS_HOME, or ~/.reclens."),
]
JsonOption = Annotated[bool, typer.Option("--json", help="Answer in JSON.")]


@dataclass(frozen=True, slots=True)
class Answer:
    """Where a command works and how it answers."""

    home: Path
    as_json: bool

    @property
    def workspace(self) -> Workspace:
        """The workspace, made if it isn't there."""
        return Workspace.open(self.home, Environment().database_url)

    def write(self, value: Any, text: str) -> None:
        """JSON without NaN where it was asked for, else a text for people; once, of several processes."""
        if not _is_first_process():
            return
        if self.as_json:
            typer.echo(json.dumps(_without_nan(value), ensure_ascii=False, allow_nan=False, default=str))
        else:
            typer.echo(text)

    def progress(self, share: float, message: str) -> None:
        """A line on stderr that overwrites itself, where a person is looking."""
        if sys.stderr.isatty() and _is_first_process():
            end = "\n" if share >= 1 else ""
            sys.stderr.write(f"\r\x1b[K{share:4.0%} {message}{end}")
            sys.stderr.flush()


def answer(workspace: Path | None, as_json: bool) -> Answer:
    """The answer of one command; tells libraries how to behave, before they are imported."""
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # spinning threads slow a busy machine tenfold
    os.environ.setdefault("HF_HUB_OFFLINE", "1")
    os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")
    os.environ.setdefault("HF_HUB_DISABLE_PROGRESS_BARS", "1")
    logging.getLogger("transformers").setLevel(logging.ERROR)
    return Answer(workspace or Environment().home, as_json)


def folder_made(out: Path) -> Path:
    """The file that a command is going to write, its folder made if it isn't there.

    Raises:
        ConfigError: it is a folder, or its folder can't be made.
    """
    try:
        out.expanduser().absolute().parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ConfigError(f"the folder of {out} can't be made: {error.strerror or error}") from error
    if out.is_dir():
        raise ConfigError(f"{out} is a folder; name a file in it")
    return out


def listed(values: list[str]) -> list[str]:
    """Ids from `a,b,c`, from a repeated option, or from both."""
    return [part for value in values for part in value.split(",") if part]


def table_text(rows: list[dict[str, Any]], columns: list[str]) -> str:
    """Rows as aligned columns for a terminal."""
    if not rows:
        return "nothing here yet"
    cells = [columns, *([_cell(row.get(column)) for column in columns] for row in rows)]
    widths = [max(len(line[place]) for line in cells) for place in range(len(columns))]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()
        for line in cells
    )


def _is_first_process() -> bool:
    """Whether this is the one of `torchrun`'s processes that speaks."""
    return os.environ.get("RANK", "0") == "0"


def _cell(value: Any) -> str:
    if value is None:
        return "–"
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def _end(sentence: str, code: int) -> NoReturn:
    sys.stderr.write("reclens: " + " ".join(sentence.split()) + "\n")
    sys.exit(code)


def _without_nan(value: Any) -> Any:
    if isinstance(value, float):
        return value if isfinite(value) else None
    if isinstance(value, dict):
        return {key: _without_nan(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_without_nan(item) for item in value]
    return value
