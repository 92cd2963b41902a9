"""`reclens robustness`: do explanations change where they should, and stay where they should?"""

from typing import Annotated

import typer

from recsys_core.cli.output import JsonOption, WorkspaceOption, answer, app, table_text


@app.command()
def robustness(
    model: str,
    method: Annotated[str | None, typer.Option(help="Default: the one that fits the ranker best.")] = None,
    other: Annotated[str | None, typer.Option(help="A model of another seed, to compare with.")] = None,
    people: Annotated[int, typer.Option(min=1, help="How many, drawn by the seed.")] = 50,
    seed: Annotated[int, typer.Option(min=0)] = 0,
    workspace: WorkspaceOption = None,
    json: JsonOption = False,
) -> None:
    """Draw weights anew, edit histories, change the seed: which explanations change, and which should?"""
    from recsys_core.actions import models
    from recsys_core.actions.robustness import check_robustness, robustness_json

    reply = answer(workspace, json)
    opened = models.open_model(reply.workspace, model)
    beside = models.open_model(reply.workspace, other, opened.data) if other else None
    found = robustness_json(check_robustness(opened, method, beside, people, seed, reply.progress))
    rows = [
        *({"what": f"weights drawn anew down to {row['layer']}", **row} for row in found["randomised"]),
        *({"what": row["edit"], **row} for row in found["edited"]),
        *([{"what": f"explained by {other}", **found["other_model"]}] if found["other_model"] else []),
    ]
    columns = ["what", "spearman", "ci_low", "ci_high", "same_first", "n_people"]
    reply.write(
        found,
        f"{found['method']}; rank correlation with the explanations as they are\n{table_text(rows, columns)}",
    )
