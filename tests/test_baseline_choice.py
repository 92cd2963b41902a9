"""What a method compares with: offered where a ranker has it, refused in a sentence, told in the evidence."""

import json
from dataclasses import replace

import numpy as np
import pytest
from app_workspace import BuiltWorkspace, open_page, texts
from hand_made import small_transformer

from recsys_core.actions.models import LoadedModel, open_model
from recsys_core.actions.reason_parts import attributions_of, contrast_items
from recsys_core.actions.reasons import compared_with, explain_item
from recsys_core.data.split import histories
from recsys_core.errors import ConfigError
from recsys_core.explain.faithfulness import Verification
from recsys_core.explain.history import METHODS, baselines_for
from recsys_core.ranker.bert4rec import Bert4RecRanker
from recsys_core.store.workspace import Workspace
from ui.reason_export import evidence_json
from ui.text import has


@pytest.fixture
def model(shop: BuiltWorkspace) -> LoadedModel:
    return open_model(Workspace.open(shop.home), shop.transformer)


def person(model: LoadedModel, row: int = 0) -> str:
    return str(model.data.dataset.users["user_id"].iloc[row])


def test_baselines_are_those_that_both_method_and_ranker_have() -> None:
    ranker = small_transformer(5)
    assert baselines_for(ranker, "integrated-gradients") == ("padding", "mean-item", "other-people")
    assert baselines_for(ranker, "shapley-sampling") == ("removed", "padding")
    assert baselines_for(ranker, "gradient-x-input") == ("zero",)
    assert "mask" in baselines_for(Bert4RecRanker.__new__(Bert4RecRanker), "integrated-gradients")


def test_a_ranker_that_counts_compares_with_the_history_without_the_item_alone(shop: BuiltWorkspace) -> None:
    counting = open_model(Workspace.open(shop.home), shop.item_knn)
    assert baselines_for(counting.ranker, "leave-one-out") == ("removed",)


def test_other_people_are_everybody_else_as_training_knew_them(model: LoadedModel) -> None:
    others = compared_with(model, person(model, 3), "other-people").others
    known = histories(model.data.dataset, model.data.split, "valid")
    assert others is not None
    assert [own.tolist() for own in (others[2], others[3])] == [known[2].tolist(), known[4].tolist()]
    assert len(others) == len(known) - 1


def test_contributions_add_up_at_every_baseline_and_start_from_another_score(model: LoadedModel) -> None:
    found = {
        name: attributions_of(model, person(model), None, "integrated-gradients", "test", name)
        for name in baselines_for(model.ranker, "integrated-gradients")
    }
    assert len({round(own.baseline_score, 6) for own in found.values()}) == 3
    for own in found.values():
        assert own.values.sum() == pytest.approx(own.score - own.baseline_score, abs=1e-4)


def test_leaving_an_item_out_in_its_place_says_so(model: LoadedModel) -> None:
    found = attributions_of(model, person(model), None, "leave-one-out", "test", "padding")
    assert found.baseline == "the history with an average item in the item's places"


def test_a_contrast_keeps_the_baseline(model: LoadedModel) -> None:
    second = str(model.data.dataset.item_ids[explain_item(model, person(model)).item_number % 7 + 1])
    found = contrast_items(model, person(model), None, second, None, "test", "mean-item")
    assert {found.own.baseline, found.other.baseline} == {
        "the mean of what people touch, in every place of the history"
    }


def test_a_baseline_that_is_unknown_or_lacking_is_refused_with_those_that_work(model: LoadedModel) -> None:
    with pytest.raises(ConfigError, match=r"no baseline 'zeros'; baselines are removed, padding, mask"):
        explain_item(model, person(model), baseline="zeros")
    with pytest.raises(ConfigError, match=r"lacks the baseline 'mask'; it has padding.*padding, an average"):
        explain_item(model, person(model), baseline="mask")
    with pytest.raises(ConfigError, match=r"leave-one-out has no baseline 'mask'; it has removed, padding"):
        explain_item(model, person(model), method="leave-one-out", baseline="mask")


