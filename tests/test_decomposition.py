"""Where a gap comes from: sums, Kitagawa by hand, a planted cause that is found, and bad input."""

import numpy as np
import pandas as pd
import pytest

from benchmarks.gap_worlds import World, length_world
from recsys_core.errors import ConfigError, DataError
from recsys_core.fairness.decomposition import Decomposition, decompose
from recsys_core.fairness.factor_columns import factor_columns
from recsys_core.fairness.inference import minimum_detectable, sample_of
from recsys_core.metrics.person_factors import FOLLOW_FROM_LENGTH


def parts_of(world: World, draws: int = 200) -> Decomposition:
    return decompose(world.values, world.in_group, ~world.in_group, world.factors, draws)


@pytest.fixture(scope="module")
def world() -> World:
    return length_world(1)


@pytest.fixture(scope="module")
def parts(world: World) -> Decomposition:
    return parts_of(world)


def test_the_terms_add_up_to_the_gap(world: World, parts: Decomposition):
    gap = world.values[world.in_group].mean() - world.values[~world.in_group].mean()
    total = sum(row.term.value for row in parts.factors) + parts.structure.value
    assert parts.gap.value == pytest.approx(gap, abs=1e-12)
    assert total == pytest.approx(gap, abs=1e-12)
    assert sum(row.term.value for row in parts.factors) == pytest.approx(parts.composition.value, abs=1e-12)


def test_structure_is_the_groups_coefficient_in_a_regression_on_all_factors(
    world: World, parts: Decomposition
):
    order = np.concatenate([np.flatnonzero(world.in_group), np.flatnonzero(~world.in_group)])
    columns = factor_columns(world.factors.iloc[order], int(world.in_group.sum())).table
    table = np.column_stack([np.ones(len(order)), world.in_group[order], columns])
    coefficients = np.linalg.lstsq(table, world.values[order], rcond=None)[0]
    assert parts.structure.value == pytest.approx(coefficients[1], abs=1e-5)


def test_one_yes_or_no_factor_is_kitagawas_composition_and_structure():
    """Rates .1 and .5 by factor in the group, .3 and .7 in the reference: .2 between people who are alike.

    Three quarters of the group have the low factor and a quarter of the reference: composition is
    (3/4 − 1/4) · −.4 = −.2 by Kitagawa's formula, whichever group's rates are taken.
    """
    rates = {(True, 0): 0.1, (True, 1): 0.5, (False, 0): 0.3, (False, 1): 0.7}
    sizes = {(True, 0): 300, (True, 1): 100, (False, 0): 100, (False, 1): 300}
    values, members, factor = list[float](), list[bool](), list[int]()
    for cell, size in sizes.items():
        n_hits = round(size * rates[cell])
        values += [1.0] * n_hits + [0.0] * (size - n_hits)
        members += [cell[0]] * size
        factor += [cell[1]] * size
    in_group = np.array(members)
    found = decompose(np.array(values), in_group, ~in_group, pd.DataFrame({"factor": factor}), 200)
    assert found.gap.value == pytest.approx(-0.4, abs=1e-12)
    assert found.composition.value == pytest.approx(-0.2, abs=1e-5)
    assert found.structure.value == pytest.approx(-0.2, abs=1e-5)


def test_shapley_of_two_factors_is_the_mean_over_both_orders():
    rng = np.random.default_rng(3)
    in_group = rng.random(400) < 0.4
    first = rng.normal(0, 1, 400) + in_group
    both = pd.DataFrame({"first": first, "second": 0.7 * first + rng.normal(0, 1, 400)})
    values = 0.3 * both["first"].to_numpy() + 0.1 * both["second"].to_numpy() + rng.normal(0, 0.1, 400)

    def gone(*names: str) -> float:
        order = np.concatenate([np.flatnonzero(in_group), np.flatnonzero(~in_group)])
        columns = factor_columns(both[["first", "second"]].iloc[order], int(in_group.sum()))
        kept = [
            columns.table[:, places]
            for name, places in zip(columns.names, columns.places, strict=True)
            if name in names
        ]
        table = np.column_stack([np.ones(400), in_group[order], *kept])
        gap = values[in_group].mean() - values[~in_group].mean()
        return gap - np.linalg.lstsq(table, values[order], rcond=None)[0][1]

    found = {row.factor: row.term.value for row in decompose(values, in_group, ~in_group, both, 200).factors}
    of_first = (gone("first") + gone("first", "second") - gone("second")) / 2
    assert found["first"] == pytest.approx(of_first, abs=1e-5)
    assert found["second"] == pytest.approx(gone("first", "second") - of_first, abs=1e-5)


