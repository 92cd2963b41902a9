"""The Settings page: language, privacy threshold, storage, versions."""

from pathlib import Path

import pytest
import streamlit as st
from app_workspace import BuiltWorkspace, open_page, texts

from recsys_core.actions.preferences import preferences, set_minimum_group
from recsys_core.store.workspace import Workspace
from ui.settings_views import size_text


@pytest.fixture(autouse=True)
def nothing_kept() -> None:
    """No answer of another test is still in memory."""
    st.cache_resource.clear()


def test_the_threshold_is_eleven_at_first_and_can_be_raised(own_shop: BuiltWorkspace) -> None:
    app = open_page("settings")
    assert app.number_input(key="settings_threshold").value == 11
    assert app.number_input(key="settings_threshold").min == 11
    app.number_input(key="settings_threshold").set_value(25)
    next(button for button in app.button if button.label == "Save").click().run()
    assert not app.exception and not app.error
    assert "Groups of fewer than 25 people" in texts(app)
    assert preferences(Workspace.open(own_shop.home)).minimum_group == 25


def test_a_raised_threshold_hides_groups_on_data_and_fairness(own_shop: BuiltWorkspace) -> None:
    set_minimum_group(Workspace.open(own_shop.home), 60)
    sizes = next(table.value for table in open_page("data").dataframe if "share" in table.value)
    assert sizes["n"].dropna().ge(60).all() and sizes["n"].isna().any()
    app = open_page("fairness", model=own_shop.item_knn)
    app.multiselect(key="fairness_by").set_value(["region"]).run()
    app.button(key="fairness_run").click().run()
    assert not app.exception and "fewer than 60 people" in texts(app)


def test_the_language_is_chosen_here_too(own_shop: BuiltWorkspace) -> None:
    app = open_page("settings")
    app.segmented_control(key="settings_language").set_value("zh").run()
    assert app.title[0].value == "设置" and app.query_params["lang"] == "zh"


def test_caches_are_removed_and_storage_is_told(own_shop: BuiltWorkspace) -> None:
    cache = own_shop.home / "cache" / "encoder"
    cache.mkdir(parents=True, exist_ok=True)
    (cache / "vectors.npy").write_bytes(b"x" * 2_048)
    app = open_page("settings")
    assert set(app.dataframe[0].value["folder"]) >= {"Data sets", "Models", "Caches"}
    app.button(key="settings_clear").click().run()
    assert "of caches are gone" in app.success[0].value
    assert not (cache / "vectors.npy").exists()


def test_versions_and_device_are_told(own_shop: BuiltWorkspace) -> None:
    app = open_page("settings")
    assert "torch " in app.code[0].value and "reclens " in app.code[0].value
    assert "Models are trained and asked on" in texts(app)


def test_a_damaged_file_is_a_sentence(empty_home: Path) -> None:
    Workspace.open(empty_home)
    (empty_home / "preferences.json").write_text("{}x")
    app = open_page("settings")
    assert not app.exception and "be read" in app.error[0].value


@pytest.mark.parametrize(
    ("n_bytes", "text"), [(0, "0 B"), (1_023, "1023 B"), (1_536, "1.5 KiB"), (3 * 2**30, "3.0 GiB")]
)
def test_sizes_are_written_as_people_read_them(n_bytes: int, text: str) -> None:
    assert size_text(n_bytes) == text
