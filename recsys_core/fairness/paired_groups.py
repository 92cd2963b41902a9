"""Which groups gain and which lose when one model takes the place of another, over the same people."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from recsys_core.errors import DataError
from recsys_core.fairness.comparisons import FEWEST_ABOVE_ZERO
from recsys_core.fairness.groups import group_labels
from recsys_core.fairness.inference import holm
from recsys_core.fairness.paired import N_DRAWS, PairedDifference, paired_bootstrap
from recsys_core.fairness.suppression import SMALLEST_GROUP, hidden_groups


@dataclass(frozen=True, slots=True)
class GroupGain:
    """One group under two models.

    Attributes:
        attribute: what the groups are made of.
        group: the group.
        result: first model − second, over the group's people; None where the group is suppressed, or fewer
            than 20 of its people have a value other than 0 under either model.
        p_adjusted: of that difference, by Holm over all groups of all attributes; None where there is none.
        suppressed: whether the group may not be shown.
    """

    attribute: str
    group: str
    result: PairedDifference | None
    p_adjusted: float | None
    suppressed: bool

    @property
    def reason(self) -> str | None:
        """Why there is no result; None where there is one."""
        if self.result is not None:
            return None
        if self.suppressed:
            return "hidden: it has fewer people than may be shown, or would give away a group that has"
        return f"insufficient data: fewer than {FEWEST_ABOVE_ZERO} people with a value other than 0"


def paired_by_group(
    first: "pd.Series[float]",
    second: "pd.Series[float]",
    users: pd.DataFrame,
    by: Sequence[str],
    n_draws: int = N_DRAWS,
    seed: int = 0,
    minimum_group: int = SMALLEST_GROUP,
    hidden: Mapping[str, frozenset[str]] | None = None,
) -> tuple[GroupGain, ...]:
    """The paired difference of two models in every group, with intervals and adjusted p-values.

    Args:
        first: values of the first model, indexed by user_id; NaN for people who have none.
        second: of the second model.
        users: one row a person: user_id and text attributes.
        by: attributes, or intersections such as "gender*age".
        n_draws: resamples of the people.
        seed: of the resampling.
        minimum_group: smallest n that is shown.
        hidden: the groups of each attribute that may not be shown; None = those that these groups themselves
            don't allow.

    Raises:
        DataError: an attribute can't form groups, or too few people have a value from both models.
    """
    both = pd.DataFrame({"first": first, "second": second}).dropna()
    if len(both) < minimum_group:
        raise DataError(
            f"{len(both)} people have a value from both models; groups need at least {minimum_group}"
        )
    people = users.set_index("user_id").reindex(both.index).fillna("").rename_axis("user_id").reset_index()
    labels = {name: group_labels(people, name) for name in by}
    hidden = hidden_groups(labels, minimum_group) if hidden is None else hidden
    gains = [
        _gain(
            name, str(group), both[(labels[name] == group).to_numpy()], group in hidden[name], n_draws, seed
        )
        for name in by
        for group in labels[name].cat.categories
    ]
    adjusted = iter(holm([gain.result.p_value for gain in gains if gain.result is not None]))
    return tuple(
        gain
        if gain.result is None
        else GroupGain(gain.attribute, gain.group, gain.result, next(adjusted), gain.suppressed)
        for gain in gains
    )


def _gain(
    attribute: str, group: str, both: pd.DataFrame, suppressed: bool, n_draws: int, seed: int
) -> GroupGain:
    own, other = both["first"].to_numpy(), both["second"].to_numpy()
    if suppressed or np.sum((own != 0) | (other != 0)) < FEWEST_ABOVE_ZERO:
        return GroupGain(attribute, group, None, None, suppressed)
    return GroupGain(attribute, group, paired_bootstrap(own, other, n_draws, seed), None, suppressed=False)
