"""How much of what moves people's lists lies on an attribute, and on the inputs that tell it, by group."""

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.sparse import csr_array, hstack

from recsys_core.actions.audit_questions import audited_users
from recsys_core.actions.group_answers import (
    GroupAnswer,
    audited_groups,
    hidden_in,
    members_of,
    record_answer,
)
from recsys_core.actions.models import LoadedModel
from recsys_core.actions.preferences import minimum_group
from recsys_core.data.dataset import FloatArray, Histories, IntArray
from recsys_core.data.split import histories
from recsys_core.explain.attribute_mass import attribute_mass
from recsys_core.explain.explanation import about_first_items
from recsys_core.explain.scoring import Question
from recsys_core.fairness.groups import UNKNOWN, attribute_names
from recsys_core.fairness.inference import bootstrap_mean, interval, sample_of
from recsys_core.fairness.proxies import associations
from recsys_core.ranker.attribute_flip import attribute_inputs
from recsys_core.ranker.cross_encoder import CrossEncoderRanker
from recsys_core.ranker.rerank import category_names, category_shares
from recsys_core.store.workspace import Workspace

MOST_PEOPLE = 2_000
N_DRAWS = 1_000
STRENGTH_PLACES = 2
DRAWN_BY = 0  # always the same people, so that two answers have nothing to be subtracted
TOO_SLOW = "a model that reads texts would have to read some ten thousand pairs of texts"
NOTHING_MOVES = "nothing that is known of people moves this model's scores"


@dataclass(frozen=True, slots=True)
class Proxy:
    """An input that goes with an attribute.

    Attributes:
        kind: `item`, `category` (its share of a history above the median) or `attribute`.
        name: an item's id, a category, or `attribute=value`.
        strength: Cramér's V with the groups, 0 to 1, to two places: more would tell how many have it.
    """

    kind: str
    name: str
    strength: float


@dataclass(frozen=True, slots=True)
class Mass:
    """A mean share over people, 0 to 1, with its 95 % bootstrap interval."""

    value: float
    ci_low: float
    ci_high: float


@dataclass(frozen=True, slots=True)
class GroupMass:
    """What moves the score of the first item on people's lists; whom nothing moves counts as 0.

    Attributes:
        group: "" = everybody.
        n: people.
        attribute: share of the attribute itself.
        proxies: share of the inputs that tell it.
        even: share of the inputs that the model has of them that are proxies: what `proxies` would be if
            every input counted the same. Inputs are the items that it looks at and the attributes that are
            known.
    """

    group: str
    n: int
    attribute: Mass
    proxies: Mass
    even: float


@dataclass(frozen=True, slots=True)
class AttributeMass:
    """Attribution mass on an attribute and its proxies.

    Attributes:
        reads: whether the model has the attribute, or a part of an intersection, as an input.
        proxies: the strongest first; at most 20.
        groups: everybody first, then the groups that may be shown; none where there is a reason.
        reason: why there are no figures; "" where there are.
    """

    reads: bool
    proxies: tuple[Proxy, ...]
    groups: tuple[GroupMass, ...]
    reason: str


@dataclass(frozen=True, slots=True)
class _Inputs:
    """What a model may know people by.

    Attributes:
        named: kind and name of each of m inputs.
        has: [n, m] who has which.
        items: the item numbers of each input; none for an attribute.
        columns: the column of each attribute among what askers tell; −1 for others.
    """

    named: list[tuple[str, str]]
    has: csr_array
    items: list[IntArray]
    columns: list[int]


def find_mass_of(model: LoadedModel, by: str, workspace: Workspace | None = None) -> AttributeMass:
    """How much of what moves the first item of people's lists lies on an attribute and its proxies.

    Args:
        model: an opened model.
        by: an attribute, or several crossed.
        workspace: whose record of what was shown counts, and is added to.

    Raises:
        DataError: an attribute that can't form groups, none of whose groups may be shown, or people of whom
            a few could be told apart by what was shown before.
    """
    members, labels, shown = audited_groups(workspace, model.data, by)
    data, ranker = model.data.dataset, model.ranker
    own = _columns(model, attribute_names(audited_users(model.data), by))
    if isinstance(ranker, CrossEncoderRanker):
        return AttributeMass(bool(own), (), (), TOO_SLOW)
    everybody = np.flatnonzero(members)
    known = histories(data, model.data.split, "test").take(everybody)
    told = _proxies(_inputs(model, known, own), labels, shown, minimum_group(workspace))
    drawn = np.sort(np.random.default_rng(DRAWN_BY).permutation(len(everybody))[:MOST_PEOPLE])
    listed, questions = about_first_items(ranker, known.take(drawn))
    asked = drawn[listed]
    answer = GroupAnswer(
        members_of(model.data, everybody[asked]), (by,), "attributions", members, topic=model.record.id
    )
    hidden = hidden_in(workspace, model.data, answer)
    masses = attribute_mass(ranker, questions, own, told.items, told.columns)
    if not masses.any():
        return AttributeMass(bool(own), told.named, (), NOTHING_MOVES)
    record_answer(workspace, model.data, answer, hidden)
    read, reach = _read(model), ranker.max_length
    even = np.array([_even(question, told, reach, read) for question in questions])
    rows = [_group("", masses, even)]
    groups = [group for group in shown if group not in hidden[by]]
    rows += [_group(group, masses[inside], even[inside]) for group, inside in _inside(labels[asked], groups)]
    return AttributeMass(bool(own), told.named, tuple(rows), "")


