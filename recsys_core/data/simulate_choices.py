"""Who comes to which item, in which order, and why: because of an earlier item, out of taste, or at random.

One step chooses the next new item of everybody at once. When an item is chosen that causes another, it is
decided at once whether the effect will follow, and how many items later. Where nothing is due, a newcomer
looks around at random; after a dozen items people know what they like. So whoever has a short history is
hard to foresee, and that is how the planted group's gap comes about.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from recsys_core.data.simulate_catalogue import THEMES, Catalogue
from recsys_core.data.simulate_people import People

Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]

WINDOW = 5  # an effect comes among the next so many new items of a person, or not because of this cause
LAG_SHARES = (0.6, 0.2, 0.1, 0.06, 0.04)  # of the effects that come after 1, 2, … items
PERSISTENCE = 0.5  # probability of staying with the theme of the item before
SETTLED_AFTER, SETTLING = 12, 1.5  # newcomers look around; midpoint and width of the change, in new items
TRIES_BY_TASTE = 8  # draws of an item that the person hasn't met before any item will do
NOTHING = -1


@dataclass(frozen=True, slots=True)
class Choices:
    """Every item that a person came to for the first time; rows by person, then in their order of time.

    Attributes:
        user, item: [n_choices], rows of the user and item tables.
        cause: [n_choices], the item row that made the person choose this one, or -1.
    """

    user: Ints
    item: Ints
    cause: Ints


class _Rules:
    """The catalogue's rules by cause: at most two effects of one item, -1 where there is none."""

    def __init__(self, catalogue: Catalogue) -> None:
        self.effects = np.full((len(catalogue.items), 2), NOTHING, dtype=np.int64)
        self.probabilities = np.zeros((len(catalogue.items), 2))
        rules = zip(catalogue.causes, catalogue.effects, catalogue.probabilities, strict=True)
        for cause, effect, probability in rules:
            slot = 0 if self.effects[cause, 0] == NOTHING else 1
            self.effects[cause, slot], self.probabilities[cause, slot] = effect, probability


class _Shelf:
    """The items in the order of their themes, so that one search draws from a theme by appeal."""

    def __init__(self, catalogue: Catalogue, rng: np.random.Generator) -> None:
        self.theme_of, self.shown = catalogue.theme, catalogue.shown
        self.order = np.argsort(catalogue.theme, kind="stable")
        self.up_to = np.cumsum(catalogue.appeal[self.order])
        ends = np.searchsorted(catalogue.theme[self.order], np.arange(len(THEMES) + 1))
        edges = np.concatenate([[0.0], self.up_to])
        self.low, self.high = edges[ends[:-1]], edges[ends[1:]]  # [n_themes]
        self.stocked = self.high > self.low
        self.salt = rng.integers(2**63, size=1, dtype=np.uint64)

    def draw_any(self, n: int, rng: np.random.Generator) -> Ints:
        return rng.integers(len(self.theme_of), size=n)

    def draw(self, theme: Ints, rng: np.random.Generator) -> Ints:
        mark = self.low[theme] + rng.random(len(theme)) * (self.high - self.low)[theme]
        return self.order[np.minimum(np.searchsorted(self.up_to, mark, side="right"), len(self.order) - 1)]

    def is_shown(self, person: Ints, item: Ints) -> Bools:
        """Whether the shop ever puts an item before a person: a hash, so that the answer stays the same."""
        key = (person.astype(np.uint64) << np.uint64(32)) + item.astype(np.uint64) + self.salt
        for shift, factor in ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB)):  # SplitMix64's finaliser
            key = (key ^ (key >> np.uint64(shift))) * np.uint64(factor)
        return (key >> np.uint64(11)) / 2**53 < self.shown[item]


