"""The process that a job runs in: `python -m recsys_core.worker JOB_ID --home HOME`."""

from pathlib import Path
from typing import Annotated

import typer

from recsys_core.actions.cohorts import EXPLAIN, run_explaining
from recsys_core.actions.jobs import TRAIN, run_training
from recsys_core.actions.mitigation_runs import MITIGATE, run_mitigation
from recsys_core.actions.verifications import VERIFY, run_verification
from recsys_core.config import Environment
from recsys_core.store.reporter import JobFunction, run_job
from recsys_core.store.workspace import Workspace


def work(job_id: str, home: Annotated[Path, typer.Option()]) -> None:
    """Takes one job, does it, and ends."""
    workspace = Workspace.open(home, Environment().database_url)
    functions: dict[str, JobFunction] = {
        TRAIN: lambda spec, reporter: run_training(workspace, spec, reporter),
        EXPLAIN: lambda spec, reporter: run_explaining(workspace, spec, reporter),
        MITIGATE: lambda spec, reporter: run_mitigation(workspace, spec, reporter),
        VERIFY: lambda spec, reporter: run_verification(workspace, spec, reporter),
    }
    raise typer.Exit(run_job(workspace, job_id, functions))


if __name__ == "__main__":
    typer.run(work)
