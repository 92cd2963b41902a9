"""`reclens run` and `reclens serve`: the dashboard."""

import os
import sys
from importlib import import_module
from pathlib import Path
from runpy import run_module
from typing import Annotated

import typer

from recsys_core.cli.output import WorkspaceOption, answer, app
from recsys_core.errors import ConfigError

APP_FILE = Path(__file__).resolve().parents[2] / "app.py"
PortOption = Annotated[int, typer.Option(min=1, max=65535, help="Port on this machine.")]


@app.command()
def serve(port: PortOption = 8501, workspace: WorkspaceOption = None) -> None:
    """Open the dashboard on the workspace."""
    reply = answer(workspace, False)
    _ = reply.workspace  # a workspace that can't be opened is said here, not on a page
    _serve(reply.home, port)


@app.command()
def run(port: PortOption = 8501, workspace: WorkspaceOption = None) -> None:
    """Load the sample with its trained model, and open the dashboard."""
    from recsys_core.actions.samples import open_sample

    reply = answer(workspace, False)
    dataset, model = open_sample(reply.workspace)
    typer.echo(f"sample '{dataset.name}' with model '{model.name}' is in {reply.home}")
    _serve(reply.home, port)


def _serve(home: Path, port: int) -> None:
    """Becomes the dashboard's server.

    In this process, which has torch loaded already, so that the first page doesn't wait for it.
    """
    if not APP_FILE.is_file():
        raise ConfigError(f"the dashboard's app.py isn't beside the library (looked in {APP_FILE.parent})")
    typer.echo(f"RecLens: http://localhost:{port}")
    import_module("recsys_core.actions.reasons")
    import_module("recsys_core.actions.audits")
    os.environ["RECLENS_HOME"] = str(home.resolve())
    os.chdir(APP_FILE.parent)  # Streamlit reads .streamlit/config.toml from where it is started
    sys.argv = ["streamlit", "run", str(APP_FILE), "--server.port", str(port), "--server.headless", "true"]
    run_module("streamlit", run_name="__main__", alter_sys=True)
