"""Explain, beside the history: parts, contrast, the smallest change with its list, and who has no history."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from app_workspace import BuiltWorkspace, open_page, texts
from streamlit.testing.v1 import AppTest

from recsys_core.actions.counterfactuals import question_about, what_would_drop, what_would_lift
from recsys_core.actions.data import ingest
from recsys_core.actions.models import LoadedModel, list_for_user, open_model, train
from recsys_core.actions.reason_parts import attributions_of, components_of, contrast_items
from recsys_core.explain.components import Components
from recsys_core.explain.history import METHODS, methods_of
from recsys_core.store.workspace import Workspace
from ui.reason_parts import (
    change_sentence,
    components_sentence,
    components_table,
    contrast_sentence,
    contrast_table,
)
from ui.state import Context
from ui.text import has

PARTS = "From the score in which nothing is known to the item's score, one step a part of the model"
MARGIN = "What every history item adds to the distance between the two items, oldest first"
AFTER = "The list with the change"


def shown(app: AppTest, alt: str) -> pd.DataFrame:
    """What the table with that name for screen readers holds."""
    return next(table.value for table in app.dataframe if table.proto.alt == alt)


def opened(shop: BuiltWorkspace, model: str) -> tuple[LoadedModel, str]:
    """A model and the first person of its data."""
    loaded = open_model(Workspace.open(shop.home), model)
    return loaded, str(loaded.data.dataset.users["user_id"].iloc[0])


def test_parts_lead_from_nothing_known_to_the_score(shop: BuiltWorkspace) -> None:
    model, user = opened(shop, shop.transformer)
    app = open_page("explain", model=shop.transformer)
    numbers = shown(app, PARTS)
    found = components_of(model, user, None)
    assert numbers["value"].iloc[0] == pytest.approx(found.baseline_score)
    assert numbers["value"].iloc[:-1].sum() == pytest.approx(numbers["value"].iloc[-1])
    assert list(numbers["name"])[:2] == ["Nothing known", "Popularity"]
    assert components_table(found)["is_total"].tolist() == [True, *[False] * len(found.parts), True]


def test_a_model_without_parts_says_so(shop: BuiltWorkspace) -> None:
    app = open_page("explain", model=shop.item_knn)
    assert "no parts that could be told apart" in texts(app)
    assert not app.exception and not app.error


def test_contrast_is_with_the_next_item_and_adds_up(shop: BuiltWorkspace) -> None:
    model, user = opened(shop, shop.item_knn)
    app = open_page("explain", model=shop.item_knn)
    first, second = list_for_user(model, user, 2)["item_id"]
    assert app.selectbox(key=f"explain_over_{first}").value == second
    scores = list_for_user(model, user, 2)["score"]
    assert shown(app, MARGIN)["attribution"].sum() == pytest.approx(scores[0] - scores[1], abs=1e-6)
    assert "We can't tell for sure why" in texts(app)


def test_contrast_names_what_speaks_for_the_upper_one(shop: BuiltWorkspace) -> None:
    model, user = opened(shop, shop.item_knn)
    first, second = list_for_user(model, user, 2)["item_id"]
    sentences = list[str]()
    for one, other in ((first, second), (second, first)):
        found = contrast_items(model, user, one, other)
        sentences.append(contrast_sentence(model, found, contrast_table(model, found), verified=True))
    assert sentences[0] == sentences[1]
    assert "ranks above" in sentences[0]


@pytest.mark.parametrize("ranker", ["item_knn", "transformer"])
def test_smallest_change_is_applied_to_the_real_list(shop: BuiltWorkspace, ranker: str) -> None:
    model, user = opened(shop, getattr(shop, ranker))
    app = open_page("explain", model=getattr(shop, ranker), k="3")
    app.segmented_control(key="explain_goal_leave").set_value("leave").run()
    change = what_would_drop(model, user, None, 3)
    assert len(change.items)
    assert f"would be number {change.rank_after:,} instead of 1" in texts(app)
    app.toggle(key="explain_apply_leave").set_value(True).run()
    after = shown(app, AFTER)
    gone = [str(model.data.dataset.item_ids[item]) for item in change.items]
    expected = list_for_user(model, user, 10, "test", gone)["title"].tolist()
    assert after["title"].head(10).tolist() == expected
    assert after.set_index("mark")["rank"]["▶"] == change.rank_after > 3
    assert not app.exception and not app.error


def test_curves_go_from_the_whole_history_to_none_and_back(shop: BuiltWorkspace) -> None:
    """Every order ends where all items have left, and comes back to the item's score on the list."""
    model, user = opened(shop, shop.item_knn)
    app = open_page("explain", model=shop.item_knn)
    name = "Score of the item by how many history items have moved, one line an order"
    score = list_for_user(model, user, 1)["score"].iloc[0]
    leaving = shown(app, name).groupby("order")["score"]
    assert leaving.first().tolist() == pytest.approx([score] * 5, rel=1e-5)
    assert leaving.last().tolist() == pytest.approx([0.0] * 5, abs=1e-6)
    app.segmented_control(key="explain_curve").set_value("insertion").run()
    assert shown(app, name).groupby("order")["score"].last().tolist() == pytest.approx([score] * 5, rel=1e-5)


