"""What is kept, what is set aside and why, and what the report counts."""

from pathlib import Path

import pandas as pd
import pytest
from data_reading import HEADER, ROWS, put, read_here
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from recsys_core.errors import ConfigError, DataError

HOSTILE_VALUES: dict[str, tuple[str, str]] = {
    # row → the problem's column and reason
    "u,i,NaN,1600000000": ("rating", "rating 'NaN' is not a number of 0 or more"),
    "u,i,inf,1600000000": ("rating", "rating 'inf' is not a number of 0 or more"),
    "u,i,-Infinity,1600000000": ("rating", "rating '-Infinity' is not a number of 0 or more"),
    "u,i,-1,1600000000": ("rating", "rating '-1' is not a number of 0 or more"),
    "u,i,1e999,1600000000": ("rating", "rating '1e999' is not a number of 0 or more"),
    "u,i,good,1600000000": ("rating", "rating 'good' is not a number of 0 or more"),
    "u,i,1_000,1600000000": ("rating", "rating '1_000' is not a number of 0 or more"),
    "u,i,0x10,1600000000": ("rating", "rating '0x10' is not a number of 0 or more"),
    "u,i,٣,1600000000": ("rating", "rating '٣' is not a number of 0 or more"),
    "u,i,'; DROP TABLE t,1600000000": ("rating", "rating ''; DROP TABLE t' is not a number of 0 or more"),
    ",i,1,1600000000": ("user_id", "no user id"),
    "   ,i,1,1600000000": ("user_id", "no user id"),
    "\u3000,i,1,1600000000": ("user_id", "no user id"),
    "u,,1,1600000000": ("item_id", "no item id"),
    f"{'u' * 1001},i,1,1600000000": ("user_id", "user id of 1001 characters; at most 1,000 are allowed"),
    "u,i,1,": ("timestamp", "no timestamp"),
    "u,i,1,12/31": ("timestamp", "timestamp '12/31' is neither ISO 8601 nor Unix seconds"),
    "u,i,1,9999-12-31": ("timestamp", "timestamp '9999-12-31' is not between the years 1900 and 2100"),
    "u,i,1,9223372036854775808": (
        "timestamp",
        "timestamp '9223372036854775808' is not between the years 1900 and 2100",
    ),
    "u,i,1,<script>alert(1)</script>": (
        "timestamp",
        "timestamp '<script>alert(1)</script>' is neither ISO 8601 nor Unix seconds",
    ),
    ",,x,y": (
        "user_id, item_id, timestamp, rating",
        "no user id; no item id; timestamp 'y' is neither ISO 8601 nor Unix seconds; "
        "rating 'x' is not a number of 0 or more",
    ),
}
KEPT_VALUES = {
    # row → the ids and the rating that are kept
    "9223372036854775808,00042,5,1600000000": ("9223372036854775808", "00042", 5.0),
    " u1 ,\ti1 ,+4.50,1600000000": ("u1", "i1", 4.5),
    "u,i,0,1600000000": ("u", "i", 0.0),
    "u,i,1e3,1600000000": ("u", "i", 1000.0),
    "=1+1,@cmd,.5,1600000000": ("=1+1", "@cmd", 0.5),
    "名字,👩‍👩‍👧,1.,1600000000": ("名字", "👩‍👩‍👧", 1.0),
    "u\u202eu,i\u200bi,1,1600000000": ("u\u202eu", "i\u200bi", 1.0),
    '"a,""b",i,1,1600000000': ('a,"b', "i", 1.0),
    "1.0,1e5,1,1600000000": ("1.0", "1e5", 1.0),
    f"{'u' * 1000},i,1,1600000000": ("u" * 1000, "i", 1.0),
}


def test_hostile_values_are_set_aside_with_row_column_and_reason(tmp_path: Path):
    rows = [*HOSTILE_VALUES, *KEPT_VALUES]
    result = read_here(tmp_path, HEADER + "\n".join(rows).encode())
    expected = [
        {"file": "interactions.csv", "row": row, "column": column, "reason": reason}
        for row, (column, reason) in enumerate(HOSTILE_VALUES.values(), start=2)
    ]
    assert result.report.rejected.to_dict("records") == expected
    kept = result.tables.interactions
    assert list(zip(kept["user_id"], kept["item_id"], kept["rating"], strict=True)) == list(
        KEPT_VALUES.values()
    )
    assert result.report.n_read == len(rows)
    assert result.report.n_rejected == len(HOSTILE_VALUES)


