import pandas as pd
import pytest

from recsys_core.data.mapping import Kind, Mapping, guess_mapping, parse_mapping
from recsys_core.data.schema import Role
from recsys_core.errors import ConfigError


def guessed(kind: Kind, columns: list[str], *rows: list[str]) -> dict[str, str]:
    """Role → column, of a file with these rows; context columns are left out."""
    sample = pd.DataFrame(list(rows), columns=columns, dtype="str")
    pairs = guess_mapping(columns, sample, kind).pairs
    return {str(role): column for role, column in pairs if role is not Role.CONTEXT}


def test_parse_takes_several_pieces_and_several_options():
    found = parse_mapping(["user_id=userID,item_id=movieID", "order=position"])
    assert found.pairs == (
        (Role.USER_ID, "userID"),
        (Role.ITEM_ID, "movieID"),
        (Role.ORDER, "position"),
    )


def test_parse_of_nothing_is_an_empty_mapping():
    assert parse_mapping([]) == Mapping()


def test_parse_takes_several_context_columns():
    assert parse_mapping(["context=device,context=hour"]).context == ("device", "hour")


def test_parse_keeps_what_follows_the_first_equals_sign():
    assert parse_mapping(["title=a=b"]).column(Role.TITLE) == "a=b"


@pytest.mark.parametrize("option", ["user_id", "user_id=", "=userID", "", "user_id=a,nonsense", "user_id=a,"])
def test_parse_refuses_what_is_not_role_equals_column(option: str):
    with pytest.raises(ConfigError, match=r"isn't role=column; the roles are user_id, item_id"):
        parse_mapping([option])


def test_parse_refuses_an_unknown_role_and_lists_the_roles():
    with pytest.raises(ConfigError, match=r"'person' isn't a role; the roles are user_id,.*dwell_s.*image"):
        parse_mapping(["person=a"])


def test_parse_refuses_a_role_that_is_named_twice():
    with pytest.raises(ConfigError, match="rating is named twice, as 'a' and as 'b'"):
        parse_mapping(["rating=a,rating=b"])


def test_said_wins_over_guessed():
    said = Mapping(((Role.RATING, "score"),))
    guess = Mapping(((Role.RATING, "stars"), (Role.TITLE, "score"), (Role.USER_ID, "user")))
    assert said.completed_by(guess).pairs == ((Role.RATING, "score"), (Role.USER_ID, "user"))


def test_within_keeps_only_columns_of_the_file():
    said = Mapping(((Role.USER_ID, "user"), (Role.TITLE, "name")))
    assert said.within(["user", "x"]).pairs == ((Role.USER_ID, "user"),)


@pytest.mark.parametrize(
    ("columns", "row", "expected"),
    [
        (
            ["userId", "movieId", "rating", "timestamp"],
            ["1", "2", "3.5", "1112486027"],
            {"user_id": "userId", "item_id": "movieId", "rating": "rating", "timestamp_s": "timestamp"},
        ),
        (
            ["User-ID", "ISBN", "Book-Rating"],
            ["276725", "034545104X", "0"],
            {"user_id": "User-ID", "item_id": "ISBN", "rating": "Book-Rating"},
        ),
        (
            ["household_id", "product_id", "qty", "transaction_timestamp"],
            ["900", "1095275", "1", "2017-01-01 11:53:26"],
            {
                "user_id": "household_id",
                "item_id": "product_id",
                "quantity": "qty",
                "timestamp_s": "transaction_timestamp",
            },
        ),
        (
            ["reviewerID", "asin", "overall", "unixReviewTime", "reviewText"],
            ["A2", "000100039X", "5.0", "1355616000", "good"],
            {
                "user_id": "reviewerID",
                "item_id": "asin",
                "rating": "overall",
                "timestamp_s": "unixReviewTime",
                "review_text": "reviewText",
            },
        ),
        (
            ["CUSTOMER", "ARTICLE", "Date", "Event Type", "dwell_s", "Search Query"],
            ["c", "a", "2024-05-31", "view", "12", "chess"],
            {
                "user_id": "CUSTOMER",
                "item_id": "ARTICLE",
                "timestamp_s": "Date",
                "event": "Event Type",
                "dwell_s": "dwell_s",
                "search_text": "Search Query",
            },
        ),
        (
            ["userID", "movieID", "position"],
            ["1", "2", "0"],
            {"user_id": "userID", "item_id": "movieID", "order": "position"},
        ),
        (
            ["用户ID", "商品ID", "评分", "时间"],
            ["1", "2", "5", "2024-05-31"],
            {"user_id": "用户ID", "item_id": "商品ID", "rating": "评分", "timestamp_s": "时间"},
        ),
        (
            ["session_id", "user", "item"],
            ["s", "u", "i"],
            {"user_id": "user", "item_id": "item"},
        ),
        (
            ["from_user_id", "bought_product_id"],
            ["u", "i"],
            {"user_id": "from_user_id", "item_id": "bought_product_id"},
        ),
    ],
)
def test_interaction_columns_are_guessed(columns: list[str], row: list[str], expected: dict[str, str]):
    assert guessed("interactions", columns, row) == expected


