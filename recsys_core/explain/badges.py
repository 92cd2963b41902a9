"""The people that a badge is about, and the badge that is about a person."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from recsys_core.data.dataset import Dataset, IntArray
from recsys_core.errors import DataError
from recsys_core.explain.faithfulness import EVERYONE, Verification
from recsys_core.explain.history import Method

MAX_VALUES_LISTED = 10


def people_of(dataset: Dataset, cohort: str) -> IntArray:
    """The numbers of the people of a cohort written `attribute=value`; everybody for "".

    Raises:
        DataError: it isn't written so, or there is no such attribute, or nobody has the value.
    """
    if cohort == EVERYONE:
        return np.arange(dataset.n_users)
    attribute, equals, value = (part.strip() for part in cohort.partition("="))
    if not equals:
        raise DataError(f"the cohort is '{cohort}'; write attribute=value")
    attributes = [str(name) for name in dataset.users.columns if name != "user_id"]
    if attribute not in attributes:
        there = ", ".join(attributes) or "none"
        raise DataError(f"there is no attribute '{attribute}' of people; attributes are {there}")
    values = dataset.users[attribute].astype(str)
    people = np.flatnonzero((values == value).to_numpy())
    if len(people) == 0 or value == "":
        there = ", ".join(sorted(set(values) - {""})[:MAX_VALUES_LISTED])
        raise DataError(f"nobody's {attribute} is '{value}'; values are {there}")
    return people


def badge_for(
    badges: Sequence[Verification], method: Method, dataset: Dataset, user_id: str
) -> Verification | None:
    """The newest badge of a method that is about a person: of their cohort, or else of everybody.

    Args:
        badges: oldest first.
        method: whose.
        dataset: whose people.
        user_id: the person.
    """
    person = dataset.users.iloc[dataset.user_number(user_id)]
    about_them = [
        badge
        for badge in badges
        if badge.method == method and (badge.cohort == EVERYONE or _is_in(person, badge))
    ]
    return max(
        enumerate(about_them), key=lambda pair: (pair[1].cohort != EVERYONE, pair[0]), default=(0, None)
    )[1]


def _is_in(person: "pd.Series[str]", badge: Verification) -> bool:
    attribute, _, value = (part.strip() for part in badge.cohort.partition("="))
    return str(person.get(attribute, "")) == value