def test_a_rating_that_is_not_given_is_unknown_not_zero(tmp_path: Path):
    interactions = read_here(tmp_path, HEADER + b"u,i,,1600000000\n").tables.interactions
    assert interactions["rating"].isna().tolist() == [True]


def test_identical_rows_with_a_time_are_one_and_the_others_name_it(tmp_path: Path):
    result = read_here(tmp_path, HEADER + ROWS + b"u1,i1,4,1600000000\n" + ROWS + b"u1,i1,5,1600000000\n")
    assert result.report.rejected[["row", "reason"]].to_numpy().tolist() == [
        [5, "duplicate of row 2"],
        [6, "duplicate of row 3"],
        [7, "duplicate of row 2"],
    ]
    assert (result.report.n_duplicates, result.report.n_interactions) == (3, 3)


def test_identical_rows_without_a_time_are_repeats(tmp_path: Path):
    result = read_here(tmp_path, b"user_id,item_id\nu1,i1\nu1,i1\n")
    assert (result.report.n_duplicates, result.report.n_interactions) == (0, 2)


def test_rows_that_differ_in_a_column_without_a_role_are_no_duplicates(tmp_path: Path):
    result = read_here(tmp_path, b"user_id,item_id,timestamp,till\nu1,i1,1,a\nu1,i1,1,b\n")
    assert result.report.n_interactions == 2


def test_ratings_below_the_lowest_or_unknown_are_left_out_and_counted(tmp_path: Path):
    result = read_here(tmp_path, HEADER + ROWS + b"u3,i3,,1\nu4,i4,x,1\n", min_rating=5)
    assert result.tables.interactions["user_id"].tolist() == ["u1"]
    assert (result.report.n_below_min_rating, result.report.n_rejected, result.report.n_read) == (2, 1, 4)


def test_a_lowest_rating_without_ratings_is_refused(tmp_path: Path):
    with pytest.raises(
        ConfigError, match=r"rating of 4 .* no column of interactions.csv is a rating; .*rating=COLUMN"
    ):
        read_here(tmp_path, b"user_id,item_id\nu,i\n", min_rating=4)


def test_a_lowest_rating_that_nothing_reaches_is_refused(tmp_path: Path):
    with pytest.raises(
        DataError, match="no row is left; the rating of 2 is lower than asked for, or missing"
    ):
        read_here(tmp_path, HEADER + ROWS, min_rating=6)


def test_a_missing_person_column_is_named_with_what_there_is(tmp_path: Path):
    with pytest.raises(DataError) as refused:
        read_here(tmp_path, b"a,b,c\nx,y,z\n")
    assert str(refused.value) == (
        "interactions.csv: no column looks like the person's id; its columns are a, b, c; "
        "name it with user_id=COLUMN"
    )


def test_a_missing_item_column_is_named_with_what_there_is(tmp_path: Path):
    with pytest.raises(
        DataError, match=r"no column looks like the item's id; .* name it with item_id=COLUMN"
    ):
        read_here(tmp_path, b"user_id,b\nx,y\n")


def test_a_mapped_column_that_no_file_has_is_named_with_what_there_is(tmp_path: Path):
    with pytest.raises(
        DataError,
        match=r"no file has the column 'Stars' that is to be the rating: interactions\.csv has user_id",
    ):
        read_here(tmp_path, HEADER + ROWS, mapping=["rating=Stars"])


def test_a_time_column_in_which_nothing_can_be_read_is_refused(tmp_path: Path):
    with pytest.raises(
        DataError, match=r"no time can be read in the column 'date'; row 2: timestamp 'noon' is neither"
    ):
        read_here(tmp_path, b"user_id,item_id,date\nu,i,noon\nv,i,night\n")


def test_no_usable_row_is_refused_with_the_first_reason(tmp_path: Path):
    with pytest.raises(DataError, match="none of its 2 rows can be used; the first, row 2: no user id"):
        read_here(tmp_path, b"user_id,item_id\n,i\n,i\n")