def test_a_gap_planted_through_length_alone_is_attributed_to_length_and_what_follows():
    shares = list[float]()
    for seed in range(12):
        planted = length_world(seed)
        group, others = (sample_of(planted.values[side]) for side in (planted.in_group, ~planted.in_group))
        assert abs(group.mean - others.mean) >= 2 * minimum_detectable(group, others)
        shares.append(parts_of(planted).share_of(FOLLOW_FROM_LENGTH) or 0.0)
    assert np.mean(shares) >= 0.9


@pytest.mark.slow
def test_where_chance_is_small_the_whole_gap_goes_to_length_in_every_world():
    """A gap of 20 times the smallest detectable: the share's standard error is about .03."""
    for seed in range(2):
        found = parts_of(length_world(seed, n=100_000))
        assert found.share_of(FOLLOW_FROM_LENGTH) == pytest.approx(1, abs=0.1)


def test_the_interval_of_a_share_lies_around_it_and_holds_the_truth(world: World):
    found = decompose(
        world.values, world.in_group, ~world.in_group, world.factors, 200, together=FOLLOW_FROM_LENGTH
    )
    assert found.share is not None
    assert found.share.value == found.share_of(FOLLOW_FROM_LENGTH)
    assert found.share.ci_low < 1 < found.share.ci_high


def test_all_factors_together_have_the_composition(parts: Decomposition):
    assert parts.share is not None
    assert parts.share.value == pytest.approx(parts.composition.value / parts.gap.value, abs=1e-12)


def test_a_gap_that_may_be_none_has_no_share_with_an_interval():
    none = length_world(3, n=400, shorter=1.0)
    found = parts_of(none)
    assert found.gap.ci_low < 0 < found.gap.ci_high
    assert found.share is None
    assert found.structure_may_be_none


def test_what_length_does_not_explain_stays_as_structure():
    unlike = length_world(2, shorter=1.0, beside=0.15)
    found = parts_of(unlike)
    assert found.structure.value == pytest.approx(found.gap.value, abs=0.02)
    assert found.structure.ci_high < 0
    assert not found.structure_may_be_none
    assert found.composition.ci_low < 0 < found.composition.ci_high


def test_factors_that_say_the_same_share_what_they_explain(world: World):
    twins = pd.DataFrame(
        {"length": world.factors["history_length"], "coverage": world.factors["history_length"] / 500}
    )
    first, second = decompose(world.values, world.in_group, ~world.in_group, twins, 200).factors
    assert first.term.value == pytest.approx(second.term.value, abs=1e-4)
    assert first.term.value < 0


def test_intervals_lie_around_their_terms_and_the_seed_decides_them(world: World, parts: Decomposition):
    terms = [parts.gap, parts.composition, parts.structure, *(row.term for row in parts.factors)]
    assert all(term.ci_low < term.value < term.ci_high for term in terms)
    assert parts_of(world) == parts
    other = decompose(world.values, world.in_group, ~world.in_group, world.factors, 200, seed=1)
    assert other.gap.ci_low != parts.gap.ci_low


def test_factors_that_say_nothing_are_left_out_with_the_reason(world: World):
    factors = world.factors[["history_length"]].assign(same=1.0, unknown=np.nan)
    found = decompose(world.values, world.in_group, ~world.in_group, factors, 200)
    assert [row.factor for row in found.factors] == ["history_length"]
    reasons = {row.factor: row.reason for row in found.not_used}
    assert reasons == {
        "same": "it is the same for everybody here",
        "unknown": "the data don't tell it of anybody here",
    }


