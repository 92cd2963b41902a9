"""`reclens verify`: are a model's explanations true, and which method's are the truest?"""

from typing import Annotated

import typer

from recsys_core.cli.output import JsonOption, WorkspaceOption, answer, app, table_text

COLUMNS = [
    "order",
    "comprehensiveness",
    "sufficiency",
    "deletion",
    "pos",
    "neg",
    "cdcg",
    "infidelity",
    "verified",
]


@app.command()
def verify(
    model: str,
    method: Annotated[list[str] | None, typer.Option(help="Repeated; default: all that fit.")] = None,
    cohort: Annotated[str, typer.Option(help="attribute=value; default: a sample of everybody.")] = "",
    people: Annotated[int, typer.Option(min=1, help="How many at most; a badge needs 200.")] = 200,
    k: Annotated[int, typer.Option(min=1, help="Length of the lists.")] = 10,
    seed: Annotated[int, typer.Option(min=0)] = 0,
    background: Annotated[bool, typer.Option("--background", help="As a job; see `reclens jobs`.")] = False,
    workspace: WorkspaceOption = None,
    json: JsonOption = False,
) -> None:
    """Take history items away over many people and see whether explanations foretell what happens."""
    from recsys_core.actions import verifications

    reply = answer(workspace, json)
    methods = method or []
    if background:
        job = verifications.submit_verification(reply.workspace, model, methods, cohort, people, k, seed)
        reply.write({"job": job.id}, f"job {job.id} is under way")
        return
    found = verifications.leaderboard_json(
        verifications.verify_model(
            reply.workspace, model, methods, cohort, people, k, seed, progress=reply.progress
        )
    )
    parts = [f"{found['n_people']} people; k = {k}; the truest first"]
    for removal in found["standings"][0]["measures"]:
        rows = [
            {
                "order": own["name"],
                **own["measures"][removal],
                "infidelity": own["infidelity"][removal],
                "verified": own["verified"],
            }
            for own in found["standings"]
        ]
        parts.append(f"{removal}\n{table_text(rows, COLUMNS)}")
    reasons = [own["reason"] for own in found["standings"] if own["reason"]]
    reply.write(found, "\n\n".join([*parts, "\n".join(reasons)]))
