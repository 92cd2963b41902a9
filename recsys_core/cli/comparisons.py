"""`reclens compare` and `leaderboard`."""

from typing import Annotated, Any

import typer

from recsys_core.cli.options import DrawsOption, MetricOption, SeedOption
from recsys_core.cli.output import JsonOption, WorkspaceOption, answer, app, table_text

GAIN_COLUMNS = ["attribute", "group", "n", "difference", "ci_low", "ci_high", "p_adjusted"]
BOARD_COLUMNS = ["name", "n_users", "value", "difference", "ci_low", "ci_high", "p_adjusted"]

SplitOption = Annotated[str, typer.Option(help="test or valid.")]


@app.command()
def compare(
    model_a: str,
    model_b: str,
    metric: MetricOption = "ndcg@10",
    split: SplitOption = "test",
    draws: DrawsOption = 10_000,
    seed: SeedOption = 0,
    by: Annotated[
        list[str] | None, typer.Option(help="Also which groups gain: attribute, or A*B; repeated.")
    ] = None,
    workspace: WorkspaceOption = None,
    json: JsonOption = False,
) -> None:
    """Compare two models of one data set over the same people: is the difference more than chance?"""
    from recsys_core.actions import comparisons, group_comparisons, models

    reply = answer(workspace, json)
    part = models.checked_part(split)
    done = comparisons.compare_models(reply.workspace, model_a, model_b, metric, part, draws, seed)
    found = comparisons.comparison_json(done)
    text = _sentences(found, done.first.name, done.second.name)
    if by:
        own = models.open_model(reply.workspace, model_a)
        other = models.open_model(reply.workspace, model_b, own.data)
        gains = group_comparisons.group_gains(own, other, metric, by, part, draws, seed, reply.workspace)
        found["by_group"] = group_comparisons.gains_json(gains)
        text += "\n\n" + table_text(found["by_group"], GAIN_COLUMNS)
    reply.write(found, text)


@app.command()
def leaderboard(
    dataset: str,
    metric: MetricOption = "ndcg@10",
    split: SplitOption = "test",
    draws: DrawsOption = 10_000,
    seed: SeedOption = 0,
    workspace: WorkspaceOption = None,
    json: JsonOption = False,
) -> None:
    """Rank the models of a data set, each with its difference to popularity over the same people."""
    from recsys_core.actions import comparisons, models

    reply = answer(workspace, json)
    part = models.checked_part(split)
    board = comparisons.leaderboard(reply.workspace, dataset, metric, part, draws, seed)
    found = comparisons.leaderboard_json(board, metric, part)
    heading = f"{metric} on {part} items, and its difference to popularity with a 95 % interval"
    left_out = [f"left out: {row['name']}: {row['reason']}" for row in found["left_out"]]
    reply.write(found, "\n".join([heading, table_text(found["models"], BOARD_COLUMNS), *left_out]))


def _sentences(found: dict[str, Any], name_a: str, name_b: str) -> str:
    return "\n".join(
        [
            f"{found['metric']} of {found['n_users']:,} people, {found['split']} items",
            f"{name_a} {found['value_a']:.4f}  {name_b} {found['value_b']:.4f}",
            f"difference {found['difference']:+.4f}, 95 % interval {found['ci_low']:+.4f} to "
            f"{found['ci_high']:+.4f}, p {found['p_value']:.4f}",
            f"{name_a} is better for {found['n_better']:,} people, {name_b} for {found['n_worse']:,}",
        ]
    )
