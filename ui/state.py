"""Where a person is in the dashboard: the one place that names session state and the URL's parameters.

The context (data set, model, person, item, k, moment, language) lives in the session, so that it is kept
from page to page, and in the URL by id, so that a copied link shows the same thing to somebody else.
"""

from dataclasses import asdict, dataclass, replace
from typing import Literal, TypedDict, Unpack
from urllib.parse import urlencode

import streamlit as st

AsOf = Literal["test", "now"]
Language = Literal["en", "zh"]

MAX_K = 100
MAX_ID_LENGTH = 400
_CONTEXT, _STEPS, _CHECKED = "context", "steps", "checked"

Step = Literal["person", "why", "audit"]


@dataclass(frozen=True, slots=True)
class Context:
    """What a person has chosen; ids, never names.

    Attributes:
        dataset: id of a data set; None where none was chosen yet.
        model: id of a model.
        user: id of a person of the data set.
        item: id of an item of the data set.
        k: length of the lists, 1 to 100.
        as_of: whose history is shown: up to the held-out test item, or all of it.
        lang: of the interface.
        other: id of a second model of the data set, to compare with.
        method: of explaining, by its name; None = the one that fits the model best.
        baseline: what the method compares with, by its name; None = the method's own.
    """

    dataset: str | None = None
    model: str | None = None
    user: str | None = None
    item: str | None = None
    k: int = 10
    as_of: AsOf = "test"
    lang: Language = "en"
    other: str | None = None
    method: str | None = None
    baseline: str | None = None


class Changes(TypedDict, total=False):
    """What `update` takes: the fields of `Context`."""

    dataset: str | None
    model: str | None
    user: str | None
    item: str | None
    k: int
    as_of: AsOf
    lang: Language
    other: str | None
    method: str | None
    baseline: str | None


_DEFAULTS = Context()


def start() -> Context:
    """The context of this run: what the URL says, and what it doesn't say from the session."""
    before = st.session_state.get(_CONTEXT) or Context(lang=language_of(st.context.locale))
    found = read_url(st.query_params.to_dict(), before)
    st.session_state[_CONTEXT] = found
    _write_url(found)
    return found


def is_framed() -> bool:
    """Whether this session runs inside `app.py`."""
    return _CONTEXT in st.session_state


def context() -> Context:
    """What the person has chosen so far."""
    return st.session_state.get(_CONTEXT) or Context(lang=language_of(st.context.locale))


def update(**changes: Unpack[Changes]) -> None:
    """Changes what is chosen, here and in the URL.

    Another data set lets go of models, person and item; another model or person lets go of the item.
    """
    before = context()
    gone: Changes = {}
    if changes.get("dataset", before.dataset) != before.dataset:
        gone = {"model": None, "user": None, "item": None, "other": None}
    elif (changes.get("model", before.model), changes.get("user", before.user)) != (
        before.model,
        before.user,
    ):
        gone = {"item": None}
    after = replace(before, **(gone | changes))
    st.session_state[_CONTEXT] = after
    _write_url(after)
    if after.user:
        tick("why" if after.item else "person")


def tick(step: Step) -> None:
    """Notes for the checklist of the home page that a step was taken."""
    steps: frozenset[Step] = frozenset({step, "person"}) if step == "why" else frozenset({step})
    st.session_state[_STEPS] = ticked() | steps


def ticked() -> frozenset[Step]:
    """The steps that were taken in this session."""
    return st.session_state.get(_STEPS, frozenset())


def begin_anew(widget: str, about: str, value: object) -> None:
    """Gives a widget its first value, and again whenever what it is about has changed."""
    subject = f"{widget}_is_about"
    if st.session_state.get(subject) != about or widget not in st.session_state:
        st.session_state[subject], st.session_state[widget] = about, value


def choose_view(widget: str, view: str) -> None:
    """Turns a switch between the views of a page, before the switch is drawn again."""
    st.session_state[f"{widget}_next"] = view


def take_view(widget: str, first: str) -> None:
    """Sets the switch of a page to the view that was asked for, or to the first one at the start."""
    wanted = st.session_state.pop(f"{widget}_next", None)
    if wanted is not None or widget not in st.session_state:
        st.session_state[widget] = wanted or first


def check_asked(mark: str | None = None) -> str:
    """Which files and choices a person asked to have checked; with a mark, notes that they were."""
    if mark is not None:
        st.session_state[_CHECKED] = mark
    return st.session_state.get(_CHECKED, "")


def link() -> str:
    """The address that shows another person of this workspace what is on the screen."""
    return f"{st.context.url or ''}?{urlencode(url_parameters(context()))}"


def url_parameters(chosen: Context) -> dict[str, str]:
    """The parameters of a context's URL, without those that say nothing; the language is always named."""
    plain = asdict(chosen)
    default = asdict(_DEFAULTS)
    return {
        name: str(value)
        for name, value in plain.items()
        if value is not None and (name == "lang" or value != default[name])
    }


def read_url(parameters: dict[str, str], before: Context) -> Context:
    """The context that a URL asks for; `before` where it is silent or asks for what can't be."""
    ids = {
        name: parameters[name]
        for name in ("dataset", "model", "user", "item", "other", "method", "baseline")
        if 0 < len(parameters.get(name, "")) <= MAX_ID_LENGTH
    }
    k, as_of, lang = (parameters.get(name, "") for name in ("k", "as_of", "lang"))
    return Context(
        dataset=ids.get("dataset", before.dataset),
        model=ids.get("model", before.model),
        user=ids.get("user", before.user),
        item=ids.get("item", before.item),
        k=int(k) if k.isascii() and k.isdigit() and 1 <= int(k[:4]) <= MAX_K else before.k,
        as_of="now" if as_of == "now" else "test" if as_of == "test" else before.as_of,
        lang="zh" if lang == "zh" else "en" if lang == "en" else before.lang,
        other=ids.get("other", before.other),
        method=ids.get("method", before.method),
        baseline=ids.get("baseline", before.baseline),
    )


def language_of(locale: str | None) -> Language:
    """The interface language for a browser's locale: Chinese for zh-*, else English."""
    return "zh" if (locale or "").lower().startswith("zh") else "en"


def _write_url(chosen: Context) -> None:
    wanted = url_parameters(chosen)
    for name in asdict(_DEFAULTS):
        if name not in wanted and name in st.query_params:
            del st.query_params[name]
    for name, value in wanted.items():
        if st.query_params.get(name) != value:
            st.query_params[name] = value
