"""Explain: the sentence, the evidence beside it, and what is said where there is none."""

import json
from pathlib import Path

import pandas as pd
import pytest
from app_workspace import BuiltWorkspace, open_page, texts
from streamlit.testing.v1 import AppTest

from recsys_core.actions.data import ingest
from recsys_core.actions.imported import import_recommendations
from recsys_core.actions.models import LoadedModel, list_for_user, open_model, train
from recsys_core.actions.reasons import explain_item
from recsys_core.data.split import histories
from recsys_core.explain.faithfulness import Verification
from recsys_core.store.workspace import Workspace
from ui.reasons import badge_reason, best_rival, main_reasons

STRONGEST = "History items with the strongest contributions"
BARS = "Contribution of every history item to the score, oldest first"
FALLS = "How far the score falls under each order of removal"


def shown(app: AppTest, alt: str) -> pd.DataFrame:
    """What the table with that name for screen readers holds."""
    return next(table.value for table in app.dataframe if table.proto.alt == alt)


def figure(app: AppTest, label: str) -> str:
    """A figure of the page, as it is shown."""
    return next(metric.value for metric in app.metric if metric.label == label)


def opened(shop: BuiltWorkspace, model: str) -> LoadedModel:
    return open_model(Workspace.open(shop.home), model)


def first_user(model: LoadedModel) -> str:
    return str(model.data.dataset.users["user_id"].iloc[0])


def test_empty_workspace_offers_the_way_to_data(empty_home: Path) -> None:
    app = open_page("explain")
    assert app.button(key="empty_no_data").label == "Get data"


@pytest.mark.parametrize("ranker", ["item_knn", "transformer"])
def test_first_item_of_the_list_is_explained(shop: BuiltWorkspace, ranker: str) -> None:
    model = opened(shop, getattr(shop, ranker))
    app = open_page("explain", model=getattr(shop, ranker))
    first = list_for_user(model, first_user(model), 1)
    assert app.selectbox(key="explain_item").value == first["item_id"].iloc[0]
    assert figure(app, "Rank") == "1"
    assert not app.exception and not app.error


def test_contributions_on_the_chart_add_up_to_the_score(shop: BuiltWorkspace) -> None:
    app = open_page("explain", model=shop.item_knn)
    total = shown(app, BARS)["attribution"].sum()
    assert f"{total:.4f}" == figure(app, "Score")
    assert "The contributions add up to the score." in texts(app)


def test_table_holds_the_strongest_first(shop: BuiltWorkspace) -> None:
    app = open_page("explain", model=shop.transformer)
    strengths = shown(app, STRONGEST)["attribution"].abs()
    assert strengths.is_monotonic_decreasing
    sums = shown(app, BARS).groupby("title")["attribution"].sum()
    assert strengths.iloc[0] == pytest.approx(sums.abs().max())


def test_badge_from_too_few_people_is_withheld_and_the_sentence_says_so(shop: BuiltWorkspace) -> None:
    app = open_page("explain", model=shop.item_knn)
    assert "We can't be sure that these are the reasons" in texts(app)
    assert "Tested on 20 people; the badge needs 200" in texts(app)
    assert "Not verified" in texts(app)


def test_comparison_has_every_rival_and_the_ceiling_by_both_removals(shop: BuiltWorkspace) -> None:
    table = shown(open_page("explain", model=shop.item_knn), FALLS)
    assert table.groupby("removal", sort=False).size().tolist() == [6, 6]
    assert set(table["order"]) == {
        "Exact sum",
        "Random order",
        "Latest first",
        "Most popular first",
        "Most similar first",
        "Leave-one-out",
    }


def test_figure_that_is_chosen_is_the_one_that_is_shown(shop: BuiltWorkspace) -> None:
    model = opened(shop, shop.item_knn)
    app = open_page("explain", model=shop.item_knn)
    app.segmented_control(key="explain_figure").set_value("sufficiency").run()
    own = explain_item(model, first_user(model)).faithfulness["delete-and-shift"]["counts"]
    assert shown(app, FALLS)["value"].iloc[0] == pytest.approx(own.sufficiency)
    assert "Lower is better." in texts(app)


