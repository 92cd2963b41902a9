"""`reclens add-items`: items that nobody has touched, ranked by their texts, from the command to the page."""

import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from app_workspace import TINY, BuiltWorkspace, open_page
from command import Command

from recsys_core import pipeline
from recsys_core.actions.models import open_model, train
from recsys_core.data.dataset import Histories
from recsys_core.ranker.neural import NeuralRanker
from recsys_core.store.workspace import Workspace

pytestmark = pytest.mark.slow  # a model is trained

CATALOGUE = "item_id,title,genres,about\nn1,{title},{category},{text}\nn2,Another one,{category},\n"
SMALL = (*TINY[:-1], "encoder=character-ngrams")


@pytest.fixture(scope="module", autouse=True)
def few_people_test_explanations() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(pipeline, "verify_method", partial(pipeline.verify_method, n_people=3))
        yield


@dataclass(frozen=True, slots=True)
class Shop:
    """A workspace with the model `reader`, and a catalogue of two new items."""

    command: Command
    dataset: str
    catalogue: Path

    @property
    def workspace(self) -> Workspace:
        return Workspace.open(self.command.workspace)


@pytest.fixture(scope="module")
def shop_with_reader(kept_shop: BuiltWorkspace, tmp_path_factory: pytest.TempPathFactory) -> Shop:
    """The new item n1 has the very text of an item of the shop, n2 another title in its category."""
    folder = tmp_path_factory.mktemp("grown")
    shutil.copytree(kept_shop.home, folder / "home")
    workspace = Workspace.open(folder / "home")
    train(workspace, kept_shop.dataset, "transformer", "reader", "quick", 0, SMALL)
    first = open_model(workspace, "reader").data.dataset.items.iloc[0]
    text = CATALOGUE.format(title=first["title"], category=first["category"], text=f'"{first["text"]}"')
    (folder / "new.csv").write_text(text.replace("about", "text"))
    return Shop(Command(folder / "home"), kept_shop.dataset, folder / "new.csv")


@pytest.fixture(scope="module")
def grown(shop_with_reader: Shop) -> dict[str, Any]:
    words = ("reader", str(shop_with_reader.catalogue), "--name", "grown")
    return shop_with_reader.command.json("add-items", *words)


def test_the_answer_counts_what_was_added(shop_with_reader: Shop, grown: dict[str, Any]):
    assert grown["item_ids"] == ["n1", "n2"]
    assert (grown["n_added"], grown["n_items"], grown["warning"]) == (2, 122, "")
    shown = shop_with_reader.command.json("evaluate", "grown")
    assert shown["ndcg@10"] == grown["test"]["ndcg@10"]


def test_old_scores_are_the_same_to_the_bit(shop_with_reader: Shop, grown: dict[str, Any]):
    before, after = (open_model(shop_with_reader.workspace, name) for name in ("reader", "grown"))
    assert isinstance(before.ranker, NeuralRanker)
    known = Histories.of([before.data.dataset.events[row][:8] for row in range(30)])
    old, new = before.ranker.score(known), after.ranker.score(known)
    np.testing.assert_array_equal(new[:, 1:121], old[:, 1:])
    assert np.isfinite(new[:, 121:]).all()


def test_new_items_are_on_lists_and_said_to_be_cold(shop_with_reader: Shop, grown: dict[str, Any]):
    words = ("--user", "u003", "--k", "122")
    rows = shop_with_reader.command.json("recommend", "grown", *words)["recommendations"]
    cold = {row["item_id"]: row["cold"] for row in rows}
    assert cold["n1"] is True and cold["n2"] is True
    assert not all(cold.values())
    ids = [row["item_id"] for row in rows]
    old = shop_with_reader.command.json("recommend", "reader", *words)["recommendations"]
    assert [item for item in ids if item not in ("n1", "n2")] == [row["item_id"] for row in old]
    text = shop_with_reader.command.run("recommend", "grown", *words).stdout
    assert "fewer than five people touched" in text and "n1" in text.splitlines()[-1]