def make_choices(catalogue: Catalogue, people: People, rng: np.random.Generator) -> Choices:
    """The whole year's choices of everybody."""
    by_length = np.argsort(-people.n_wanted, kind="stable")  # who is still choosing is then a prefix
    lengths = people.n_wanted[by_length]
    rules, shelf = _Rules(catalogue), _Shelf(catalogue, rng)
    taste_up_to = np.cumsum(people.taste[by_length] * shelf.stocked, axis=1)
    history = np.full((len(lengths), int(lengths.max())), NOTHING, dtype=np.int64)
    causes = np.full_like(history, NOTHING)
    # planned[person, step mod WINDOW] = (the effect that is due at that step, its cause)
    planned = np.full((len(lengths), WINDOW, 2), NOTHING, dtype=np.int64)
    for step in range(history.shape[1]):
        n = int(np.searchsorted(-lengths, -step))  # those with lengths > step
        due = planned[:n, step % WINDOW].copy()
        planned[:n, step % WINDOW] = NOTHING
        free = (due[:, 0] == NOTHING) | _has_met(history[:n, :step], due[:, 0])
        history[:n, step] = due[:, 0]
        person = np.flatnonzero(free)
        history[person, step] = _choose_freely(person, history[person, :step], taste_up_to, shelf, rng)
        causes[:n, step] = np.where(free, NOTHING, due[:, 1])
        _plan_effects(planned[:n], history[:n, : step + 1], step, rules, rng)
    return _as_rows(history, causes, by_length)


def _has_met(history: Ints, item: Ints) -> Bools:
    return (history == item[:, None]).any(axis=1)


def _choose_freely(
    person: Ints,  # [n], rows of taste_up_to
    history: Ints,  # [n, step]
    taste_up_to: npt.NDArray[np.float32],  # [n_users, n_themes]
    shelf: _Shelf,
    rng: np.random.Generator,
) -> Ints:
    """[n] items out of taste, or at random while people are new here; none that they have met."""
    step = history.shape[1]
    newcomer_share = 1 / (1 + np.exp((step - SETTLED_AFTER) / SETTLING))
    item = shelf.draw_any(len(person), rng)
    fits = rng.random(len(person)) < newcomer_share
    tries = 0
    while True:
        fits &= ~_has_met(history, item) & shelf.is_shown(person, item)
        todo = np.flatnonzero(~fits)
        if not len(todo):
            return item
        if tries < TRIES_BY_TASTE:
            last = history[todo, -1] if step else np.full(len(todo), NOTHING, dtype=np.int64)
            item[todo] = _draw_by_taste(taste_up_to[person[todo]], last, shelf, rng)
        else:
            item[todo] = shelf.draw_any(len(todo), rng)
        fits[todo] = True
        tries += 1


def _draw_by_taste(
    taste_up_to: npt.NDArray[np.float32], last: Ints, shelf: _Shelf, rng: np.random.Generator
) -> Ints:
    """[n] items of the theme that each person last chose from, or of another one that they like."""
    mark = rng.random(len(last)) * taste_up_to[:, -1]
    theme = np.minimum((taste_up_to <= mark[:, None]).sum(axis=1), len(THEMES) - 1)
    stays = (rng.random(len(last)) < PERSISTENCE) & (last != NOTHING)
    return shelf.draw(np.where(stays, shelf.theme_of[last], theme), rng)


def _plan_effects(planned: Ints, history: Ints, step: int, rules: _Rules, rng: np.random.Generator) -> None:
    """Decides for the items just chosen (the last of `history`) whether and when their effects follow."""
    cause = history[:, -1]
    for slot in range(2):
        effect = rules.effects[cause, slot]
        follows = rng.random(len(cause)) < rules.probabilities[cause, slot]
        lag = rng.choice(WINDOW, len(cause), p=LAG_SHARES)  # 0 = the very next item
        follows &= ~_has_met(history, effect)
        for turn in range(WINDOW):  # where another effect is due, the next item takes this one
            at = (step + 1 + (lag + turn) % WINDOW) % WINDOW
            rows = np.flatnonzero(follows & (planned[np.arange(len(cause)), at, 0] == NOTHING))
            planned[rows, at[rows], 0], planned[rows, at[rows], 1] = effect[rows], cause[rows]
            follows[rows] = False


def _as_rows(history: Ints, causes: Ints, by_length: Ints) -> Choices:
    in_table_order = np.argsort(by_length)
    history, causes = history[in_table_order], causes[in_table_order]
    user, step = np.nonzero(history != NOTHING)
    return Choices(user.astype(np.int64), history[user, step], causes[user, step])
