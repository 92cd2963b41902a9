"""Histograms and group sizes of a data set."""

import numpy as np
import pandas as pd

from ui.charts_data import group_sizes, histogram, histogram_table


def test_few_numbers_have_a_bin_each() -> None:
    table = histogram_table(np.array([1, 1, 2, 4]))
    assert table.to_dict("list") == {"from": [1, 2, 3, 4], "to": [1, 2, 3, 4], "n": [2, 1, 0, 1]}


def test_one_number_is_one_bin() -> None:
    assert histogram_table(np.array([7, 7])).to_dict("list") == {"from": [7], "to": [7], "n": [2]}


def test_nothing_is_no_bin() -> None:
    assert len(histogram_table(np.array([], dtype=np.int64))) == 0


def test_long_tail_is_covered_without_gap_or_overlap() -> None:
    counts = np.concatenate([np.zeros(3, dtype=np.int64), np.arange(1, 5_001)])
    table = histogram_table(counts)
    assert len(table) <= 26
    assert table["n"].sum() == len(counts)
    assert (table["from"].to_numpy()[1:] == table["to"].to_numpy()[:-1] + 1).all()
    assert table["from"].iloc[0] == 0
    assert table["to"].iloc[-1] >= 5_000
    inside = [((counts >= row["from"]) & (counts <= row["to"])).sum() for _, row in table.iterrows()]
    assert table["n"].tolist() == inside


def test_histogram_names_its_bins() -> None:
    table = pd.DataFrame({"from": [1, 2], "to": [1, 1_000], "n": [3, 4]})
    bars = histogram(table, "x", "y").data[0]
    assert list(bars.x) == ["1", "2–1,000"]
    assert list(bars.y) == [3, 4]


def users(**groups: dict[str, int]) -> pd.DataFrame:
    columns = {
        name: [group for group, n in sizes.items() for _ in range(n)] for name, sizes in groups.items()
    }
    n = len(next(iter(columns.values())))
    return pd.DataFrame({"user_id": [f"u{number}" for number in range(n)], **columns})


def test_sizes_and_shares_are_counted() -> None:
    table, refused = group_sizes(users(gender={"F": 30, "M": 20}), ["gender"])
    assert table["group"].tolist() == ["F", "M"]
    assert table["n"].tolist() == [30, 20]
    assert table["share"].tolist() == [0.6, 0.4]
    assert refused == {}


def test_small_group_and_the_one_that_gives_it_away_are_hidden() -> None:
    table, _ = group_sizes(users(region={"A": 40, "B": 20, "C": 10}), ["region"])
    shown = dict(zip(table["group"], table["n"], strict=True))
    assert shown["A"] == 40
    assert pd.isna(shown["B"]) and pd.isna(shown["C"])
    assert table["share"].isna().tolist() == [False, True, True]


def test_attribute_that_makes_no_groups_is_explained() -> None:
    table, refused = group_sizes(users(country={"X": 30}), ["country"])
    assert len(table) == 0
    assert "every known value is 'X'" in refused["country"]


def test_no_attribute_is_an_empty_table() -> None:
    table, refused = group_sizes(users(gender={"F": 3}), [])
    assert (len(table), refused) == (0, {})
