"""Explain: why one item is on one person's list, and whether that answer is true."""

import streamlit as st

from recsys_core.actions.models import LoadedModel, list_source
from ui import cache, state
from ui.components import context_bar, errors_as_sentences, page_header, refusal
from ui.model_report import draw_model_report
from ui.people import history_table
from ui.person_finder import choose_person
from ui.reason_choices import choose_baseline, choose_item, choose_method, say_what_was_lacking
from ui.reason_cohort import draw_cohort
from ui.reason_concepts import draw_concepts
from ui.reason_curves import draw_curves
from ui.reason_export import evidence_button
from ui.reason_influence import draw_influence
from ui.reason_lists import draw_list_reasons
from ui.reason_methods import draw_side_by_side
from ui.reason_part_views import (
    draw_components,
    draw_contrast,
    draw_smallest_change,
    draw_without_history,
)
from ui.reason_refusals import why_refused
from ui.reason_views import (
    draw_contributions,
    draw_faithfulness,
    draw_figures,
    draw_sentence,
    draw_verification,
)
from ui.reason_word_views import draw_words
from ui.reasons import ask, contributions, is_the_same_for_all
from ui.state import Context
from ui.text import safe, t


def show(model: LoadedModel, chosen: Context) -> None:
    """The explanation of one item of the person's list."""
    columns = st.columns([5, 3, 4], vertical_alignment="bottom")
    with columns[0]:
        item = choose_item(model, chosen)
    with columns[1]:
        method = choose_method(model, chosen)
    with columns[2]:
        baseline = choose_baseline(model, method, chosen)
    say_what_was_lacking(chosen, method, baseline)
    if item is None or chosen.user is None:
        return
    refused = why_refused(model, chosen.user, item, method, chosen.as_of)
    if refused is not None:
        refusal(refused)
        return
    title = safe(model.data.dataset.titles[model.data.dataset.item_number(item)])
    if history_table(model.data, chosen.user, chosen.as_of).empty:
        source = list_source(model, chosen.user, chosen.as_of)
        key = "reasons.no_history_profile" if source == "profile" else "reasons.no_history"
        st.markdown(t(key, item=f"**{title}**"))
        draw_without_history(model, chosen.user, item, chosen.k, chosen.as_of)
        return
    with st.spinner(t("explain.asking")):
        evidence = ask(model, chosen.user, item, method, chosen.as_of, baseline)
    state.tick("why")
    explanation = evidence.explanation
    contributed = contributions(model, explanation)
    if explanation.rank > chosen.k:
        st.caption(t("explain.off_list", item=title, k=chosen.k, rank=f"{explanation.rank:,}"))
    draw_sentence(model, explanation, contributed)
    if is_the_same_for_all(model):
        st.caption(t("explain.same_for_all"))
        return
    draw_figures(model, explanation)
    draw_contributions(contributed)
    draw_words(model, chosen.user, item, explanation, chosen.as_of)
    draw_components(model, chosen.user, item, chosen.as_of)
    draw_contrast(model, chosen.user, item, explanation, chosen.k, chosen.as_of)
    draw_smallest_change(model, chosen.user, item, chosen.k, chosen.as_of)
    draw_faithfulness(evidence)
    draw_curves(explanation)
    if explanation.verification is not None:
        draw_verification(explanation.verification)
    draw_side_by_side(model, chosen.user, item, method, chosen.as_of)
    draw_influence(model, chosen.user, item, chosen.as_of)
    evidence_button(model, explanation, chosen.as_of)


page_header("explain.heading", "explain.caption")
context = context_bar(needs_model=True)
if context is not None and context.model is not None:
    loaded = cache.model(context.model)
    if loaded.ranker.score_kind == "imported":
        draw_list_reasons(loaded, context)
    else:
        context = choose_person(loaded)
        if context.user is not None:
            with errors_as_sentences():
                show(loaded, context)
        draw_model_report(loaded)
        draw_concepts(loaded, context)
        draw_cohort(loaded, context)
