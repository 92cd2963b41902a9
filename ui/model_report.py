"""What a whole model goes by, on Explain: a paragraph in the person's language, figures, cohorts."""

import pandas as pd
import streamlit as st

from recsys_core.actions.models import LoadedModel
from recsys_core.actions.preferences import minimum_group
from recsys_core.explain.model_report import ModelReport, Parameter
from recsys_core.explain.model_words import PART, describe
from ui import answers, cache, charts
from ui.components import chart, errors_as_sentences, table
from ui.state import context
from ui.text import plain, safe, t

PEOPLE = 50


def draw_model_report(model: LoadedModel) -> None:
    """The main parameters of the model, worked out when somebody asks for them."""
    with st.expander(t("reasons.whole"), key="explain_whole"):
        least = minimum_group(cache.workspace())
        n_people = max(PEOPLE, least)
        st.caption(t("reasons.whole_means", n=n_people, least=least))
        if not st.toggle(t("reasons.whole_run"), key="explain_whole_run"):
            return
        with errors_as_sentences():
            with st.spinner(t("explain.asking")):
                report = answers.model_report(cache.workspace(), model, n_people)
            st.markdown(safe(describe(report, context().lang)))
            numbers = parameters_table(report.parameters)
            figure = charts.interval_plot(numbers.rename(columns={"parameter": "group"}), t("reasons.share"))
            chart(figure, "explain_parameters", t("reasons.whole_alt"), numbers)
            if report.cohorts:
                _draw_cohorts(report)


def parameters_table(parameters: tuple[Parameter, ...]) -> pd.DataFrame:
    """One row a parameter: `parameter` (in words), `value`, `ci_low`, `ci_high`, `even`, `n`."""
    rows = [(_name(own), own.value, own.ci_low, own.ci_high, own.even, own.n) for own in parameters]
    return pd.DataFrame(rows, columns=["parameter", "value", "ci_low", "ci_high", "even", "n"])


def _draw_cohorts(report: ModelReport) -> None:
    st.caption(t("reasons.whole_cohorts"))
    rows = [
        parameters_table(cohort.parameters).assign(cohort=f"{plain(cohort.attribute)}: {plain(cohort.group)}")
        for cohort in report.cohorts
    ]
    config = st.column_config
    table(
        pd.concat(rows)[["cohort", "parameter", "value", "ci_low", "ci_high", "n"]],
        "explain_cohorts",
        "cohorts.csv",
        alt=t("reasons.whole_cohorts"),
        column_config={
            "cohort": config.TextColumn(t("reasons.cohort"), width="medium"),
            "parameter": config.TextColumn(t("reasons.parameter"), width="medium"),
            "value": config.NumberColumn(t("reasons.share"), format="%.3f"),
            "ci_low": config.NumberColumn(t("explain.ci_low"), format="%.3f"),
            "ci_high": config.NumberColumn(t("explain.ci_high"), format="%.3f"),
            "n": config.NumberColumn(t("explain.people")),
        },
        height=320,
    )


def _name(own: Parameter) -> str:
    if own.name.startswith(PART):
        return t(f"reasons.part_{own.name.removeprefix(PART)}")
    return t(f"reasons.parameter_{own.name}")
