"""Parts that several pages draw: header, context bar, empty state, errors, tables and charts."""

from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager
from typing import Any, Literal, NoReturn

import pandas as pd
import plotly.graph_objects as go
import streamlit as st
from streamlit.typing import DataframeState

from recsys_core.errors import ConfigError, DataError, NotFoundError, NotTrainedError, RecsysError, StoreError
from recsys_core.store.records import DatasetRecord, ModelRecord
from ui import cache, state
from ui.exports import csv_bytes
from ui.messages import in_words
from ui.state import MAX_K, Context
from ui.text import has, plain, safe, t

HOME, DATA, TRAIN, JOBS = "pages/home.py", "pages/data.py", "pages/train.py", "pages/jobs.py"
EXPLORE, EXPLAIN, FAIRNESS = "pages/explore.py", "pages/explain.py", "pages/fairness.py"
COMPARE, REPORT, SETTINGS = "pages/compare.py", "pages/report.py", "pages/settings.py"

_HINTS: tuple[tuple[type[RecsysError], str], ...] = (
    (NotFoundError, "frame.hint_not_found"),
    (NotTrainedError, "frame.hint_not_trained"),
    (DataError, "frame.hint_input"),
    (ConfigError, "frame.hint_input"),
    (StoreError, "frame.hint_store"),
)


def page_header(title_key: str, caption_key: str) -> None:
    """The title of a page, whose name is the key's first part, and a line on what it is for."""
    if not state.is_framed():
        _go_into_frame(title_key.partition(".")[0])
    st.title(t(title_key), anchor=False)
    st.caption(t(caption_key))


def context_bar(needs_model: bool) -> Context | None:
    """Draws data set, model, k and the link; the context, or None once the empty state is drawn.

    A context that names nothing gets the newest data set that has a model, and its newest model.
    """
    workspace = cache.workspace()
    datasets, models = workspace.datasets(), workspace.models()
    if not datasets:
        empty_state("frame.no_data", "frame.no_data_why", "frame.get_data", HOME, key="empty_no_data")
        return None
    _settle(datasets, models)
    _draw_bar(datasets, [model for model in models if model.dataset_id == state.context().dataset])
    chosen = state.context()
    if needs_model and chosen.model is None:
        empty_state("frame.no_model", "frame.no_model_why", "frame.get_model", TRAIN, key="empty_no_model")
        return None
    return chosen


def empty_state(
    title_key: str, why_key: str, button_key: str | None = None, page: str | None = None, key: str = "empty"
) -> None:
    """Says what is missing, and has the button that goes where it can be got."""
    with st.container(border=True, horizontal_alignment="center", key=f"{key}_box"):
        st.subheader(t(title_key), anchor=False, text_alignment="center")
        st.caption(t(why_key), text_alignment="center")
        if button_key and page and st.button(t(button_key), key=key, type="primary"):
            st.switch_page(page)


@contextmanager
def errors_as_sentences() -> Generator[None]:
    """Shows what the core refuses inside the block as one sentence and what to do; the page goes on."""
    try:
        yield
    except RecsysError as error:
        hint = next((key for kind, key in _HINTS if isinstance(error, kind)), "frame.hint_other")
        st.error(f"{safe(sentence(error))}\n\n{t(hint)}", icon=":material/error:")


def refusal(why: str) -> None:
    """Shows why something can't be done, in a sentence of the page's own, as an error is shown."""
    st.error(f"{why}\n\n{t('frame.hint_input')}", icon=":material/error:")


def sentence(error: object) -> str:
    """An error's message as a sentence in the person's language, with a full stop.

    In English there is a capital at the front unless a name stands there.
    """
    text, english = plain(in_words(error)), plain(error)
    if text != english:
        return text if text.endswith(("。", "！", "？", "…")) else f"{text}。"
    if text.partition(" ")[0].rstrip(":,").isalpha():
        text = f"{text[0].upper()}{text[1:]}"
    return text if text.endswith((".", "!", "?", "…")) else f"{text}."


def table(
    frame: pd.DataFrame,
    key: str,
    file_name: str,
    *,
    alt: str,
    column_config: Mapping[str, Any] | None = None,
    height: int | Literal["auto"] = "auto",
    selection: Literal["none", "single-row", "multi-row"] = "none",
    download: pd.DataFrame | None = None,
) -> list[int]:
    """Draws a table with its CSV underneath; the numbers of the rows that a person has selected.

    Args:
        frame: what is shown.
        key: of the table; its download button is `{key}_csv`.
        file_name: of the CSV, such as "leaderboard.csv".
        alt: what a screen reader calls it.
        column_config: as `st.dataframe`; other columns are headed as the catalogue `columns` has them.
        height: in pixels.
        selection: which rows may be selected.
        download: what the CSV holds, if it isn't `frame`.
    """
    picked: object = st.dataframe(
        frame,
        key=key,
        hide_index=True,
        column_config=_headings(frame) | dict(column_config or {}),
        height=height,
        on_select="ignore" if selection == "none" else "rerun",
        selection_mode="multi-row" if selection == "none" else selection,
        alt=alt,
    )
    st.download_button(
        t("frame.download_csv"),
        _csv_later(frame if download is None else download),
        file_name=file_name,
        mime="text/csv",
        key=f"{key}_csv",
        icon=":material/download:",
        type="tertiary",
        on_click="ignore",
    )
    return list(picked.selection.rows) if isinstance(picked, DataframeState) else []


