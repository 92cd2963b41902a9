"""`reclens decompose` and `subgroups`: what goes with a gap, and who is served worst."""

from collections.abc import Iterator
from typing import Annotated, Any

import typer

from recsys_core.cli.options import ByOption, DrawsOption, MetricOption, ReferenceOption, SeedOption
from recsys_core.cli.output import JsonOption, WorkspaceOption, answer, app, table_text

PART_COLUMNS = ["part", "value", "ci_low", "ci_high", "share", "group_mean", "reference_mean", "outside"]


@app.command()
def decompose(
    model: str,
    by: ByOption,
    group: Annotated[str | None, typer.Option(help="This group's gap alone.")] = None,
    metric: MetricOption = "ndcg@10",
    reference: ReferenceOption = "rest",
    draws: DrawsOption = 1000,
    seed: SeedOption = 0,
    workspace: WorkspaceOption = None,
    json: JsonOption = False,
) -> None:
    """Split each gap over what people's histories are like; the parts add up to the gap."""
    from recsys_core.actions import causes, models
    from recsys_core.fairness.result import AuditSettings

    reply = answer(workspace, json)
    settings = AuditSettings((by,), metric, reference, draws=draws, seed=seed)
    opened = models.open_model(reply.workspace, model)
    parts = causes.decompose_gaps(opened, settings, group, reply.workspace)
    found = causes.decomposition_json(settings, parts)
    reply.write(found, "\n\n".join([*map(_text, found["gaps"]), found["note"]]))


def _text(gap: dict[str, Any]) -> str:
    total = gap["gap"]["value"]
    has_shares = gap["structure_share_interval"] is not None
    lines: list[dict[str, Any]] = [{"part": row["factor"], **row} for row in gap["factors"]]
    for part in ("structure", "gap"):
        lines.append({"part": part, **gap[part], "share": gap[part]["value"] / total if has_shares else None})
    said = list(_together(gap))
    if gap["structure_may_be_none"]:
        said.append("what is left between people who are alike can't be told from nothing")
    left_out = [f"not used: {row['factor']}, because {row['reason']}" for row in gap["not_used"]]
    heading = f"{gap['attribute']}: {gap['group']} against {gap['reference']} ({gap['verdict']})"
    return "\n".join([heading, table_text(lines, PART_COLUMNS), *said, *left_out])


def _together(gap: dict[str, Any]) -> Iterator[str]:
    share, ends = gap["share_of_length_and_what_follows"], gap["share_of_length_interval"]
    if share is not None and ends is not None:
        yield f"length and what follows from it have {share:.0%} of the gap ({ends[0]:.0%} to {ends[1]:.0%})"


@app.command()
def subgroups(
    model: str,
    by: Annotated[list[str] | None, typer.Option(help="Attribute, repeated; default: all that fit.")] = None,
    metric: MetricOption = "ndcg@10",
    depth: Annotated[int, typer.Option(help="How many attributes at once, 1 to 3.")] = 2,
    fewest: Annotated[
        int | None, typer.Option(help="People that a subgroup has in each half, at least; default 30.")
    ] = None,
    draws: DrawsOption = 1000,
    seed: SeedOption = 0,
    workspace: WorkspaceOption = None,
    json: JsonOption = False,
) -> None:
    """Search the worst-served subgroup on half of the people, and test it on the other half."""
    from recsys_core.actions import causes, models

    reply = answer(workspace, json)
    opened = models.open_model(reply.workspace, model)
    attributes = tuple(by) if by else causes.usable_attributes(opened)
    found = causes.worst_subgroup_of(opened, attributes, metric, depth, fewest, draws, seed, reply.workspace)
    row = causes.subgroup_json(found, metric)
    who = " and ".join(f"{name} {group}" for name, group in found.conditions)
    said = "confirmed" if found.confirmed else "not confirmed: what half of the people saw may be chance"
    sentences = [
        f"of {found.n_searched:,} subgroups half of the people see {who} served worst "
        f"({metric} {found.found_difference:+.4f} against everybody else)",
        f"the other half: {found.value:.4f} against {found.others:.4f}, a difference of "
        f"{found.difference:+.4f}, p {found.p_value:.4f}; {said}",
    ]
    reply.write(row, "\n".join(sentences))