def test_the_mapping_is_followed_in_every_file_that_has_the_column(tmp_path: Path):
    tables = read_here(
        tmp_path,
        interactions=b"who,what,n\nu1,i1,3\n",
        items=b"what,called\ni1,Alien\n",
        users=b"who,age\nu1,33\n",
        mapping=["user_id=who,item_id=what,title=called", "order=n"],
    ).tables
    assert tables.interactions.to_dict("list") == {"user_id": ["u1"], "item_id": ["i1"], "order": [3.0]}
    assert tables.items["title"].tolist() == ["Alien"]
    assert tables.users.to_dict("list") == {"user_id": ["u1"], "age": ["33"]}


def test_every_interaction_role_gets_its_column(tmp_path: Path):
    columns = "user_id,item_id,timestamp,order,rating,event,dwell_s,quantity,query,review,device,hour"
    row = "u1,i1,1600000000,7,4,view,12.5,3,chess,fine,tv,9"
    interactions = read_here(tmp_path, f"{columns}\n{row}\n".encode()).tables.interactions
    assert interactions.to_dict("records") == [
        {
            "user_id": "u1",
            "item_id": "i1",
            "timestamp_s": 1.6e9,
            "order": 7.0,
            "rating": 4.0,
            "event": "view",
            "dwell_s": 12.5,
            "quantity": 3.0,
            "search_text": "chess",
            "review_text": "fine",
            "context_device": "tv",
            "context_hour": "9",
        }
    ]


def test_items_have_all_their_columns_empty_where_nothing_is_known(tmp_path: Path):
    items = read_here(tmp_path, HEADER + ROWS).tables.items
    assert items.to_dict("list") == {
        "item_id": ["i1", "i2"],
        **{name: ["", ""] for name in ("title", "text", "category", "provider", "image")},
    }


def test_item_texts_in_the_interactions_fill_what_the_items_file_leaves_open(tmp_path: Path):
    items = read_here(
        tmp_path,
        interactions=b"user_id,item_id,title,brand\nu,i1,,A\nu,i1,Alien,B\nu,i2,Brazil,\n",
        items=b"item_id,title\ni2,Harbour (1985)\n",
    ).tables.items
    assert items[["item_id", "title", "provider"]].to_numpy().tolist() == [
        ["i2", "Harbour (1985)", ""],
        ["i1", "Alien", "A"],
    ]


def test_repeated_ids_in_the_side_files_are_set_aside(tmp_path: Path):
    result = read_here(
        tmp_path,
        HEADER + ROWS,
        items=b"item_id,title\ni1,A\ni1,B\n,C\n",
        users=b"user_id,age\nu1,1\nu2,2\nu1,1\n",
    )
    assert result.report.rejected[["file", "row", "reason"]].to_numpy().tolist() == [
        ["items.csv", 3, "item id 'i1' is already in row 2"],
        ["items.csv", 4, "no item id"],
        ["users.csv", 4, "user id 'u1' is already in row 2"],
    ]
    assert result.tables.items["title"].tolist() == ["A", ""]


def test_people_and_items_without_interactions_stay_and_are_counted(tmp_path: Path):
    report = read_here(
        tmp_path, HEADER + ROWS, items=b"item_id,title\ni9,X\n", users=b"user_id,age\nu8,1\nu9,2\n"
    ).report
    assert (report.n_users, report.n_cold_users, report.n_items, report.n_cold_items) == (4, 2, 3, 1)
    assert report.sparsity == pytest.approx(1 - 2 / 12)
    assert "2 of the 2 items in interactions.csv aren't in the items file" in report.warnings


def test_the_report_tells_the_time_range(tmp_path: Path):
    report = read_here(tmp_path, HEADER + ROWS).report
    assert (report.first_timestamp_s, report.last_timestamp_s) == (1.6e9, 1.6e9 + 1)
    assert report.warnings == ()


@pytest.mark.parametrize(
    ("content", "warning"),
    [
        (b"user_id,item_id\nu,i\n", "has neither a time nor an order"),
        (b"user_id,item_id,timestamp\nu,i,3\n", "read as seconds after 1970"),
        (b"user_id,item_id\nnan,i\nNULL,i\n", "2 rows with the user id 'NULL': is it a real one?"),
        (
            b"user_id,item_id,title\nu,i," + b"x" * 10_001,
            "1 value of 'title' cut off after 10,000 characters",
        ),
        (b"user_id,item_id,item_id\nu,i,j\n", "several columns called 'item_id'"),
    ],
)
def test_what_may_not_be_meant_is_warned_of(tmp_path: Path, content: bytes, warning: str):
    assert any(warning in found for found in read_here(tmp_path, content).report.warnings)


