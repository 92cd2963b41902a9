"""Explain for lists made elsewhere: a model is taught them when asked, and says first how far it agrees."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import streamlit as st
from app_workspace import BuiltWorkspace, in_chinese, open_page, texts

from recsys_core.actions.imported import import_recommendations
from recsys_core.actions.models import list_for_user, open_model
from recsys_core.actions.surrogates import list_item_json, surrogate_of
from recsys_core.store.workspace import Workspace
from ui.reason_lists import reasons_sentence

K = 5


@pytest.fixture(autouse=True)
def nothing_kept() -> None:
    st.cache_resource.clear()


def imported(shop: BuiltWorkspace, folder: Path, by: str) -> str:
    """The id of everybody's lists: what is popular, which is learned from few people, or items by chance."""
    workspace, draw = Workspace.open(shop.home), np.random.default_rng(0)
    model = open_model(workspace, shop.popularity)
    lists: list[pd.DataFrame] = []
    for user in model.data.dataset.users["user_id"]:
        ranked = list_for_user(model, user, 100 if by == "chance" else K)
        chosen = ranked.iloc[draw.permutation(len(ranked))[:K]] if by == "chance" else ranked
        lists.append(pd.DataFrame({"user_id": user, "item_id": chosen["item_id"], "rank": range(1, K + 1)}))
    path = folder / "lists.csv"
    pd.concat(lists).to_csv(path, index=False)
    return import_recommendations(workspace, shop.dataset, path, "Theirs").record.id


def test_lists_that_a_model_can_learn_are_explained_by_it(own_shop: BuiltWorkspace, tmp_path: Path) -> None:
    lists = imported(own_shop, tmp_path, "popularity")
    app = open_page("explain", model=lists, k=str(K))
    assert "explains only where it agrees enough" in texts(app) and not app.metric
    app.button(key="surrogate_run").click().run()
    assert not app.exception and not app.error

    opened = open_model(Workspace.open(own_shop.home), lists)
    surrogate = surrogate_of(opened, K)
    agreement = surrogate.agreement
    shown = [f"{agreement.overlap:.0%}", f"{agreement.ndcg:.2f}", str(agreement.n_people)]
    assert [metric.value for metric in app.metric] == shown
    assert surrogate.explains and "may say why items are on these lists" in texts(app)

    user = str(opened.data.dataset.users["user_id"].iloc[0])
    first = str(list_for_user(opened, user, 1)["item_id"].iloc[0])
    found = list_item_json(opened, surrogate, user, first)
    strongest = max(found["attributions"], key=lambda row: row["attribution"])
    assert f"By the model that was taught these lists, **{found['title']}**" in texts(app)
    assert f"*{strongest['title']}*" in texts(app)
    table = next(one.value for one in app.dataframe if "attribution" in one.value and "position" in one.value)
    assert table["attribution"].tolist() == [row["attribution"] for row in found["attributions"]]
    chinese = in_chinese(app, "explain", "asked_for")
    assert "按照学习了这些列表的模型" in texts(chinese) and not chinese.exception

    known = set(opened.data.dataset.item_ids[opened.data.dataset.events[0]])
    listed = set(list_for_user(opened, user, K)["item_id"])
    other = next(item for item in opened.data.dataset.items["item_id"] if item not in known | listed)
    app = open_page("explain", model=lists, k=str(K), user=user, item=str(other))
    app.button(key="surrogate_run").click().run()
    assert not app.exception and not app.error
    assert f"isn't among the first {K} of this person's list" in texts(app)
    assert "is on the list" not in texts(app)


def test_of_an_item_beyond_the_list_it_is_not_said_why_it_is_on_it() -> None:
    listed = reasons_sentence("**Tea**", ["Milk", "Cup"], True, 5)
    assert listed.endswith("**Tea** is on the list mainly because of *Milk* and *Cup*.")
    beyond = reasons_sentence("**Tea**", ["Milk"], False, 5)
    assert beyond.startswith("**Tea** isn't among the first 5 of this person's list.")
    assert beyond.endswith("what speaks for it most is *Milk*.")
    assert "nothing in the history speaks for **Tea**" in reasons_sentence("**Tea**", [], False, 5)


def test_lists_that_no_model_can_learn_are_not_explained(own_shop: BuiltWorkspace, tmp_path: Path) -> None:
    app = open_page("explain", model=imported(own_shop, tmp_path, "chance"), k=str(K))
    app.button(key="surrogate_run").click().run()
    assert not app.exception and not app.error
    assert len(app.metric) == 3
    assert "50% would be needed, so the model can't say why items are on these lists." in texts(app)
    assert "By the model" not in texts(app) and not app.dataframe
