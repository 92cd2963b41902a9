"""Which inputs tell a group without naming it: items, categories and other attributes that go with it."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array
from scipy.stats import chi2, false_discovery_control

from recsys_core.fairness.suppression import SMALLEST_GROUP

N_PROXIES = 20
ALPHA = 0.05


@dataclass(frozen=True, slots=True)
class Associations:
    """How strongly each of m inputs goes with the groups of the same people.

    Attributes:
        strength: [m] Cramér's V of having the input by group, 0 = none, 1 = it tells the group.
        p_adjusted: [m] of the χ² test, by Benjamini & Hochberg over all that may be tested; 1 where too few
            people of a group have the input, or lack it.
    """

    strength: NDArray[np.float64]
    p_adjusted: NDArray[np.float64]

    def strongest(self, most: int = N_PROXIES) -> NDArray[np.int64]:
        """The inputs whose association isn't chance, the strongest first; `most` of them at most."""
        sure = np.flatnonzero(self.p_adjusted <= ALPHA)
        return sure[np.argsort(-self.strength[sure], kind="stable")][:most]


def associations(has: csr_array, groups: NDArray[np.int64], fewest: int = SMALLEST_GROUP) -> Associations:
    """How inputs go with groups, by the χ² of each 2 × G table (Cramér, 1946).

    V beside the sizes of the groups tells a table nearly by itself, so a table with a small cell isn't told
    of, a cell of nobody among them: it would say of each person of a group what they have or lack.

    Args:
        has: [n, m] 1 where a person has an input.
        groups: [n] number of each person's group, from 0.
        fewest: people of each group who must have an input, and as many of each who must lack it.
    """
    n, n_groups = len(groups), int(groups.max(initial=-1)) + 1
    own = csr_array((np.ones(n), (groups, np.arange(n))), shape=(n_groups, n))
    of_group = np.bincount(groups, minlength=n_groups)
    with_it = csr_array(own @ has).toarray().T[:, of_group > 0]  # [m, G] people of each group who have it
    of_group = of_group[of_group > 0]
    strength, p_adjusted = np.zeros(len(with_it)), np.ones(len(with_it))
    smallest_cell = np.minimum(with_it, of_group - with_it).min(axis=1, initial=n)
    tested = (smallest_cell >= fewest) & (len(of_group) > 1)
    if tested.any():
        share = with_it[tested].sum(axis=1, keepdims=True) / n
        spread = share * (1 - share) * of_group
        found = ((with_it[tested] - share * of_group) ** 2 / spread).sum(axis=1)
        strength[tested] = np.sqrt(found / n)
        p_adjusted[tested] = false_discovery_control(chi2.sf(found, len(of_group) - 1))
    return Associations(strength, p_adjusted)
