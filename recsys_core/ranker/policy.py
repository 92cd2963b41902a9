"""Which re-ranking each group of people gets: a table from the codes of their attributes to a re-ranking."""

import json
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from recsys_core.data.dataset import Dataset, Histories, IntArray
from recsys_core.errors import ConfigError, StoreError
from recsys_core.ranker.rerank import parse_reranking

AS_IT_IS = ""  # the re-ranking of whoever gets none


@dataclass(frozen=True, slots=True)
class Policy:
    """Re-rankings by group.

    Attributes:
        columns: the attributes that decide, as columns of `Askers.attributes`; none = all are one group.
        codes: [n_rows] the codes of these attributes, in the order of `columns`.
        specs: [n_rows] the re-ranking like `calibration:0.3` of people with those codes; "" = none.
        length: how many places of a list are put in another order.
    """

    columns: tuple[int, ...]
    codes: tuple[tuple[int, ...], ...]
    specs: tuple[str, ...]
    length: int

    @property
    def distinct(self) -> tuple[str, ...]:
        """The re-rankings that somebody gets."""
        return tuple(dict.fromkeys(spec for spec in self.specs if spec != AS_IT_IS))

    def of_people(self, known: Histories) -> list[str]:
        """[n] the re-ranking of each; "" for whoever isn't known, or has other values than anybody before."""
        table = dict(zip(self.codes, self.specs, strict=True))
        if not self.columns or known.askers is None:
            return [table.get((), AS_IT_IS)] * len(known)
        own = known.askers.attributes[:, list(self.columns)]
        return [table.get(tuple(row), AS_IT_IS) for row in own.tolist()]

    def to_json(self) -> str:
        """The policy as it is kept beside a ranker."""
        return json.dumps(
            {"columns": self.columns, "codes": self.codes, "specs": self.specs, "length": self.length}
        )

    @staticmethod
    def from_json(text: str) -> "Policy":
        """The policy that `to_json` wrote.

        Raises:
            StoreError: it isn't one.
        """
        try:
            kept = json.loads(text)
            specs = tuple(str(spec) for spec in kept["specs"])
            for spec in specs:
                if spec != AS_IT_IS:
                    parse_reranking(spec)
            codes = tuple(tuple(int(code) for code in row) for row in kept["codes"])
            return Policy(tuple(int(column) for column in kept["columns"]), codes, specs, int(kept["length"]))
        except (KeyError, TypeError, ValueError, ConfigError) as error:
            raise StoreError("the kept re-ranking by group can't be read") from error


def policy_of_groups(
    dataset: Dataset, attributes: Sequence[str], labels: pd.Series, specs: dict[str, str], length: int
) -> Policy:
    """The policy under which everybody of a group gets the group's re-ranking.

    Groups are told by the people's attributes alone, so that somebody who comes later gets the re-ranking
    of the people who are like them.

    Args:
        dataset: whose people.
        attributes: those that make the groups.
        labels: the group of each person, in the order of the data set's people.
        specs: the re-ranking of each group; a group without one gets none.
        length: how many places of a list are put in another order.
    """
    names = [codes.name for codes in dataset.attributes]
    columns = tuple(names.index(name) for name in attributes)
    own: IntArray = dataset.attribute_codes[:, list(columns)]
    rows, first = np.unique(own, axis=0, return_index=True)
    groups = labels.astype(str).to_numpy()[first]
    return Policy(
        columns,
        tuple(tuple(int(code) for code in row) for row in rows.tolist()),
        tuple(specs.get(str(group), AS_IT_IS) for group in groups),
        length,
    )
