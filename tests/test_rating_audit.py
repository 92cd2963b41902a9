"""Ratings predicted elsewhere: figures by hand, planted and absent gaps, files, and what can't be known."""

import json
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from app_workspace import BuiltWorkspace
from command import Command

from recsys_core.actions.data import open_dataset
from recsys_core.data.rated_predictions import read_predictions
from recsys_core.errors import ConfigError, DataError
from recsys_core.fairness.rating_audit import RatedGroups, RatingGapRow, Ratings, audit_ratings
from recsys_core.metrics.rating_gaps import RATING_MEASURES, rating_gaps
from recsys_core.store.workspace import Workspace


def world(
    seed: int, too_high: float = 0.0, n: int = 120, per_person: int = 15
) -> tuple[Ratings, RatedGroups]:
    """Half of the people have ratings that are predicted too high by so much; errors are normal otherwise."""
    rng = np.random.default_rng(seed)
    people = np.repeat(np.arange(n), per_person)
    items = rng.integers(0, 30, len(people))
    given = rng.integers(1, 6, len(people)).astype(np.float64)
    codes = (np.arange(n) % 2).astype(np.int64)
    predicted = given + rng.normal(0, 0.5, len(people)) + too_high * (codes[people] == 0)
    return Ratings(people, items, given, predicted, n), RatedGroups("half", ("a", "b"), codes, frozenset())


def by_measure(rows: tuple[RatingGapRow, ...], group: str = "a") -> dict[str, RatingGapRow]:
    return {row.measure: row for row in rows if row.group == group}


def test_figures_are_those_of_the_formulas_and_two_groups_are_one_gap():
    ratings, groups = world(1, 0.3)
    rows = audit_ratings(ratings, [groups], 199)
    assert [(row.group, row.reference) for row in rows] == [("a", "b")] * 5
    assert [row.measure for row in rows] == list(RATING_MEASURES)
    inside = groups.codes[ratings.people] == 0
    expected = rating_gaps(ratings.items, ratings.given, ratings.predicted, inside)
    for measure, row in by_measure(rows).items():
        assert row.value == pytest.approx(getattr(expected, measure), abs=1e-12)
        assert (row.n, row.n_reference, row.reason) == (60, 60, None)


def test_ratings_that_are_predicted_too_high_are_found_and_absolute_parity_is_not_blamed():
    rows = by_measure(audit_ratings(*_listed(world(2, 0.5)), 999))
    for measure in ("value", "over"):
        row = rows[measure]
        assert row.value is not None and row.by_chance is not None and row.p_adjusted is not None
        assert row.value > row.by_chance
        assert row.p_adjusted <= 0.01


def test_where_no_gap_is_planted_p_is_small_as_often_as_it_says():
    """60 worlds: 9 or more below .05 is once in 1,000 times at a true 5 %."""
    p_values = [
        by_measure(audit_ratings(*_listed(world(seed, n=60)), 199))["value"].p_value for seed in range(60)
    ]
    assert sum(p is not None and p <= 0.05 for p in p_values) <= 9


def _listed(made: tuple[Ratings, RatedGroups]) -> tuple[Ratings, list[RatedGroups]]:
    return made[0], [made[1]]


def test_chance_alone_makes_a_figure_larger_than_nothing():
    row = by_measure(audit_ratings(*_listed(world(3)), 199))["value"]
    assert row.by_chance is not None and row.by_chance > 0.05


def test_a_p_value_is_adjusted_over_all_figures():
    rows = audit_ratings(*_listed(world(2, 0.5)), 199)
    smallest = min(row.p_value for row in rows if row.p_value is not None)
    (first, *_) = [row for row in rows if row.p_value == smallest]
    assert first.p_adjusted == pytest.approx(5 * smallest)


