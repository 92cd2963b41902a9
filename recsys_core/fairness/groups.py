"""Which group each person belongs to: one label a person, for an attribute or an intersection of several.

An attribute comes as text, "" where it is missing. Few values are kept as they came; numbers with many
distinct values become readable bins; what can't form groups (ids, free text, a constant) is refused.
"""

import re
from collections.abc import Sequence
from itertools import pairwise, product

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from recsys_core.errors import DataError

UNKNOWN = "unknown"  # the group of people whose attribute is missing
CROSS = " × "  # joins the labels of an intersection: "F × 25–34"

_RANGE = re.compile(
    r"(?P<below>(?:under|below|less than|up to)\s+|<=?|≤)?\s*[$€£¥>≥]?\s*"
    r"(?P<start>\d+(?:,\d{3})*(?:\.\d+)?)\s?(?P<unit>[km](?![a-z]))?",
    re.IGNORECASE,
)
_LAST_UNIT = re.compile(r"(?<=\d)\s?([km])(?![a-z])", re.IGNORECASE)
_UNITS = {"k": 1e3, "m": 1e6}

AGE_EDGES = np.array([18.0, 25.0, 35.0, 45.0, 55.0, 65.0])
OLDEST_AGE = 130.0
MOST_NUMBERS_KEPT = 12  # more distinct numbers than that are binned
MOST_TEXTS_KEPT = 50  # more distinct texts than that are free text or ids
N_BINS = 5
ID_SHARE = 0.9  # distinct values per person from which an attribute looks like an id


def group_labels(users: pd.DataFrame, by: str) -> pd.Series:
    """The group of each person, as an ordered category indexed by `user_id`.

    Missing values (empty text, or the text "unknown") are the group "unknown", always last; in an
    intersection a person is "unknown" where any part is. Numbers with at most 12 distinct values are kept
    as they came, so that coded ages (1, 18, 25, …) keep their codes.

    Args:
        users: one row a person: `user_id` and text attributes.
        by: an attribute, or several crossed: "gender*age" gives labels such as "F × 25–34".

    Raises:
        DataError: the attribute doesn't exist, has one value only, or can't form groups.
    """
    if "user_id" not in users.columns:
        raise DataError("the table of people has no column user_id")
    repeated = users["user_id"][users["user_id"].duplicated()]
    if len(repeated) > 0:
        raise DataError(f"the table of people names user_id {repeated.iloc[0]!r} more than once")
    parts = [_one_attribute(users, name) for name in attribute_names(users, by)]
    labels = parts[0] if len(parts) == 1 else _crossed(parts, by)
    known = [str(group) for group in labels.cat.categories if group != UNKNOWN]
    if len(known) < 2:
        found = f"every known value is {known[0]!r}" if known else "nobody has a value"
        raise DataError(f"{by} can't form groups: {found}; at least 2 groups are needed")
    return labels.set_axis(users["user_id"]).rename(by)


def forms_groups(users: pd.DataFrame, by: str) -> bool:
    """Whether people can be told apart by an attribute, or by several crossed."""
    try:
        group_labels(users, by)
    except DataError:
        return False
    return True


def attribute_names(users: pd.DataFrame, by: str) -> list[str]:
    """The columns that `by` names: itself, or the parts between its asterisks.

    Raises:
        DataError: a part isn't an attribute (the existing ones are listed), or comes twice.
    """
    existing = [str(column) for column in users.columns if column != "user_id"]
    if by in existing:
        return [by]
    names = [part.strip() for part in by.split("*")]
    for name in names:
        if name not in existing:
            listed = ", ".join(existing[:20]) if existing else "none"
            raise DataError(f"{name!r} is not an attribute of the people; there are: {listed}")
    if len(set(names)) < len(names):
        raise DataError(f"{by!r} crosses an attribute with itself")
    return names


def _one_attribute(users: pd.DataFrame, name: str) -> pd.Series:
    texts = users[name].fillna("").astype(str).str.strip()
    known = texts[(texts != "") & (texts != UNKNOWN)]
    numbers = _numbers(known)
    if numbers is None:
        _refuse_id_like(known, name, MOST_TEXTS_KEPT)
        order = in_reading_order([str(text) for text in known.unique()])
    elif len(np.unique(numbers)) <= MOST_NUMBERS_KEPT:
        order = [str(text) for text in known.iloc[np.argsort(numbers, kind="stable")].unique()]
    else:
        known, order = _binned(known, numbers, name)
    labels = known.reindex(texts.index, fill_value=UNKNOWN)
    return _ordered(labels, order)


def in_reading_order(labels: Sequence[str]) -> list[str]:
    """Ranges such as "Under 15K", "15-24K", "250K+" by where they begin; other labels by their letters."""
    begins = [_RANGE.match(label) for label in labels]
    if not all(begins):
        return sorted(labels)
    return sorted(labels, key=lambda label: (*_beginning(label), label))


