"""What a whole model goes by, in figures and in a paragraph."""

from dataclasses import replace
from typing import Any

from recsys_core.actions.group_answers import disclose, members_of
from recsys_core.actions.models import LoadedModel
from recsys_core.actions.preferences import minimum_group
from recsys_core.errors import ConfigError, DataError
from recsys_core.explain.model_report import ModelReport, Parameter, report_model
from recsys_core.explain.model_words import describe
from recsys_core.fairness.groups import group_labels
from recsys_core.store.workspace import Workspace


def describe_model(
    model: LoadedModel, n_people: int | None = None, seed: int = 0, workspace: Workspace | None = None
) -> ModelReport:
    """The main parameters of a model and their relative importance, over people and per cohort.

    In a workspace, what was described before is taken into account, and this is added to it.

    Raises:
        ConfigError: fewer people are asked for than may be shown: 11, or the workspace's privacy threshold.
        DataError: nobody has two items of history, or a few people could be told apart by what was shown of
            others before.
    """
    least = minimum_group(workspace)
    if n_people is not None and n_people < least:
        raise ConfigError(f"the number of people is {n_people}; it takes at least {least}, 200 by default")
    report = report_model(model.ranker, model.data.dataset, model.data.split, n_people, seed, least)
    attributes = dict.fromkeys(own.attribute for own in report.cohorts)
    by = [name for name in attributes if _forms_groups(model, name)]
    hidden = disclose(workspace, model.data, members_of(model.data, report.people), by, "descriptions")
    gone = [own for own in report.cohorts if own.group in hidden.get(own.attribute, ())]
    return replace(
        report,
        cohorts=tuple(own for own in report.cohorts if own not in gone),
        not_shown=(*report.not_shown, *((own.attribute, own.group) for own in gone)),
    )


def _forms_groups(model: LoadedModel, attribute: str) -> bool:
    try:
        group_labels(model.data.dataset.users, attribute)
    except DataError:
        return False
    return True


def description_json(report: ModelReport, language: str = "en") -> dict[str, Any]:
    """The contract of `reclens describe --json`; `text` is in English ("en") or Chinese ("zh").

    Raises:
        ConfigError: another language is asked for.
    """
    return {
        "n_people": report.n_people,
        "method": report.method,
        "text": describe(report, language),
        "parameters": [_parameter(own) for own in report.parameters],
        "cohorts": [
            {
                "attribute": cohort.attribute,
                "group": cohort.group,
                "n": cohort.n,
                "parameters": [_parameter(own) for own in cohort.parameters],
            }
            for cohort in report.cohorts
        ],
        "not_shown": [
            {
                "attribute": attribute,
                "group": group,
                "reason": f"fewer than {report.fewest} people, or next to such a group",
            }
            for attribute, group in report.not_shown
        ],
    }


def _parameter(own: Parameter) -> dict[str, Any]:
    return {
        "parameter": own.name,
        "value": own.value,
        "ci_low": own.ci_low,
        "ci_high": own.ci_high,
        "even": own.even,
        "n": own.n,
    }
