"""The form that brings data in: files, what their columns mean, what would come of them, and keep."""

from pathlib import Path

import streamlit as st

from recsys_core.actions.data import SPLIT_KINDS, SplitKind
from recsys_core.data.mapping import Kind, Mapping
from recsys_core.data.readers import Preview
from recsys_core.data.schema import Role
from recsys_core.data.validate import ValidationReport
from ui import imports, state
from ui.components import errors_as_sentences
from ui.import_report import draw_account, draw_figures, draw_rejected
from ui.imports import KINDS, Given
from ui.mapping_form import draw_mapping
from ui.text import plain, safe, t

Handed = dict[Kind, Given]


def draw_import() -> None:
    """Draws the form; when a data set was kept, the page goes on to show it."""
    handed = _files()
    if "interactions" not in handed:
        st.caption(t("data.waiting"))
        return
    mapping, is_rated, is_readable = _columns(handed)
    if not is_readable:
        return
    with st.container(horizontal=True, vertical_alignment="bottom"):
        first = handed["interactions"]
        state.begin_anew("data_name", first.mark, plain(Path(first.source.name).stem)[:100])
        name = st.text_input(t("data.name"), key="data_name", max_chars=100, width=360)
        min_rating = _min_rating() if is_rated else None
        split = _split()
    buttons = st.container(horizontal=True)
    mark = imports.mark_of(handed, mapping, min_rating)
    if buttons.button(t("data.check"), key="check_files", icon=":material/fact_check:"):
        state.check_asked(mark)
    report = _check(handed, mapping, min_rating) if state.check_asked() == mark else None
    unchecked = t("data.check_first") if report is None else None
    if buttons.button(
        t("data.keep"), key="keep_files", type="primary", disabled=report is None, help=unchecked
    ):
        _keep(name, handed, mapping, min_rating, split)
    if report is not None:
        st.subheader(t("data.found"), anchor=False)
        draw_figures(report)
        draw_account(report, report.warnings)
        draw_rejected(report, "check")


def _files() -> Handed:
    way = st.segmented_control(
        t("data.way"),
        ["upload", "path"],
        format_func=lambda way: t(f"data.way_{way}"),
        required=True,
        default="upload",
        key="import_way",
        label_visibility="collapsed",
    )
    handed: Handed = {}
    columns = st.columns(len(KINDS))
    for kind, column in zip(KINDS, columns, strict=True):
        with column, errors_as_sentences():
            given = _upload(kind) if way == "upload" else _path(kind)
            if given is not None:
                handed[kind] = given
    return handed


def _upload(kind: Kind) -> Given | None:
    found = st.file_uploader(t(f"data.file_{kind}"), key=f"upload_{kind}", help=t(f"data.file_{kind}_help"))
    return imports.given_upload(found)


def _path(kind: Kind) -> Given | None:
    allowed = imports.import_folder()
    hint = t("data.path_anywhere") if allowed is None else t("data.path_within", folder=allowed)
    typed = st.text_input(
        t(f"data.file_{kind}"), key=f"path_{kind}", help=t(f"data.file_{kind}_help"), placeholder=hint
    )
    return imports.given_path(typed)


def _columns(handed: Handed) -> tuple[Mapping, bool, bool]:
    """The map over all files, whether anything is rated, and whether all files could be read."""
    pairs: list[tuple[Role, str]] = []
    found: dict[Kind, Preview] = {}
    with st.spinner(t("data.looking")):
        for kind in KINDS:
            if kind in handed:
                with errors_as_sentences():
                    found[kind] = imports.look_at(kind, handed[kind])
    if set(found) != set(handed):
        st.caption(t("data.nothing_kept"))
        return Mapping(), False, False
    shown: list[Kind] = [kind for kind in KINDS if kind in found]
    for kind, tab in zip(shown, st.tabs([t(f"data.file_{kind}") for kind in shown]), strict=True):
        with tab:
            pairs += draw_mapping(kind, found[kind], handed[kind].mark).pairs
    is_rated = any(role is Role.RATING for role, _ in pairs)
    return Mapping(tuple(pairs)), is_rated, True


def _min_rating() -> float | None:
    return st.number_input(
        t("data.min_rating"), value=None, key="min_rating", help=t("data.min_rating_help"), width=220
    )


def _split() -> SplitKind:
    return st.selectbox(
        t("data.split"),
        SPLIT_KINDS,
        format_func=lambda kind: t(f"data.split_{kind}"),
        key="split_kind",
        help=t("data.split_help"),
        width=360,
    )


def _check(handed: Handed, mapping: Mapping, min_rating: float | None) -> ValidationReport | None:
    """What would come of the files; None once it was said why nothing would."""
    with errors_as_sentences(), st.spinner(t("data.checking"), show_time=True):
        return imports.check(handed, mapping, min_rating)
    st.caption(t("data.nothing_kept"))
    return None


def _keep(name: str, handed: Handed, mapping: Mapping, min_rating: float | None, split: SplitKind) -> None:
    with errors_as_sentences():
        with st.spinner(t("data.keeping"), show_time=True):
            done = imports.keep(name, handed, mapping, min_rating, split)
        state.update(dataset=done.record.id)
        state.choose_view("data_view", "sets")
        st.toast(t("data.kept", name=safe(done.record.name)), icon=":material/check_circle:")
        st.rerun()
