"""What Explain refuses, in the language of the page."""

import numpy as np
import pytest
from app_workspace import BuiltWorkspace, in_chinese, open_page

from recsys_core.actions.models import LoadedModel, open_model, request_for
from recsys_core.store.workspace import Workspace
from ui.reason_concepts import is_concept
from ui.reason_refusals import item_refused, method_refused, person_refused
from ui.text import safe


@pytest.fixture
def model(shop: BuiltWorkspace) -> LoadedModel:
    return open_model(Workspace.open(shop.home), shop.transformer)


def test_what_can_be_explained_is_not_refused(model: LoadedModel) -> None:
    user = str(model.data.dataset.users["user_id"].iloc[0])
    new = np.setdiff1d(np.arange(1, model.data.dataset.n_items), request_for(model, user, "test").seen)[0]
    assert person_refused(model, user) is None
    assert item_refused(model, user, str(model.data.dataset.item_ids[new]), "test") is None
    assert method_refused(model, np.arange(1, 40), "integrated-gradients") is None


def test_exact_shapley_values_are_refused_from_thirteen_different_items_that_are_read(
    model: LoadedModel,
) -> None:
    """The model reads ten items, so that no history is too long for it; one of a longer window is."""
    assert model.ranker.max_length == 10
    assert method_refused(model, np.arange(1, 40), "shapley-exact") is None


def test_counting_models_read_the_whole_history(shop: BuiltWorkspace) -> None:
    counting = open_model(Workspace.open(shop.home), shop.item_knn)
    assert method_refused(counting, np.arange(1, 13), "shapley-exact") is None
    assert method_refused(counting, np.tile(np.arange(1, 13), 2), "shapley-exact") is None
    found = method_refused(counting, np.arange(1, 14), "shapley-exact")
    assert found is not None and "13 different items" in found


@pytest.mark.parametrize(
    ("line", "works"),
    [
        ("magic=wizard, spell", True),
        ("魔法=巫师", True),
        ("magic", False),
        ("=wizard", False),
        ("magic=,", False),
    ],
)
def test_a_concept_is_a_name_and_a_word(line: str, works: bool) -> None:
    assert is_concept(line) is works


@pytest.mark.slow
@pytest.mark.parametrize("wrong", ["user", "item", "seen"])
def test_a_link_to_what_cannot_be_explained_is_refused_in_chinese(
    shop: BuiltWorkspace, model: LoadedModel, wrong: str
) -> None:
    user = str(model.data.dataset.users["user_id"].iloc[0])
    seen = str(model.data.dataset.item_ids[request_for(model, user, "test").seen[0]])
    query = {
        "user": {"user": "not there"},
        "item": {"user": user, "item": "not there"},
        "seen": {"user": user, "item": seen},
    }[wrong]
    app = open_page("explain", model=shop.transformer, lang="zh", **query)
    (error,) = app.error
    title = safe(model.data.dataset.titles[model.data.dataset.item_number(seen)])
    says = {
        "user": "此数据集中没有用户“not there”。",
        "item": "此数据集中没有物品“not there”。",
        "seen": f"“{title}”已在此人的历史中，因此不是列表的候选。",
    }[wrong]
    assert error.value == f"{says}\n\n请修改后重试。"
    assert not app.exception


@pytest.mark.slow
def test_what_the_core_refuses_is_told_in_the_language_of_the_page(shop: BuiltWorkspace) -> None:
    english = open_page("explore", model=shop.item_knn)
    english.segmented_control(key="explore_mode").set_value("new").run()
    english.text_input(key="explore_wish").set_value("chess").run()
    app = in_chinese(english, "explore", "explore_mode", "explore_wish")
    (error,) = app.error
    assert error.value == "此模型不读文本，因此不能满足愿望；请训练一个带编码器的模型。\n\n请修改后重试。"
    assert not app.exception
