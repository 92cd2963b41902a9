"""Home: three doors for a newcomer; then the checklist, the latest models, what is running."""

import shutil
from functools import partial
from pathlib import Path

import pytest
from app_workspace import SIZE, BuiltWorkspace, open_page, texts
from streamlit.testing.v1 import AppTest

from recsys_core.actions import samples
from recsys_core.data.simulate import simulate_shop, write_shop
from recsys_core.files import write_json
from recsys_core.store.workspace import Workspace
from ui import home_views


def done_steps(app: AppTest) -> list[str]:
    return [line.value.split("**")[1] for line in app.markdown if "check_circle" in line.value]


def write_sample(shop: BuiltWorkspace, folder: Path) -> None:
    """The small shop and its item-kNN model, in the form of the sample."""
    write_shop(simulate_shop(0, SIZE), folder / samples.SHOP_FOLDER)
    workspace = Workspace.open(shop.home)
    record = workspace.resolve("model", shop.item_knn)
    shutil.copytree(workspace.folder(record), folder / samples.MODEL_FOLDER)
    kept = {"details": record.details, "sha256": record.folder_sha256}
    write_json(folder / samples.MODEL_FOLDER / samples.DETAILS_FILE, kept)


def test_newcomer_sees_three_doors(empty_home: Path) -> None:
    app = open_page("home")
    assert not app.button(key="open_sample").disabled
    assert not app.button(key="bring_data").disabled
    assert app.button(key="open_newest").disabled


def test_second_door_leads_to_data(empty_home: Path) -> None:
    app = open_page("home")
    app.button(key="bring_data").click().run()
    assert app.title[0].value == "Data"


def test_sample_opens_at_a_first_list_with_one_click(
    kept_shop: BuiltWorkspace, empty_home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_sample(kept_shop, tmp_path)
    monkeypatch.setattr(home_views, "open_sample", partial(samples.open_sample, source=tmp_path))
    app = open_page("home")
    app.button(key="open_sample").click().run()
    assert not app.exception and not app.error
    assert app.title[0].value == "Explore"
    assert app.query_params["user"]
    app.switch_page("pages/home.py").run()
    assert done_steps(app) == ["Data", "Model", "A person"]


def test_missing_sample_is_a_sentence(
    empty_home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(home_views, "open_sample", partial(samples.open_sample, source=tmp_path / "gone"))
    app = open_page("home")
    app.button(key="open_sample").click().run()
    assert not app.exception
    assert "The sample is missing" in texts(app).replace("\\", "")
    assert app.title[0].value != "Explore"


def test_checklist_ticks_what_is_there(shop: BuiltWorkspace) -> None:
    app = open_page("home")
    assert done_steps(app) == ["Data", "Model"]
    assert "2 of 5 steps done" in texts(app)


def test_looking_at_a_reason_ticks_person_and_why(shop: BuiltWorkspace) -> None:
    app = open_page("explain", model=shop.item_knn, user="u001")
    app.switch_page("pages/home.py").run()
    assert {"A person", "Why"} <= set(done_steps(app))


def test_latest_models_show_their_kept_figures(shop: BuiltWorkspace) -> None:
    kept = Workspace.open(shop.home).resolve("model", shop.transformer).details["test"]
    app = open_page("home")
    assert [metric.label for metric in app.metric[:2]] == ["NDCG@10", "HR@10"]
    assert [metric.value for metric in app.metric[:2]] == [
        f"{kept[name]:.3f}" for name in ("ndcg@10", "hr@10")
    ]
    assert "1 / log2(rank + 1)" in app.metric[0].help


def test_third_door_opens_the_newest_model(shop: BuiltWorkspace) -> None:
    app = open_page("home")
    app.button(key="open_newest").click().run()
    assert app.title[0].value == "Explore"
    assert app.query_params["model"] == shop.transformer


def test_opening_a_model_goes_to_explore(shop: BuiltWorkspace) -> None:
    app = open_page("home")
    app.button(key=f"open_{shop.popularity}").click().run()
    assert app.title[0].value == "Explore"
    assert app.query_params["model"] == shop.popularity
