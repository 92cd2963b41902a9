"""What was found in files: the figures, the account of the rows, the warnings, the rows set aside."""

from collections.abc import Sequence

import streamlit as st

from recsys_core.data.validate import ValidationReport
from ui.components import table
from ui.messages import in_words
from ui.text import plain, safe, t, when

SHOWN_REJECTED = 1_000


def draw_figures(report: ValidationReport) -> None:
    """Five figures: interactions, people, items, sparsity, rows set aside."""
    figures = (
        ("interactions", f"{report.n_interactions:,}"),
        ("users", f"{report.n_users:,}"),
        ("items", f"{report.n_items:,}"),
        ("sparsity", f"{report.sparsity:.2%}"),
        ("rejected", f"{report.n_rejected:,}"),
    )
    with st.grid(len(figures), min_column_width=130, key="figures"):
        for name, value in figures:
            st.metric(t(f"data.n_{name}"), value, help=t(f"data.n_{name}_help"))


def draw_account(report: ValidationReport, warnings: Sequence[str]) -> None:
    """The time range and the rows that were left out in a line, and then the warnings."""
    parts: list[str] = []
    if report.first_timestamp_s is not None and report.last_timestamp_s is not None:
        start, end = when(report.first_timestamp_s), when(report.last_timestamp_s)
        parts.append(t("data.time_range", start=start, end=end))
    else:
        parts.append(t("data.no_times"))
    counts = (
        ("duplicates", report.n_duplicates),
        ("below", report.n_below_min_rating),
        ("cold_users", report.n_cold_users),
        ("cold_items", report.n_cold_items),
    )
    parts += [t(f"data.account_{name}", n=n, shown=f"{n:,}") for name, n in counts if n]
    st.caption(" · ".join(parts))
    if warnings:
        st.warning(
            "\n".join(f"- {safe(in_words(warning))}" for warning in warnings), icon=":material/warning:"
        )


def draw_rejected(report: ValidationReport, key: str) -> None:
    """The rows that were set aside, each with its reason; the CSV holds all of them."""
    if not report.n_rejected:
        return
    st.markdown(f"**{t('data.rejected')}**")
    if report.n_rejected > SHOWN_REJECTED:
        st.caption(t("data.rejected_first", n=f"{SHOWN_REJECTED:,}"))
    names = {column: t(f"data.rejected_{column}") for column in report.rejected.columns}
    rejected = report.rejected.head(SHOWN_REJECTED)
    rejected = rejected.assign(reason=rejected["reason"].map(in_words))
    shown = rejected.map(lambda cell: plain(cell) if isinstance(cell, str) else cell)
    table(
        shown.rename(columns=names),
        f"{key}_rejected",
        "rejected.csv",
        alt=t("data.rejected"),
        column_config={names["reason"]: st.column_config.TextColumn(width="large")},
        height=240,
        download=report.rejected,
    )
