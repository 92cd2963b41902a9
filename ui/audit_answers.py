"""What Fairness works out beside the audit itself, kept in memory by what was asked.

Whatever takes a while is begun by a button, never by opening the page; whoever asks the same again, later or
in another session, is answered at once.
"""

import shlex
from collections import OrderedDict
from collections.abc import Callable, Hashable
from dataclasses import replace
from typing import TypeVar, cast

import streamlit as st

from recsys_core.actions.models import LoadedModel
from recsys_core.errors import RecsysError
from recsys_core.fairness.result import AuditSettings
from ui import state
from ui.components import sentence
from ui.text import safe, t

KEPT = 100
Answer = TypeVar("Answer")


def on_request(
    key: str, question: Hashable, words: tuple[str, str, str], icon: str, work: Callable[[], Answer]
) -> Answer | None:
    """Draws the button that begins the work; the answer once it is there, None while nobody asked for it.

    What the core refuses is written as a sentence.

    Args:
        key: of the question; the button is `{key}_run`.
        question: all that the answer depends on, the id of the model included.
        words: of the button, of how long it takes (shown until it is asked for), and of the wait.
        icon: of the button.
        work: called once for a question, unless it fails.
    """
    label, cost, waiting = words
    asked = f"{key} {question!r}"
    if st.button(label, key=f"{key}_run", icon=icon):
        state.ask_for(asked)
    if not state.is_asked_for(asked):
        st.caption(cost)
        return None
    try:
        with st.spinner(waiting, show_time=True):
            return once((key, question), work)
    except RecsysError as error:
        st.caption(safe(sentence(error)))
        return None


def is_for_the_command(model: LoadedModel, effort: float, most: float, *words: str) -> bool:
    """Whether something takes longer than a page may let one wait; then the command that does it is drawn.

    Args:
        model: which model it is about.
        effort: what the time grows with, such as the number of people.
        most: the largest effort that a page makes.
        words: of the command after `reclens`; the model's name goes behind the first.
    """
    if effort <= most:
        return False
    st.caption(t("checks.command"))
    first, *others = words
    st.code(shlex.join(["reclens", first, model.record.name, *others]), language=None, wrap_lines=True)
    return True


def measured_alike(settings: AuditSettings) -> AuditSettings:
    """The same groups, reference, draws and seed for another measure, whose margin is its own."""
    return replace(settings, margin=None, more_metrics=())


def once(question: Hashable, work: Callable[[], Answer]) -> Answer:
    """The answer to a question, worked out the first time that it is asked; what `work` raises isn't kept."""
    kept = _kept()
    if question not in kept:
        kept[question] = work()
        while len(kept) > KEPT:
            kept.popitem(last=False)
    return cast(Answer, kept[question])


def known(question: Hashable) -> object | None:
    """The answer to a question, if it was worked out before."""
    return _kept().get(question)


@st.cache_resource(show_spinner=False)
def _kept() -> OrderedDict[Hashable, object]:
    return OrderedDict()
