"""Does a model know, or use, which group a person belongs to?"""

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from recsys_core.actions.group_answers import audited_groups
from recsys_core.actions.models import LoadedModel
from recsys_core.data.split import histories
from recsys_core.errors import ConfigError
from recsys_core.fairness.leakage import FEWEST_PEOPLE, N_PERMUTATIONS, Probe, check_permutations, probe_group
from recsys_core.metrics.rank_overlap import rank_biased_overlap
from recsys_core.ranker.attribute_flip import attribute_inputs, flipped_lists
from recsys_core.ranker.user_vectors import history_vectors, user_vectors
from recsys_core.store.workspace import Workspace

NOT_AN_INPUT = "the model doesn't read this attribute, so no list changes with it"


@dataclass(frozen=True, slots=True)
class GroupLeak:
    """How well one group can be told.

    Attributes:
        group: the group, against everybody of the other groups.
        model: from the model's vectors; None where there are too few people.
        history: from the histories themselves: what the data tell whoever reads them.
        reason: why there is no probe; "" where there is one.
    """

    group: str
    model: Probe | None
    history: Probe | None
    reason: str


@dataclass(frozen=True, slots=True)
class FlipEffect:
    """What an attribute does to the lists of a model that reads it; rank-biased overlap, 1 = nothing.

    Attributes:
        n: people whose attribute is known.
        k: length of the lists.
        overlap: of the list as it is with the lists at other values, mean over values and people.
        overlap_withheld: of the list as it is with the list of somebody whose attribute isn't known.
        changed: share of people whose first item changes at one of the other values.
        overlap_by_group: mean overlap of each group that may be shown.
    """

    n: int
    k: int
    overlap: float
    overlap_withheld: float
    changed: float
    overlap_by_group: dict[str, float]


@dataclass(frozen=True, slots=True)
class Leakage:
    """What was found for one attribute.

    Attributes:
        attribute: its name.
        groups: one row a group that may be shown.
        flip: None where the attribute isn't one that the model reads.
    """

    attribute: str
    groups: tuple[GroupLeak, ...]
    flip: FlipEffect | None


def find_leakage_of(
    model: LoadedModel,
    by: str,
    k: int = 10,
    n_permutations: int = N_PERMUTATIONS,
    seed: int = 0,
    workspace: Workspace | None = None,
) -> Leakage:
    """Whether groups can be told from what the model makes of histories, and whether it reads the attribute.

    Args:
        model: an opened model.
        by: an attribute, or several crossed.
        k: length of the lists that are compared.
        n_permutations: shuffles behind each p-value.
        seed: of folds, shuffles and directions.
        workspace: whose record of what was shown counts, as for `audit_model`.

    Raises:
        DataError: an attribute that can't form groups, none of whose groups may be shown, or people of whom
            a few could be told apart by what was shown before.
        ConfigError: too few shuffles, or k under 1.
    """
    if k < 1:
        raise ConfigError(f"k is {k}; a list has at least 1 item")
    check_permutations(n_permutations)
    data = model.data.dataset
    known = histories(data, model.data.split, "test")
    members, own, shown = audited_groups(workspace, model.data, by)
    in_shown = np.isin(own, shown)
    histories_of, own = known.take(np.flatnonzero(members)[in_shown]), own[in_shown]
    vectors = (user_vectors(model.ranker, histories_of), history_vectors(histories_of, data.n_items))
    asked = shown[:1] if len(shown) == 2 else shown
    groups = tuple(_leak(group, own == group, *vectors, n_permutations, seed) for group in asked)
    flip = None
    if by in attribute_inputs(model.ranker):
        lists = flipped_lists(model.ranker, data, histories_of, by, k)
        flip = _flip_effect(lists.as_it_is, lists.withheld, lists.others, own, shown, k)
    return Leakage(by, groups, flip)


def leakage_json(found: Leakage) -> dict[str, Any]:
    """The contract of `reclens leakage --json`."""
    return {
        "attribute": found.attribute,
        "groups": [asdict(row) for row in found.groups],
        "flip": None if found.flip is None else asdict(found.flip),
        "flip_reason": NOT_AN_INPUT if found.flip is None else "",
    }


def _leak(
    group: str,
    inside: NDArray[np.bool_],
    of_model: NDArray[np.float64],
    of_history: NDArray[np.float64],
    n_permutations: int,
    seed: int,
) -> GroupLeak:
    if min(inside.sum(), (~inside).sum()) < FEWEST_PEOPLE:
        reason = f"insufficient data: a probe needs {FEWEST_PEOPLE} people in the group and outside of it"
        return GroupLeak(group, None, None, reason)
    of_both = [probe_group(vectors, inside, n_permutations, seed) for vectors in (of_model, of_history)]
    return GroupLeak(group, of_both[0], of_both[1], "")


def _flip_effect(
    as_it_is: NDArray[np.int64],
    withheld: NDArray[np.int64],
    others: NDArray[np.int64],
    own: NDArray[np.object_],
    shown: list[str],
    k: int,
) -> FlipEffect:
    values = range(others.shape[1])
    overlaps = np.mean([rank_biased_overlap(as_it_is, others[:, value]) for value in values], axis=0)
    first = (others[:, :, 0] != as_it_is[:, :1]).any(axis=1)
    by_group = pd.Series(overlaps).groupby(own).mean()
    return FlipEffect(
        n=len(as_it_is),
        k=k,
        overlap=float(np.nanmean(overlaps)),
        overlap_withheld=float(np.nanmean(rank_biased_overlap(as_it_is, withheld))),
        changed=float(first.mean()),
        overlap_by_group={group: float(by_group[group]) for group in shown if group in by_group.index},
    )