def test_overtaking_is_by_an_item_from_further_down(shop: BuiltWorkspace) -> None:
    app = open_page("explain", model=shop.item_knn, k="5")
    app.segmented_control(key="explain_goal_leave").set_value("overtaken").run()
    assert not app.exception and not app.error
    assert "would rank above" in texts(app) or "No set of history items was found" in texts(app)


def test_an_item_that_is_not_on_the_list_can_be_lifted(shop: BuiltWorkspace) -> None:
    model, user = opened(shop, shop.item_knn)
    item = str(list_for_user(model, user, 12)["item_id"].iloc[9])
    app = open_page("explain", model=shop.item_knn, user=user, item=item, k="5")
    app.segmented_control(key="explain_goal_enter").set_value("enter").run()
    change = what_would_lift(model, user, item, 5)
    assert len(change.items)
    assert f"would be number {change.rank_after:,} or better instead of 10" in texts(app)
    app.toggle(key="explain_apply_enter").set_value(True).run()
    assert "▶" in shown(app, AFTER)["mark"].head(5).tolist()
    assert "What is added leaves the list" in texts(app)


@pytest.mark.parametrize("ranker", ["item_knn", "transformer"])
def test_all_methods_stand_side_by_side_when_they_are_asked(shop: BuiltWorkspace, ranker: str) -> None:
    model, user = opened(shop, getattr(shop, ranker))
    app = open_page("explain", model=getattr(shop, ranker))
    app.toggle(key="explain_all_methods").set_value(True).run()
    table = shown(app, "All methods and baselines side by side")
    assert 0 < len(table) <= 12
    assert len(table.columns) + texts(app).count("subsets of at most 12") == 1 + len(methods_of(model.ranker))
    item = table["title"].iloc[0]
    alone = attributions_of(model, user, None, "leave-one-out").values
    history = model.data.dataset.titles[question_about(model, user, None, "test").history]
    assert table["Leave-one-out"].iloc[0] == pytest.approx(alone[history == item].sum())
    trust = shown(app, "Sum and badge of each method, or of each baseline").set_index("way")
    assert trust.index.tolist() == table.columns.tolist()[1:]
    assert trust["badge"].eq("Not verified").all() and trust["relative_delta"]["Leave-one-out"] == "–"
    own = trust["reason"].iloc[0]
    assert own == "Tested on 20 people; the badge needs 200, so it is withheld."
    assert "was not tested on this model" in trust["reason"]["Leave-one-out"]
    assert not app.exception and not app.error