def test_without_any_factor_that_says_something_the_whole_gap_is_structure(world: World):
    factors = pd.DataFrame({"same": np.ones(len(world.values))})
    found = decompose(world.values, world.in_group, ~world.in_group, factors, 200)
    assert (found.factors, found.composition.value) == ((), 0.0)
    assert found.structure == found.gap


def test_a_factor_that_is_known_of_some_people_is_used_for_them(world: World):
    some = world.factors[["history_length"]].copy()
    some.loc[::3] = np.nan
    (row,) = decompose(world.values, world.in_group, ~world.in_group, some, 200).factors
    assert row.term.value < 0
    assert row.group_mean == pytest.approx(some["history_length"][world.in_group].mean())


def test_people_without_a_counterpart_in_the_reference_are_counted():
    """Half of the group has less than anybody of the reference: what is said of them is extrapolated."""
    in_group = np.repeat([True, False], 100)
    factor = np.concatenate([np.arange(-50.0, 50.0), np.arange(100.0)])
    values = np.random.default_rng(0).random(200)
    (row,) = decompose(values, in_group, ~in_group, pd.DataFrame({"factor": factor}), 200).factors
    assert row.outside == pytest.approx(0.51, abs=0.011)


def test_the_group_counts_as_much_as_its_reference_in_percentiles():
    """One person at 0 and nine at 1: the one has half of the weight, so 0 is at .25 and 1 at .75."""
    table = factor_columns(pd.DataFrame({"factor": [0.0] + [1.0] * 9}), 1).table
    percentile = np.array([0.25] + [0.75] * 9)
    assert table[:, 0] == pytest.approx((percentile - percentile.mean()) / percentile.std())


def test_people_who_are_on_neither_side_do_not_count(world: World):
    half = np.arange(len(world.values)) % 2 == 0
    whole = decompose(world.values, world.in_group & half, ~world.in_group & half, world.factors, 200)
    kept = decompose(
        world.values[half], world.in_group[half], ~world.in_group[half], world.factors[half], 200
    )
    assert whole == kept


def test_no_gap_has_no_shares():
    values = np.array([1.0, 0.0] * 40)
    in_group = np.repeat([True, False], 40)
    factors = pd.DataFrame({"factor": np.tile(np.arange(40.0), 2)})
    assert decompose(values, in_group, ~in_group, factors, 200).share_of(["factor"]) is None


@pytest.mark.parametrize(
    ("draws", "n_factors", "error", "sentence"),
    [
        (100, 1, ConfigError, "draws is 100; an interval needs at least 200"),
        (200, 9, ConfigError, "9 factors were named; allowed are 1 to 8"),
        (200, 0, ConfigError, "0 factors were named"),
    ],
)
def test_settings_out_of_bounds_are_refused(
    draws: int, n_factors: int, error: type[Exception], sentence: str
):
    in_group = np.repeat([True, False], 20)
    factors = pd.DataFrame({f"f{number}": np.arange(40.0) for number in range(n_factors)}, index=range(40))
    with pytest.raises(error, match=sentence):
        decompose(np.zeros(40), in_group, ~in_group, factors, draws)


def test_groups_that_share_people_or_have_too_few_are_refused():
    factors, everybody = pd.DataFrame({"f": np.arange(40.0)}), np.ones(40, dtype=bool)
    with pytest.raises(DataError, match="40 people are in the group and its reference"):
        decompose(np.zeros(40), everybody, everybody, factors, 200)
    with pytest.raises(DataError, match="insufficient data: a decomposition needs 20 people"):
        decompose(np.ones(40), everybody, ~everybody, factors, 200)
    with pytest.raises(DataError, match="39 values"):
        decompose(np.zeros(39), everybody, ~everybody, factors, 200)
