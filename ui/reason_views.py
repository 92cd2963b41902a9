"""What Explain draws of one explanation: the sentence, the evidence, and whether it can be trusted."""

from math import isnan
from typing import get_args

import pandas as pd
import streamlit as st

from recsys_core.actions.models import LoadedModel
from recsys_core.explain.explanation import Explanation
from recsys_core.explain.faithfulness import Verification
from recsys_core.explain.history import METHODS
from ui import charts
from ui.components import chart, table
from ui.reasons import (
    Evidence,
    Figure,
    adds_up,
    badge_reason,
    best_rival,
    by_item,
    compared_with,
    customer_sentence,
    faithfulness_table,
    gains_table,
    is_the_same_for_all,
)
from ui.text import has, t

STRONGEST = 10  # history items in the table beside the chart


def draw_sentence(model: LoadedModel, explanation: Explanation, contributed: pd.DataFrame) -> None:
    """What a customer could read, and whether it is verified; popularity alone needs no verifying."""
    with st.container(border=True, key="explain_sentence"):
        st.markdown(customer_sentence(model, explanation, contributed))
        if is_the_same_for_all(model):
            return
        with st.container(horizontal=True, vertical_alignment="center"):
            if explanation.verified:
                st.badge(t("explain.verified"), icon=":material/verified:", color="green")
            else:
                st.badge(t("explain.not_verified"), icon=":material/help:", color="gray")
            st.caption(_badge_reason(explanation))


def draw_figures(model: LoadedModel, explanation: Explanation) -> None:
    """Rank, score, and whether the contributions add up to it."""
    found = explanation.attributions
    figures = (
        ("rank", f"{explanation.rank:,}"),
        ("score", _number(found.score)),
        ("baseline_score", _number(found.baseline_score)),
        ("delta", _number(found.delta)),
        ("relative_delta", "–" if isnan(found.delta) else f"{found.relative_delta:.2%}"),
    )
    with st.grid(5, min_column_width=130):
        for name, value in figures:
            kind = f"_{model.ranker.score_kind}" if name == "score" else ""
            st.metric(t(f"explain.{name}"), value, help=t(f"explain.{name}{kind}_help"))
    st.caption(f"{adds_up(explanation)} {compared_with(found.method, explanation.baseline)}")
    if has(f"explain.warning_{found.method}"):
        st.warning(t(f"explain.warning_{found.method}"), icon=":material/warning:")


def draw_contributions(contributed: pd.DataFrame) -> None:
    """Every history item on the timeline, and the strongest by name."""
    st.subheader(t("explain.contributions"), anchor=False, help=t("explain.contributions_help"))
    left, right = st.columns(2, gap="medium")
    with left:
        st.caption(t("explain.bars_means"))
        figure = charts.attribution_bars(contributed, t("explain.position"), t("explain.attribution"))
        chart(figure, "explain_bars", t("explain.bars_alt"), contributed.drop(columns="item_id"))
        unreached = int((contributed["attribution"] == 0).sum())
        if unreached:
            st.caption(t("explain.zeros", n=unreached))
        if "standard_error" in contributed:
            st.caption(t("explain.drawn", error=f"{contributed['standard_error'].max():.4f}"))
    with right:
        strongest = by_item(contributed).head(STRONGEST)
        st.caption(t("explain.strongest", n=len(strongest)))
        table(
            strongest,
            "explain_strongest",
            "contributions.csv",
            alt=t("explain.strongest_alt"),
            column_config=_contribution_columns(),
            download=contributed,
        )


def draw_faithfulness(evidence: Evidence) -> None:
    """What taking the named items away does to the score, beside orders that anybody could make up."""
    st.subheader(t("explain.faithful"), anchor=False, help=t("explain.faithful_help"))
    names: tuple[Figure, ...] = get_args(Figure)
    figure: Figure = st.segmented_control(
        t("explain.figure"),
        names,
        default=names[0],
        required=True,
        format_func=lambda name: t(f"explain.figure_{name}"),
        key="explain_figure",
        label_visibility="collapsed",
    )
    st.caption(t(f"explain.figure_{figure}_means"))
    numbers = faithfulness_table(evidence, figure)
    own, rival = numbers[numbers["own"]].iloc[0], best_rival(numbers, figure)
    values = {"own": f"{own['value']:.4f}", "value": f"{rival['value']:.4f}"}
    said = {"method": t(f"explain.said_{own['key']}"), "rival": t(f"explain.said_{rival['key']}")}
    st.caption(t("explain.here", **said, **values))
    points = charts.faithfulness_points(numbers, t(f"explain.figure_{figure}_axis"))
    chart(points, "explain_faithfulness", t("explain.faithful_alt"), numbers.drop(columns=["key", "own"]))


def draw_verification(verification: Verification) -> None:
    """The figures that decided about the badge."""
    with st.expander(t("explain.how_decided"), key="explain_how_decided"):
        st.caption(t("explain.how_decided_means", n=f"{verification.n_people:,}"))
        number = st.column_config.NumberColumn
        table(
            gains_table(verification),
            "explain_gains",
            "badge.csv",
            alt=t("explain.how_decided"),
            column_config={
                "rival": t("explain.rival"),
                "figure": t("explain.figure"),
                "removal": t("explain.removal"),
                "n": number(t("explain.people"), format="localized"),
                "gain": number(t("explain.gain"), format="%.4f", help=t("explain.gain_help")),
                "ci_low": number(t("explain.ci_low"), format="%.4f"),
                "ci_high": number(t("explain.ci_high"), format="%.4f"),
            },
        )


def _badge_reason(explanation: Explanation) -> str:
    method = explanation.attributions.method
    other = explanation.baseline if explanation.baseline != METHODS[method].baselines[0] else None
    return badge_reason(explanation.verification, method, other)


def _contribution_columns() -> dict[str, object]:
    config = st.column_config
    return {
        "title": config.TextColumn(t("explain.title"), width="medium"),
        "attribution": config.NumberColumn(
            t("explain.attribution"), format="%+.4f", width=110, help=t("explain.attribution_help")
        ),
        "times": config.NumberColumn(t("explain.times"), width=70, help=t("explain.times_help")),
        "category": config.TextColumn(t("explain.category"), width="small"),
    }


def _number(value: float) -> str:
    """Four decimals, and no sign before a zero."""
    return "–" if isnan(value) else f"{round(value, 4) + 0.0:.4f}"
