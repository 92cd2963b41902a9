"""The rows of the simulated shop's log: searches, views, clicks, likes and purchases, second by second.

Coming to an item leaves several rows: perhaps the search that led there, the view, and then, ever more
seldom, a click, a like, a purchase. Fraudulent accounts leave purchases alone, as regular as a clock.
"""

from dataclasses import dataclass
from itertools import cycle, islice

import numpy as np
import numpy.typing as npt
import pandas as pd

from recsys_core.data.simulate_catalogue import BOOSTED_PROVIDER, Catalogue
from recsys_core.data.simulate_choices import Choices
from recsys_core.data.simulate_people import People

Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]

EVENTS = ("search", "view", "click", "like", "purchase")
SEARCH, VIEW, CLICK, LIKE, PURCHASE = range(len(EVENTS))
DEVICES = ("phone", "desktop", "tablet", "television")
DEVICE_SHARES = (0.5, 0.3, 0.12, 0.08)
MAIN_DEVICE_SHARE = 0.75

SEARCHED, CLICKED = 0.15, 0.8
LIKED, LIKED_FAVOURITE = 0.2, 0.5  # of the clicked; the second where the theme is a favourite
BOUGHT, BOUGHT_LIKED = 0.12, 0.45  # of the clicked
BOUGHT_AGAIN = 0.03  # of the purchases
ROWS_PER_CHOICE = 2.36  # what these shares come to: `ShopSize` counts rows, people choose items

START_S = 1_735_689_600  # 2025-01-01 00:00:00 UTC
YEAR_S = 365 * 86_400
ACTIVE_SHARES = (0.4, 0.97)  # of the year, between a person's first and last row
NEW_SESSION = 0.45
FRAUD_BURSTS, FRAUD_BURST_ROWS, FRAUD_INTERVAL_S = 3, 20, 20


@dataclass(frozen=True, slots=True)
class Rows:
    """Rows of the log before they are sorted; each array is [n_rows].

    Attributes:
        user, item: rows of the user and item tables.
        time: seconds since the start of the year.
        event: index into `EVENTS`. device: index into `DEVICES`.
        dwell_s: seconds spent, NaN where the event has no length.
        query: index into the item's search texts; only read where the event is a search.
    """

    user: Ints
    item: Ints
    time: Ints
    event: Ints
    dwell_s: npt.NDArray[np.float64]
    query: Ints
    device: Ints


@dataclass(frozen=True, slots=True)
class _Visit:
    """What a person did at each chosen item, and when, in seconds after coming there; [n_choices] each."""

    searched: Bools
    clicked: Bools
    liked: Bools
    bought: Bools
    view_at: Ints
    click_at: Ints
    like_at: Ints
    buy_at: Ints
    view_dwell_s: npt.NDArray[np.float64]
    click_dwell_s: npt.NDArray[np.float64]


def make_interactions(
    choices: Choices, catalogue: Catalogue, people: People, rng: np.random.Generator
) -> pd.DataFrame:
    """The interaction table of everybody, in order of time."""
    honest = _make_honest_rows(choices, catalogue, people, rng)
    fraud = _make_fraud_rows(catalogue, people, rng)
    return _as_table(_joined([honest, fraud]), catalogue, people)


def _make_honest_rows(
    choices: Choices, catalogue: Catalogue, people: People, rng: np.random.Generator
) -> Rows:
    visit = _draw_visits(people.favourite[choices.user, catalogue.theme[choices.item]], rng)
    start = _draw_starts(choices.user, visit.buy_at, rng)
    device = _draw_devices(choices.user, len(people.users), rng)
    query = rng.integers(catalogue.queries.shape[1], size=len(start))
    no_dwell = np.full(len(start), np.nan)

    def rows(event: int, where: Bools, time: Ints, dwell_s: npt.NDArray[np.float64]) -> Rows:
        user, item = choices.user[where], choices.item[where]
        kind = np.full(len(user), event, dtype=np.int64)
        return Rows(user, item, time[where], kind, dwell_s[where], query[where], device[where])

    last = pd.Series(start + visit.buy_at).groupby(choices.user).transform("max").to_numpy()
    bought_at = start + visit.buy_at
    again = visit.bought & (rng.random(len(start)) < BOUGHT_AGAIN)
    again_at = bought_at + (rng.random(len(start)) * (last - bought_at)).astype(np.int64)
    return _joined(
        [
            rows(SEARCH, visit.searched, start, no_dwell),
            rows(VIEW, np.ones(len(start), dtype=np.bool_), start + visit.view_at, visit.view_dwell_s),
            rows(CLICK, visit.clicked, start + visit.click_at, visit.click_dwell_s),
            rows(LIKE, visit.liked, start + visit.like_at, no_dwell),
            rows(PURCHASE, visit.bought, bought_at, no_dwell),
            rows(PURCHASE, again, again_at, no_dwell),
        ]
    )


