"""Explore: what a person sees of somebody's history and list, and what what-ifs change."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from app_workspace import HOSTILE, BuiltWorkspace, open_page, texts
from streamlit.testing.v1 import AppTest

from recsys_core.actions.data import LoadedDataset
from recsys_core.actions.models import LoadedModel, list_for_user, open_model
from recsys_core.data.split import histories
from recsys_core.store.workspace import Workspace
from ui.lists import rank_changes, strengths
from ui.people import find_people, history_table
from ui.text import plain

HISTORY, LIST = "The person's history, latest event first", "The ranked list, best item first"


def shown(app: AppTest, alt: str) -> pd.DataFrame:
    """What the table with that name for screen readers holds."""
    return next(table.value for table in app.dataframe if table.proto.alt == alt)


def opened(shop: BuiltWorkspace, model: str) -> LoadedModel:
    return open_model(Workspace.open(shop.home), model)


def test_empty_workspace_offers_the_way_to_data(empty_home: Path) -> None:
    app = open_page("explore")
    assert "There is no data set yet" in texts(app)
    assert app.button(key="empty_no_data").label == "Get data"


def test_first_visit_shows_somebody_with_a_list_of_ten(shop: BuiltWorkspace) -> None:
    app = open_page("explore", model=shop.item_knn)
    first = opened(shop, shop.item_knn).data.dataset.users["user_id"].iloc[0]
    assert app.selectbox(key="person").value == first
    assert shown(app, LIST)["rank"].tolist() == list(range(1, 11))
    assert not app.exception and not app.error


def test_k_of_the_link_is_the_length_of_the_list(shop: BuiltWorkspace) -> None:
    app = open_page("explore", model=shop.item_knn, k="4")
    assert len(shown(app, LIST)) == 4


def test_list_is_the_one_that_the_model_ranks(shop: BuiltWorkspace) -> None:
    model = opened(shop, shop.transformer)
    user = str(model.data.dataset.users["user_id"].iloc[7])
    app = open_page("explore", model=shop.transformer, user=user)
    ranked = list_for_user(model, user, 10)
    assert shown(app, LIST)["item_id"].tolist() == ranked["item_id"].tolist()


@pytest.mark.parametrize("as_of", ["test", "now"])
def test_history_is_what_the_list_is_made_from_latest_first(shop: BuiltWorkspace, as_of: str) -> None:
    data = opened(shop, shop.item_knn).data
    app = open_page("explore", model=shop.item_knn, as_of=as_of)
    known = histories(data.dataset, data.split, "now" if as_of == "now" else "test")[0]
    table = shown(app, HISTORY)
    assert table["item_id"].tolist() == data.dataset.item_ids[known][::-1].tolist()
    assert table["time"].is_monotonic_decreasing


def test_moment_says_what_it_means(shop: BuiltWorkspace) -> None:
    app = open_page("explore", model=shop.item_knn)
    assert "Test: the list is made from everything but the person's last new item" in texts(app)
    app.segmented_control(key="as_of").set_value("now").run()
    assert "Now: the list is made from the whole history" in texts(app)


def test_best_served_person_has_the_hit_marked(shop: BuiltWorkspace) -> None:
    app = open_page("explore", model=shop.item_knn)
    app.segmented_control(key="person_order").set_value("best").run()
    table = shown(app, LIST)
    ranks = opened(shop, shop.item_knn).test.ranks
    best = int(ranks[ranks > 0].min())
    assert table.loc[table["held_out"] != "", "rank"].tolist() == [best]
    assert f"is at rank {best}: a hit" in texts(app)


def test_now_marks_no_hit_because_nothing_is_held_out(shop: BuiltWorkspace) -> None:
    app = open_page("explore", model=shop.item_knn, as_of="now")
    app.segmented_control(key="person_order").set_value("best").run()
    assert "held_out" not in shown(app, LIST)


def test_worst_served_person_has_the_lowest_place(shop: BuiltWorkspace) -> None:
    app = open_page("explore", model=shop.item_knn)
    app.segmented_control(key="person_order").set_value("worst").run()
    worst = int(opened(shop, shop.item_knn).test.ranks.max())
    assert f"is at rank {worst}: a miss" in texts(app)


def test_search_shows_the_person_that_it_finds(shop: BuiltWorkspace) -> None:
    user = str(opened(shop, shop.item_knn).data.dataset.users["user_id"].iloc[41])
    app = open_page("explore", model=shop.item_knn)
    app.text_input(key="person_search").set_value(user).run()
    assert "1 person found" in texts(app)
    assert app.selectbox(key="person").value == user


def test_search_without_a_match_says_so(shop: BuiltWorkspace) -> None:
    app = open_page("explore", model=shop.item_knn)
    app.text_input(key="person_search").set_value("nobody of that id").run()
    assert "0 people found" in texts(app)
    assert app.button(key="person_random").disabled
    assert not app.exception


def test_attribute_filter_leaves_the_people_of_that_value(shop: BuiltWorkspace) -> None:
    users = opened(shop, shop.item_knn).data.dataset.users
    app = open_page("explore", model=shop.item_knn)
    app.selectbox(key="person_attribute").set_value("gender").run()
    largest = users["gender"].value_counts()
    assert f"{largest.iloc[0]} people found" in texts(app)
    assert (
        app.selectbox(key="person").value == users.loc[users["gender"] == largest.index[0], "user_id"].iloc[0]
    )


def test_random_person_is_one_of_those_found(shop: BuiltWorkspace) -> None:
    user = str(opened(shop, shop.item_knn).data.dataset.users["user_id"].iloc[3])
    app = open_page("explore", model=shop.item_knn)
    app.text_input(key="person_search").set_value(user).run()
    app.button(key="person_random").click().run()
    assert app.selectbox(key="person").value == user


def test_unknown_person_of_a_link_is_said_in_a_sentence(shop: BuiltWorkspace) -> None:
    app = open_page("explore", model=shop.item_knn, user="not there")
    assert "There is no person" in app.error[0].value
    assert not app.exception


def test_dropping_an_item_redraws_the_list_with_its_moves(shop: BuiltWorkspace) -> None:
    model = opened(shop, shop.item_knn)
    user = str(model.data.dataset.users["user_id"].iloc[0])
    app = open_page("explore", model=shop.item_knn)
    gone = str(shown(app, HISTORY)["item_id"].iloc[0])
    app.multiselect(key="explore_drop").set_value([gone]).run()
    table = shown(app, LIST)
    before = list_for_user(model, user, model.data.dataset.n_items).set_index("item_id")["rank"]
    assert table["item_id"].tolist() == list_for_user(model, user, 10, "test", [gone])["item_id"].tolist()
    assert table["rank_before"].tolist() == before.loc[table["item_id"]].tolist()
    assert gone not in table["item_id"].tolist()
    assert "Redrawn without 1 item of the history" in texts(app)


def test_with_all_of_the_history_dropped_the_list_is_by_popularity_and_says_so(shop: BuiltWorkspace) -> None:
    app = open_page("explore", model=shop.item_knn)
    everything = sorted(set(shown(app, HISTORY)["item_id"]))
    assert "made from what is popular" not in texts(app)
    app.multiselect(key="explore_drop").set_value(everything).run()
    assert "made from what is popular" in texts(app)
    assert shown(app, LIST)["popularity"].is_monotonic_decreasing


def test_next_person_starts_with_nothing_dropped(shop: BuiltWorkspace) -> None:
    app = open_page("explore", model=shop.item_knn)
    gone = str(shown(app, HISTORY)["item_id"].iloc[0])
    app.multiselect(key="explore_drop").set_value([gone]).run()
    app.segmented_control(key="person_order").set_value("worst").run()
    assert app.multiselect(key="explore_drop").value == []


def test_dropping_changes_nothing_for_popularity_and_that_is_said(shop: BuiltWorkspace) -> None:
    app = open_page("explore", model=shop.popularity)
    gone = str(shown(app, HISTORY)["item_id"].iloc[0])
    app.multiselect(key="explore_drop").set_value([gone]).run()
    assert "dropping items changes nothing" in texts(app)
    assert shown(app, LIST)["change"].tolist() == ["＝"] * 10


def test_wish_on_a_model_that_reads_no_text_is_refused_in_a_sentence(shop: BuiltWorkspace) -> None:
    app = open_page("explore", model=shop.popularity)
    app.segmented_control(key="explore_mode").set_value("new").run()
    app.text_input(key="explore_wish").set_value("a quiet film").run()
    assert "This model reads no text" in app.error[0].value.replace("\\", "")
    assert not app.exception


def test_why_takes_the_item_to_the_page_that_explains_it(shop: BuiltWorkspace) -> None:
    app = open_page("explore", model=shop.item_knn)
    second = str(shown(app, LIST)["item_id"].iloc[1])
    app.selectbox(key="explore_item").set_value(second).run()
    app.button(key="explore_why").click().run()
    assert app.title[0].value == "Explain"
    assert app.selectbox(key="explain_item").value == second


def test_hostile_texts_are_shown_letter_for_letter(hostile: BuiltWorkspace) -> None:
    app = open_page("explore", model=hostile.popularity)
    assert not app.exception
    assert shown(app, HISTORY)["title"].str.startswith(tuple(plain(text) for text in HOSTILE)).all()
    attributes = next(caption.value for caption in app.caption if "script" in caption.value)
    assert "<script>" not in attributes
    assert "\\<script" in attributes


def test_page_speaks_chinese(shop: BuiltWorkspace) -> None:
    app = open_page("explore", model=shop.item_knn, lang="zh")
    assert app.title[0].value == "浏览"
    assert "推荐列表 · 前 10 位" in texts(app)


@pytest.fixture
def data(shop: BuiltWorkspace) -> LoadedDataset:
    return opened(shop, shop.popularity).data


def test_people_without_a_held_out_item_come_last_in_both_orders(data: LoadedDataset) -> None:
    ranks = np.ones(data.dataset.n_users, dtype=np.int64)
    ranks[:3] = [5, 0, 2]
    users = data.dataset.users["user_id"]
    assert find_people(data, ranks, "worst")[0] == users.iloc[0]
    assert find_people(data, ranks, "worst")[-1] == users.iloc[1]
    assert find_people(data, ranks, "best")[-1] == users.iloc[1]
    assert find_people(data, ranks, "best")[-2] == users.iloc[0]


def test_search_takes_no_pattern(data: LoadedDataset) -> None:
    assert len(find_people(data, np.zeros(data.dataset.n_users, dtype=np.int64), "by_id", ".*")) == 0


def test_positions_of_a_history_count_from_the_oldest(data: LoadedDataset) -> None:
    user = str(data.dataset.users["user_id"].iloc[0])
    positions = history_table(data, user, "test")["position"].tolist()
    assert positions == list(range(len(positions), 0, -1))


def test_rank_changes_have_a_sign_and_a_number() -> None:
    assert rank_changes([4.0, 1.0, 3.0, float("nan")], [1, 2, 3, 4]) == ["▲ 3", "▼ 1", "＝", "★"]


def test_strength_of_a_log_probability_is_a_share_of_probability() -> None:
    assert strengths(np.log([0.4, 0.2, 0.1]), "log-probability") == pytest.approx([1.0, 0.5, 0.25])


def test_strength_of_a_count_is_its_share_of_the_first() -> None:
    assert strengths(np.array([8.0, 2.0, 0.0]), "count") == pytest.approx([1.0, 0.25, 0.0])


def test_strength_of_scores_below_zero_is_nothing() -> None:
    assert strengths(np.array([0.0, -1.0]), "similarity") == [0.0, 0.0]


def test_empty_list_has_no_strength() -> None:
    assert strengths(np.zeros(0), "count") == []


def test_another_order_is_the_one_that_the_command_gives(shop: BuiltWorkspace) -> None:
    model = opened(shop, shop.item_knn)
    user = str(model.data.dataset.users["user_id"].iloc[7])
    app = open_page("explore", model=shop.item_knn, user=user)
    app.selectbox(key="explore_order").set_value("mmr").run()
    app.slider(key="explore_mmr").set_value(0.6).run()
    table, own = shown(app, LIST), list_for_user(model, user, 10)["item_id"].tolist()
    assert table["item_id"].tolist() == list_for_user(model, user, 10, rerank="mmr:0.6")["item_id"].tolist()
    assert table["item_id"].tolist() != own
    ranks = dict(zip(table["item_id"], table["rank_before"], strict=True))
    assert {item: rank for item, rank in ranks.items() if item in own} == {
        item: own.index(item) + 1 for item in ranks if item in own
    }
    assert "Put in another order" in texts(app)


def test_a_cap_leaves_no_more_of_a_category(shop: BuiltWorkspace) -> None:
    app = open_page("explore", model=shop.item_knn)
    app.selectbox(key="explore_order").set_value("cap").run()
    app.number_input(key="explore_most").set_value(1).run()
    assert not app.error and not app.exception
    assert shown(app, LIST)["category"].value_counts().max() == 1