def test_the_badge_is_that_of_the_own_baseline_alone(model: LoadedModel) -> None:
    earned = Verification("integrated-gradients", 250, True, "beyond chance", (), {})
    tested = replace(model, verification=earned, badges=())
    assert explain_item(tested, person(model)).verified
    assert explain_item(tested, person(model), baseline="padding").verified
    other = explain_item(tested, person(model), baseline="mean-item")
    assert not other.verified
    assert other.reason == "integrated-gradients was not tested on this model with the baseline mean-item"


@pytest.mark.slow
def test_the_page_compares_with_what_is_chosen_and_the_evidence_says_so(
    shop: BuiltWorkspace, model: LoadedModel
) -> None:
    app = open_page("explain", model=shop.transformer)
    box = app.selectbox(key="explain_baseline_integrated-gradients")
    assert box.options == [
        "Average item",
        "What people touch on average",
        "Other people (expected gradients)",
    ]
    box.set_value("mean-item").run()
    assert "Compared with the mean of what people touch" in texts(app)
    assert "with its own baseline, not with “What people touch on average”" in texts(app)
    assert app.query_params["baseline"] == "mean-item"
    assert not app.exception and not app.error
    explanation = explain_item(model, person(model), baseline="mean-item")
    evidence = json.loads(evidence_json(model, explanation, "test"))
    assert (evidence["model"], evidence["baseline_name"]) == (shop.transformer, "mean-item")
    values = [row["attribution"] for row in evidence["attributions"]]
    assert values == pytest.approx(explanation.attributions.values.tolist())


@pytest.mark.slow
def test_a_link_that_asks_for_what_a_model_lacks_gets_the_nearest_in_a_sentence(shop: BuiltWorkspace) -> None:
    app = open_page("explain", model=shop.transformer, baseline="mask")
    assert "can't compare with “Mask” on this model; the nearest that works is shown" in texts(app)
    app = open_page("explain", model=shop.item_knn, method="integrated-gradients", baseline="<b>x</b>")
    assert "Integrated gradients doesn't fit this model; the nearest that works is shown: Exact sum" in texts(
        app
    )
    assert app.selectbox(key="explain_baseline_counts").disabled
    assert not app.exception and not app.error


@pytest.mark.slow
def test_a_link_opens_with_its_method_and_another_method_lets_go_of_the_baseline(
    shop: BuiltWorkspace,
) -> None:
    app = open_page("explain", model=shop.transformer, method="leave-one-out", baseline="padding")
    assert "an average item stands in the item's places" in texts(app)
    app.selectbox(key="explain_method_integrated-gradients").set_value("gradient-shap").run()
    assert app.selectbox(key="explain_baseline_gradient-shap").value == "padding"
    assert "baseline" not in app.query_params
    assert not app.exception and not app.error


@pytest.mark.slow
def test_all_baselines_of_a_method_stand_side_by_side(shop: BuiltWorkspace, model: LoadedModel) -> None:
    app = open_page("explain", model=shop.transformer)
    app.toggle(key="explain_all_methods").set_value(True).run()
    app.segmented_control(key="explain_side_by_side_of").set_value("baselines").run()
    table = next(
        table.value for table in app.dataframe if table.proto.alt == "All methods and baselines side by side"
    )
    assert list(table.columns)[1:] == app.selectbox(key="explain_baseline_integrated-gradients").options
    own = attributions_of(model, person(model), None, "integrated-gradients", "test", "other-people").values
    assert np.isclose(own, table["Other people (expected gradients)"].iloc[0]).any()
    assert not app.exception and not app.error


def test_every_baseline_has_its_words_on_the_page() -> None:
    for method, kind in METHODS.items():
        for baseline in kind.baselines:
            assert has(f"explain.against_{baseline}"), baseline
            assert has(f"explain.compared_{baseline}") or has(f"explain.baseline_{method}"), (
                method,
                baseline,
            )
