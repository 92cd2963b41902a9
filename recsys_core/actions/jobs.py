"""Work that takes longer than a click: handed to a process of its own, followed from anywhere."""

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from recsys_core.actions import models
from recsys_core.actions.cohorts import EXPLAIN
from recsys_core.actions.mitigation_runs import MITIGATE
from recsys_core.config import make_settings
from recsys_core.store import jobs
from recsys_core.store.records import JobRecord
from recsys_core.store.reporter import JobReporter
from recsys_core.store.workspace import Workspace
from recsys_core.trainer.recipe import Epoch
from recsys_core.trainer.resume import CHECKPOINT_FILE

TRAIN = "train"


def submit_training(
    workspace: Workspace,
    dataset: str,
    ranker: str,
    name: str,
    preset: str = "balanced",
    seed: int = 0,
    changes: Sequence[str] = (),
    submission_key: str | None = None,
) -> JobRecord:
    """Starts training as a job; whatever can be refused is refused here, before anything starts.

    Raises:
        ConfigError, DataError, NotFoundError: as `models.train`.
    """
    settings = make_settings(ranker, preset, changes)
    record = workspace.resolve("dataset", dataset)
    models.check_members(workspace, record, settings)
    workspace.check_free("model", name)
    spec = {
        "dataset": record.id,
        "ranker": ranker,
        "name": name,
        "preset": preset,
        "seed": seed,
        "changes": list(changes),
    }
    return jobs.submit(workspace, TRAIN, spec, submission_key)


def run_training(workspace: Workspace, spec: dict[str, Any], reporter: JobReporter) -> dict[str, Any]:
    """What the worker does for a training job; its result is that of `reclens train --json`.

    Its folder keeps a checkpoint until the model is there, so that the job can be resumed.
    """

    def follow(epoch: Epoch) -> None:
        reporter.event(asdict(epoch))
        reporter.check_cancelled()

    def report(share: float, message: str) -> None:
        reporter.progress(share, message)
        reporter.check_cancelled()

    checkpoint = reporter.folder / CHECKPOINT_FILE
    record = models.train(workspace, **spec, progress=report, on_epoch=follow, checkpoint=checkpoint)
    return models.training_json(record)


def list_jobs(workspace: Workspace) -> list[JobRecord]:
    """All jobs, newest first, each in its true state: those whose process is gone say so."""
    jobs.refresh(workspace)
    return jobs.list_jobs(workspace)


def show_job(workspace: Workspace, job_id: str) -> JobRecord:
    """One job in its true state.

    Raises:
        NotFoundError: there is none of that id.
    """
    jobs.refresh(workspace)
    return jobs.show(workspace, job_id)


def cancel_job(workspace: Workspace, job_id: str) -> JobRecord:
    """Stops a job: within five seconds its process is gone; what resuming needs stays in its folder."""
    return jobs.cancel(workspace, job_id)


def can_resume(job: JobRecord) -> bool:
    """Whether a job ended without a result, and may be resumed."""
    return job.kind in (TRAIN, EXPLAIN, MITIGATE) and not job.is_active and job.state != "done"


def resume_job(workspace: Workspace, job_id: str) -> JobRecord:
    """Starts a job once more: training goes on behind its last whole epoch, other work behind its last part.

    Raises:
        DataError: it is done or under way, or the name of its model has been taken since.
        NotFoundError: there is none of that id.
    """
    job = jobs.show(workspace, job_id)
    if can_resume(job) and job.kind in (TRAIN, MITIGATE) and job.spec["name"] is not None:
        workspace.check_free("model", job.spec["name"])
    return jobs.resume(workspace, job_id)


def job_events(workspace: Workspace, job_id: str) -> list[dict[str, Any]]:
    """What a job reported on its way: for a training job one entry an epoch."""
    return jobs.events(workspace, job_id)


def job_log(workspace: Workspace, job_id: str) -> str:
    """The last lines that a job's process wrote."""
    return jobs.log_tail(workspace, job_id)
