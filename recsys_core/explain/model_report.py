"""What a whole model goes by: its main parameters and how much each counts, over people and per cohort.

Every figure is first worked out for one person's first list item, then averaged over people, with a 95 %
percentile bootstrap interval. This is the material of a statement of the main parameters and their relative
importance, as Regulation (EU) 2022/2065, Art. 27 asks for it.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pandas as pd

from recsys_core.data.dataset import Dataset, FloatArray, Histories, IntArray
from recsys_core.data.schema import CATEGORY_SEPARATOR
from recsys_core.data.split import Split, histories
from recsys_core.errors import DataError
from recsys_core.explain.components import explain_components, parts_of
from recsys_core.explain.history import Method, attribute, default_method
from recsys_core.explain.scoring import BoolArray, Question
from recsys_core.ranker.cross_encoder import CrossEncoderRanker
from recsys_core.ranker.neural import NeuralRanker
from recsys_core.ranker.popularity import PopularityRanker, item_counts
from recsys_core.ranker.protocol import Ranker
from recsys_core.ranker.top_k import mask_seen, top_k

PEOPLE, PEOPLE_READ = 200, 20  # by default; for a cross-encoder, which reads texts for every question
MIN_COHORT = 11
N_DRAWS = 2_000
LIST_LENGTH = 10
UNKNOWN = "unknown"
AGES = ("age: last", "age: 2 to 5", "age: older")
CATEGORY, LIST_POPULARITY = "same category", "popularity of the list"


@dataclass(frozen=True, slots=True)
class Parameter:
    """How much one thing counts, averaged over people.

    Attributes:
        name: `part: …` (share of all that the parts of the model add or take away), `age: …` (share of what
            the history adds or takes away, by place from the end), `same category` (share of what speaks
            for an item that comes from history items of a category of its own), or `popularity of the list`
            (mean share of the catalogue that is less popular than a list item). 0 to 1.
        value: the mean over people.
        ci_low: lower end of its 95 % interval.
        ci_high: upper end.
        even: what it would be if nothing counted more than anything else: every history item the same, the
            list as popular as the history; NaN where there is no such figure.
        n: people that it is averaged over.
    """

    name: str
    value: float
    ci_low: float
    ci_high: float
    even: float
    n: int


@dataclass(frozen=True, slots=True)
class Cohort:
    """The parameters among the people who have one value of an attribute."""

    attribute: str
    group: str
    n: int
    parameters: tuple[Parameter, ...]


@dataclass(frozen=True, slots=True)
class ModelReport:
    """What a model goes by.

    Attributes:
        n_people: people whose first list item was explained.
        method: how the contributions of history items were found.
        parameters: over all of them.
        cohorts: those of at least `fewest` people.
        not_shown: attribute and group of the others.
        people: the numbers of those people.
        fewest: people behind anything that is shown.
    """

    n_people: int
    method: Method
    parameters: tuple[Parameter, ...]
    cohorts: tuple[Cohort, ...]
    not_shown: tuple[tuple[str, str], ...]
    people: tuple[int, ...] = ()
    fewest: int = MIN_COHORT


@dataclass(frozen=True, slots=True)
class _Figures:
    """[n_people, n] figures of each person and what they would be if everything counted the same."""

    names: tuple[str, ...]
    values: FloatArray
    even: FloatArray


def report_model(
    ranker: Ranker,
    dataset: Dataset,
    split: Split,
    n_people: int | None = None,
    seed: int = 0,
    fewest: int = MIN_COHORT,
) -> ModelReport:
    """The main parameters of a model, over people drawn by the seed and per cohort.

    Args:
        ranker: the model.
        dataset: whose people, items and attributes.
        split: lists are made as of the test targets.
        n_people: how many people are drawn; 200 by default, 20 for a cross-encoder.
        seed: decides who is drawn, and the bootstrap.
        fewest: people of a cohort that may be shown, and behind each figure.

    Raises:
        DataError: nobody has two items of history.
    """
    known = histories(dataset, split, "test")
    usual = PEOPLE_READ if isinstance(ranker, CrossEncoderRanker) else PEOPLE
    n_people = n_people or max(usual, fewest)
    people = np.flatnonzero(known.lengths >= 2)
    if len(people) == 0:
        raise DataError("nobody in the data has two items of history, so there is nothing to average")
    generator = np.random.default_rng(seed)
    drawn = np.sort(generator.permutation(people)[:n_people])
    batch = known.take(drawn)
    lists = top_k(mask_seen(ranker.score(batch), batch), LIST_LENGTH)
    has_list = lists[:, 0] > 0
    drawn, batch, lists = drawn[has_list], batch.take(np.flatnonzero(has_list)), lists[has_list]
    method = default_method(ranker)
    figures = _figures(ranker, dataset, split, batch, lists, method)
    everybody = np.ones(len(drawn), dtype=bool)
    cohorts, not_shown = _cohorts(dataset, drawn, figures, generator, fewest)
    parameters = _parameters(figures, everybody, generator, fewest)
    return ModelReport(len(drawn), method, parameters, cohorts, not_shown, tuple(drawn.tolist()), fewest)


def _figures(
    ranker: Ranker, dataset: Dataset, split: Split, batch: Histories, lists: IntArray, method: Method
) -> _Figures:
    """All figures of everybody, the parts of the model first."""
    people = [batch.take(np.array([row])) for row in range(len(batch))]
    questions = [
        Question(own.items, int(items[0]), own.items, own.context, own.askers)
        for own, items in zip(people, lists, strict=True)
    ]
    found = [_list_popularity(dataset, split, batch, lists)]
    if not isinstance(ranker, PopularityRanker):
        found = [*_from_history(ranker, dataset, questions, method), *found]
    if isinstance(ranker, NeuralRanker):
        found = [_parts(ranker, questions), *found]
    return _Figures(
        tuple(name for own in found for name in own.names),
        np.concatenate([own.values for own in found], axis=1),
        np.concatenate([own.even for own in found], axis=1),
    )


def _parts(ranker: NeuralRanker, questions: list[Question]) -> _Figures:
    names = tuple(f"part: {part}" for part in parts_of(ranker))
    strengths = np.abs([found.contributions for found in explain_components(ranker, questions)])
    shares = strengths / np.maximum(strengths.sum(axis=1, keepdims=True), 1e-12)
    return _Figures(names, shares, np.full(shares.shape, np.nan))


def _from_history(
    ranker: Ranker, dataset: Dataset, questions: list[Question], method: Method
) -> Iterator[_Figures]:
    """How contributions are spread over ages and over categories."""
    values = [attribute(ranker, question, method).values for question in questions]
    rows = [_ages(np.abs(own)) for own in values]
    even = [_ages(np.ones(len(own))) for own in values]
    yield _Figures(AGES, np.array(rows), np.array(even))
    kinds = [
        {part for part in category.split(CATEGORY_SEPARATOR) if part}
        for category in ["", *dataset.items["category"]]
    ]
    shared = [
        np.array([bool(kinds[question.item_number] & kinds[item]) for item in question.history])
        if kinds[question.item_number]
        else None
        for question in questions
    ]
    of_kind = [
        np.nan if own is None else _share(np.maximum(contributions, 0), own)
        for contributions, own in zip(values, shared, strict=True)
    ]
    evenly = [np.nan if own is None else float(own.mean()) for own in shared]
    yield _Figures((CATEGORY,), np.array(of_kind)[:, None], np.array(evenly)[:, None])


def _ages(weights: FloatArray) -> list[float]:
    """The shares of the last event, of the four before it, and of all earlier ones; NaN where all are 0."""
    age = np.arange(len(weights))[::-1]
    return [_share(weights, where) for where in (age == 0, (age > 0) & (age < 5), age >= 5)]


def _share(weights: FloatArray, where: BoolArray) -> float:
    total = weights.sum()
    return float(weights[where].sum() / total) if total > 0 else np.nan


def _list_popularity(dataset: Dataset, split: Split, batch: Histories, lists: IntArray) -> _Figures:
    """Mean popularity of the items of a list and of a history: the share of items that are less popular."""
    counts = item_counts(histories(dataset, split, "valid"), dataset.n_items)[1:]
    less = np.searchsorted(np.sort(counts), counts, side="left") / dataset.n_items
    place = np.append(np.nan, less)  # of the padding, nothing
    of_lists = np.nanmean(place[lists], axis=1)
    of_histories = np.array([float(np.nanmean(place[batch[row]])) for row in range(len(batch))])
    return _Figures((LIST_POPULARITY,), of_lists[:, None], of_histories[:, None])


def _parameters(
    figures: _Figures, among: BoolArray, generator: np.random.Generator, fewest: int
) -> tuple[Parameter, ...]:
    found = list[Parameter]()
    for column, name in enumerate(figures.names):
        values, even = figures.values[among, column], figures.even[among, column]
        is_known = ~np.isnan(values)
        own, n = values[is_known], int(is_known.sum())
        if n < fewest:  # too few to say anything of, and to keep anybody's figures to themselves
            continue
        draws = generator.multinomial(n, np.full(n, 1 / n), N_DRAWS) @ own / n
        low, high = np.quantile(draws, [0.025, 0.975])
        evenly = even[is_known].mean()
        found.append(Parameter(name, float(own.mean()), float(low), float(high), float(evenly), n))
    return tuple(found)


def _cohorts(
    dataset: Dataset, drawn: IntArray, figures: _Figures, generator: np.random.Generator, fewest: int
) -> tuple[tuple[Cohort, ...], tuple[tuple[str, str], ...]]:
    """The cohorts of all attributes, and which aren't shown.

    A single small group could be worked out from everybody and the others, so the next larger one isn't
    shown either.
    """
    cohorts, not_shown = list[Cohort](), list[tuple[str, str]]()
    for column, codes in enumerate(dataset.attributes):
        words = np.array([UNKNOWN, *codes.values], dtype=object)[dataset.attribute_codes[drawn, column]]
        sizes = pd.Series(words, dtype=object).value_counts().sort_values(kind="stable")
        small = [str(group) for group, n in sizes.items() if n < fewest]
        if small and sizes[small].sum() < fewest:
            small = [str(group) for group in sizes.index[: len(small) + 1]]
        for group, n in sizes.items():
            if str(group) in small:
                not_shown.append((codes.name, str(group)))
            else:
                parameters = _parameters(figures, words == group, generator, fewest)
                cohorts.append(Cohort(codes.name, str(group), int(n), parameters))
    return tuple(cohorts), tuple(not_shown)
