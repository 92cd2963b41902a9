"""The item side of an audit: every formula against numbers worked out by hand or another library."""

from itertools import permutations

import numpy as np
import pandas as pd
import pytest
from scipy.spatial.distance import jensenshannon
from scipy.stats import entropy as scipy_entropy
from sklearn.metrics import roc_auc_score

from recsys_core.data.dataset import Histories, IntArray
from recsys_core.errors import ConfigError, DataError, StoreError
from recsys_core.fairness import exposure_counts, exposure_measures
from recsys_core.fairness.exposure import NO_MERIT, audit_items
from recsys_core.fairness.exposure_counts import NAMES, Counted, count
from recsys_core.fairness.exposure_groups import item_attributes, item_groups
from recsys_core.fairness.exposure_result import ItemAudit, ItemAuditSettings

V2 = 1 / np.log2(3)  # attention of the second place
ITEMS = pd.DataFrame(
    {
        "item_id": list("123456"),
        "title": "",
        "category": ["A", "A", "A", "B", "B", "A|B"],
        "provider": ["p", "p", "q", "q", "q", ""],
    }
)
TOUCHED = np.array([0, 6, 5, 4, 3, 2, 1])


def two_people(n_draws: int = 200) -> Counted:
    """The first touched 1, is shown 2 and 4, chose 4; the second touched 4, is shown 6 and 1, chose 3."""
    groups = item_groups(ITEMS, "category", TOUCHED)
    lists, known, wanted = np.array([[2, 4], [6, 1]]), Histories.of([[1, 1], [4]]), Histories.of([[4], [3]])
    return count(lists, known, wanted, groups, n_draws, seed=0)


@pytest.mark.parametrize(
    ("name", "of_a", "of_b"),
    [
        ("attention", 1 + 0.5 + V2, V2 + 0.5),
        ("places", 1 + 1.5, 1 + 0.5),
        ("candidates", 2.5 + 3.5, 2.5 + 1.5),
        ("merit", 1, 1),
        ("found", 0, 1),
        ("ideal", 2.5 * V2 / 4 + 1 + 2.5 * V2 / 4, 1 + 1.5 * V2 / 4 + 1.5 * V2 / 4),
        ("intra_won", 0.5, 1.5),
        ("intra", 2.5, 1.5),
        ("inter_won", 0.5, 1.5),
        ("inter", 1.5, 2.5),
    ],
)
def test_sums_over_two_people_are_those_worked_out_by_hand(name: str, of_a: float, of_b: float) -> None:
    assert two_people().observed.of(name) == pytest.approx([of_a, of_b])


def test_groups_count_the_people_behind_them() -> None:
    found = two_people()
    assert found.n_reached.tolist() == [2, 2] and found.n_merited.tolist() == [1, 1]


def test_an_item_of_several_categories_counts_in_equal_parts() -> None:
    groups = item_groups(ITEMS, "category", TOUCHED)
    assert groups.membership[6].tolist() == [0.5, 0.5] and groups.membership[0].tolist() == [0, 0]
    assert groups.n_items.tolist() == [4, 3]


def test_items_without_a_value_are_a_group_of_their_own() -> None:
    assert item_groups(ITEMS, "provider", TOUCHED).groups == ("p", "q", "unknown")


def test_strata_of_popularity_are_a_fifth_the_middle_and_a_fifth() -> None:
    groups = item_groups(ITEMS, "popularity", TOUCHED)
    assert groups.groups == ("head", "middle", "tail")
    assert groups.membership[1:].argmax(axis=1).tolist() == [0, 0, 1, 1, 2, 2]


def test_attributes_of_items_are_what_some_item_has_a_value_of() -> None:
    assert item_attributes(ITEMS.assign(image="x", brand="")) == ["category", "provider", "popularity"]


