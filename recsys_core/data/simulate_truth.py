"""What was planted in the simulated shop, in a form that explanations and audits can be checked against."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from recsys_core import files
from recsys_core.data.simulate_catalogue import (
    BOOSTED_PROVIDER,
    LESS_EXPOSED_PROVIDER,
    RELATIVE_EXPOSURE,
    Catalogue,
)
from recsys_core.data.simulate_choices import NOTHING, SETTLED_AFTER, WINDOW, Choices
from recsys_core.data.simulate_events import FRAUD_INTERVAL_S
from recsys_core.data.simulate_people import SHORTER_FACTOR, SHORTER_GROUP, People

ABOUT = {
    "rules": (
        "Whoever comes to the cause without having met the effect goes on to the effect with this "
        f"probability, as one of their next {WINDOW} new items. In the tables it is a little less often: a "
        "history can end first, and an effect is dropped where too many fall due at once."
    ),
    "realised_causes": (
        "For each person the pairs [effect, cause] in which the effect was chosen because of the cause, in "
        "order of time. Every other new item was chosen out of taste, by popularity or at random."
    ),
    "shorter_history_group": (
        f"People of this group come to {SHORTER_FACTOR:g} times as many items as others would; else they are "
        "like the age band below theirs. Newcomers of every group look around at random and settle after "
        f"about {SETTLED_AFTER} items, so people with short histories are harder to foresee: a real gap, and "
        "length is its only cause. Lengths are distinct items per person, by the group in the users' table, "
        "without fraudulent accounts and people whose group is missing."
    ),
    "less_exposed_provider": (
        "Each of this provider's items is shown to a part of the people only, relative_exposure of them, "
        "drawn anew for each item; every other item is shown to all. No rule but its own series leads to "
        "them. Once viewed they are clicked, liked and bought like any other item that suits the person."
    ),
    "fraudulent_accounts": (
        "Nobody is behind these accounts: they buy the items of one provider in bursts, one purchase every "
        "fraud_interval_s seconds, and do nothing else."
    ),
    "nothing_planted": (
        "Gender has no effect on anything, and region none but on taste. Where an audit finds a gap between "
        "genders, it is chance."
    ),
}


@dataclass(frozen=True, slots=True)
class Rule:
    """One item leads to another. `kind`: "sequel", "film of the book" or "companion"."""

    cause: str
    effect: str
    probability: float
    kind: str


@dataclass(frozen=True, slots=True)
class ShorterHistoryGroup:
    """The one group of the one attribute whose histories are shorter; lengths in distinct items."""

    attribute: str
    group: str
    mean_length: float
    others_mean_length: float


@dataclass(frozen=True, slots=True)
class LessExposedProvider:
    """The provider whose items are shown less.

    Attributes:
        provider: as it stands in the item table.
        relative_exposure: share of the people whom each of its items is shown to (1 for all others).
        n_items: how many items it has.
        views_per_item, others_views_per_item: rows of the event "view", per item.
        like_rate, others_like_rate: likes per view.
    """

    provider: str
    relative_exposure: float
    n_items: int
    views_per_item: float
    others_views_per_item: float
    like_rate: float
    others_like_rate: float


@dataclass(frozen=True, slots=True)
class PlantedTruth:
    """Everything that was planted; `about` says in a sentence or two what each field means."""

    seed: int
    n_users: int
    n_items: int
    n_events: int
    rules: tuple[Rule, ...]
    realised_causes: dict[str, tuple[tuple[str, str], ...]]
    shorter_history_group: ShorterHistoryGroup
    less_exposed_provider: LessExposedProvider
    fraudulent_accounts: tuple[str, ...]
    fraud_provider: str
    fraud_interval_s: int
    about: dict[str, str]


def record_truth(
    seed: int, interactions: pd.DataFrame, catalogue: Catalogue, people: People, choices: Choices
) -> PlantedTruth:
    """The truth of one shop: what was planted, with the figures that it came to in the tables."""
    user_ids = people.users["user_id"].to_numpy()
    return PlantedTruth(
        seed=seed,
        n_users=len(people.users),
        n_items=len(catalogue.items),
        n_events=len(interactions),
        rules=_rules(catalogue),
        realised_causes=_realised_causes(catalogue, people, choices),
        shorter_history_group=_shorter_history_group(people, choices),
        less_exposed_provider=_less_exposed_provider(interactions, catalogue),
        fraudulent_accounts=tuple(str(user_ids[row]) for row in people.fraudulent),
        fraud_provider=BOOSTED_PROVIDER,
        fraud_interval_s=FRAUD_INTERVAL_S,
        about=ABOUT,
    )


def read_truth(path: Path) -> PlantedTruth:
    """The truth that `write_shop` wrote beside its tables.

    Raises:
        StoreError: the file is missing or isn't JSON.
    """
    stored = files.read_json(path)
    realised: dict[str, list[tuple[str, str]]] = stored["realised_causes"]
    return PlantedTruth(
        seed=stored["seed"],
        n_users=stored["n_users"],
        n_items=stored["n_items"],
        n_events=stored["n_events"],
        rules=tuple(Rule(**rule) for rule in stored["rules"]),
        realised_causes={
            user: tuple((pair[0], pair[1]) for pair in pairs) for user, pairs in realised.items()
        },
        shorter_history_group=ShorterHistoryGroup(**stored["shorter_history_group"]),
        less_exposed_provider=LessExposedProvider(**stored["less_exposed_provider"]),
        fraudulent_accounts=tuple(stored["fraudulent_accounts"]),
        fraud_provider=stored["fraud_provider"],
        fraud_interval_s=stored["fraud_interval_s"],
        about=stored["about"],
    )


def _rules(catalogue: Catalogue) -> tuple[Rule, ...]:
    item_ids = catalogue.items["item_id"].to_list()
    columns = zip(catalogue.causes, catalogue.effects, catalogue.probabilities, catalogue.kinds, strict=True)
    rules = [Rule(item_ids[cause], item_ids[effect], float(p), kind) for cause, effect, p, kind in columns]
    return tuple(sorted(rules, key=lambda rule: (rule.cause, rule.effect)))


def _realised_causes(
    catalogue: Catalogue, people: People, choices: Choices
) -> dict[str, tuple[tuple[str, str], ...]]:
    caused = choices.cause != NOTHING
    item_ids, user_ids = catalogue.items["item_id"].to_list(), people.users["user_id"].to_list()
    pairs: dict[str, list[tuple[str, str]]] = {}
    columns = (choices.user[caused], choices.item[caused], choices.cause[caused])
    for user, effect, cause in zip(*(column.tolist() for column in columns), strict=True):
        pairs.setdefault(user_ids[user], []).append((item_ids[effect], item_ids[cause]))
    return {user: tuple(caused_items) for user, caused_items in pairs.items()}


def _shorter_history_group(people: People, choices: Choices) -> ShorterHistoryGroup:
    age_band = people.users["age_band"].to_numpy()
    lengths = np.bincount(choices.user, minlength=len(age_band))
    honest = ~np.isin(np.arange(len(age_band)), people.fraudulent)
    group = honest & (age_band == SHORTER_GROUP)
    others = honest & (age_band != SHORTER_GROUP) & (age_band != "")
    return ShorterHistoryGroup(
        attribute="age_band",
        group=SHORTER_GROUP,
        mean_length=round(float(lengths[group].mean()), 3),
        others_mean_length=round(float(lengths[others].mean()), 3),
    )


def _less_exposed_provider(interactions: pd.DataFrame, catalogue: Catalogue) -> LessExposedProvider:
    items = catalogue.items
    hidden = items.loc[items["provider"] == LESS_EXPOSED_PROVIDER, "item_id"]
    of_provider = interactions["item_id"].isin(hidden)
    viewed, liked = interactions["event"] == "view", interactions["event"] == "like"
    views, others_views = int((of_provider & viewed).sum()), int((~of_provider & viewed).sum())
    return LessExposedProvider(
        provider=LESS_EXPOSED_PROVIDER,
        relative_exposure=RELATIVE_EXPOSURE,
        n_items=len(hidden),
        views_per_item=round(views / max(len(hidden), 1), 3),
        others_views_per_item=round(others_views / (len(items) - len(hidden)), 3),
        like_rate=round(int((of_provider & liked).sum()) / max(views, 1), 4),
        others_like_rate=round(int((~of_provider & liked).sum()) / max(others_views, 1), 4),
    )
