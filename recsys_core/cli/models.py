"""`reclens train`, `evaluate`, `explain` and `audit`."""

from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer

from recsys_core.cli.output import JsonOption, WorkspaceOption, answer, app, folder_made, table_text
from recsys_core.cli.reasons import (
    METHOD_HELP,
    AsOfOption,
    components_text,
    contrast_text,
    reason_columns,
    without_history_text,
)
from recsys_core.config import SETTINGS

GROUP_COLUMNS = ["attribute", "group", "n", "value", "ci_low", "ci_high"]
ITEM_COLUMNS = ["attribute", "group", "measure", "value", "ci_low", "ci_high"]
GAP_COLUMNS = ["attribute", "group", "reference", "difference", "ci_low", "ci_high", "p_adjusted", "verdict"]
SIZE_COLUMNS = ["attribute", "group", "reference", "n", "n_reference", "minimum_detectable", "power_of_005"]
LIST_COLUMNS = ["attribute", "group", "measure", "category", "value", "ci_low", "ci_high"]
SUMMARY_COLUMNS = ["attribute", "measure", "group", "value", "ci_low", "ci_high"]


@app.command()
def train(
    dataset: str,
    ranker: Annotated[str, typer.Option(help=f"One of {', '.join(SETTINGS)}.")],
    name: Annotated[str, typer.Option(help="Name of the model.")],
    preset: Annotated[str, typer.Option(help="quick, balanced or best.")] = "balanced",
    seed: Annotated[int, typer.Option(min=0)] = 0,
    set: Annotated[list[str] | None, typer.Option(help="key=value, repeated.")] = None,
    settings: Annotated[Path | None, typer.Option(help="A file that `reclens search` wrote.")] = None,
    checkpoint: Annotated[
        Path | None, typer.Option(help="File kept after every epoch; if it is there, training goes on.")
    ] = None,
    device: Annotated[str, typer.Option(help="auto, cpu or cuda.")] = "auto",
    workspace: WorkspaceOption = None,
    json: JsonOption = False,
) -> None:
    """Train a ranker, evaluate it, and test whether its explanations are true."""
    from recsys_core.actions import models
    from recsys_core.actions.settings_files import changes_in

    reply = answer(workspace, json)
    changes = [*(changes_in(settings, ranker) if settings else []), *(set or [])]
    record = models.train(
        reply.workspace,
        dataset,
        ranker,
        name,
        preset,
        seed,
        changes,
        device,
        progress=reply.progress,
        checkpoint=checkpoint,
    )
    found = models.training_json(record)
    text = f"{record.name} ({record.id}): trained in {found['seconds']:.1f} s\n" + _figures(found["test"])
    if errors := found.get("ratings"):
        text += (
            f"\nratings: RMSE {errors['rmse']:.4f}, of the mean rating for everything "
            f"{errors['rmse_of_mean']:.4f}; lists are by predicted rating"
        )
    reply.write(found, text + (f"\nnote: {found['warning']}" if found["warning"] else ""))


@app.command()
def evaluate(
    model: str,
    k: Annotated[int, typer.Option(min=1)] = 10,
    split: Annotated[str, typer.Option(help="test or valid.")] = "test",
    slices: Annotated[bool, typer.Option("--slices", help="Also cold and warm, head and tail.")] = False,
    workspace: WorkspaceOption = None,
    json: JsonOption = False,
) -> None:
    """Rank all items for everybody and see where the held-out ones land."""
    from recsys_core.actions import models
    from recsys_core.actions.slices import slices_json

    reply = answer(workspace, json)
    part = models.checked_part(split)
    opened = models.open_model(reply.workspace, model)
    evaluation = models.evaluate_model(opened, part, k)
    found: dict[str, Any] = {"n_users": evaluation.n_users, "split": part, **evaluation.summary()}
    text = f"{evaluation.n_users:,} people, {part} items\n{_figures(evaluation.summary())}"
    if slices:
        found["slices"] = slices_json(opened, evaluation, reply.workspace)
        text += "\n" + table_text(found["slices"], list(found["slices"][0]))
    reply.write(found, text)


@app.command()
def explain(
    model: str,
    user: Annotated[str, typer.Option(help="Id of a person.")],
    item: Annotated[str | None, typer.Option(help="Id of an item; default: the first of the list.")] = None,
    method: Annotated[str | None, typer.Option(help=METHOD_HELP)] = None,
    baseline: Annotated[
        str | None,
        typer.Option(help="padding, mask, mean-item, other-people or removed, as the method has it."),
    ] = None,
    over: Annotated[str | None, typer.Option(help="Also: why rather than this item?")] = None,
    components: Annotated[
        bool, typer.Option("--components", help="Also: what id, text, time, … add to the score.")
    ] = False,
    steps: Annotated[
        int | None, typer.Option(help="Points of a path, 1 to 512; default: as many as make it add up.")
    ] = None,
    draws: Annotated[
        int | None, typer.Option(help="What shapley-sampling and gradient-shap draw; an even number from 4.")
    ] = None,
    as_of: AsOfOption = "test",
    workspace: WorkspaceOption = None,
    json: JsonOption = False,
) -> None:
    """Say why an item is on a person's list, and whether that can be trusted."""
    from recsys_core.actions import models, reason_parts, reasons

    reply, moment = answer(workspace, json), models.checked_as_of(as_of)
    opened = models.open_model(reply.workspace, model)
    alone = reason_parts.without_history_json(opened, user, item, moment)
    if alone is not None:
        reply.write(alone, without_history_text(alone))
        return
    explanation = reasons.explain_item(opened, user, item, method, moment, baseline, steps, draws)
    found = reasons.explanation_json(opened, explanation)
    strongest = sorted(found["attributions"], key=lambda row: -abs(row["attribution"]))[:10]
    badge = "verified" if found["verified"] else "not verified"
    text = [
        f"'{found['title']}' is number {found['rank']} for {user}; its score is {found['score']:.4f}",
        f"By {found['method']}, compared with {found['baseline']}; "
        + (
            "the strongest of its reasons:"
            if any(row["attribution"] for row in strongest)
            else "no item of the history counts for it:"
        ),
        table_text(strongest, reason_columns(found)),
        f"{badge}: {found['reason']}",
        *(f"note: {warning}" for warning in found["warnings"]),
    ]
    if over is not None:
        contrasted = reason_parts.contrast_items(opened, user, item, over, method, moment, baseline)
        found["contrast"] = reason_parts.contrast_json(opened, contrasted)
        text.append(contrast_text(found["contrast"]))
    if components:
        parts = reason_parts.components_of(opened, user, item, moment)
        found["components"] = reason_parts.components_json(parts)
        text.append(components_text(found["components"]))
    reply.write(found, "\n".join(text))


