"""What a whole model goes by, on Explain: a paragraph in the person's language, figures, cohorts."""

import pandas as pd
import streamlit as st

from recsys_core.actions.models import LoadedModel
from recsys_core.explain.model_report import AGES, CATEGORY, LIST_POPULARITY, ModelReport, Parameter
from ui import answers, charts
from ui.components import chart, errors_as_sentences, table
from ui.reasons import listed
from ui.text import plain, t

PEOPLE = 50
PART = "part: "


def draw_model_report(model: LoadedModel) -> None:
    """The main parameters of the model, worked out when somebody asks for them."""
    with st.expander(t("reasons.whole"), key="explain_whole"):
        st.caption(t("reasons.whole_means", n=PEOPLE))
        if not st.toggle(t("reasons.whole_run"), key="explain_whole_run"):
            return
        with errors_as_sentences():
            with st.spinner(t("explain.asking")):
                report = answers.model_report(model, PEOPLE)
            st.markdown(paragraph(report))
            numbers = parameters_table(report.parameters)
            figure = charts.interval_plot(numbers.rename(columns={"parameter": "group"}), t("reasons.share"))
            chart(figure, "explain_parameters", t("reasons.whole_alt"), numbers)
            if report.cohorts:
                _draw_cohorts(report)


def paragraph(report: ModelReport) -> str:
    """The main parameters and their weight in sentences; nothing that the figures don't carry."""
    found = {parameter.name: parameter for parameter in report.parameters}
    sentences = [_of_parts(found)]
    if AGES[0] in found and AGES[2] in found:
        last, older = found[AGES[0]], found[AGES[2]]
        weight = "more" if last.ci_low > last.even else "less" if last.ci_high < last.even else "same"
        sentences.append(t("reasons.whole_ages", last=_share(last), older=_share(older)))
        sentences.append(t(f"reasons.whole_last_{weight}"))
    for name, key in ((CATEGORY, "whole_category"), (LIST_POPULARITY, "whole_popularity")):
        if name in found:
            values = {"share": _share(found[name]), "even": f"{found[name].even:.0%}"}
            sentences.append(t(f"reasons.{key}", **values))
    sentences.append(t("reasons.whole_basis", n=report.n_people))
    whole = sentences[0]
    for sentence in sentences[1:]:
        whole = t("reasons.two_sentences", first=whole, second=sentence)
    return whole


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


def _of_parts(found: dict[str, Parameter]) -> str:
    parts = sorted((own for own in found.values() if own.name.startswith(PART)), key=lambda own: -own.value)
    if not parts:
        return t("reasons.whole_counts")
    named = [f"{t(f'reasons.said_{own.name.removeprefix(PART)}')} ({_share(own)})" for own in parts]
    return t("reasons.whole_parts", parts=listed(named))


def _name(own: Parameter) -> str:
    if own.name.startswith(PART):
        return t(f"reasons.part_{own.name.removeprefix(PART)}")
    return t(f"reasons.parameter_{own.name}")


def _share(own: Parameter) -> str:
    return rf"{own.value:.0%} \[{own.ci_low:.0%}, {own.ci_high:.0%}\]"
