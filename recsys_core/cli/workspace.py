"""`reclens list`, `rename`, `delete` and `jobs`: what the workspace holds."""

from dataclasses import asdict
from typing import Any

import typer

from recsys_core.cli.output import JsonOption, WorkspaceOption, answer, app, table_text
from recsys_core.errors import ConfigError
from recsys_core.store.workspace import Workspace

KINDS = ("datasets", "models", "jobs", "audits")
jobs_app = typer.Typer(name="jobs", help="Show, cancel or resume a job.", no_args_is_help=True)
app.add_typer(jobs_app)


@app.command("list")
def list_(kind: str, workspace: WorkspaceOption = None, json: JsonOption = False) -> None:
    """List datasets, models, jobs or audits."""
    reply = answer(workspace, json)
    if kind not in KINDS:
        raise ConfigError(f"there is no list of '{kind}'; lists are {', '.join(KINDS)}")
    rows = _rows(reply.workspace, kind)
    columns = ["id", "kind", "state", "progress", "message"] if kind == "jobs" else ["id", "name"]
    reply.write({kind: rows}, table_text(rows, columns))


@app.command()
def rename(
    kind: str, id_or_name: str, new_name: str, workspace: WorkspaceOption = None, json: JsonOption = False
) -> None:
    """Give a dataset, model or audit another name."""
    reply = answer(workspace, json)
    reply.workspace.rename(_kind(kind), id_or_name, new_name)
    reply.write({"renamed": id_or_name, "name": new_name}, f"{id_or_name} is now called {new_name}")


@app.command()
def delete(kind: str, id_or_name: str, workspace: WorkspaceOption = None, json: JsonOption = False) -> None:
    """Remove a dataset, model or audit for good."""
    reply = answer(workspace, json)
    reply.workspace.delete(_kind(kind), id_or_name)
    reply.write({"deleted": id_or_name}, f"{id_or_name} is gone")


@jobs_app.command()
def show(job_id: str, workspace: WorkspaceOption = None, json: JsonOption = False) -> None:
    """Show a job in its true state."""
    from recsys_core.actions import jobs

    reply = answer(workspace, json)
    found = asdict(jobs.show_job(reply.workspace, job_id))
    reply.write(found, "\n".join(f"{key}: {value}" for key, value in found.items() if value is not None))


@jobs_app.command()
def cancel(job_id: str, workspace: WorkspaceOption = None, json: JsonOption = False) -> None:
    """Stop a job."""
    from recsys_core.actions import jobs

    reply = answer(workspace, json)
    found = asdict(jobs.cancel_job(reply.workspace, job_id))
    reply.write(found, f"{job_id} is {found['state']}")


@jobs_app.command()
def resume(job_id: str, workspace: WorkspaceOption = None, json: JsonOption = False) -> None:
    """Start a cancelled, failed or lost job again, behind its last whole epoch."""
    from recsys_core.actions import jobs

    reply = answer(workspace, json)
    found = asdict(jobs.resume_job(reply.workspace, job_id))
    reply.write(found, f"{job_id} is {found['state']}")


def _rows(workspace: Workspace, kind: str) -> list[dict[str, Any]]:
    if kind == "jobs":
        from recsys_core.actions.jobs import list_jobs

        return [asdict(job) for job in list_jobs(workspace)]
    records = {"datasets": workspace.datasets, "models": workspace.models, "audits": workspace.audits}[kind]()
    return [asdict(record) for record in records]


def _kind(word: str) -> Any:
    singular = word.removesuffix("s")
    if singular not in ("dataset", "model", "audit"):
        raise ConfigError(f"there is no kind '{word}'; kinds are dataset, model and audit")
    return singular