def test_leave_one_out_promises_no_sum(shop: BuiltWorkspace) -> None:
    app = open_page("explain", model=shop.item_knn)
    app.selectbox(key="explain_method_counts").set_value("leave-one-out").run()
    assert figure(app, "δ") == "–"
    assert "Leave-one-out promises no sum" in texts(app)
    assert "Leave-one-out was not tested on this model" in texts(app)


def test_popularity_says_that_no_history_changes_anything(shop: BuiltWorkspace) -> None:
    app = open_page("explain", model=shop.popularity)
    assert "because it is popular: it was chosen" in texts(app)
    assert "This model looks at no history" in texts(app)
    assert len(app.dataframe) == 0


def test_item_of_the_history_is_refused_in_a_sentence(shop: BuiltWorkspace) -> None:
    model = opened(shop, shop.item_knn)
    touched = str(model.data.dataset.item_ids[model.data.dataset.events[0][0]])
    app = open_page("explain", model=shop.item_knn, user=first_user(model), item=touched)
    assert "in this person's history" in app.error[0].value.replace("\\", "")
    assert not app.exception


def test_unknown_item_of_a_link_is_said_in_a_sentence(shop: BuiltWorkspace) -> None:
    model = opened(shop, shop.item_knn)
    app = open_page("explain", model=shop.item_knn, user=first_user(model), item="not there")
    assert "There is no item" in app.error[0].value
    assert not app.exception


