"""Influence and concepts on Explain: worked out when they are asked for, with their checks beside them."""

import numpy as np
import pandas as pd
import pytest
from app_workspace import BuiltWorkspace, open_page, texts
from streamlit.testing.v1 import AppTest

from recsys_core.actions.concepts import find_concepts
from recsys_core.actions.influences import influence_json, trace_influence
from recsys_core.actions.models import LoadedModel, list_for_user, open_model
from recsys_core.explain.concepts import EVERYBODY, ConceptEffect, ConceptReport
from recsys_core.store.workspace import Workspace
from ui.reason_concepts import concepts_sentence, effects_table
from ui.reason_influence import examples_table


@pytest.fixture
def model(shop: BuiltWorkspace) -> LoadedModel:
    return open_model(Workspace.open(shop.home), shop.transformer)


def effect(concept: str, change: float, p: float, group: str = EVERYBODY) -> ConceptEffect:
    return ConceptEffect(concept, group, 9, 40, 0.5, change, 0.7, p, p)


def shown(app: AppTest, alt: str) -> pd.DataFrame:
    return next(table.value for table in app.dataframe if table.proto.alt == alt)


def test_only_what_is_beyond_chance_for_everybody_is_said_strongest_first() -> None:
    effects = (
        effect("weak", 0.1, 0.04),
        effect("chance", 9.0, 0.05),
        effect("strong", 0.3, 0.001),
        effect("down*", -0.2, 0.01),
        effect("group", 5.0, 0.001, "sex=F"),
    )
    assert concepts_sentence(ConceptReport(effects, ())) == (
        r"Raises scores more than chance: *strong* and *weak*. Lowers scores more than chance: *down\**."
    )
    assert "No concept was found" in concepts_sentence(ConceptReport(effects[1:2], ()))
    assert effects_table(ConceptReport(effects, ()))["sure"].tolist() == [True, False, True, True, True]


def test_examples_weigh_against_the_strongest_of_all(model: LoadedModel) -> None:
    user = str(model.data.dataset.users["user_id"].iloc[0])
    item = str(list_for_user(model, user, 1)["item_id"].iloc[0])
    found = trace_influence(model, user, item)
    raised = examples_table(model, found, found.influence.strongest(3).tolist())
    lowered = examples_table(model, found, found.influence.strongest(3, raising=False).tolist())
    assert max(raised["weight"].max(), -lowered["weight"].min()) == pytest.approx(1.0)
    answer = influence_json(model, found, 3)
    assert raised["user_id"].tolist() == [row["user_id"] for row in answer["raised"]]
    assert raised["came"].tolist() == [row["title"] for row in answer["raised"]]
    ids = model.data.dataset.items.set_index("item_id")["title"]
    assert raised["after"].tolist() == [ids[row["after"]] for row in answer["raised"]]
    ratio = answer["raised"][1]["influence"] / answer["raised"][0]["influence"]
    assert raised["weight"][1] / raised["weight"][0] == pytest.approx(ratio)


@pytest.mark.slow
def test_page_traces_examples_when_it_is_asked_to(shop: BuiltWorkspace, model: LoadedModel) -> None:
    app = open_page("explain", model=shop.transformer)
    assert "How this was checked" not in texts(app)
    app.toggle(key="explain_influence_run").set_value(True).run()
    assert "How this was checked" in texts(app)
    assert (np.diff(shown(app, "Raised the score")["weight"]) <= 0).all()
    assert (shown(app, "Lowered the score")["weight"] < 0).all()
    assert not app.exception and not app.error


@pytest.mark.slow
def test_page_tests_categories_words_and_groups_when_it_is_asked_to(
    shop: BuiltWorkspace, model: LoadedModel
) -> None:
    app = open_page("explain", model=shop.transformer)
    app.text_area(key="concepts_words").set_value("everything=the, and\n\n")
    attribute = model.data.attributes[0]
    app.selectbox(key="concepts_by").set_value(attribute)
    app.toggle(key="explain_concepts_run").set_value(True).run()
    report = find_concepts(model, ["everything=the, and"], attribute, None, 200)
    alt = "Mean change of the score in the direction of each concept; hatched where chance explains it"
    table = shown(app, alt)
    assert table["score_change"].tolist() == pytest.approx([own.sensitivity for own in report.effects])
    assert "random sets of as many items" in texts(app)
    assert not app.exception and not app.error


@pytest.mark.slow
def test_models_that_count_say_why_there_is_nothing_to_trace(shop: BuiltWorkspace) -> None:
    app = open_page("explain", model=shop.item_knn)
    assert "This model counts instead of learning" in texts(app)
    assert "no concept is a direction to it" in texts(app)
    assert not app.exception and not app.error