def test_a_history_may_hold_a_new_item_and_a_wish_may_find_it(shop_with_reader: Shop, grown: dict[str, Any]):
    listed = shop_with_reader.command.json("recommend", "grown", "--history", "n1", "--k", "121")
    assert len(listed["recommendations"]) == 121
    wished = shop_with_reader.command.json("recommend", "grown", "--wish", "Another one", "--k", "3")
    assert wished["recommendations"][0]["item_id"] == "n2"


def test_the_model_that_was_added_to_stays(shop_with_reader: Shop, grown: dict[str, Any]):
    refusal = shop_with_reader.command.refusal("recommend", "reader", "--history", "n1")
    assert "there is no item 'n1'" in refusal


def test_more_can_be_added_to_what_was_added(shop_with_reader: Shop, grown: dict[str, Any], tmp_path: Path):
    (tmp_path / "more.csv").write_text("item_id,title\nn3,A third one\n")
    words = ("grown", str(tmp_path / "more.csv"), "--name", "grown twice")
    found = shop_with_reader.command.json("add-items", *words)
    assert found["n_items"] == 123
    opened = open_model(shop_with_reader.workspace, "grown twice")
    assert opened.data.dataset.items["item_id"].tolist()[-3:] == ["n1", "n2", "n3"]


def test_a_grown_model_and_its_own_are_compared(shop_with_reader: Shop, grown: dict[str, Any]):
    """Whichever is opened first, each has its own catalogue."""
    for pair in (("grown", "reader"), ("reader", "grown")):
        assert shop_with_reader.command.json("compare", *pair)["n_users"] > 100


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        ("item_id,title\nn1,One\nn1,Two\n", "row 3: item id 'n1' is already in row 2; nothing was added"),
        ("item_id,title\ni001,One\n", "in the catalogue already: i001; leave them out"),
        ("item_id,title\nn1,One\nn2,\n", "without a text: n2"),
        ("name,title\nn1,One\n", "no column looks like the item's id"),
    ],
)
def test_bad_catalogues_are_one_sentence_and_change_nothing(
    shop_with_reader: Shop, tmp_path: Path, content: str, sentence: str
):
    (tmp_path / "bad.csv").write_text(content)
    before = [model.id for model in shop_with_reader.workspace.models()]
    words = ("add-items", "reader", str(tmp_path / "bad.csv"), "--name", "bad")
    assert sentence in shop_with_reader.command.refusal(*words)
    assert [model.id for model in shop_with_reader.workspace.models()] == before


def test_models_without_texts_taken_names_and_ensembles_refuse(shop_with_reader: Shop, grown: dict[str, Any]):
    refusal, file = shop_with_reader.command.refusal, str(shop_with_reader.catalogue)
    assert "can't score an item by its text alone" in refusal(
        "add-items", "Test item-knn", file, "--name", "x"
    )
    assert "can't score an item by its text" in refusal("add-items", "Test transformer", file, "--name", "x")
    assert "grown" in refusal("add-items", "reader", file, "--name", "grown")
    members = ("--set", "members=grown,reader")
    sentence = refusal("train", "Test shop", "--ranker", "ensemble", "--name", "both", *members)
    assert "knows items that the data set hasn't" in sentence


def test_a_person_adds_items_on_the_page(
    shop_with_reader: Shop, monkeypatch: pytest.MonkeyPatch, grown: dict[str, Any]
):
    monkeypatch.setenv("RECLENS_HOME", str(shop_with_reader.command.workspace))
    app = open_page("train", dataset=shop_with_reader.dataset)
    reader = next(model for model in shop_with_reader.workspace.models() if model.name == "reader")
    app.selectbox(key="managed_model").set_value(reader.id).run()
    assert app.button(key="add_items").disabled
    app.file_uploader(key="new_items").upload(
        "new.csv", shop_with_reader.catalogue.read_bytes(), "text/csv"
    ).run()
    app.text_input(key="grown_name").set_value("from the page").run()
    app.button(key="add_items").click().run()
    assert not app.error and not app.exception
    names = [model.name for model in shop_with_reader.workspace.models()]
    assert names[0] == "from the page"
