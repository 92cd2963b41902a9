"""Named cohorts: people who meet some conditions, as an attribute of their own."""

from collections.abc import Sequence
from dataclasses import dataclass

import pandas as pd

from recsys_core.errors import ConfigError, DataError
from recsys_core.fairness.groups import UNKNOWN, group_labels

INSIDE, OUTSIDE = "in", "out"


@dataclass(frozen=True, slots=True)
class Cohort:
    """People who are in one of the groups named of every attribute named.

    Attributes:
        name: of the cohort, which becomes the name of an attribute.
        conditions: attribute and group; several groups of one attribute mean any of them.
    """

    name: str
    conditions: tuple[tuple[str, str], ...]


def parse_cohort(written: str) -> Cohort:
    """The cohort that "NAME=ATTRIBUTE:GROUP,ATTRIBUTE:GROUP" describes.

    Raises:
        ConfigError: it isn't written like that.
    """
    name, _, rest = written.partition("=")
    parts = [part.partition(":") for part in rest.split(",")]
    conditions = tuple((attribute.strip(), group.strip()) for attribute, _, group in parts)
    if not name.strip() or not all(attribute and group for attribute, group in conditions):
        raise ConfigError(f"the cohort {written!r} is not written as NAME=ATTRIBUTE:GROUP,ATTRIBUTE:GROUP")
    return Cohort(name.strip(), conditions)


def with_cohorts(users: pd.DataFrame, written: Sequence[str]) -> pd.DataFrame:
    """The table of people with an attribute for each cohort: "in", "out", or "" where it can't be told.

    Whoever has no value of an attribute that decides is in neither; whoever fails another condition is out.

    Args:
        users: one row a person: `user_id` and attributes.
        written: cohorts as `parse_cohort` reads them.

    Raises:
        ConfigError: a cohort can't be read, or has the name of an attribute.
        DataError: an attribute or a group doesn't exist.
    """
    columns: dict[str, list[str]] = {}
    for cohort in map(parse_cohort, written):
        if cohort.name in users.columns or cohort.name in columns:
            raise ConfigError(f"the cohort {cohort.name!r} has the name of an attribute; give it another one")
        columns[cohort.name] = _membership(users, cohort)
    return users.assign(**columns)


def _membership(users: pd.DataFrame, cohort: Cohort) -> list[str]:
    attributes = dict.fromkeys(attribute for attribute, _ in cohort.conditions)
    inside = pd.Series(data=True, index=users.index)
    unsure = pd.Series(data=False, index=users.index)
    for attribute in attributes:
        labels = group_labels(users, attribute).astype(str).set_axis(users.index)
        wanted = [group for name, group in cohort.conditions if name == attribute]
        missing = sorted(set(wanted) - set(labels))
        if missing:
            raise DataError(
                f"the cohort {cohort.name!r} asks for {attribute} {missing[0]!r}; "
                f"there are: {', '.join(sorted(set(labels)))}"
            )
        unsure |= (labels == UNKNOWN) & (UNKNOWN not in wanted)
        inside &= labels.isin([*wanted, UNKNOWN])
    known = inside.map({True: INSIDE, False: OUTSIDE})
    return known.mask(inside & unsure, "").tolist()
