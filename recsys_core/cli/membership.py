"""`reclens membership`: whose training data show through a model?"""

from recsys_core.cli.options import DrawsOption, EachByOption, SeedOption
from recsys_core.cli.output import JsonOption, WorkspaceOption, answer, app, table_text

GROUP_COLUMNS = ["attribute", "group", "n", "value", "ci_low", "ci_high"]
GAP_COLUMNS = ["attribute", "group", "reference", "difference", "ci_low", "ci_high", "p_adjusted", "verdict"]


@app.command()
def membership(
    model: str,
    by: EachByOption,
    draws: DrawsOption = 1000,
    seed: SeedOption = 0,
    workspace: WorkspaceOption = None,
    json: JsonOption = False,
) -> None:
    """Attack a model: can it be told what it was trained on, and for whom more than for others?"""
    from recsys_core.actions import models
    from recsys_core.actions.membership import attack_membership, membership_json
    from recsys_core.fairness.result import AuditSettings

    reply = answer(workspace, json)
    settings = AuditSettings(tuple(by), draws=draws, seed=seed)
    done = attack_membership(models.open_model(reply.workspace, model), settings, reply.workspace)
    found = membership_json(done)
    head = (
        f"a training item is ranked above a held-out one for {found['overall']['value']:.1%} of "
        f"{found['overall']['n']:,} people (50 % = a guess); with popularity for {done.popularity:.1%}"
    )
    gaps = table_text(found["gaps"], GAP_COLUMNS) if found["gaps"] else "no gap could be computed"
    reply.write(found, "\n\n".join([head, table_text(found["by_group"], GROUP_COLUMNS), gaps]))
