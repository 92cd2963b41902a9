"""What a whole model goes by, in figures and in a paragraph."""

from typing import Any

from recsys_core.actions.models import LoadedModel
from recsys_core.errors import ConfigError
from recsys_core.explain.model_report import ModelReport, Parameter, report_model
from recsys_core.explain.model_words import describe


def describe_model(model: LoadedModel, n_people: int | None = None, seed: int = 0) -> ModelReport:
    """The main parameters of a model and their relative importance, over people and per cohort.

    Raises:
        ConfigError: fewer than 11 people are asked for.
        DataError: nobody has two items of history.
    """
    if n_people is not None and n_people < 11:
        raise ConfigError(f"the number of people is {n_people}; it takes at least 11, 200 by default")
    return report_model(model.ranker, model.data.dataset, model.data.split, n_people, seed)


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
                "reason": "fewer than 11 people, or next to such a group",
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
