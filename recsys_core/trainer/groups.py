"""Which group each training person is in, and people drawn anew by group before training."""

from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np

from recsys_core.data.dataset import Histories, IntArray
from recsys_core.errors import ConfigError, DataError

GroupMethod = Literal["none", "resampling", "reweighting", "dro", "gap", "adversarial"]

MOST_COPIES = 20  # of one person's history: beyond that a ranker learns the person by heart


@dataclass(frozen=True, slots=True)
class GroupChoice:
    """What training does about groups of people, and how much of it.

    Attributes:
        method: "resampling" draws people by group beforehand; "reweighting" gives groups equal shares of the
            loss, "dro" ever more to whoever's loss is highest, "gap" more to whoever's is above the mean;
            "adversarial" makes the group hard to read from the ranker's states.
        strength: of resampling and reweighting 0 (as it is) to 1 (all groups alike); of dro the step, for a
            whole epoch; of gap and adversarial the weight beside the loss.
    """

    method: GroupMethod = "none"
    strength: float = 1.0


AS_IT_IS = GroupChoice()


def parse_group_choice(text: str) -> GroupChoice:
    """What training is to do about groups, from a text like `dro`, `gap:2` or `adversarial:0.5`.

    Raises:
        ConfigError: the text is none of these.
    """
    name, colon, amount = (part.strip() for part in text.partition(":"))
    methods = [method for method in get_args(GroupMethod) if method != "none"]
    for method in methods:
        try:
            if method == name:
                return GroupChoice(method, float(amount) if colon else 1.0)
        except ValueError:
            break
    raise ConfigError(
        f"'{text}' is no training by groups; write {', '.join(methods)}, each with a strength if it isn't 1, "
        "such as gap:2"
    )


@dataclass(frozen=True, slots=True)
class PeopleGroups:
    """Groups of people, told by the codes of their attributes.

    Attributes:
        names: of the groups; people whose attribute is missing are one of them.
        columns: the attributes that decide, as columns of `Askers.attributes`.
        codes: [n_rows] the codes of these attributes, in the order of `columns`.
        groups: [n_rows] the number of the group of people with those codes.
    """

    names: tuple[str, ...]
    columns: tuple[int, ...]
    codes: tuple[tuple[int, ...], ...]
    groups: tuple[int, ...]

    def of(self, attributes: IntArray | None) -> IntArray:
        """[n] the group of each person.

        Args:
            attributes: [n, a] codes of all attributes of each.

        Raises:
            DataError: the attributes of the people aren't known, or somebody's are like nobody's here.
        """
        if attributes is None:
            raise DataError("training by groups needs the attributes of the people, and there are none")
        table = dict(zip(self.codes, self.groups, strict=True))
        try:
            rows = attributes[:, list(self.columns)].tolist()
            return np.array([table[tuple(row)] for row in rows], dtype=np.int64)
        except KeyError as error:
            raise DataError(f"nobody's attributes have the codes {error} of a person in training") from error

    def of_histories(self, known: Histories) -> IntArray:
        """[n] the group of who is behind each history.

        Raises:
            DataError: as `of`.
        """
        return self.of(None if known.askers is None else known.askers.attributes)


def resampled(known: Histories, groups: IntArray, strength: float, seed: int) -> Histories:
    """As many people as there were, drawn so that groups have sizes in proportion to n_g^(1 − strength).

    Everybody of a group comes as often as all can alike, and the rest are drawn without repetition; nobody
    comes more than 20 times, so that a group of a few people stays smaller than others.

    Args:
        known: [n] histories of people.
        groups: [n] the group of each.
        strength: 0 leaves the sizes as they are, 1 makes them equal.
        seed: of the draw.
    """
    rng = np.random.default_rng(seed)
    present, sizes = np.unique(groups, return_counts=True)
    wanted = sizes ** (1.0 - strength)
    wanted = np.minimum(np.round(wanted / wanted.sum() * len(known)).astype(np.int64), MOST_COPIES * sizes)
    chosen = list[IntArray]()
    for group, size, target in zip(present, sizes, wanted, strict=True):
        own = np.flatnonzero(groups == group)
        chosen += [np.tile(own, target // size), rng.choice(own, target % size, replace=False)]
    return known.take(np.sort(np.concatenate([np.zeros(0, dtype=np.int64), *chosen])))
