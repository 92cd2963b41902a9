"""What the Settings page draws: language and theme, the privacy threshold, storage, versions."""

import pandas as pd
import streamlit as st

from recsys_core.actions.preferences import (
    LARGEST_THRESHOLD,
    clear_caches,
    device_name,
    preferences,
    set_minimum_group,
    storage_use,
    versions,
)
from recsys_core.fairness.suppression import SMALLEST_GROUP
from recsys_core.store.workspace import Workspace
from ui import cache, state
from ui.components import errors_as_sentences, table
from ui.state import Language
from ui.text import safe, t

LANGUAGES: dict[Language, str] = {"en": "English", "zh": "中文"}
UNITS = ("B", "KiB", "MiB", "GiB", "TiB")


def draw_appearance() -> None:
    """The language, and where light and dark are chosen."""
    st.subheader(t("settings.appearance"), anchor=False)
    st.session_state["settings_language"] = state.context().lang
    st.segmented_control(
        t("frame.language"),
        list(LANGUAGES),
        format_func=LANGUAGES.__getitem__,
        required=True,
        key="settings_language",
        on_change=lambda: state.update(lang=st.session_state["settings_language"]),
    )
    st.caption(t("settings.theme"))


def draw_privacy(workspace: Workspace) -> None:
    """The fewest people that a group is shown of, and who may see what."""
    st.subheader(t("settings.privacy"), anchor=False, help=t("settings.privacy_help"))
    kept = preferences(workspace).minimum_group
    with st.form("settings_privacy", border=False):
        wanted = st.number_input(
            t("settings.threshold"),
            min_value=SMALLEST_GROUP,
            max_value=LARGEST_THRESHOLD,
            value=kept,
            key="settings_threshold",
            help=t("settings.threshold_help", least=SMALLEST_GROUP),
            width=260,
        )
        saved = st.form_submit_button(t("settings.save"), icon=":material/save:")
    if saved and int(wanted) != kept:
        with errors_as_sentences():
            set_minimum_group(workspace, int(wanted))
            cache.forget()  # answers in memory were made under another threshold
            kept = int(wanted)
    st.caption(t("settings.threshold_now", least=kept))
    st.caption(t("settings.roles"))


def draw_storage(workspace: Workspace) -> None:
    """What the workspace takes, and the button that removes caches."""
    st.subheader(t("settings.storage"), anchor=False, help=t("settings.storage_help"))
    asked = st.button(
        t("settings.clear"), key="settings_clear", icon=":material/mop:", help=t("settings.clear_help")
    )
    if asked:
        with errors_as_sentences():
            freed = size_text(clear_caches(workspace))
            st.success(t("settings.cleared", size=freed), icon=":material/check:")
    used = storage_use(workspace)
    rows = [(t(f"settings.folder_{own.name}"), own.n_files, size_text(own.n_bytes)) for own in used]
    st.caption(t("settings.storage_where", folder=safe(workspace.home)))
    table(
        pd.DataFrame(rows, columns=["folder", "files", "size"]),
        "settings_storage",
        "storage.csv",
        alt=t("settings.storage"),
        column_config={
            "folder": t("settings.folder"),
            "files": st.column_config.NumberColumn(t("settings.files"), format="localized"),
            "size": t("settings.size"),
        },
    )


def draw_versions() -> None:
    """What runs here, for whoever reports a problem or repeats a figure."""
    st.subheader(t("settings.versions"), anchor=False)
    st.caption(t("settings.device", device=safe(device_name())))
    listed = "\n".join(f"{name} {version}" for name, version in versions().items())
    st.code(listed, language=None)


def size_text(n_bytes: int) -> str:
    """A number of bytes as people read it: "3.4 MiB"."""
    size, unit = float(n_bytes), 0
    while size >= 1024 and unit < len(UNITS) - 1:
        size, unit = size / 1024, unit + 1
    return f"{size:.0f} {UNITS[unit]}" if unit == 0 else f"{size:.1f} {UNITS[unit]}"
