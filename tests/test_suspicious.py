"""Flagged accounts: each rule at its edge, the planted frauds of the shop, and what everybody does."""

import numpy as np
import pytest
from hand_made import tables

from recsys_core.data.dataset import Dataset, build_dataset
from recsys_core.data.simulate import ShopSize, simulate_shop
from recsys_core.data.suspicious import SuspiciousUsers, find_suspicious

DAY = 86_400.0


def honest(n: int = 60) -> list[tuple[str, str, float]]:
    """People with ten events each, at odd moments, no two alike."""
    rng = np.random.default_rng(0)
    return [
        (f"h{user}", f"i{item}", moment)
        for user in range(n)
        for item, moment in zip(rng.permutation(40)[:10], np.sort(rng.uniform(0, 90 * DAY, 10)), strict=True)
    ]


def flags(events: list[tuple[str, str, float]], times: bool = True) -> SuspiciousUsers:
    return find_suspicious(dataset_of(events, times))


def dataset_of(events: list[tuple[str, str, float]], times: bool = True) -> Dataset:
    return build_dataset(
        tables([event[:2] for event in events], [event[2] for event in events] if times else None)
    )


def reasons(found: SuspiciousUsers, user: str) -> set[str]:
    return set(found.table.loc[found.table["user_id"] == user, "reason"])


def test_honest_people_are_not_flagged():
    found = flags(honest())
    assert found.table.empty and found.common == {}
    assert found.user_ids == frozenset()
    assert found.n_users == 60


def test_twenty_events_in_a_minute_are_a_burst_and_nineteen_are_not():
    moments = [0, 1, 4, 5, 9, 10, 16, 17, 22, 24, 30, 31, 33, 39, 40, 47, 48, 52, 55, 60]
    for n, expected in ((20, {"burst"}), (19, set())):
        own = [("bot", f"i{step}", float(moments[step])) for step in range(n)]
        assert reasons(flags(honest() + own), "bot") == expected


def test_twelve_events_by_the_clock_are_flagged_and_eleven_are_not():
    for n, expected in ((12, {"clockwork"}), (11, set())):
        own = [("bot", f"i{step}", 600.0 * step) for step in range(n)]
        assert reasons(flags(honest() + own), "bot") == expected


def test_somebody_who_comes_every_evening_is_no_clock():
    own = [("ann", f"i{step}", DAY * step) for step in range(30)]
    assert "clockwork" not in reasons(flags(honest() + own), "ann")


def test_the_same_items_in_the_same_order_are_twins():
    own = [(who, f"i{step * 3}", DAY * step + 7 * step**2) for who in ("a", "b") for step in range(5)]
    found = flags(honest(200) + own)
    assert reasons(found, "a") == reasons(found, "b") == {"twin"}
    turned = [*own[:5], *[(who, item, -moment) for who, item, moment in own[5:]]]
    assert reasons(flags(honest(200) + turned), "b") == set()


def test_very_much_activity_is_flagged_where_people_differ():
    events = honest(20) + [
        (f"m{user}", f"i{step}", DAY * step + 17.0 * user * step)
        for user in range(80)
        for step in range(3 + user % 19)
    ]
    own = [("bot", f"i{step % 400}", 5_000.0 * step + 90 * (step % 7)) for step in range(4_000)]
    assert "extreme activity" in reasons(flags(events + own), "bot")
    assert reasons(flags(events), "h1") == set()


def test_fifty_events_on_one_item_are_flagged():
    own = [("bot", "i1", DAY * step + 400.0 * (step % 13)) for step in range(50)]
    assert "one item" in reasons(flags(honest() + own), "bot")


def test_without_times_bursts_and_clocks_are_not_told():
    own = [("bot", f"i{step}", 1.0 * step) for step in range(25)]
    assert reasons(flags(honest() + own, times=False), "bot") == set()


def test_what_many_people_do_is_no_sign_of_anything():
    rated = [
        (f"r{user}", f"i{step * (user + 1) % 97}", 1_000.0 * user + (step * 7) % 40)
        for user in range(40)
        for step in range(25)
    ]
    found = flags(honest() + rated)
    assert found.common["burst"] == pytest.approx(40 / 100)
    assert "burst" not in set(found.table["reason"])


def test_the_planted_frauds_of_the_shop_are_found_and_hardly_anybody_else():
    shop = simulate_shop(1, ShopSize(600, 300, 20_000))
    events = list(shop.interactions[["user_id", "item_id", "timestamp_s"]].itertuples(index=False, name=None))
    found = flags(events)
    planted = set(shop.truth.fraudulent_accounts)
    assert planted <= found.user_ids
    assert len(found.user_ids - planted) <= 3


def test_nobody_at_all_is_no_problem():
    assert flags([("ann", "a", 0.0)]).table.empty
