"""`reclens mitigate`: what closing a gap by re-ranking or another training costs."""

from typing import Annotated, Any

import typer

from recsys_core.cli.options import ByOption, MetricOption
from recsys_core.cli.output import JsonOption, WorkspaceOption, answer, app, listed, table_text


@app.command()
def mitigate(
    model: str,
    by: ByOption,
    rerank: Annotated[
        list[str] | None,
        typer.Option(
            help="A re-ranking that groups may get: mmr:0.3, share:0.3@popularity=tail (FA*IR), "
            "exposure:0.2@category=Poetry, …; repeated."
        ),
    ] = None,
    train: Annotated[
        list[str] | None,
        typer.Option(
            help="Also train the model again, heeding these groups: resampling, reweighting, dro, gap or "
            "adversarial, with a strength as in gap:2, or all; repeated."
        ),
    ] = None,
    metric: MetricOption = "ndcg@10",
    max_loss: Annotated[float, typer.Option(help="Share of its utility that any group may lose.")] = 0.05,
    name: Annotated[str | None, typer.Option(help="Keep the chosen point as a model of this name.")] = None,
    draws: Annotated[int, typer.Option(help="Bootstrap draws.")] = 1000,
    seed: Annotated[int, typer.Option(min=0)] = 0,
    background: Annotated[bool, typer.Option("--background", help="As a job; see `reclens jobs`.")] = False,
    workspace: WorkspaceOption = None,
    json: JsonOption = False,
) -> None:
    """Show what closing a gap by re-ranking or another training costs; keep the chosen way as a model."""
    from recsys_core.actions.mitigation_runs import MitigationPlan, run_plan, submit_mitigation
    from recsys_core.ranker.rerank import listed_rerankings

    reply = answer(workspace, json)
    rerankings = tuple(spec for text in rerank or [] for spec in listed_rerankings(text))
    plan = MitigationPlan(by, rerankings, tuple(listed(train or [])), metric, max_loss, name, draws, seed)
    if background:
        job = submit_mitigation(reply.workspace, model, plan)
        reply.write({"job": job.id}, f"job {job.id} is under way")
        return
    found = run_plan(reply.workspace, model, plan, reply.progress)
    reply.write(found, _mitigation_text(found, name))


def _mitigation_text(found: dict[str, Any], name: str | None) -> str:
    points = [
        {
            "": "chosen" if point["chosen"] else "",
            "gap": point["gap"]["after"],
            "gap change": point["gap"]["difference"],
            "gap 95 %": _range(point["gap"]),
            found["metric"]: point["utility"]["after"],
            "change": point["utility"]["difference"],
            "95 %": _range(point["utility"]),
            "by": ", ".join(f"{group} {spec}" for group, spec in point["rules"].items() if spec),
        }
        for point in found["points"]
    ]
    effects = [row | {"95 %": _range(row)} for row in found["side_effects"]]
    item_groups = [row | {"95 %": _range(row)} for row in found["item_groups"]]
    columns = ["attribute", "group", "n", "before", "after", "difference", "95 %"]
    kept = f"kept as '{name}'" if name else "keep the chosen point with --name"
    return "\n\n".join(
        [
            f"chosen by {found['n_fitting']:,} people on validation items, shown by {found['n_showing']:,} "
            "others on test items",
            table_text(points, list(points[0])),
            table_text(effects, columns),
            table_text(found["items"], ["name", "before", "after"]),
            table_text(
                item_groups, ["attribute", "group", "n_items", "before", "after", "difference", "95 %"]
            ),
            kept,
        ]
    )


def _range(change: dict[str, float]) -> str:
    return f"{change['ci_low']:+.4f} to {change['ci_high']:+.4f}"