@pytest.mark.parametrize(
    ("items", "by", "sentence"),
    [
        (
            ITEMS,
            "colour",
            "'colour' is not an attribute of the items; there are: category, provider, popularity",
        ),
        (ITEMS.assign(provider="p"), "provider", "every item is 'p'"),
        (
            pd.DataFrame({"item_id": range(300), "provider": [f"p{i}" for i in range(300)]}),
            "provider",
            "300 diff",
        ),
    ],
)
def test_what_cannot_form_groups_is_refused(items: pd.DataFrame, by: str, sentence: str) -> None:
    with pytest.raises(DataError, match=sentence):
        item_groups(items, by, np.zeros(len(items) + 1, dtype=np.int64))


def test_ideal_exposure_is_the_mean_over_all_ideal_lists() -> None:
    groups = item_groups(ITEMS, "category", TOUCHED)
    lists, known, wanted = np.array([[1, 2, 3]]), Histories.of([[6]]), Histories.of([[1, 4]])
    found = count(lists, known, wanted, groups, 2, 0).observed.of("ideal")
    weights = exposure_counts.attention(3)
    ideal = [(*top, *rest)[:3] for top in permutations([1, 4]) for rest in permutations([2, 3, 5])]
    by_hand = np.mean([weights @ groups.membership[list(shown)] for shown in ideal], axis=0)
    assert found == pytest.approx(by_hand)


@pytest.mark.parametrize("k", [3, 19])
def test_pairs_are_the_area_under_the_curve_with_ties_behind_the_list(k: int) -> None:
    lists, known, wanted, items = simulated(n_users=40, n_items=20, k=k)
    groups = item_groups(items, "provider", np.zeros(21, dtype=np.int64))
    found = count(lists, known, wanted, groups, 2, 0).observed
    won, pairs = (
        sum(found.of(f"{kind}{what}").sum() for kind in ("intra", "inter")) for what in ("_won", "")
    )
    areas, n_pairs = [], []
    for person in range(40):
        candidates = np.setdiff1d(np.arange(1, 21), known[person])
        scores = [
            -np.flatnonzero(lists[person] == item)[0] if item in lists[person] else -99 for item in candidates
        ]
        relevant = np.isin(candidates, wanted[person])
        areas.append(roc_auc_score(relevant, scores))
        n_pairs.append(relevant.sum() * (~relevant).sum())
    assert pairs == pytest.approx(sum(n_pairs))
    assert won / pairs == pytest.approx(np.average(areas, weights=n_pairs))


def test_exposure_per_merit_is_one_where_shares_agree_and_unknown_without_merit() -> None:
    found = exposure_measures.exposure_per_merit(np.array([6.0, 3.0, 3.0]), np.array([2.0, 2.0, 0.0]))
    assert found[:2] == pytest.approx([0.5 / 0.5, 0.25 / 0.5]) and np.isnan(found[2])


def test_expected_exposure_adds_up() -> None:
    exposure, ideal = np.array([3.0, 1.0]), np.array([2.0, 2.0])
    assert [float(part) for part in exposure_measures.expected_exposure(exposure, ideal)] == [10, 8, 2]
    assert 10 - 2 * 8 + (ideal**2).sum() == 2


def test_awrf_is_one_less_the_divergence_of_scipy() -> None:
    p, q = np.array([0.7, 0.2, 0.1]), np.array([0.2, 0.3, 0.5])
    assert exposure_measures.awrf(5 * p, 3 * q) == pytest.approx(1 - jensenshannon(p, q, base=2) ** 2)
    assert exposure_measures.awrf(np.array([1.0, 0.0]), np.array([0.0, 1.0])) == pytest.approx(0)


def test_relative_spread_is_deviation_over_mean_of_the_known_rates() -> None:
    assert exposure_measures.relative_spread(np.array([0.1, np.nan, 0.3])) == pytest.approx(0.1 / 0.2)
    assert exposure_measures.relative_spread(np.array([0.2, 0.2])) == 0
    assert np.isnan(exposure_measures.relative_spread(np.array([0.2, np.nan])))
    assert np.isnan(exposure_measures.relative_spread(np.array([0.0, 0.0])))