@pytest.mark.parametrize("method", [*METHODS])
def test_every_method_has_its_words_on_the_page(shop: BuiltWorkspace, method: str) -> None:
    model, _ = opened(shop, shop.transformer)
    for key in ("method", "said", "baseline"):
        assert has(f"explain.{key}_{method}")
    if method in methods_of(model.ranker) and method != "shapley-exact":
        app = open_page("explain", model=shop.transformer)
        app.selectbox(key="explain_method_integrated-gradients").set_value(method).run()
        assert not app.exception and not app.error


def test_changes_are_told_in_chinese(shop: BuiltWorkspace, monkeypatch: pytest.MonkeyPatch) -> None:
    model, user = opened(shop, shop.item_knn)
    monkeypatch.setattr("ui.text.context", lambda: Context(lang="zh"))
    change = what_would_drop(model, user, None, 3)
    assert change_sentence(model, change).startswith("如果历史中没有")
    assert f"变为第 {change.rank_after} 名" in change_sentence(model, change)


def test_a_change_that_was_not_found_or_not_proven_says_so(shop: BuiltWorkspace) -> None:
    model, user = opened(shop, shop.item_knn)
    change = what_would_drop(model, user, None, 3)
    none = replace(change, items=change.items[:0])
    assert change_sentence(model, none).startswith("No set of history items was found")
    many = replace(change, items=np.arange(1, 8), minimal=False, smallest=False)
    assert "and 2 more" in change_sentence(model, many)
    assert "it was not proven that all of them are needed" in change_sentence(model, many)
    assert "It takes all of them" in change_sentence(model, replace(many, minimal=True))


def test_parts_that_hold_an_item_down_are_told_from_those_that_lift_it() -> None:
    found = Components(("popularity", "id", "text"), np.array([0.01, 2.0, -1.0]), 0.0, -1.01, 0.0)
    assert components_sentence("**A**", found) == (
        "**A** is lifted by which items go together (ids). **A** is held down by what texts say."
    )
    even = Components(("popularity",), np.array([0.0]), 0.0, 0.0, 0.0)
    assert components_sentence("**A**", even) == "No part of the model moves **A** noticeably."


@pytest.mark.parametrize("ranker", ["popularity", "item_knn", "transformer"])
def test_the_whole_model_is_described_when_it_is_asked_for(shop: BuiltWorkspace, ranker: str) -> None:
    app = open_page("explain", model=getattr(shop, ranker))
    assert "intervals hold with 95" not in texts(app)
    app.toggle(key="explain_whole_run").set_value(True).run()
    assert "intervals hold with 95" in texts(app)
    numbers = shown(app, "Each parameter's share with its 95 % interval")
    assert (numbers["ci_low"] <= numbers["value"]).all() and (numbers["value"] <= numbers["ci_high"]).all()
    cohorts = shown(app, "The same in each cohort")
    assert cohorts["n"].min() >= 11
    assert not app.exception and not app.error


def test_somebody_without_a_history_is_explained_by_popularity(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = [(f"u{n}", f"i{(n + item) % 5}", 100 * n + item) for n in range(6) for item in range(4)]
    interactions, users = tmp_path / "interactions.csv", tmp_path / "users.csv"
    pd.DataFrame(rows, columns=["user_id", "item_id", "timestamp"]).to_csv(interactions, index=False)
    pd.DataFrame({"user_id": ["new", "u0"], "colour": ["red", "blue"]}).to_csv(users, index=False)
    workspace = Workspace.open(tmp_path / "home")
    ingest(workspace, "Small", interactions, users=users)
    changes = ("epochs=1", "embedding_size=8", "n_blocks=1", "n_heads=1", "encoder=none")
    model = train(workspace, "Small", "transformer", "Net", "quick", changes=changes).id
    monkeypatch.setenv("RECLENS_HOME", str(tmp_path / "home"))
    app = open_page("explain", model=model, user="new", k="2")
    assert "the list is made from popularity" in texts(app)
    assert "of 5 items by popularity" in texts(app)
    numbers = shown(app, PARTS).set_index("name")["value"]
    assert numbers["Who it is (id)"] == pytest.approx(0, abs=1e-6)
    assert not app.exception and not app.error