def _draw_visits(favourite: Bools, rng: np.random.Generator) -> _Visit:
    n = len(favourite)
    searched, clicked = rng.random(n) < SEARCHED, rng.random(n) < CLICKED
    liked = clicked & (rng.random(n) < np.where(favourite, LIKED_FAVOURITE, LIKED))
    bought = clicked & (rng.random(n) < np.where(liked, BOUGHT_LIKED, BOUGHT))
    view_dwell_s = rng.lognormal(np.log(12), 0.7, n).clip(1, 600).round(1)
    click_dwell_s = (rng.lognormal(np.log(90), 0.8, n) * np.where(liked, 2.5, 1)).clip(3, 7200).round(1)
    view_at = np.where(searched, rng.integers(3, 16, n), 0)
    click_at = view_at + np.ceil(view_dwell_s).astype(np.int64)
    like_at = click_at + np.ceil(click_dwell_s * rng.uniform(0.3, 0.9, n)).astype(np.int64)
    buy_at = click_at + np.ceil(click_dwell_s).astype(np.int64) + rng.integers(5, 31, n)
    return _Visit(
        searched, clicked, liked, bought, view_at, click_at, like_at, buy_at, view_dwell_s, click_dwell_s
    )


def _draw_starts(user: Ints, duration_s: Ints, rng: np.random.Generator) -> Ints:
    """When each choice begins: sessions spread over the person's share of the year."""
    n_users = int(user.max()) + 1
    first = np.append(True, user[1:] != user[:-1])
    new_session = (rng.random(len(user)) < NEW_SESSION) & ~first
    pause_s = np.ceil(rng.lognormal(np.log(60), 1, len(user)).clip(2, 1800))
    busy_s = np.bincount(user, duration_s + pause_s, n_users)
    span_s = rng.uniform(*ACTIVE_SHARES, n_users) * YEAR_S
    wait = np.where(new_session, rng.exponential(size=len(user)), 0)
    wait_s = wait * ((span_s - busy_s).clip(0) / np.bincount(user, wait, n_users).clip(1e-9))[user]
    gap_s = np.where(first, 0, np.append(0, duration_s[:-1]) + pause_s + np.floor(wait_s))
    since_all = np.cumsum(gap_s)
    since_first = since_all - since_all[first][np.cumsum(first) - 1]
    begin_s = np.floor(rng.random(n_users) * (YEAR_S - span_s.clip(busy_s + 1)).clip(0))
    return (begin_s[user] + since_first).astype(np.int64)


def _draw_devices(user: Ints, n_users: int, rng: np.random.Generator) -> Ints:
    main = rng.choice(len(DEVICES), n_users, p=DEVICE_SHARES)
    other = rng.choice(len(DEVICES), len(user), p=DEVICE_SHARES)
    return np.where(rng.random(len(user)) < MAIN_DEVICE_SHARE, main[user], other)


def _make_fraud_rows(catalogue: Catalogue, people: People, rng: np.random.Generator) -> Rows:
    goods = np.flatnonzero(catalogue.items["provider"].to_numpy() == BOOSTED_PROVIDER)
    n_rows = FRAUD_BURSTS * FRAUD_BURST_ROWS
    user = np.repeat(people.fraudulent, n_rows)
    item = np.array([list(islice(cycle(rng.permutation(goods)), n_rows)) for _ in people.fraudulent])
    day = np.array([rng.choice(365, FRAUD_BURSTS, replace=False) for _ in people.fraudulent])
    begin_s = np.sort(day) * 86_400 + rng.integers(80_000, size=day.shape)
    time = begin_s[:, :, None] + np.arange(FRAUD_BURST_ROWS) * FRAUD_INTERVAL_S  # [n_frauds, bursts, rows]
    nothing = np.zeros(len(user), dtype=np.int64)
    return Rows(
        user=user,
        item=item.ravel().astype(np.int64),
        time=time.ravel(),
        event=nothing + PURCHASE,
        dwell_s=np.full(len(user), np.nan),
        query=nothing,
        device=nothing + DEVICES.index("desktop"),
    )


def _joined(parts: list[Rows]) -> Rows:
    return Rows(
        user=np.concatenate([part.user for part in parts]),
        item=np.concatenate([part.item for part in parts]),
        time=np.concatenate([part.time for part in parts]),
        event=np.concatenate([part.event for part in parts]),
        dwell_s=np.concatenate([part.dwell_s for part in parts]),
        query=np.concatenate([part.query for part in parts]),
        device=np.concatenate([part.device for part in parts]),
    )


def _as_table(rows: Rows, catalogue: Catalogue, people: People) -> pd.DataFrame:
    order = np.lexsort((rows.event, rows.user, rows.time))
    item, event = rows.item[order], rows.event[order]
    search_text = np.where(event == SEARCH, catalogue.queries[item, rows.query[order]], "")
    return pd.DataFrame(
        {
            "user_id": people.users["user_id"].to_numpy()[rows.user[order]],
            "item_id": catalogue.items["item_id"].to_numpy()[item],
            "timestamp_s": START_S + rows.time[order],
            "event": np.array(EVENTS)[event],
            "dwell_s": rows.dwell_s[order],
            "search_text": search_text,
            "context_device": np.array(DEVICES)[rows.device[order]],
        }
    )
