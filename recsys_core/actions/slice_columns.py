"""In which slices of an evaluation people are: columns for slices alone, which nobody else can ask by."""

from collections.abc import Sequence

import pandas as pd

from recsys_core.actions.data import LoadedDataset
from recsys_core.fairness.disclosure import Shown
from recsys_core.ranker.evaluation import Part
from recsys_core.ranker.slices import SLICED_BY, slices_of_people


def with_slices(users: pd.DataFrame, data: LoadedDataset, part: Part) -> pd.DataFrame:
    """The table of people with a column a kind of slice (`SLICED_BY`); one that is there already stays."""
    found = slices_of_people(data.dataset, data.split, part)
    return users.assign(**{name: own for name, own in found.items() if name not in users.columns})


def beside_slices(
    users: pd.DataFrame, data: LoadedDataset, earlier: Sequence[Shown], part: Part = "test"
) -> pd.DataFrame:
    """The table with these columns where an earlier answer was by one of them, else as it is."""
    if any(one.by in SLICED_BY for one in earlier):
        return with_slices(users, data, part)
    return users