@app.command()
def audit(
    model: str,
    by: Annotated[list[str], typer.Option(help="Attribute, or A*B for their intersection; repeated.")],
    metric: Annotated[
        list[str] | None, typer.Option(help="ndcg@10 (default), hr@10, novelty@10, …; repeated.")
    ] = None,
    reference: Annotated[str, typer.Option(help="rest, best, or the name of a group.")] = "rest",
    margin: Annotated[float | None, typer.Option(help="Gap that counts as none; default 10 %.")] = None,
    draws: Annotated[int, typer.Option(help="Bootstrap draws.")] = 1000,
    seed: Annotated[int, typer.Option(min=0)] = 0,
    primary: Annotated[
        list[str] | None,
        typer.Option(help="Attribute of the declared family (Holm), or 'none'; default all; repeated."),
    ] = None,
    cohort: Annotated[
        list[str] | None, typer.Option(help="NAME=ATTRIBUTE:GROUP,… makes NAME an attribute; repeated.")
    ] = None,
    minimum_group: Annotated[
        int, typer.Option(help="Groups of fewer people show nothing; see also `reclens settings`.")
    ] = 11,
    lists: Annotated[
        bool, typer.Option("--lists", help="Also popularity lift and bias disparity of the lists by group.")
    ] = False,
    plan: Annotated[bool, typer.Option("--plan", help="Only sizes, and the gaps they could reveal.")] = False,
    report: Annotated[Path | None, typer.Option(help="Also write a self-contained HTML report.")] = None,
    items_by: Annotated[
        list[str] | None,
        typer.Option(help="Also items by provider, category, popularity, …: their exposure; repeated."),
    ] = None,
    workspace: WorkspaceOption = None,
    json: JsonOption = False,
) -> None:
    """Compare groups of people: for whom does the model work worse, and how sure is that?"""
    from recsys_core.actions import audit_lists, audit_questions, audits, item_audits, models

    reply = answer(workspace, json)
    settings = audit_questions.audit_settings(
        by, metric or ["ndcg@10"], reference, margin, draws, seed, primary, cohort or [], minimum_group
    )
    opened = models.open_model(reply.workspace, model)
    if plan:
        planned = audit_questions.plan_model(opened, settings, reply.workspace)
        plans = [one.to_json() for one in planned]
        texts = [f"{found['metric']}\n{table_text(found['rows'], SIZE_COLUMNS)}" for found in plans]
        reply.write({"plans": plans}, "\n\n".join(texts))
        return
    result = audits.audit_model(opened, settings, reply.workspace)
    items = item_audits.audit_with(opened, settings, tuple(items_by)) if items_by else None
    record = audits.keep_audit(reply.workspace, opened, result, items)
    if report is not None:
        audits.write_report(audits.open_audit(reply.workspace, record.id), folder_made(report))
    found: dict[str, Any] = result.to_json() | {"audit": record.id}
    texts = [_audit_text(part) for part in (found, *found["more_metrics"])]
    if lists:
        found["lists"] = [asdict(row) for row in audit_lists.list_gaps(opened, result)]
        texts.append(table_text(found["lists"], LIST_COLUMNS))
    if items:
        found["items"] = items.to_json()
        texts.append(table_text(found["items"]["figures"], ITEM_COLUMNS))
    texts.append(f"kept as {record.id}; hand it over with: reclens report {record.id} --out report.html")
    reply.write(found, "\n\n".join(texts))


def _audit_text(found: dict[str, Any]) -> str:
    """What one metric told, sizes first."""
    open_questions = [
        f"not computed: {row['attribute']} {row['group']}: {row['reason']}" for row in found["not_computed"]
    ]
    known = [row for row in found["summaries"] if row["reason"] is None]
    parts = [
        f"{found['overall']['metric']}, sizes first",
        table_text(found["sizes"], SIZE_COLUMNS) if found["sizes"] else "nothing can be compared",
        table_text(found["by_group"], GROUP_COLUMNS),
        table_text(found["gaps"], GAP_COLUMNS) if found["gaps"] else "no gap could be computed",
        table_text(known, SUMMARY_COLUMNS) if known else "",
        "\n".join(open_questions),
    ]
    return "\n\n".join(part for part in parts if part)


def _figures(summary: dict[str, float]) -> str:
    return "  ".join(f"{name} {value:.4f}" for name, value in summary.items())
