"""`reclens suspicious` and `feedback`: does what an audit says hold?"""

from typing import Annotated

import typer

from recsys_core.cli.options import ByOption, DrawsOption, EachByOption, MetricOption, SeedOption
from recsys_core.cli.output import JsonOption, WorkspaceOption, answer, app, table_text

VERDICT_COLUMNS = ["attribute", "group", "reference", "with_all", "without_flagged", "flips"]
ROUND_COLUMNS = ["round", "value", "gap", "gap from", "gap to", "gini", "coverage"]


@app.command()
def suspicious(
    model: str,
    by: EachByOption,
    metric: MetricOption = "ndcg@10",
    draws: DrawsOption = 1000,
    seed: SeedOption = 0,
    workspace: WorkspaceOption = None,
    json: JsonOption = False,
) -> None:
    """Flag accounts that may be nobody, and audit again without them: does a verdict flip?"""
    from recsys_core.actions import audit_checks, models
    from recsys_core.fairness.result import AuditSettings

    reply = answer(workspace, json)
    settings = AuditSettings(tuple(by), metric, draws=draws, seed=seed)
    opened = models.open_model(reply.workspace, model)
    found = audit_checks.without_flagged_json(
        audit_checks.audit_without_flagged(opened, settings, reply.workspace)
    )
    reasons = ", ".join(f"{reason} {n}" for reason, n in found["reasons"].items()) or "no reason"
    common = [f"not counted: '{name}', which {share:.0%} do" for name, share in found["common"].items()]
    head = f"{found['n_flagged']:,} of {found['n_users']:,} accounts are flagged ({reasons})"
    tail = f"{found['n_flips']} of {len(found['gaps'])} verdicts flip without them"
    reply.write(found, "\n".join([head, *common, table_text(found["gaps"], VERDICT_COLUMNS), tail]))


@app.command()
def feedback(
    model: str,
    by: ByOption,
    metric: MetricOption = "ndcg@10",
    rounds: Annotated[int, typer.Option(help="How often everybody takes an item.")] = 5,
    seeds: Annotated[int, typer.Option(help="How often it is simulated.")] = 5,
    seed: SeedOption = 0,
    workspace: WorkspaceOption = None,
    json: JsonOption = False,
) -> None:
    """Let everybody take what they are shown, round by round: where do gap and exposure go?"""
    from recsys_core.actions import audit_checks, models

    reply = answer(workspace, json)
    opened = models.open_model(reply.workspace, model)
    done = audit_checks.run_feedback(opened, by, metric, rounds, seeds, seed, reply.workspace)
    rows = [
        {
            "round": one.number,
            "value": one.value.mean,
            "gap": one.gap.mean,
            "gap from": one.gap.low,
            "gap to": one.gap.high,
            "gini": one.gini.mean,
            "coverage": one.coverage.mean,
        }
        for one in done.rounds
    ]
    anew = "fitted anew in each round, the first too, to training and validation events"
    learns = anew if done.learns else "not trained again: only histories grow"
    head = [
        f"{done.n:,} people, {done.n_seeds} seeds; each takes one item a round; the model is {learns}",
        f"value: {done.metric}; gap: the best-served of {', '.join(done.groups)} − the worst-served",
    ]
    reply.write(audit_checks.feedback_json(done), "\n".join([*head, table_text(rows, ROUND_COLUMNS)]))