def test_inequality_of_three_groups_by_hand() -> None:
    exposure = np.array([3.0, 0.0, 1.0])
    assert exposure_measures.gini(exposure) == pytest.approx(12 / (2 * 9 * 4 / 3))  # Σ|x − y| / (2 n² mean)
    assert exposure_measures.poorest_half(exposure) == pytest.approx(0 / 4 + 1 / 4 / 2)
    assert exposure_measures.min_max_ratio(exposure) == 0
    assert exposure_measures.entropy(exposure) == pytest.approx(scipy_entropy([3, 0, 1]) / np.log(3))


def test_equal_groups_are_equal_by_every_measure() -> None:
    exposure = np.full(4, 2.5)
    assert exposure_measures.gini(exposure) == pytest.approx(0)
    assert exposure_measures.poorest_half(exposure) == pytest.approx(0.5)
    assert (
        exposure_measures.min_max_ratio(exposure) == exposure_measures.entropy(exposure) == pytest.approx(1)
    )


def test_nothing_shown_has_no_measure() -> None:
    nothing = np.zeros(3)
    for measure in (
        exposure_measures.gini,
        exposure_measures.entropy,
        exposure_measures.min_max_ratio,
        exposure_measures.poorest_half,
    ):
        assert np.isnan(measure(nothing))


def test_the_sums_do_not_depend_on_how_people_are_cut_into_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    lists, known, wanted, items = simulated(n_users=300, n_items=30, k=5)
    groups = item_groups(items, "provider", np.zeros(31, dtype=np.int64))
    whole = count(lists, known, wanted, groups, 200, 0)
    monkeypatch.setattr(exposure_counts, "NUMBERS_AT_ONCE", 1 << 12)
    pieces = count(lists, known, wanted, groups, 200, 0)
    assert pieces.observed.values == pytest.approx(whole.observed.values)
    places = NAMES.index("places")
    assert pieces.draws.values[..., places].sum(axis=1) == pytest.approx(300 * 5)  # whole people are drawn


def test_resampled_sums_scatter_as_the_binomial_says() -> None:
    lists, known, wanted, items = simulated(n_users=400, n_items=30, k=5)
    groups = item_groups(items, "provider", np.zeros(31, dtype=np.int64))
    found = count(lists, known, wanted, groups, 4000, 0)
    p = found.observed.of("merit") / 400  # each person has one held-out item of one provider
    assert found.draws.of("merit").var(axis=0) == pytest.approx(400 * p * (1 - p), rel=0.12)
    assert found.draws.of("merit").mean(axis=0) == pytest.approx(400 * p, rel=0.03)


def test_a_planted_imbalance_is_found_and_its_interval_leaves_one_out() -> None:
    found = planted()
    small, large = (found.figure("provider", name, "exposure_per_merit") for name in ("small", "large"))
    assert small is not None and large is not None and small.ci_high is not None and large.ci_low is not None
    assert small.value == pytest.approx(0.2 / 0.5) and small.ci_high < 1 < large.ci_low


def test_a_provider_without_merit_is_listed_apart() -> None:
    found = planted()
    assert found.figure("provider", "nobody's", "exposure_per_merit") is None
    assert [row.reason for row in found.not_computed if row.group == "nobody's"] == [NO_MERIT]
    assert found.figure("provider", "nobody's", "exposure_share") is not None


def test_what_few_people_chose_is_not_shown_nor_what_would_give_it_away() -> None:
    lists = np.tile(np.array([[1, 2, 3, 4]]), (100, 1))
    wanted = Histories.of([[4 if person < 5 else 3 if person < 30 else 1] for person in range(100)])
    items = pd.DataFrame({"item_id": list("1234"), "provider": list("abcd")})
    settings = ItemAuditSettings(("provider",), k=4, draws=200)
    found = audit_items(lists, Histories.of([[]] * 100), wanted, items, np.zeros(5, dtype=np.int64), settings)
    assert {row.group: row.n_merited for row in found.groups} == {"a": 70, "b": 0, "c": None, "d": None}
    shown = {
        row.group
        for row in found.figures
        if row.measure in ("merit_share", "exposure_per_merit", "found_rate")
    }
    assert shown == {"a"}


def test_intervals_need_twenty_people() -> None:
    lists, known, wanted, items = simulated(n_users=15, n_items=20, k=5)
    settings = ItemAuditSettings(("provider",), k=5, draws=200)
    found = audit_items(lists, known, wanted, items, np.zeros(21, dtype=np.int64), settings)
    assert found.figures and all(row.ci_low is None and row.ci_high is None for row in found.figures)