def test_a_title_of_10_mb_is_cut(tmp_path: Path):
    tables = read_here(tmp_path, b"user_id,item_id,title\nu,i," + b"x" * 10_000_000 + b"\nu,j,short\n").tables
    assert tables.items["title"].str.len().tolist() == [10_000, 5]


def test_recbole_sequences_are_several_categories_and_one_title(tmp_path: Path):
    items = read_here(
        tmp_path,
        b"user_id:token\titem_id:token\n1\t2\n",
        items=b"item_id:token\tmovie_title:token_seq\tclass:token_seq\n2\tThe Lighthouse\tAnimation Comedy\n",
    ).tables.items
    assert items[["title", "category"]].to_numpy().tolist() == [["The Lighthouse", "Animation|Comedy"]]


HOSTILE_NAMES = (
    *(
        "a'b",
        'a""b',
        "a;DROP TABLE interactions;--",
        "c0",
        "f0",
        "row",
        "reason",
        "SELECT",
        "Age",
        "AGE",
        "age",
    ),
    *(
        "{0}",
        "%s",
        "\\",
        "$1",
        "名字",
        "🙂",
        "a\tb",
        "=1+1",
        "<img src=x>",
        "__proto__",
        "x" * 199,
        "read_parquet('/')",
    ),
)


def test_hostile_column_names_are_only_names(tmp_path: Path):
    users = pd.DataFrame([[f"value {n}" for n in range(len(HOSTILE_NAMES))]], columns=list(HOSTILE_NAMES))
    users.insert(0, "user_id", ["u1"])
    context = [name for name in HOSTILE_NAMES if not set(name) & {",", "="}]
    interactions = pd.DataFrame([["i1", *context]], columns=["item_id", *context])
    interactions.insert(0, "user_id", ["u1"])
    tables = read_here(
        tmp_path,
        interactions=interactions.to_csv(index=False).encode(),
        users=users.to_csv(index=False).encode(),
        mapping=[f"context={name}" for name in context],
    ).tables
    pd.testing.assert_frame_equal(tables.users, users)
    assert tables.interactions.iloc[0].to_dict() == {
        "user_id": "u1",
        "item_id": "i1",
        **{f"context_{name}": name for name in context},
    }


def test_a_quote_in_the_name_of_a_judged_column_or_file_is_only_a_letter(tmp_path: Path):
    path = put(tmp_path, "it's.csv", b"the user's,item_id,'; DROP TABLE rejected;--\nu,i,x\nu,i,1\n")
    said = ["user_id=the user's", "rating='; DROP TABLE rejected;--"]
    assert read_here(tmp_path, path, mapping=said).report.rejected.to_dict("records") == [
        {
            "file": "it's.csv",
            "row": 2,
            "column": "'; DROP TABLE rejected;--",
            "reason": "rating 'x' is not a number of 0 or more",
        }
    ]


@settings(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(
        st.text(st.characters(exclude_categories=["Cs", "Cc"]), max_size=20),
        min_size=1,
        max_size=5,
        unique=True,
    )
)
def test_any_column_name_is_only_a_name(tmp_path: Path, texts: list[str]):
    names = [f"n{text}n" for text in texts]
    users = pd.DataFrame([["u1", *(f"value of {name}" for name in names)]], columns=["user_id", *names])
    found = read_here(
        tmp_path, HEADER + b"u1,i1,5,1\n", users=users.to_csv(index=False).encode()
    ).tables.users
    pd.testing.assert_frame_equal(found, users)


def test_a_row_number_counts_lines_of_the_file(tmp_path: Path):
    content = HEADER + b"\n" + ROWS + b'"u\n3",i3,5,1600000002\n' + b"u4,i4,x,1600000003\n"
    report = read_here(tmp_path, put(tmp_path, "x.csv", content)).report
    assert report.rejected["row"].tolist() == [7]
