"""`reclens mitigate`: what closing a gap by re-ranking costs."""

from typing import Annotated, Any

import typer

from recsys_core.cli.options import ByOption, MetricOption
from recsys_core.cli.output import JsonOption, WorkspaceOption, answer, app, listed, table_text


@app.command()
def mitigate(
    model: str,
    by: ByOption,
    rerank: Annotated[
        list[str] | None, typer.Option(help="A re-ranking that groups may get, such as mmr:0.3; repeated.")
    ] = None,
    metric: MetricOption = "ndcg@10",
    max_loss: Annotated[float, typer.Option(help="Share of its utility that any group may lose.")] = 0.05,
    name: Annotated[str | None, typer.Option(help="Keep the chosen point as a model of this name.")] = None,
    draws: Annotated[int, typer.Option(help="Bootstrap draws.")] = 1000,
    seed: Annotated[int, typer.Option(min=0)] = 0,
    workspace: WorkspaceOption = None,
    json: JsonOption = False,
) -> None:
    """Show what closing a gap by re-ranking costs, and keep the chosen way as a model."""
    from recsys_core.actions import mitigation, models

    reply = answer(workspace, json)
    if name is not None:
        reply.workspace.check_free("model", name)
    opened = models.open_model(reply.workspace, model)
    done, ranker = mitigation.mitigate(
        opened, by, tuple(listed(rerank or [])), metric, max_loss, draws, seed, reply.progress
    )
    found = mitigation.mitigation_json(done)
    if name is not None:
        record = mitigation.keep_mitigated(reply.workspace, opened, done, ranker, name)
        found["model"] = record.id
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
            "re-rankings": ", ".join(f"{group} {spec}" for group, spec in point["rules"].items() if spec),
        }
        for point in found["points"]
    ]
    effects = [row | {"95 %": _range(row)} for row in found["side_effects"]]
    columns = ["attribute", "group", "n", "before", "after", "difference", "95 %"]
    kept = f"kept as '{name}'" if name else "keep the chosen point with --name"
    return "\n\n".join(
        [
            f"chosen by {found['n_fitting']:,} people on validation items, shown by {found['n_showing']:,} "
            "others on test items",
            table_text(points, list(points[0])),
            table_text(effects, columns),
            table_text(found["items"], ["name", "before", "after"]),
            kept,
        ]
    )


def _range(change: dict[str, float]) -> str:
    return f"{change['ci_low']:+.4f} to {change['ci_high']:+.4f}"