def test_a_rating_that_is_no_number_is_not_guessed():
    assert "rating" not in guessed("interactions", ["user", "item", "rating"], ["u", "i", "good"])


def test_the_readable_one_of_two_time_columns_is_guessed():
    found = guessed("interactions", ["user", "item", "time", "date"], ["u", "i", "noon", "2024-05-31"])
    assert found["timestamp_s"] == "date"


def test_an_unreadable_time_column_is_guessed_all_the_same():
    assert (
        guessed("interactions", ["user", "item", "timestamp"], ["u", "i", "noon"])["timestamp_s"]
        == "timestamp"
    )


def test_context_columns_are_guessed_together():
    sample = pd.DataFrame([["u", "i", "tv", "9"]], columns=["user", "item", "device", "hour"], dtype="str")
    assert guess_mapping(list(sample.columns), sample, "interactions").context == ("device", "hour")


def test_item_columns_are_guessed():
    columns = ["id", "name", "overview", "genres", "studio", "poster"]
    assert guessed("items", columns, ["1", "Alien", "In space", "Horror", "Fox", "a.png"]) == {
        "item_id": "id",
        "title": "name",
        "text": "overview",
        "category": "genres",
        "provider": "studio",
        "image": "poster",
    }


def test_in_an_items_file_the_bare_word_is_the_title_beside_an_id():
    assert guessed("items", ["movie", "id"], ["Alien", "1"]) == {"item_id": "id", "title": "movie"}


def test_in_a_users_file_id_is_the_persons():
    assert guessed("users", ["id", "age", "gender"], ["u1", "30", "F"]) == {"user_id": "id"}


def test_nothing_is_guessed_of_strange_columns():
    assert guessed("interactions", ["a", "b", "c"], ["x", "y", "z"]) == {}


@pytest.mark.parametrize(
    ("rows", "expected"),
    [
        (
            [["196", "242", "3", "881250949"], ["186", "302", "3", "891717742"]],
            {"user_id": "column_1", "item_id": "column_2", "rating": "column_3", "timestamp_s": "column_4"},
        ),
        (
            [["u", "i", "2024-05-31", "4"]],
            {"user_id": "column_1", "item_id": "column_2", "timestamp_s": "column_3", "rating": "column_4"},
        ),
        ([["1", "2", "5"]], {"user_id": "column_1", "item_id": "column_2", "rating": "column_3"}),
        (
            [["1", "2", "881250949"]],
            {"user_id": "column_1", "item_id": "column_2", "timestamp_s": "column_3"},
        ),
        ([["1", "2"]], {"user_id": "column_1", "item_id": "column_2"}),
    ],
)
def test_headerless_interactions_are_guessed_by_position(rows: list[list[str]], expected: dict[str, str]):
    columns = [f"column_{number}" for number in range(1, len(rows[0]) + 1)]
    assert guessed("interactions", columns, *rows) == expected


def test_headerless_items_are_an_id_and_a_title():
    found = guessed("items", ["column_1", "column_2", "column_3"], ["1", "1995", "The Lighthouse"])
    assert found == {"item_id": "column_1", "title": "column_3"}
