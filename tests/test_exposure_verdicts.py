"""A verdict for each group of items: the planted one is found, and where all is chance nothing is."""

import numpy as np
import pandas as pd
import pytest
from scipy.stats import norm

from recsys_core.data.dataset import Histories
from recsys_core.fairness.exposure import audit_items
from recsys_core.fairness.exposure_result import ItemAudit, ItemAuditSettings, ItemFigure, ItemGroupRow
from recsys_core.fairness.exposure_verdicts import exposure_verdicts
from recsys_core.metrics.popularity import item_popularity

N_ITEMS, N_PEOPLE = 40, 400


def audit_of(
    *ratios: tuple[float, float | None, float | None], measure: str = "exposure_per_merit"
) -> ItemAudit:
    """An item side whose groups a, b, … have these ratios and intervals, each a quarter of the catalogue."""
    names = "abcdefgh"[: len(ratios)]
    groups = tuple(ItemGroupRow("provider", name, 10, 0.25, 100, 100) for name in names)
    figures = tuple(
        ItemFigure("provider", name, measure, *own)  # pyright: ignore[reportArgumentType]
        for name, own in zip(names, ratios, strict=True)
    )
    return ItemAudit(ItemAuditSettings(("provider",)), 100, 0, groups, figures, ())


def verdicts(audit: ItemAudit, due: str = "merit") -> dict[str, str]:
    found = exposure_verdicts(audit, "provider", due)  # pyright: ignore[reportArgumentType]
    return {row.group: row.verdict for row in found}


def test_a_ratio_far_from_one_is_a_disparity_on_either_side() -> None:
    found = verdicts(audit_of((0.4, 0.3, 0.5), (2.0, 1.7, 2.4)))
    assert found == {"a": "disparity", "b": "disparity"}


def test_a_narrow_interval_around_one_is_equivalent_and_a_wide_one_open() -> None:
    assert verdicts(audit_of((1.0, 0.95, 1.05), (1.0, 0.6, 1.7))) == {"a": "equivalent", "b": "inconclusive"}


def test_a_small_difference_that_is_sure_is_equivalent() -> None:
    assert verdicts(audit_of((1.1, 1.08, 1.12))) == {"a": "equivalent"}


def test_the_p_value_is_that_of_the_logarithm() -> None:
    low, high = np.exp([0.5 - 1.959964 * 0.2, 0.5 + 1.959964 * 0.2])
    (found,) = exposure_verdicts(audit_of((float(np.exp(0.5)), low, high)), "provider", "merit")
    assert found.p_value == pytest.approx(2 * norm.sf(2.5), rel=1e-6)


def test_p_values_are_adjusted_over_the_groups_of_the_attribute() -> None:
    found = exposure_verdicts(
        audit_of((0.7, 0.5, 0.98), (1.0, 0.6, 1.7), (1.3, 0.9, 1.9)), "provider", "merit"
    )
    assert found[0].p_adjusted == pytest.approx(3 * found[0].p_value)
    assert found[0].verdict == "inconclusive"


def test_a_group_on_no_list_is_a_disparity() -> None:
    assert verdicts(audit_of((0.0, 0.0, 0.0))) == {"a": "disparity"}


def test_a_group_that_some_resamples_lose_is_judged_by_the_upper_end() -> None:
    assert verdicts(audit_of((0.02, 0.0, 0.06), (0.5, 0.0, 2.0))) == {"a": "disparity", "b": "inconclusive"}


def test_a_ratio_without_an_interval_has_no_verdict() -> None:
    assert verdicts(audit_of((0.5, None, None), (1.0, 0.95, 1.05))) == {"b": "equivalent"}


def test_against_the_catalogue_the_share_of_the_items_divides() -> None:
    audit = audit_of((0.05, 0.04, 0.06), measure="exposure_share")
    (found,) = exposure_verdicts(audit, "provider", "catalogue")
    assert (found.value, found.ci_low, found.ci_high) == pytest.approx((0.2, 0.16, 0.24))
    assert found.verdict == "disparity"


def world(seed: int, kept: float = 1.0) -> ItemAudit:
    """Held-out items and lists are drawn alike; items of provider p0 stay on a list `kept` of the time."""
    generator = np.random.default_rng(seed)
    items = pd.DataFrame({"item_id": range(N_ITEMS), "provider": [f"p{n % 4}" for n in range(N_ITEMS)]})
    lists = np.argsort(generator.random((N_PEOPLE, N_ITEMS)), axis=1)[:, :5] + 1
    away = (lists % 4 == 1) & (generator.random(lists.shape) > kept)
    lists = np.where(away, 0, lists)
    wanted = Histories.of([[item] for item in generator.integers(1, N_ITEMS + 1, N_PEOPLE)])
    known = Histories.of([[]] * N_PEOPLE)
    n_people = item_popularity(known, N_ITEMS).n_people
    return audit_items(lists, known, wanted, items, n_people, ItemAuditSettings(("provider",), 5, 200, seed))


def test_the_provider_that_is_kept_off_lists_is_found_and_no_other_is_less_exposed() -> None:
    found = exposure_verdicts(world(0, kept=0.3), "provider", "merit")
    less = [row.group for row in found if row.verdict == "disparity" and row.value < 1]
    assert less == ["p0"]


@pytest.mark.slow
def test_where_all_is_chance_a_disparity_is_said_in_one_world_of_twenty_at_most() -> None:
    wrong = sum("disparity" in verdicts(world(seed)).values() for seed in range(100))
    assert wrong <= 11  # P(Binomial(100, .05) > 11) < 1 %
