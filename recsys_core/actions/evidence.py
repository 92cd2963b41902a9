"""What a report of an audit tells beside its figures: where they come from, and what rules ask for."""

import shlex
import sys
from datetime import UTC, datetime
from importlib.metadata import version

import pandas as pd

from recsys_core.actions.audit_questions import audit_arguments, audited_users, audited_values
from recsys_core.actions.comparisons import popularity_values
from recsys_core.actions.loaded import LoadedModel, content_sha256
from recsys_core.config import NeuralSettings
from recsys_core.data.validate import INTERACTIONS, ITEMS, USERS
from recsys_core.errors import ConfigError
from recsys_core.fairness.cohorts import with_cohorts
from recsys_core.fairness.exposure_result import ItemAudit
from recsys_core.fairness.result import AuditResult
from recsys_core.ranker.imported import IMPORTED
from recsys_core.report.contents import Evidence, Extras, Fact, NoProfilingRow, ReportContext
from recsys_core.report.rates import no_profiling, scoring_rates

HELD_OUT = {
    "leave-one-out": "each person's last new item tests, the one before it chose the weights",
    "time": "the last tenth of all events tests, the tenth before it chose the weights, alike for all people",
}
PACKAGES = ("reclens", "torch", "fairlearn", "numpy", "pandas")


def evidence_of(model: LoadedModel, result: AuditResult, items: ItemAudit | None = None) -> Evidence:
    """Everything that the report needs beside the result, worked out while the model is at hand."""
    values = audited_values(model, [result.settings.metric])[result.settings.metric].dropna()
    users = with_cohorts(audited_users(model.data), result.settings.cohorts)
    extras = Extras(
        question=_question(model, result, items),
        data=_data_card(model, result),
        model=_model_card(model),
        items=items,
        rates=scoring_rates(values, users, result),
        no_profiling=_without_profiles(model, values, users, result),
    )
    return Evidence(context_of(model, result, items), extras)


def context_of(model: LoadedModel, result: AuditResult, items: ItemAudit | None = None) -> ReportContext:
    """Where the figures come from, and the command that gives them again."""
    data = model.data.record
    kind = "imported lists" if model.ranker_name == IMPORTED else f"{model.ranker_name}, seed {model.seed}"
    return ReportContext(
        title=f"Audit of {model.record.name}",
        dataset=data.name,
        dataset_sha256=data.folder_sha256[INTERACTIONS],
        model=f"{model.record.name} ({kind})",
        model_sha256=content_sha256(model.record),
        command=rerun_command(model, result, items),
        versions={"python": sys.version.split()[0]} | {name: version(name) for name in PACKAGES},
        created_at=datetime.now(UTC).isoformat(timespec="seconds"),
        as_of="test",
    )


def rerun_command(model: LoadedModel, result: AuditResult, items: ItemAudit | None = None) -> str:
    """The command line that gives the same figures again."""
    parts = ["reclens", "audit", model.record.name, *audit_arguments(result.settings)]
    for attribute in items.settings.by if items else ():
        parts += ["--items-by", attribute]
    return shlex.join(parts)


def _question(model: LoadedModel, result: AuditResult, items: ItemAudit | None) -> str:
    people = (
        f"Does {model.record.name} serve people equally well whatever their {', '.join(result.settings.by)}, "
        f"measured by {result.settings.metric}"
    )
    if items is None:
        return f"{people}?"
    return (
        f"{people}, and how does it spread people's attention over items by {', '.join(items.settings.by)}?"
    )


def _data_card(model: LoadedModel, result: AuditResult) -> tuple[Fact, ...]:
    details, hashes = model.data.record.details, model.data.record.folder_sha256
    facts = [
        Fact("Source", str(details.get("source", "–"))),
        Fact("Interactions", f"{details.get('n_interactions', 0):,}"),
        Fact("People", f"{details.get('n_users', 0):,}"),
        Fact("Items", f"{details.get('n_items', 0):,}"),
        Fact("Rows set aside at import", f"{details.get('n_rejected', 0):,}"),
        Fact("People audited", f"{result.overall.n:,}"),
        Fact("People left out: nothing to test", f"{result.n_without_value:,}"),
        *(Fact("Note", str(warning)) for warning in details.get("warnings", [])),
    ]
    tables = {"SHA-256, items": ITEMS, "SHA-256, people": USERS}
    return (*facts, *(Fact(name, hashes[file]) for name, file in tables.items() if file in hashes))


def _model_card(model: LoadedModel) -> tuple[Fact, ...]:
    details = model.record.details
    if model.ranker_name == IMPORTED:
        return (
            Fact("Kind", "lists made elsewhere; nothing is known of the system that made them"),
            Fact("File", str(details.get("source", "–"))),
            Fact("People with a list", f"{details.get('n_lists', 0):,}"),
            Fact("Places of the longest list", str(details.get("longest", "–"))),
            Fact("Rows set aside", f"{details.get('n_set_aside', 0):,}"),
            Fact("Tested on", HELD_OUT[model.data.split_kind]),
            *([Fact("Notes", str(details["warning"]))] if details.get("warning") else []),
        )
    settings = model.settings.model_dump(mode="json")
    listed = ", ".join(f"{name} {value}" for name, value in settings.items() if value != "") or "none"
    said = "verified" if details.get("verified") else "not verified"
    return (
        Fact("Ranker", model.ranker_name),
        Fact("Preset", str(details.get("preset", "–"))),
        Fact("Settings", listed),
        Fact("Seed", str(model.seed)),
        *([Fact("Epochs", str(details["epochs"]))] if details.get("epochs") else []),
        Fact("Training time", f"{details.get('seconds', 0.0):.1f} s"),
        Fact("Reads", _reads(model)),
        *_groups_in_training(model),
        Fact("Tested on", HELD_OUT[model.data.split_kind]),
        *([Fact("Items added after training", f"{model.data.n_added:,}")] if model.data.n_added else []),
        Fact("Its explanations", said),
        *([Fact("Test ratings", _ratings(details["ratings"]))] if details.get("ratings") else []),
    )


def _ratings(errors: dict[str, float]) -> str:
    return (
        f"RMSE {errors['rmse']:.4f} over {errors['n']:,} ratings; the mean rating for everything would have "
        f"{errors['rmse_of_mean']:.4f}"
    )


def _groups_in_training(model: LoadedModel) -> tuple[Fact, ...]:
    """Which attribute of people training looked at, where it did: recommending doesn't look at it."""
    settings = model.settings
    if not isinstance(settings, NeuralSettings) or settings.group_objective == "none":
        return ()
    method = f"{settings.group_objective}, strength {settings.group_strength:g}"
    return (Fact("Attribute used in training", f"{settings.group_attribute} ({method})"),)


def _reads(model: LoadedModel) -> str:
    text = f"and the items' texts by {model.text.encoder}" if model.text is not None else "and no text"
    unseen = model.record.details.get("n_without_picture")
    pictures = "" if unseen is None else f", and their pictures ({unseen:,} items have none)"
    return f"the items of a person's history {text}{pictures}"


def _without_profiles(
    model: LoadedModel, values: "pd.Series[float]", users: pd.DataFrame, result: AuditResult
) -> tuple[NoProfilingRow, ...]:
    try:
        alike = popularity_values(model.data, result.settings.metric, "test")
    except ConfigError:
        return ()  # a figure that lists by popularity don't have
    without = pd.Series(alike, index=pd.Index(users["user_id"]))
    return no_profiling(values, without, users, result)
