"""`reclens leakage`: does the model know, or use, which group a person belongs to?"""

from typing import Annotated, Any

import typer

from recsys_core.cli.options import ByOption, SeedOption
from recsys_core.cli.output import JsonOption, WorkspaceOption, answer, app, table_text

PROBE_COLUMNS = ["group", "read from", "n", "auc", "ci_low", "ci_high", "null_high", "p_value"]


@app.command()
def leakage(
    model: str,
    by: ByOption,
    k: Annotated[int, typer.Option(help="Length of the lists that are compared.")] = 10,
    permutations: Annotated[int, typer.Option(help="Shuffles behind each p-value.")] = 99,
    seed: SeedOption = 0,
    workspace: WorkspaceOption = None,
    json: JsonOption = False,
) -> None:
    """Probe whether the model's vectors tell a group, and whether an attribute that it reads moves lists."""
    from recsys_core.actions import models
    from recsys_core.actions.attribution_mass import find_mass_of, mass_json
    from recsys_core.actions.leakage import find_leakage_of, leakage_json

    reply = answer(workspace, json)
    opened = models.open_model(reply.workspace, model)
    found = leakage_json(find_leakage_of(opened, by, k, permutations, seed, reply.workspace))
    found["mass"] = mass_json(find_mass_of(opened, by, reply.workspace))
    reply.write(found, _leakage_text(found))


def _leakage_text(found: dict[str, Any]) -> str:
    rows = [
        {"group": row["group"], "read from": source, **(row[source] or {})}
        for row in found["groups"]
        for source in ("model", "history")
    ]
    reasons = [f"{row['group']}: {row['reason']}" for row in found["groups"] if row["reason"]]
    flip = found["flip"]
    said = (
        found["flip_reason"]
        if flip is None
        else (
            f"with another value of {found['attribute']} lists overlap by {flip['overlap']:.3f} "
            f"(1 = the same), and {flip['changed']:.1%} of {flip['n']:,} people get another first item"
        )
    )
    return "\n".join([table_text(rows, PROBE_COLUMNS), *reasons, said, *_mass_text(found["mass"])])


def _mass_text(mass: dict[str, Any]) -> list[str]:
    """Of what moves people's first items, how much lies on the attribute and on the inputs that tell it."""
    if mass["reason"]:
        return [f"attribution mass isn't known: {mass['reason']}"]
    rows = [
        {"group": row["group"] or "everybody", "n": row["n"], "on": on, **row[on]}
        | {"even": row["even"] if on == "proxies" else None}
        for row in mass["groups"]
        for on in ("attribute", "proxies")
    ]
    named = ", ".join(f"{own['kind']} {own['name']} ({own['strength']:.2f})" for own in mass["proxies"][:5])
    none = "no input that enough people of each group have and lack tells the attribute beyond chance"
    told = f"the strongest proxies: {named}" if named else none
    heading = "share of what moves people's first items"
    return ["", heading, table_text(rows, ["group", "n", "on", "value", "ci_low", "ci_high", "even"]), told]