def test_person_without_any_history_is_served_what_is_popular(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = [(f"u{n}", f"i{(n + item) % 5}", 100 * n + item) for n in range(6) for item in range(4)]
    interactions, users = tmp_path / "interactions.csv", tmp_path / "users.csv"
    pd.DataFrame(rows, columns=["user_id", "item_id", "timestamp"]).to_csv(interactions, index=False)
    pd.DataFrame({"user_id": ["new", "u0"], "colour": ["red", "blue"]}).to_csv(users, index=False)
    workspace = Workspace.open(tmp_path / "home")
    ingest(workspace, "Small", interactions, users=users)
    model = train(workspace, "Small", "item-knn", "Neighbours", "quick").id
    monkeypatch.setenv("RECLENS_HOME", str(tmp_path / "home"))
    app = open_page("explain", model=model, user="new")
    assert "Nothing is known of this person at this moment" in texts(app)
    assert not app.exception and not app.error


def test_lists_from_elsewhere_say_that_nothing_can_be_explained_and_lead_to_them(
    own_shop: BuiltWorkspace, tmp_path: Path
) -> None:
    model = opened(own_shop, own_shop.item_knn)
    ranked = list_for_user(model, first_user(model), 5)
    path = tmp_path / "lists.csv"
    ranked[["item_id", "rank"]].assign(user_id=first_user(model)).to_csv(path, index=False)
    lists = import_recommendations(Workspace.open(own_shop.home), own_shop.dataset, path, "Theirs")
    app = open_page("explain", model=lists.record.id)
    assert "nothing can be asked of that model itself" in texts(app)
    assert not app.error and not app.exception
    app.button(key="empty_imported").click().run()
    assert app.title[0].value == "Explore"


def test_item_beyond_the_list_says_its_place(shop: BuiltWorkspace) -> None:
    model = opened(shop, shop.item_knn)
    seventh = str(list_for_user(model, first_user(model), 7)["item_id"].iloc[-1])
    parameters = {"model": shop.item_knn, "user": first_user(model), "item": seventh}
    assert "is not among the first 5: it is number 7." in texts(open_page("explain", k="5", **parameters))
    assert "is not among the first" not in texts(open_page("explain", k="7", **parameters))


def test_numbers_behind_a_chart_are_headed_in_the_language_of_the_page(shop: BuiltWorkspace) -> None:
    app = open_page("explain", model=shop.item_knn, lang="zh")
    numbers = next(frame for frame in app.dataframe if "position" in frame.value.columns)
    labels = {name: column.get("label") for name, column in json.loads(numbers.proto.columns).items()}
    assert (labels["position"], labels["title"], labels["attribution"]) == ("在历史中的位置", "标题", "贡献")


def test_other_moment_explains_another_list(shop: BuiltWorkspace) -> None:
    model = opened(shop, shop.item_knn)
    app = open_page("explain", model=shop.item_knn, as_of="now")
    known = histories(model.data.dataset, model.data.split, "now")[0]
    assert shown(app, BARS)["title"].tolist() == model.data.dataset.titles[known].tolist()


def test_hostile_titles_are_shown_letter_for_letter(hostile: BuiltWorkspace) -> None:
    for user in opened(hostile, hostile.popularity).data.dataset.users["user_id"].head(3):
        app = open_page("explain", model=hostile.popularity, user=str(user))
        sentence = next(part.value for part in app.markdown if "because it is popular" in part.value)
        assert not app.exception
        assert "<script>" not in sentence and "](http" not in sentence and ":red[" not in sentence


def test_page_speaks_chinese(shop: BuiltWorkspace) -> None:
    app = open_page("explain", model=shop.item_knn, lang="zh")
    assert app.title[0].value == "解释"
    assert "我们不能确定这些就是真正的理由" in texts(app)


def contributions(*rows: tuple[str, float]) -> pd.DataFrame:
    table = pd.DataFrame(rows, columns=["title", "attribution"])
    return table.assign(item_id=table["title"], category="")


def test_reasons_are_those_with_a_real_share_strongest_first() -> None:
    table = contributions(("A", 0.2), ("B", 0.7), ("C", 0.1), ("D", -5.0))
    assert main_reasons(table) == ["B", "A"]


def test_repeats_of_an_item_count_together() -> None:
    table = contributions(("A", 0.3), ("B", 0.5), ("A", 0.3))
    assert main_reasons(table) == ["A", "B"]


def test_three_reasons_are_named_at_most() -> None:
    assert main_reasons(contributions(*((letter, 1.0) for letter in "ABCDE"))) == ["A", "B", "C"]


def test_strongest_of_many_small_reasons_is_named() -> None:
    table = contributions(*((str(number), 1.0 + (number == 7)) for number in range(20)))
    assert main_reasons(table) == ["7"]


def test_nothing_is_a_reason_where_nothing_speaks_for_the_item() -> None:
    assert main_reasons(contributions(("A", -0.1), ("B", 0.0))) == []


@pytest.mark.parametrize(("name", "best"), [("comprehensiveness", "recency"), ("sufficiency", "random")])
def test_best_rival_is_the_best_made_up_order(name: str, best: str) -> None:
    table = pd.DataFrame(
        {
            "key": ["counts", "random", "recency", "leave-one-out", "random", "recency"],
            "removal": ["closed"] * 4 + ["open"] * 2,
            "value": [3.0, 1.0, 2.0, 9.0, 8.0, 0.0],
        }
    )
    assert best_rival(table, name)["key"] == best  # pyright: ignore[reportArgumentType]


def test_badge_that_is_earned_names_the_rivals_that_lost() -> None:
    earned = Verification("counts", 250, True, "", (), {})
    assert badge_reason(earned, "counts") == (
        "Over 250 people, the exact sum beat a random order, the latest items first, the most "
        "popular items first and the most similar items first beyond chance, by both kinds of removal."
    )


def test_where_people_may_not_be_seen_the_whole_model_is_explained_and_nobody(
    shop: BuiltWorkspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    users = open_model(Workspace.open(shop.home), shop.item_knn).data.dataset.users["user_id"]
    monkeypatch.setenv("RECLENS_AUDIT_PEOPLE", "false")
    app = open_page("explain", model=shop.item_knn, user=str(users.iloc[0]))
    assert not app.exception and not app.error
    assert [one.value for one in app.info if "groups only" in one.value]
    assert "person" not in [one.key for one in app.selectbox]
    assert {"explain_item", "person_search"}.isdisjoint(one.key for one in (*app.selectbox, *app.text_input))
    assert not app.toggle(key="explain_whole_run").value
