"""Which inputs tell a group without naming it: items, categories and other attributes that go with it."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array
from scipy.stats import chi2, false_discovery_control

N_PROXIES = 20
FEWEST_PEOPLE = 11  # who have an input, and who lack it
ALPHA = 0.05


@dataclass(frozen=True, slots=True)
class Associations:
    """How strongly each of m inputs goes with the groups of the same people.

    Attributes:
        strength: [m] Cramér's V of having the input by group, 0 = none, 1 = it tells the group.
        p_adjusted: [m] of the χ² test, by Benjamini & Hochberg over all that can be tested; 1 where fewer
            than 11 people have the input, or lack it.
    """

    strength: NDArray[np.float64]
    p_adjusted: NDArray[np.float64]

    def strongest(self, most: int = N_PROXIES) -> NDArray[np.int64]:
        """The inputs whose association isn't chance, the strongest first; `most` of them at most."""
        sure = np.flatnonzero(self.p_adjusted <= ALPHA)
        return sure[np.argsort(-self.strength[sure], kind="stable")][:most]


def associations(has: csr_array, groups: NDArray[np.int64]) -> Associations:
    """How inputs go with groups, by the χ² of each 2 × G table (Cramér, 1946).

    Args:
        has: [n, m] 1 where a person has an input.
        groups: [n] number of each person's group, from 0.
    """
    n, n_groups = len(groups), int(groups.max(initial=-1)) + 1
    own = csr_array((np.ones(n), (groups, np.arange(n))), shape=(n_groups, n))
    with_it = csr_array(own @ has).toarray().T  # [m, G] people of each group who have it
    of_group = np.bincount(groups, minlength=n_groups)
    total = with_it.sum(axis=1)
    tested = (np.minimum(total, n - total) >= FEWEST_PEOPLE) & ((of_group > 0).sum() > 1)
    strength, p_adjusted = np.zeros(len(total)), np.ones(len(total))
    if tested.any():
        share = total[tested, None] / n
        spread = share * (1 - share) * of_group[None, of_group > 0]
        apart = with_it[tested][:, of_group > 0] - share * of_group[None, of_group > 0]
        found = (apart**2 / spread).sum(axis=1)
        strength[tested] = np.sqrt(found / n)
        p_adjusted[tested] = false_discovery_control(chi2.sf(found, (of_group > 0).sum() - 1))
    return Associations(strength, p_adjusted)
