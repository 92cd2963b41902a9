"""A mitigation from the name of a model to what is kept: as a command runs it, or a job."""

from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from recsys_core.actions.mitigation import check_mitigation, keep_mitigated, mitigate, mitigation_json
from recsys_core.actions.mitigation_kept import KeptWork
from recsys_core.actions.mitigation_training import train_variants, training_settings
from recsys_core.actions.models import open_model
from recsys_core.store import folders, jobs
from recsys_core.store.records import JobRecord
from recsys_core.store.reporter import JobReporter
from recsys_core.store.workspace import Workspace

MITIGATE = "mitigate"
TRAINING_SHARE = 0.8  # of the way, where anything is trained
KEPT_FOLDER = "finished"  # of a job, until it is done


@dataclass(frozen=True, slots=True)
class MitigationPlan:
    """What is asked of a mitigation.

    Attributes:
        by: an attribute of people, or several crossed.
        rerankings: that a group may get; none = a few of each kind that the data allow.
        trainings: other ways to train the model, such as `dro` or `gap:2`; "all" = one of each kind.
        metric: such as `ndcg@10`.
        max_loss: the share of its utility that any group may lose among the choosing people.
        name: of the model that keeps the chosen point; None = it isn't kept.
        draws: bootstrap resamples.
        seed: of halves and draws.
    """

    by: str
    rerankings: tuple[str, ...] = ()
    trainings: tuple[str, ...] = ()
    metric: str = "ndcg@10"
    max_loss: float = 0.05
    name: str | None = None
    draws: int = 1000
    seed: int = 0


def run_plan(
    workspace: Workspace,
    model: str,
    plan: MitigationPlan,
    progress: Callable[[float, str], None] = lambda share, message: None,
    folder: Path | None = None,
) -> dict[str, Any]:
    """The contract of `reclens mitigate --json`; the chosen point is kept where the plan names it.

    All that can be refused is refused before anything is trained.

    Args:
        workspace: where the model is.
        model: its name or id.
        plan: what is asked.
        progress: told how far it is; whatever it raises leaves what is finished in the folder.
        folder: of this plan for this model alone: what is finished lies there until all is; None = nowhere.

    Raises:
        NotFoundError: there is no such model.
        DataError, ConfigError: as `mitigate` and `training_settings`; the name is taken.
    """
    if plan.name is not None:
        workspace.check_free("model", plan.name)
    opened = open_model(workspace, model)
    asked = (plan.by, plan.rerankings, plan.metric, plan.max_loss, plan.draws, plan.seed)
    check_mitigation(opened, *asked, workspace)
    kept, settings = KeptWork(folder), training_settings(opened, plan.by, plan.trainings)
    behind = TRAINING_SHARE if settings else 0.0
    variants = train_variants(
        opened, settings, workspace.cache, lambda share, message: progress(behind * share, message), kept
    )
    found, way = mitigate(
        opened,
        *asked,
        lambda share, message: progress(behind + (1 - behind) * share, message),
        variants,
        workspace,
        kept,
    )
    answer = mitigation_json(found)
    if plan.name is not None:
        answer["model"] = keep_mitigated(workspace, opened, found, way, plan.name).id
    if folder is not None:
        folders.remove(folder)
    return answer


def submit_mitigation(
    workspace: Workspace, model: str, plan: MitigationPlan, submission_key: str | None = None
) -> JobRecord:
    """Starts a mitigation as a job; whatever can be refused at once is refused here.

    Raises:
        NotFoundError, DataError, ConfigError: as `run_plan`.
    """
    opened = open_model(workspace, model)
    if plan.name is not None:
        workspace.check_free("model", plan.name)
    asked = (plan.by, plan.rerankings, plan.metric, plan.max_loss, plan.draws, plan.seed)
    check_mitigation(opened, *asked, workspace)
    training_settings(opened, plan.by, plan.trainings)
    return jobs.submit(workspace, MITIGATE, {"model": opened.record.id, **asdict(plan)}, submission_key)


def run_mitigation(workspace: Workspace, spec: dict[str, Any], reporter: JobReporter) -> dict[str, Any]:
    """What the worker does for such a job; its result is that of `reclens mitigate --json`.

    Its folder keeps what is finished, so that the job can be resumed.
    """

    def report(share: float, message: str) -> None:
        reporter.progress(share, message)
        reporter.check_cancelled()

    return run_plan(workspace, spec["model"], _plan_of(spec), report, reporter.folder / KEPT_FOLDER)


def _plan_of(spec: dict[str, Any]) -> MitigationPlan:
    """The plan of a job, whose JSON has lists where the plan has tuples."""
    asked = {name: value for name, value in spec.items() if name != "model"}
    listed: dict[str, Any] = {name: tuple(asked[name]) for name in ("rerankings", "trainings")}
    asked.update(listed)
    return MitigationPlan(**asked)
