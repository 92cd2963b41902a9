"""What a person chooses on Explain: the item, the method, and what the method compares with.

Each choice is in the context, and so in the link. What a link asks for and a model lacks is said in a
sentence, and the nearest that works is taken.
"""

from collections.abc import Callable, Sequence
from typing import TypeVar

import streamlit as st

from recsys_core.actions.models import LoadedModel, list_for_user
from recsys_core.explain.attributions import Baseline, Method
from recsys_core.explain.history import baselines_for
from ui import state
from ui.components import refusal
from ui.reason_refusals import person_refused
from ui.reasons import baseline_name, fitting_methods, order_name
from ui.state import Context
from ui.text import has, plain, safe, t

Name = TypeVar("Name", bound=str)


def choose_item(model: LoadedModel, chosen: Context) -> str | None:
    """Draws the choice among the items of the list; the item's id, or None where there is no list.

    Nobody of a link's id, or a person who has touched everything, has none; that is said here.
    """
    refused = person_refused(model, chosen.user or "")
    if refused is not None:
        refusal(refused)
        return None
    shown = list_for_user(model, chosen.user or "", chosen.k, chosen.as_of)
    titles = {
        str(item_id): f"{rank}. {plain(title)}"
        for item_id, rank, title in zip(shown["item_id"], shown["rank"], shown["title"], strict=True)
    }
    asked = chosen.item or next(iter(titles), None)
    if asked is None:
        st.caption(t("explain.no_list"))
        return None
    is_known = (model.data.dataset.items["item_id"] == asked).any()
    if is_known:
        titles.setdefault(asked, plain(model.data.dataset.titles[model.data.dataset.item_number(asked)]))
    st.session_state["explain_item"] = asked if is_known else None
    st.selectbox(
        t("explain.item"),
        list(titles),
        format_func=titles.__getitem__,
        key="explain_item",
        on_change=lambda: state.update(item=st.session_state["explain_item"]),
    )
    return asked


def choose_method(model: LoadedModel, chosen: Context) -> Method:
    """Draws the choice among the methods that fit the ranker; another one lets go of the baseline."""
    methods = fitting_methods(model)
    key = f"explain_method_{methods[0]}"
    return _choose(
        "method",
        methods,
        chosen.method,
        order_name,
        key,
        lambda name: state.update(method=name, baseline=None),
    )


def choose_baseline(model: LoadedModel, method: Method, chosen: Context) -> Baseline:
    """Draws the choice among what the method can compare this ranker's scores with."""
    baselines = baselines_for(model.ranker, method)
    key = f"explain_baseline_{method}"
    return _choose(
        "baseline", baselines, chosen.baseline, baseline_name, key, lambda name: state.update(baseline=name)
    )


def say_what_was_lacking(chosen: Context, method: Method, baseline: Baseline) -> None:
    """A sentence for each choice that this model can't carry, with what was taken in its place."""
    if chosen.method is not None and chosen.method != method:
        name = order_name(chosen.method) if has(f"explain.method_{chosen.method}") else chosen.method
        st.caption(t("explain.lacks_method", asked=safe(name), nearest=order_name(method)))
    if chosen.baseline is not None and chosen.baseline != baseline:
        is_known = has(f"explain.against_{chosen.baseline}")
        name = baseline_name(chosen.baseline) if is_known else chosen.baseline
        values = {"asked": safe(name), "method": order_name(method), "nearest": baseline_name(baseline)}
        st.caption(t("explain.lacks_baseline", **values))


def _choose(
    word: str,
    offered: Sequence[Name],
    asked: str | None,
    called: Callable[[str], str],
    key: str,
    keep: Callable[[str], None],
) -> Name:
    """Draws a choice that the link may have made: what it asks for if that is offered, else the first."""
    names = [str(name) for name in offered]
    taken = offered[names.index(asked)] if asked in names else offered[0]
    st.session_state[key] = taken
    st.selectbox(
        t(f"explain.{word}"),
        offered,
        format_func=called,
        key=key,
        disabled=len(offered) == 1,
        help=t(f"explain.{word}_help"),
        on_change=lambda: keep(st.session_state[key]),
    )
    return taken