def test_people_without_a_list_or_a_held_out_item_are_left_out_and_counted() -> None:
    lists, known, wanted, items = simulated(n_users=60, n_items=20, k=5)
    lists[:7] = 0
    wanted = Histories.of([[] if person in (7, 8) else wanted[person].tolist() for person in range(60)])
    settings = ItemAuditSettings(("provider",), k=5, draws=200)
    found = audit_items(lists, known, wanted, items, np.zeros(21, dtype=np.int64), settings)
    assert (found.n_people, found.n_left_out) == (51, 9)


def test_empty_lists_are_refused() -> None:
    lists, known, wanted, items = simulated(n_users=60, n_items=20, k=5)
    settings = ItemAuditSettings(("provider",), k=5, draws=200)
    with pytest.raises(DataError, match="0 people have a list"):
        audit_items(lists * 0, known, wanted, items, np.zeros(21, dtype=np.int64), settings)


def test_the_record_brings_the_audit_back() -> None:
    found = planted()
    assert ItemAudit.from_record(found.to_record()) == found
    with pytest.raises(StoreError, match="can't be read"):
        ItemAudit.from_record({"settings": 3})


@pytest.mark.parametrize(
    ("asked", "sentence"),
    [
        ({"by": ()}, "grouped by nothing"),
        ({"by": ("a", "a")}, "each attribute once"),
        ({"by": ("a",), "k": 0}, "k is 0"),
        ({"by": ("a",), "draws": 3}, "draws is 3"),
        ({"by": ("a",), "minimum_group": 10}, "must be 11 or more"),
    ],
)
def test_settings_out_of_bounds_are_refused(asked: dict[str, object], sentence: str) -> None:
    with pytest.raises(ConfigError, match=sentence):
        ItemAuditSettings(**asked)  # pyright: ignore[reportArgumentType]


def simulated(n_users: int, n_items: int, k: int) -> tuple[IntArray, Histories, Histories, pd.DataFrame]:
    """Random lists of candidates; one person touched one item and chose another one."""
    rng = np.random.default_rng(3)
    shuffled = np.argsort(rng.random((n_users, n_items)), axis=1) + 1
    known, wanted = shuffled[:, :1], shuffled[:, 1:2]
    lists = rng.permuted(shuffled[:, 1:], axis=1)[:, :k]
    items = pd.DataFrame(
        {"item_id": range(1, n_items + 1), "provider": [f"p{i % 3}" for i in range(n_items)]}
    )
    return lists, Histories.of(list(known)), Histories.of(list(wanted)), items


@pytest.mark.parametrize(("least", "shown"), [(11, True), (45, False)])
def test_a_raised_threshold_hides_the_choices_of_more_people(least: int, shown: bool) -> None:
    """60 people chose, about 20 of them something of each provider."""
    lists, known, wanted, items = simulated(n_users=60, n_items=21, k=5)
    settings = ItemAuditSettings(("provider",), k=5, draws=200, minimum_group=least)
    found = audit_items(lists, known, wanted, items, np.zeros(22, dtype=np.int64), settings)
    assert any(row.measure == "merit_share" for row in found.figures) == shown
    assert all((row.n_merited is not None) == shown for row in found.groups)
    if not shown:
        assert any("fewer than 45 people" in row.reason for row in found.not_computed)


def planted() -> ItemAudit:
    """Two providers are chosen equally often, the small one is on one list in five; nobody chose a third."""
    lists = np.array([[1 if person % 5 == 0 else 2 if person % 5 < 4 else 3] for person in range(500)])
    wanted = Histories.of([[1 + person % 2] for person in range(500)])
    items = pd.DataFrame({"item_id": list("123"), "provider": ["small", "large", "nobody's"]})
    settings = ItemAuditSettings(("provider",), k=1, draws=500)
    return audit_items(lists, Histories.of([[]] * 500), wanted, items, np.zeros(4, dtype=np.int64), settings)