def test_hidden_small_and_unknown_groups_have_a_reason_and_no_figure():
    ratings, _ = world(4)
    names = ("a", "b", "c", "d", "unknown")
    codes = np.repeat(np.arange(5), [50, 45, 15, 5, 5])
    rows = audit_ratings(ratings, [RatedGroups("job", names, codes, frozenset({"d"}))], 199)
    reasons = {row.group: row.reason for row in rows}
    assert set(reasons) == {"a", "b", "c", "d"}
    assert (reasons["a"], reasons["b"]) == (None, None)
    assert reasons["c"] is not None and reasons["c"].startswith("insufficient data")
    assert reasons["d"] is not None and reasons["d"].startswith("hidden")
    empty = [row for row in rows if row.group in "cd"]
    assert {(row.value, row.by_chance, row.p_value, row.p_adjusted, row.n) for row in empty} == {(None,) * 5}
    assert {row.n_reference for row in rows if row.group == "a"} == {45 + 15 + 5}


def test_groups_that_rated_no_common_item_have_no_figure():
    n = 60
    people = np.arange(n)
    groups = RatedGroups("half", ("a", "b"), (people % 2).astype(np.int64), frozenset())
    apart = Ratings(people, people % 2, np.ones(n), np.full(n, 2.0), n)
    rows = audit_ratings(apart, [groups], 199)
    assert all(row.value is None for row in rows)
    assert all(row.reason is not None and row.reason.startswith("insufficient data: no item") for row in rows)


def test_too_few_shuffles_are_refused():
    with pytest.raises(ConfigError, match="19 shuffles were asked for"):
        audit_ratings(*_listed(world(1)), 19)


@pytest.fixture(scope="module")
def reclens(kept_shop: BuiltWorkspace, tmp_path_factory: pytest.TempPathFactory) -> Command:
    """The command on a copy of the shop, because what an audit shows is kept."""
    home = tmp_path_factory.mktemp("rated") / "home"
    shutil.copytree(kept_shop.home, home)
    return Command(home)


def predictions(reclens: Command, folder: Path, n: int = 4) -> Path:
    """Ratings of everybody of the shop, predicted at random, one row of an unknown person and one without."""
    opened = open_dataset(Workspace.open(reclens.workspace), "Test shop")
    rng = np.random.default_rng(0)
    users = np.repeat(opened.dataset.users["user_id"].to_numpy(), n)
    items = rng.choice(opened.dataset.item_ids[1:].astype(str), len(users))
    table = pd.DataFrame({"user_id": users, "item_id": items, "rating": rng.integers(1, 6, len(users))})
    table["prediction"] = table["rating"] + rng.normal(0, 0.5, len(users)).round(3)
    table = table.drop_duplicates(["user_id", "item_id"])
    more = pd.DataFrame(
        {"user_id": ["nobody", users[0]], "item_id": ["x", "y"], "rating": 3, "prediction": [3.0, None]}
    )
    path = folder / "predictions.csv"
    pd.concat([table, more]).to_csv(path, index=False)
    return path


@pytest.mark.slow
def test_the_command_tells_figures_by_group(reclens: Command, tmp_path: Path):
    path = predictions(reclens, tmp_path)
    found = reclens.json("rating-gaps", "Test shop", str(path), "--by", "gender", "--shuffles", "199")
    assert found["n_set_aside"] == 2
    assert found["mean_absolute_error"] == pytest.approx(0.4, abs=0.1)
    assert {row["measure"] for row in found["gaps"]} == set(RATING_MEASURES)
    json.dumps(found, allow_nan=False)
    text = reclens.run("rating-gaps", "Test shop", str(path), "--by", "gender", "--shuffles", "199").stdout
    assert "mean absolute error" in text


@pytest.mark.parametrize(
    ("table", "sentence"),
    [
        ("user_id,item_id,rating\na,b,3\n", "has no column 'prediction'"),
        ("user_id,item_id,prediction\na,b,3\n", "has no column of ratings"),
        ("user_id,item_id,rating,prediction\na,b,3,much\n", "none of its rows has both"),
    ],
)
def test_files_without_ratings_or_predictions_are_one_sentence(table: str, sentence: str, tmp_path: Path):
    path = tmp_path / "ratings.csv"
    path.write_text(table)
    with pytest.raises(DataError, match=sentence):
        read_predictions(path)
