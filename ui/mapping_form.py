"""The first rows of a file, and a select box for each role that one of its columns may play."""

from collections.abc import Sequence

import streamlit as st

from recsys_core.data.mapping import Kind, Mapping
from recsys_core.data.readers import Preview
from recsys_core.data.schema import Role
from ui import state
from ui.messages import in_words
from ui.text import plain, safe, t

MAIN_ROLES: dict[Kind, tuple[Role, ...]] = {
    "interactions": (Role.USER_ID, Role.ITEM_ID, Role.TIMESTAMP_S, Role.RATING, Role.EVENT),
    "items": (Role.ITEM_ID, Role.TITLE, Role.CATEGORY, Role.PROVIDER, Role.TEXT, Role.IMAGE),
    "users": (Role.USER_ID,),
}
MORE_ROLES: dict[Kind, tuple[Role, ...]] = {
    "interactions": (
        *(Role.ORDER, Role.DWELL_S, Role.QUANTITY, Role.SEARCH_TEXT, Role.REVIEW_TEXT),
        *(Role.TITLE, Role.CATEGORY, Role.PROVIDER, Role.IMAGE),
    ),
    "items": (),
    "users": (),
}
SHOWN_ROWS = 8


def draw_mapping(kind: Kind, found: Preview, mark: str) -> Mapping:
    """Draws the first rows and the select boxes; what the person makes of the columns."""
    st.dataframe(found.rows.head(SHOWN_ROWS), key=f"rows_{kind}", hide_index=True, alt=t("data.rows_alt"))
    described = t(f"data.format_{found.format.partition(' ')[0].lower()}", delimiter=_named(found.delimiter))
    st.caption(f"{safe(found.label)} · {described}" + (f" · {found.encoding}" if found.encoding else ""))
    for warning in found.warnings:
        st.caption(f":orange[:material/warning:] {safe(in_words(warning))}")
    chosen = _boxes(kind, found, mark, MAIN_ROLES[kind])
    if MORE_ROLES[kind]:
        with st.expander(t("data.more_columns"), key=f"more_{kind}"):
            chosen |= _boxes(kind, found, mark, MORE_ROLES[kind])
    if kind == "users":
        rest = [column for column in found.columns if column not in chosen.values()]
        st.caption(t("data.attributes", columns=", ".join(safe(column) for column in rest) or "–"))
    return _mapping(kind, found, chosen)


def role_key(kind: Kind, role: Role) -> str:
    """The key of a role's select box."""
    return f"role_{role}" if kind == "interactions" else f"role_{kind}_{role}"


def _boxes(kind: Kind, found: Preview, mark: str, roles: Sequence[Role]) -> dict[Role, str]:
    options = [None, *found.columns]
    chosen: dict[Role, str] = {}
    grid = st.grid(3, min_column_width=200, key=f"roles_{kind}_{roles[0]}")
    for role in roles:
        key, guess = role_key(kind, role), found.guess.column(role)
        state.begin_anew(key, mark, guess)
        column = grid.selectbox(
            t(f"data.role_{role}"),
            options,
            format_func=lambda name: t("data.no_column") if name is None else plain(name),
            key=key,
            placeholder=t("data.no_column"),
            help=t(f"data.role_{role}_help"),
        )
        if column is not None:
            chosen[role] = column
    return chosen


def _mapping(kind: Kind, found: Preview, chosen: dict[Role, str]) -> Mapping:
    """What was chosen, and a place for what was guessed and then taken away, lest it be guessed again."""
    pairs = list(chosen.items())
    pairs += [(Role.CONTEXT, column) for column in found.guess.context]
    used = {column for _, column in pairs}
    unwanted = [column for role, column in found.guess.pairs if role not in chosen and column not in used]
    if kind != "users":
        pairs += [(Role.CONTEXT, column) for column in unwanted]
    return Mapping(tuple(pairs))


def _named(delimiter: str) -> str:
    return {"\t": t("data.tab"), " ": t("data.space")}.get(delimiter, safe(delimiter))
