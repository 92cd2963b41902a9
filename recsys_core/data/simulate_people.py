"""The people of the simulated shop: who they are, what they like, how much they do.

Taste is drawn over themes, leans on age band and region, and has nothing to do with gender. Activity is
drawn alike for everybody, but one group does less.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from recsys_core.data.simulate_catalogue import CATEGORIES, THEMES

AGE_BANDS = ("18-24", "25-34", "35-44", "45-54", "55-64", "65+")
AGE_SHARES = (0.14, 0.2, 0.19, 0.17, 0.14, 0.16)
GENDERS = ("female", "male", "non-binary")
GENDER_SHARES = (0.49, 0.47, 0.04)
REGIONS = ("North", "South", "East", "West", "Islands")
REGION_SHARES = (0.28, 0.24, 0.2, 0.18, 0.1)
MISSING_SHARE = 0.03

SHORTER_GROUP = "65+"  # of age_band
SHORTER_FACTOR = 0.3
FEWEST_ITEMS, FEWEST_ITEMS_SHORTER = 8, 5
MOST_OF_CATALOGUE = 0.25  # nobody gets through more of it than this
ACTIVITY_SPREAD = 0.75  # sigma of the log-normal number of items above the fewest: a long tail

AGE_LEANING, REGION_LEANING, CATEGORY_LEANING, THEME_LEANING = 1.0, 0.7, 0.8, 1.6  # sd in the logits
THEME_FAME = 0.6  # sd of what everybody shares
N_FAVOURITES = 5  # themes of which a person is likelier to like and buy what they look at


@dataclass(frozen=True, slots=True)
class People:
    """The user table and what only the simulator knows about it; rows in the table's order.

    Attributes:
        users: user_id, age_band, gender, region; "" where an attribute is missing.
        taste: [n_users, n_themes], each row sums to 1.
        favourite: [n_users, n_themes], bool.
        n_wanted: [n_users], the number of distinct items they will come to; 0 for fraudulent accounts.
        fraudulent: [n_frauds], rows of the accounts that no person is behind.
    """

    users: pd.DataFrame
    taste: npt.NDArray[np.float32]
    favourite: npt.NDArray[np.bool_]
    n_wanted: npt.NDArray[np.int64]
    fraudulent: npt.NDArray[np.int64]


def make_people(
    n_users: int, n_items: int, mean_items: float, n_frauds: int, rng: np.random.Generator
) -> People:
    """`n_users` people who look at `mean_items` distinct items on average, `n_frauds` accounts among them."""
    age = rng.choice(len(AGE_BANDS), n_users, p=AGE_SHARES)
    gender = rng.choice(len(GENDERS), n_users, p=GENDER_SHARES)
    region = rng.choice(len(REGIONS), n_users, p=REGION_SHARES)
    taste = _draw_taste(age, region, rng)
    rank = np.argsort(np.argsort(-taste, axis=1), axis=1)
    n_wanted = _draw_lengths(np.array(AGE_BANDS)[age] == SHORTER_GROUP, n_items, mean_items, rng)
    fraudulent = np.sort(rng.choice(n_users, n_frauds, replace=False))
    n_wanted[fraudulent] = 0
    width = len(str(n_users))
    users = pd.DataFrame(
        {
            "user_id": [f"u{number:0{width}d}" for number in range(1, n_users + 1)],
            "age_band": _published(AGE_BANDS, age, rng),
            "gender": _published(GENDERS, gender, rng),
            "region": _published(REGIONS, region, rng),
        }
    )
    return People(users, taste, rank < N_FAVOURITES, n_wanted, fraudulent)


def _published(
    names: tuple[str, ...], values: npt.NDArray[np.int64], rng: np.random.Generator
) -> npt.NDArray[np.str_]:
    return np.where(rng.random(len(values)) < MISSING_SHARE, "", np.array(names)[values])


def _draw_taste(
    age: npt.NDArray[np.int64], region: npt.NDArray[np.int64], rng: np.random.Generator
) -> npt.NDArray[np.float32]:
    n_categories, n_themes = len(CATEGORIES), len(THEMES)
    by_age = rng.normal(0, AGE_LEANING, (len(AGE_BANDS), n_categories))
    # Those with the shorter histories like what the next younger like, so that length is all that differs.
    by_age[AGE_BANDS.index(SHORTER_GROUP)] = by_age[AGE_BANDS.index(SHORTER_GROUP) - 1]
    by_region = rng.normal(0, REGION_LEANING, (len(REGIONS), n_categories))
    by_person = rng.normal(0, CATEGORY_LEANING, (len(age), n_categories))
    category_of_theme = np.array([CATEGORIES.index(category) for category, _ in THEMES])
    logits = (by_age[age] + by_region[region] + by_person)[:, category_of_theme]  # [n_users, n_themes]
    logits += rng.normal(0, THEME_FAME, n_themes) + rng.normal(0, THEME_LEANING, (len(age), n_themes))
    weights = np.exp(logits)
    return (weights / weights.sum(axis=1, keepdims=True)).astype(np.float32)


def _draw_lengths(
    shorter: npt.NDArray[np.bool_], n_items: int, mean_items: float, rng: np.random.Generator
) -> npt.NDArray[np.int64]:
    share = AGE_SHARES[AGE_BANDS.index(SHORTER_GROUP)]
    mean_others = mean_items / (1 - share + share * SHORTER_FACTOR)
    # The mean of a log-normal is exp(mu + sigma²/2).
    mu = np.log(mean_others - FEWEST_ITEMS) - ACTIVITY_SPREAD**2 / 2
    lengths = FEWEST_ITEMS + rng.lognormal(mu, ACTIVITY_SPREAD, len(shorter))
    lengths = np.minimum(lengths, n_items * MOST_OF_CATALOGUE)
    lengths = np.where(shorter, np.maximum(lengths * SHORTER_FACTOR, FEWEST_ITEMS_SHORTER), lengths)
    return np.round(lengths).astype(np.int64)
