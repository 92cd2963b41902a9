"""One data set of the workspace: its figures, its people and items as histograms, its groups, and delete."""

import numpy as np
import streamlit as st

from recsys_core.actions.data import split_kind_of
from recsys_core.store.records import DatasetRecord
from ui import answers, cache, state
from ui.charts_data import group_sizes, histogram, histogram_table
from ui.components import TRAIN, chart, errors_as_sentences, names_of, sentence, table
from ui.import_report import draw_account, draw_figures, draw_rejected
from ui.split_form import draw_split_again
from ui.text import has, plain, safe, t, when


def draw_datasets(records: list[DatasetRecord]) -> None:
    """Draws the choice of a data set and all that is known of it."""
    chosen = state.context().dataset
    ids = [record.id for record in records]
    st.session_state["shown_dataset"] = chosen if chosen in ids else ids[0]
    with st.container(horizontal=True, vertical_alignment="bottom"):
        picked = st.selectbox(
            t("frame.dataset"),
            ids,
            format_func=names_of(records),
            key="shown_dataset",
            on_change=lambda: state.update(dataset=st.session_state["shown_dataset"]),
            width=400,
        )
        if st.button(t("data.train"), key="train_on_it", type="primary", icon=":material/model_training:"):
            state.update(dataset=picked)
            st.switch_page(TRAIN)
        draw_split_again(next(record for record in records if record.id == picked))
        _delete(next(record for record in records if record.id == picked))
    with errors_as_sentences():
        _draw_dataset(next(record for record in records if record.id == picked))


def _draw_dataset(record: DatasetRecord) -> None:
    report = cache.report(record.id)
    source = str(record.details["source"])
    known = f"data.source_{source}"
    shown = t(known) if has(known) else safe(source)
    st.caption(t("data.source", source=shown, when=when(record.created_at_s)))
    kind = split_kind_of(cache.workspace(), record.id)
    st.caption(f"{t('data.split')}: {t(f'data.split_{kind}')}", help=t("data.split_help"))
    draw_figures(report)
    draw_account(report, record.details["warnings"])
    tabs = dict(
        zip(
            ("activity", "popularity", "groups"),
            st.tabs([t(f"data.tab_{name}") for name in ("activity", "popularity", "groups")]),
            strict=True,
        )
    )
    dataset = cache.dataset(record.id).dataset
    per_person, per_item = (
        dataset.events.lengths,
        np.bincount(dataset.events.items, minlength=dataset.n_items + 1)[1:],
    )
    with tabs["activity"]:
        _histogram("activity", per_person)
    with tabs["popularity"]:
        _histogram("popularity", per_item)
    with tabs["groups"]:
        _groups(record.id)
    draw_rejected(report, "kept")


def _histogram(name: str, counts: np.ndarray[tuple[int], np.dtype[np.int64]]) -> None:
    found = histogram_table(counts)
    x_title, y_title = t(f"data.{name}_x"), t(f"data.{name}_y")
    st.caption(t(f"data.{name}_why", median=f"{np.median(counts):,.0f}", most=f"{counts.max():,}"))
    numbers = found.rename(columns={"from": t("data.from"), "to": t("data.to"), "n": y_title})
    chart(histogram(found, x_title, y_title), f"{name}_chart", t(f"data.{name}_alt"), numbers, name)


def _groups(dataset_id: str) -> None:
    data = cache.dataset(dataset_id)
    if not data.attributes:
        st.caption(t("data.no_attributes"))
        return
    hidden = answers.hidden_sizes(cache.workspace(), data)
    sizes, refused = group_sizes(data.dataset.users, data.attributes, hidden)
    st.caption(t("data.groups_why"))
    shown = sizes.map(lambda cell: plain(cell) if isinstance(cell, str) else cell)
    config = {
        "attribute": t("data.attribute"),
        "group": t("data.group"),
        "n": st.column_config.NumberColumn(t("data.people"), format="localized", help=t("data.people_help")),
        "share": st.column_config.ProgressColumn(t("data.share"), format="percent", min_value=0, max_value=1),
    }
    table(shown, "group_sizes", "groups.csv", alt=t("data.groups_alt"), column_config=config)
    for reason in refused.values():
        st.caption(safe(sentence(reason)))


def _delete(record: DatasetRecord) -> None:
    with st.popover(t("data.delete"), icon=":material/delete:", key="delete_box"):
        st.markdown(t("data.delete_sure", name=safe(record.name)))
        if st.button(t("data.delete_yes"), key="delete_dataset", type="primary"):
            with errors_as_sentences():
                cache.workspace().delete("dataset", record.id)
                state.update(dataset=None)
                st.rerun()