@dataclass(frozen=True, slots=True)
class _Told:
    """The proxies by name, the items that they stand for, and the columns of those that are attributes."""

    named: tuple[Proxy, ...]
    items: IntArray
    columns: list[int]


def _proxies(inputs: _Inputs, labels: NDArray[np.object_], shown: list[str], fewest: int) -> _Told:
    """The inputs that go most strongly with the groups that may be shown."""
    codes = pd.Index(shown).get_indexer(pd.Index(labels))
    told = associations(inputs.has[np.flatnonzero(codes >= 0)], codes[codes >= 0].astype(np.int64), fewest)
    chosen = told.strongest()
    items = np.unique(np.concatenate([np.zeros(0, np.int64), *(inputs.items[number] for number in chosen)]))
    columns = [inputs.columns[number] for number in chosen if inputs.columns[number] >= 0]
    named = tuple(_proxy(inputs.named[number], float(told.strength[number])) for number in chosen)
    return _Told(named, items, columns)


def _even(question: Question, told: _Told, reach: int, read: list[int]) -> float:
    """The share of proxies among the last `reach` items and the known ones of the attributes `read`."""
    reached = np.unique(question.history[max(0, len(question.history) - reach) :])
    codes = np.zeros(0) if question.askers is None else question.askers.attributes[0]
    known = {column for column in read if column < len(codes) and codes[column] > 0}
    n_inputs = len(reached) + len(known)
    n_proxies = int(np.isin(reached, told.items).sum()) + len(known & set(told.columns))
    return n_proxies / n_inputs if n_inputs else 0.0


def _proxy(named: tuple[str, str], strength: float) -> Proxy:
    kind, name = named
    return Proxy(kind, name, round(strength, STRENGTH_PLACES))


def mass_json(found: AttributeMass) -> dict[str, Any]:
    """The part `mass` of `reclens leakage --json`."""
    return asdict(found)


def _inside(labels: NDArray[np.object_], groups: list[str]) -> list[tuple[str, NDArray[np.bool_]]]:
    return [(group, np.asarray(labels == group, dtype=np.bool_)) for group in groups if group != UNKNOWN]


def _columns(model: LoadedModel, names: list[str]) -> list[int]:
    """Where these attributes are among what askers tell, if the model reads them."""
    codes = model.data.dataset.attributes
    return [number for number in _read(model) if codes[number].name in names]


def _read(model: LoadedModel) -> list[int]:
    """Where the attributes that the model reads are among what askers tell."""
    read = attribute_inputs(model.ranker)
    return [number for number, codes in enumerate(model.data.dataset.attributes) if codes.name in read]


def _inputs(model: LoadedModel, known: Histories, own: list[int]) -> _Inputs:
    """Items, categories and other attributes that the model reads."""
    data, n = model.data.dataset, len(known)
    different = known.without_repeats()
    has_item = csr_array(
        (np.ones(len(different.items)), (different.rows, different.items)), shape=(n, data.n_items + 1)
    )
    shares = csr_array(category_shares(data))
    of_category = csr_array(has_item @ shares).toarray() / np.maximum(1, different.lengths)[:, None]
    has_category = of_category > np.median(of_category, axis=0) if n else of_category
    named = [("item", "") if not item else ("item", data.item_ids[item]) for item in range(data.n_items + 1)]
    categories = category_names(data)
    named += [("category", name) for name in categories]
    items = [np.array([item]) for item in range(data.n_items + 1)]
    items += [shares[:, [column]].nonzero()[0].astype(np.int64) for column in range(len(categories))]
    columns, parts = [-1] * len(named), [has_item, csr_array(has_category.astype(np.float64))]
    for number in _read(model):
        if number in own or known.askers is None:
            continue
        codes = data.attributes[number]
        for code, value in enumerate(codes.values, start=1):
            with_it = known.askers.attributes[:, number] == code
            parts.append(csr_array(with_it[:, None].astype(np.float64)))
            named.append(("attribute", f"{codes.name}={value}"))
            items.append(np.zeros(0, dtype=np.int64))
            columns.append(number)
    return _Inputs(named, csr_array(hstack(parts)), items, columns)


def _group(group: str, masses: FloatArray, even: FloatArray) -> GroupMass:
    return GroupMass(group, len(masses), _mass(masses[:, 0]), _mass(masses[:, 1]), float(even.mean()))


def _mass(values: FloatArray) -> Mass:
    found = bootstrap_mean(sample_of(values), N_DRAWS, np.random.default_rng(DRAWN_BY))
    return Mass(found.value, *interval(found))