def chart(figure: go.Figure, key: str, alt: str, numbers: pd.DataFrame, file_name: str | None = None) -> None:
    """Draws a chart that can be saved as PNG, with the numbers behind it under it.

    Args:
        figure: the chart.
        key: of the chart; the table of numbers is `{key}_numbers`.
        alt: what a screen reader says of it.
        numbers: what the chart shows, as a table.
        file_name: of the downloads, without an ending; the key if there is none.
    """
    name = file_name or key
    config = {
        "displaylogo": False,
        "modeBarButtons": [["toImage"]],
        "toImageButtonOptions": {"format": "png", "filename": name, "scale": 2},
    }
    st.plotly_chart(figure, key=key, config=config, alt=alt)
    with st.expander(t("frame.show_numbers"), key=f"{key}_expander", type="compact"):
        table(numbers, f"{key}_numbers", f"{name}.csv", alt=alt)


def metric_name(metric: str) -> str:
    """What a metric is called on the screen: "NDCG@10" for "ndcg@10"."""
    name, at, k = metric.partition("@")
    return f"{t(f'metrics.{name}_name') if has(f'metrics.{name}_name') else plain(name)}{at}{k}"


def help_text(metric: str) -> str:
    """The formula of a metric, what it means, and which way is better."""
    name, _, k = metric.partition("@")
    return t(f"metrics.{name}", k=k or "k") if has(f"metrics.{name}") else ""


def figure_of(model: ModelRecord, metric: str) -> float:
    """A figure of a model on the test targets, kept from training; NaN where there is none."""
    value = model.details.get("test", {}).get(metric)
    return float("nan") if value is None else float(value)


def names_of(records: list[DatasetRecord] | list[ModelRecord]) -> Callable[[str], str]:
    """For select boxes, which show text as it is: the name of a record's id."""
    names = {record.id: plain(record.name) for record in records}
    return lambda record_id: names.get(record_id, record_id)


def _go_into_frame(page: str) -> NoReturn:
    """Opens `app.py` at a page: a server that hasn't run it yet takes `pages/` for the whole app."""
    st.switch_page("app.py", query_params=st.query_params.to_dict() | {"page": page})


def _settle(datasets: list[DatasetRecord], models: list[ModelRecord]) -> None:
    """Completes the context where it names nothing, and says so where it names what isn't here."""
    chosen = state.context()
    known = {record.id for record in datasets}
    own = next((model for model in models if model.id == chosen.model), None)
    if (chosen.model and own is None) or (chosen.dataset and chosen.dataset not in known):
        st.caption(t("frame.link_is_stale"))
    if own is not None:
        state.update(
            dataset=own.dataset_id, model=own.id, user=chosen.user, item=chosen.item, other=chosen.other
        )
        return
    if chosen.dataset not in known:
        state.update(dataset=models[0].dataset_id if models else datasets[0].id)
    fitting = [model.id for model in models if model.dataset_id == state.context().dataset]
    state.update(model=fitting[0] if fitting else None)


def _draw_bar(datasets: list[DatasetRecord], models: list[ModelRecord]) -> None:
    chosen = state.context()
    st.session_state["bar_dataset"], st.session_state["bar_model"] = chosen.dataset, chosen.model
    st.session_state["bar_k"] = chosen.k
    columns = st.columns([4, 4, 2, 2], vertical_alignment="bottom")
    columns[0].selectbox(
        t("frame.dataset"),
        [record.id for record in datasets],
        format_func=names_of(datasets),
        key="bar_dataset",
        on_change=lambda: state.update(dataset=st.session_state["bar_dataset"]),
    )
    columns[1].selectbox(
        t("frame.model"),
        [record.id for record in models],
        format_func=names_of(models),
        key="bar_model",
        disabled=not models,
        placeholder=t("frame.no_model_yet"),
        on_change=lambda: state.update(model=st.session_state["bar_model"]),
    )
    columns[2].number_input(
        "k",
        min_value=1,
        max_value=MAX_K,
        key="bar_k",
        help=t("frame.k_help"),
        on_change=lambda: state.update(k=int(st.session_state["bar_k"])),
    )
    with columns[3].popover(t("frame.copy_link"), icon=":material/link:", width="stretch"):
        st.caption(t("frame.copy_link_why"))
        st.code(state.link(), language=None, wrap_lines=True)


def _headings(frame: pd.DataFrame) -> dict[str, Any]:
    """What the columns are called on the screen, where the catalogue knows them."""
    return {name: t(f"columns.{name}") for name in frame.columns if has(f"columns.{name}")}


def _csv_later(frame: pd.DataFrame) -> Callable[[], bytes]:
    return lambda: csv_bytes(frame)
