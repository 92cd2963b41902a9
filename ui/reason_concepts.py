"""Which categories and typed words move a model's scores, and for whom, on Explain."""

import pandas as pd
import streamlit as st

from recsys_core.actions.concepts import words_typed
from recsys_core.actions.models import LoadedModel
from recsys_core.explain.concepts import EVERYBODY, N_RANDOM, ConceptReport
from recsys_core.ranker.neural import NeuralRanker
from ui import answers, cache, charts_reasons
from ui.components import chart, errors_as_sentences, refusal
from ui.reasons import listed
from ui.state import Context
from ui.text import plain, safe, t

PEOPLE = 200
MOST_NAMED = 5
ALPHA = 0.05


def draw_concepts(model: LoadedModel, chosen: Context) -> None:
    """The test of every concept, once somebody asks for it."""
    with st.expander(t("concepts.heading"), key="explain_concepts"):
        st.caption(t("concepts.means"))
        if not isinstance(model.ranker, NeuralRanker):
            st.caption(t("concepts.no_vectors"))
            return
        columns = st.columns([6, 3, 3], vertical_alignment="top")
        typed = columns[0].text_area(
            t("concepts.words"),
            key="concepts_words",
            placeholder=t("concepts.words_example"),
            help=t("concepts.words_help"),
            height=68,
        )
        by = columns[1].selectbox(
            t("concepts.by"),
            ["", *model.data.attributes],
            format_func=lambda name: plain(name) or t("cohort.everybody"),
            key="concepts_by",
        )
        about = columns[2].selectbox(
            t("concepts.about"),
            ("first", "item") if chosen.item else ("first",),
            format_func=lambda name: t(f"concepts.about_{name}"),
            key=f"concepts_about_{chosen.item is not None}",
        )
        if not st.toggle(t("concepts.run"), key="explain_concepts_run"):
            return
        words = tuple(line.strip() for line in (typed or "").splitlines() if line.strip())
        bad = next((line for line in words if not is_concept(line)), None)
        if bad is not None:
            refusal(t("concepts.bad_line", line=safe(bad)))
            return
        item = chosen.item if about == "item" else None
        with errors_as_sentences():
            with st.spinner(t("concepts.running")):
                report = answers.concepts(cache.workspace(), model, words, by or None, item, PEOPLE)
            _draw(report)


def is_concept(line: str) -> bool:
    """Whether a line names a concept and has a word for it."""
    name, _, words = line.partition("=")
    return bool(name.strip()) and bool(words_typed(words))


def effects_table(report: ConceptReport) -> pd.DataFrame:
    """One row a concept and group: `concept`, `group`, `score_change`, `tcav`, `p_adjusted`, `sure`, …"""
    rows = [
        {
            "concept": plain(own.concept),
            "group": t("cohort.everybody") if own.group == EVERYBODY else plain(own.group),
            "score_change": own.sensitivity,
            "tcav": own.tcav,
            "separability": own.separability,
            "items": own.n_items,
            "n": own.n_people,
            "p_value": own.p_value,
            "p_adjusted": own.p_adjusted,
            "sure": own.p_adjusted < ALPHA,
        }
        for own in report.effects
    ]
    return pd.DataFrame(rows)


def concepts_sentence(report: ConceptReport) -> str:
    """Which concepts surely raise or lower everybody's scores; as markdown."""
    sure = [own for own in report.effects if own.group == EVERYBODY and own.p_adjusted < ALPHA]
    sure.sort(key=lambda own: -abs(own.sensitivity))
    raising = [f"*{safe(own.concept)}*" for own in sure if own.sensitivity > 0][:MOST_NAMED]
    lowering = [f"*{safe(own.concept)}*" for own in sure if own.sensitivity < 0][:MOST_NAMED]
    sentences = [t("concepts.raise", concepts=listed(raising))] if raising else []
    sentences += [t("concepts.lower", concepts=listed(lowering))] if lowering else []
    if not sentences:
        return t("concepts.none")
    return (
        sentences[0]
        if len(sentences) == 1
        else t("reasons.two_sentences", first=sentences[0], second=sentences[1])
    )


def _draw(report: ConceptReport) -> None:
    if not report.effects:
        st.caption(t("concepts.none_tested"))
    else:
        st.markdown(concepts_sentence(report))
        numbers = effects_table(report)
        figure = charts_reasons.concept_bars(numbers, t("concepts.change"))
        chart(figure, "explain_concept_bars", t("concepts.alt"), numbers.drop(columns="sure"), "concepts")
        st.caption(t("concepts.check", sets=f"{N_RANDOM:,}", n=report.effects[0].n_people))
    if report.not_tested:
        names = ", ".join(plain(name) for name, _ in report.not_tested)
        st.caption(t("concepts.not_tested", names=safe(names)))
