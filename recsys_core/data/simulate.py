"""A whole shop of books and films from a seed, with known truths planted in it.

The tables have what a real shop's would have; `truth.json` beside them says which item causes which, who
has shorter histories, which provider is shown less, and which accounts are fraudulent. Explanations and
audits of a model trained on the tables can then be checked against the truth.
"""

from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from recsys_core import files
from recsys_core.data.simulate_catalogue import make_catalogue
from recsys_core.data.simulate_choices import make_choices
from recsys_core.data.simulate_events import ROWS_PER_CHOICE, make_interactions
from recsys_core.data.simulate_people import make_people
from recsys_core.data.simulate_truth import PlantedTruth, record_truth
from recsys_core.errors import ConfigError, StoreError

USERS_BOUNDS = (100, 1_000_000)
ITEMS_BOUNDS = (120, 200_000)
FEWEST_EVENTS_PER_USER = 30
MOST_EVENTS_PER_USER_AND_ITEM = 0.25  # or people would run out of items that they like
PEOPLE_PER_FRAUD = 190


@dataclass(frozen=True, slots=True)
class ShopSize:
    """How large a shop to make; the number of events comes out within a few per cent.

    Raises:
        ConfigError: a number is out of its bounds, or the three don't go together.
    """

    n_users: int = 1_500
    n_items: int = 1_000
    n_events: int = 100_000

    def __post_init__(self) -> None:
        problems = [
            f"{name} is {found:,}, but {low:,} to {high:,} are allowed"
            for name, found, (low, high) in (
                ("n_users", self.n_users, USERS_BOUNDS),
                ("n_items", self.n_items, ITEMS_BOUNDS),
            )
            if not low <= found <= high
        ]
        fewest = FEWEST_EVENTS_PER_USER * self.n_users
        most = int(MOST_EVENTS_PER_USER_AND_ITEM * self.n_users * self.n_items)
        if not problems and not fewest <= self.n_events <= most:
            problems.append(
                f"n_events is {self.n_events:,}, but {self.n_users:,} people and {self.n_items:,} items "
                f"allow {fewest:,} to {most:,}"
            )
        if problems:
            raise ConfigError(f"simulated shop: {'; '.join(problems)}")


@dataclass(frozen=True, slots=True)
class Shop:
    """The tables of a simulated shop, and what was planted in them.

    Attributes:
        interactions: user_id, item_id, timestamp_s (int64, UTC), event, dwell_s (NaN where the event has no
            length), search_text ("" unless the event is a search), context_device; in order of time.
        items: item_id, title, text, category (several joined by "|"), provider.
        users: user_id, age_band, gender, region; "" where an attribute is missing.
        truth: what was planted.
    """

    interactions: pd.DataFrame
    items: pd.DataFrame
    users: pd.DataFrame
    truth: PlantedTruth


DEFAULT_SIZE = ShopSize()


def simulate_shop(seed: int, size: ShopSize = DEFAULT_SIZE) -> Shop:
    """A shop of about the wanted size; the same seed makes the same shop.

    Raises:
        ConfigError: the seed is negative.
    """
    if seed < 0:
        raise ConfigError(f"simulated shop: the seed is {seed}, but it must be 0 or more")
    catalogue_rng, people_rng, choices_rng, events_rng = np.random.default_rng(seed).spawn(4)
    catalogue = make_catalogue(size.n_items, catalogue_rng)
    mean_items = size.n_events / size.n_users / ROWS_PER_CHOICE
    n_frauds = max(2, round(size.n_users / PEOPLE_PER_FRAUD))
    people = make_people(size.n_users, size.n_items, mean_items, n_frauds, people_rng)
    choices = make_choices(catalogue, people, choices_rng)
    interactions = make_interactions(choices, catalogue, people, events_rng)
    truth = record_truth(seed, interactions, catalogue, people, choices)
    return Shop(interactions, catalogue.items, people.users, truth)


def write_shop(shop: Shop, folder: Path) -> None:
    """Writes interactions.csv, items.csv, users.csv and truth.json, each whole or not at all.

    Raises:
        StoreError: the folder can't be made, or the disk refused.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StoreError(f"could not make the folder {folder.name}: {error.strerror or error}") from error
    tables = (("interactions", shop.interactions), ("items", shop.items), ("users", shop.users))
    for name, table in tables:
        files.write_atomically(folder / f"{name}.csv", _csv_writer(table))
    files.write_json(folder / "truth.json", asdict(shop.truth))


def _csv_writer(table: pd.DataFrame) -> Callable[[Path], None]:
    return lambda path: table.to_csv(path, index=False, lineterminator="\n", encoding="utf-8")