def _beginning(label: str) -> tuple[float, bool]:
    """Where a range begins, what lies below a number before what begins there."""
    found = _RANGE.match(label)
    if found is None:
        return np.inf, True
    start, unit = float(found["start"].replace(",", "")), found["unit"] or ""
    if not unit and start < 1_000:  # "15-24K" begins at 15K, and "2,000-9K" doesn't at 2,000K
        unit = "".join(_LAST_UNIT.findall(label)[-1:])
    return start * _UNITS.get(unit.lower(), 1.0), found["below"] is None


def _ordered(labels: pd.Series, order: Sequence[str]) -> pd.Series:
    present = set(labels)
    categories = [group for group in (*order, UNKNOWN) if group in present]
    return labels.astype(pd.CategoricalDtype(categories, ordered=True))


def _numbers(known: pd.Series) -> NDArray[np.float64] | None:
    """The values as numbers [n_known], or None where one isn't (codes such as "01234" aren't)."""
    if known.str.fullmatch(r"[+-]?0\d+").any():
        return None
    numbers = pd.to_numeric(known, errors="coerce").to_numpy(dtype=np.float64)
    return numbers if bool(np.isfinite(numbers).all()) else None


def _refuse_id_like(known: pd.Series, name: str, most: float) -> None:
    n_distinct = int(known.nunique())
    one_each = n_distinct > MOST_NUMBERS_KEPT and n_distinct >= ID_SHARE * len(known)
    if n_distinct > most or one_each:
        raise DataError(
            f"{name} looks like free text or an id: {n_distinct} distinct values for {len(known)} people, "
            f"such as {str(known.iloc[0])[:40]!r}; groups need at most {MOST_TEXTS_KEPT} values, or numbers"
        )


def _binned(known: pd.Series, numbers: NDArray[np.float64], name: str) -> tuple[pd.Series, list[str]]:
    is_age = name.lower() == "age"
    whole = bool((numbers == np.round(numbers)).all())
    if is_age and (numbers.min() < 0 or numbers.max() > OLDEST_AGE):
        wrong = known.iloc[int(np.argmax((numbers < 0) | (numbers > OLDEST_AGE)))]
        raise DataError(f"{name} has the value {wrong!r}; ages lie between 0 and 130, empty where unknown")
    if whole and not is_age:
        _refuse_id_like(known, name, np.inf)
    edges = AGE_EDGES if is_age else _readable_edges(numbers)
    names = _bin_names(edges, whole=whole or is_age, is_age=is_age)
    bins = np.searchsorted(edges, numbers, side="right")
    return pd.Series([names[bin_number] for bin_number in bins], index=known.index, dtype=str), names


def _readable_edges(numbers: NDArray[np.float64]) -> NDArray[np.float64]:
    """Quintiles, rounded to a tenth of the order of their spread; equal ones and empty bins fall away."""
    quantiles = np.quantile(numbers, np.arange(1, N_BINS) / N_BINS)
    spread = quantiles[-1] - quantiles[0]
    digits = 1 - int(np.floor(np.log10(spread))) if spread > 0 else 0
    edges = np.unique(np.round(quantiles, digits))
    edges = edges[(edges > numbers.min()) & (edges <= numbers.max())]
    return edges if len(edges) > 0 else np.array([numbers[numbers > numbers.min()].min()])


def _bin_names(edges: NDArray[np.float64], *, whole: bool, is_age: bool) -> list[str]:
    closed = whole and bool((edges == np.round(edges)).all())
    names = [f"under {edges[0]:.12g}"]
    for low, high in pairwise(edges):
        if not closed:
            names.append(f"{low:.12g} to under {high:.12g}")
        elif high - low == 1:
            names.append(f"{low:.12g}")
        else:
            names.append(f"{low:.12g}–{high - 1:.12g}")
    return [*names, f"{edges[-1]:.12g}+" if is_age else f"{edges[-1]:.12g} or more"]


def _crossed(parts: Sequence[pd.Series], by: str) -> pd.Series:
    columns = pd.concat([part.astype(str) for part in parts], axis=1)
    texts = columns.iloc[:, 0]
    for part in range(1, columns.shape[1]):
        texts = texts + CROSS + columns.iloc[:, part]
    missing = (columns == UNKNOWN).any(axis=1)
    combinations = columns[~missing].drop_duplicates()
    if texts[combinations.index].duplicated().any():
        raise DataError(f"{by}: two groups would share a label, because a value contains {CROSS!r}")
    order = [CROSS.join(group) for group in product(*(part.cat.categories for part in parts))]
    return _ordered(texts.mask(missing, UNKNOWN), order)
