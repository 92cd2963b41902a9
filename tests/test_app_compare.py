"""The Compare page: two models, what is said of them, groups, and lists side by side."""

import pytest
from app_workspace import BuiltWorkspace, open_page, texts

from recsys_core.actions.comparisons import compare_models
from recsys_core.store.workspace import Workspace


def test_two_models_are_compared_in_a_sentence_with_the_figures_of_the_command(
    own_shop: BuiltWorkspace,
) -> None:
    app = open_page("compare", model=own_shop.item_knn, other=own_shop.popularity)
    assert not app.exception and not app.error
    found = compare_models(Workspace.open(own_shop.home), own_shop.item_knn, own_shop.popularity).result
    assert f"{found.ci_low:+.4f} to {found.ci_high:+.4f}" in texts(app)
    numbers = app.dataframe[0].value
    assert numbers["difference"].iloc[0] == found.difference
    assert [metric.value for metric in app.metric] == [
        f"{n:,}" for n in (found.n_better, found.n - found.n_better - found.n_worse, found.n_worse)
    ]


def test_swapping_the_models_turns_the_difference(own_shop: BuiltWorkspace) -> None:
    pairs = ((own_shop.item_knn, own_shop.popularity), (own_shop.popularity, own_shop.item_knn))
    one, two = (
        open_page("compare", model=a, other=b).dataframe[0].value["difference"].iloc[0] for a, b in pairs
    )
    assert one == pytest.approx(-two)


def test_the_second_model_is_in_the_url(own_shop: BuiltWorkspace) -> None:
    app = open_page("compare", model=own_shop.item_knn)
    app.selectbox(key="compare_other").select(own_shop.popularity).run()
    assert app.query_params["other"] == own_shop.popularity


def test_a_person_has_both_lists(own_shop: BuiltWorkspace) -> None:
    app = open_page("compare", model=own_shop.item_knn, other=own_shop.popularity, user="u003", k="5")
    assert "items are on both lists" in texts(app) or "item is on both lists" in texts(app)
    assert sum("rank" in frame.value.columns and len(frame.value) == 5 for frame in app.dataframe) == 2


def test_one_model_alone_leads_to_training(own_shop: BuiltWorkspace) -> None:
    workspace = Workspace.open(own_shop.home)
    for model in (own_shop.popularity, own_shop.transformer):
        workspace.delete("model", model)
    app = open_page("compare")
    assert "There is no second model of this data set yet" in texts(app)


def test_the_page_speaks_chinese(own_shop: BuiltWorkspace) -> None:
    assert open_page("compare", lang="zh").title[0].value == "比较"
