"""`reclens resplit`: the same rows, other items held out; what is shown says which."""

import json
from pathlib import Path

import pandas as pd
import pytest
from app_workspace import BuiltWorkspace, open_page, texts
from command import Command

from recsys_core.actions.data import open_dataset, split_kind_of
from recsys_core.actions.models import open_model
from recsys_core.store.workspace import Workspace

pytestmark = pytest.mark.slow  # a workspace is built


@pytest.fixture
def reclens(own_shop: BuiltWorkspace) -> Command:
    return Command(own_shop.home)


def test_the_same_rows_are_split_at_moments_for_all(reclens: Command):
    made = reclens.json("resplit", "Test shop", "--split", "time", "--name", "by time")
    assert (made["held_out"], made["name"]) == ("time", "by time")
    workspace = Workspace.open(reclens.workspace)
    before, after = (open_dataset(workspace, name) for name in ("Test shop", "by time"))
    assert (before.split_kind, after.split_kind) == ("leave-one-out", "time")
    pd.testing.assert_frame_equal(after.dataset.items, before.dataset.items)
    times = after.dataset.timestamp_s
    first_tested = times[after.split.test_rows.items].min()
    rows = after.dataset.events.rows
    n_trained = after.split.train_length[rows]
    place = pd.Series(rows).groupby(rows).cumcount().to_numpy()
    assert times[place < n_trained].max() < first_tested
    assert reclens.json("split", "by time", "--out", str(reclens.workspace / "out"), "--check")["leakage"]


def test_models_and_their_cards_say_what_they_were_tested_on(reclens: Command, tmp_path: Path):
    reclens.json("resplit", "Test shop", "--split", "time", "--name", "by time")
    model = reclens.json("train", "by time", "--ranker", "popularity", "--name", "popular by time")
    assert model["held_out"] == "time"
    for name, words in (("popular by time", "alike for all people"), ("Test popularity", "last new item")):
        audit = reclens.json("audit", name, "--by", "gender")["audit"]
        reclens.run("report", audit, "--out", str(tmp_path / "report.json"))
        assert words in json.dumps(json.loads((tmp_path / "report.json").read_text()), ensure_ascii=False)
    assert open_model(Workspace.open(reclens.workspace), "Test popularity").data.split_kind == "leave-one-out"


def test_what_cannot_be_split_like_that_is_one_sentence(reclens: Command, tmp_path: Path):
    refusal = reclens.refusal("resplit", "Test shop", "--split", "by-luck", "--name", "x")
    assert "there is no split 'by-luck'; splits are leave-one-out, time" in refusal
    assert "Test shop" in reclens.refusal("resplit", "Test shop", "--split", "time", "--name", "Test shop")
    rows = [(f"u{person}", f"i{item}") for person in range(5) for item in range(4)]
    pd.DataFrame(rows, columns=["user_id", "item_id"]).to_csv(tmp_path / "timeless.csv", index=False)
    reclens.json("ingest", "timeless", "--interactions", str(tmp_path / "timeless.csv"))
    n_before = len(Workspace.open(reclens.workspace).datasets())
    assert "time" in reclens.refusal("resplit", "timeless", "--split", "time", "--name", "x")
    assert len(Workspace.open(reclens.workspace).datasets()) == n_before


def test_a_person_splits_another_way_on_the_page(own_shop: BuiltWorkspace):
    app = open_page("data", dataset=own_shop.dataset)
    assert "Held out to test models: Each person's last two new items" in texts(app)
    app.text_input(key="split_name").set_value("another way").run()
    app.button(key="split_again").click().run()
    assert not app.error and not app.exception
    workspace = Workspace.open(own_shop.home)
    made = workspace.resolve("dataset", "another way")
    assert split_kind_of(workspace, made.id) == "time"
    train = open_page("train", dataset=made.id)
    assert "Held out to test models: What came last, for everybody" in texts(train)
