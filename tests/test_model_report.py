"""What a whole model goes by: planted rankers whose main parameters are known."""

import re
from collections.abc import Sequence
from dataclasses import fields, replace

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
import torch
from hand_made import small_transformer, tables

from recsys_core.data.dataset import Dataset, build_dataset
from recsys_core.data.schema import Tables
from recsys_core.data.split import Split, histories, leave_one_out
from recsys_core.errors import ConfigError, DataError
from recsys_core.explain.model_phrases import CHINESE, ENGLISH, Phrases
from recsys_core.explain.model_report import MIN_COHORT, ModelReport, Parameter, report_model
from recsys_core.explain.model_words import describe
from recsys_core.ranker.neighbours import NeighbourRanker
from recsys_core.ranker.popularity import PopularityRanker

N_PEOPLE, N_ITEMS, LENGTH = 40, 30, 10
POPULARITY = "popularity of the list"
CATEGORIES = ["odd" if number % 2 else "even" for number in range(1, N_ITEMS + 1)]


def world(groups: Sequence[str] = ("a",) * N_PEOPLE, categories: Sequence[str] = CATEGORIES) -> Dataset:
    """Everybody touches ten items at random, numbered by first sight; lists are made from the first nine."""
    generator = np.random.default_rng(0)
    pairs = [("nobody", f"i{item:02}") for item in range(N_ITEMS)]
    pairs += [
        (f"u{user:02}", f"i{item:02}")
        for user in range(N_PEOPLE)
        for item in generator.permutation(N_ITEMS)[:LENGTH]
    ]
    own = tables(pairs, range(len(pairs)))
    people = own.users["user_id"]
    colour = [groups[int(user[1:])] if user != "nobody" else "" for user in people]
    items = own.items.assign(category=list(categories))
    return build_dataset(Tables(own.interactions, items, pd.DataFrame({"user_id": people, "colour": colour})))


def split_of(dataset: Dataset) -> Split:
    """As leaving one out does it, but for the one who touched everything and so has no list."""
    split = leave_one_out(dataset)
    lengths = split.test_length.copy()
    lengths[dataset.user_number("nobody")] = 1
    return replace(split, test_length=lengths)


def weights(value: np.ndarray, max_length: int = 100, decay: float = 1.0) -> NeighbourRanker:
    full = np.zeros((N_ITEMS + 1, N_ITEMS + 1))
    full[1:, 1:] = value
    return NeighbourRanker(sp.csr_matrix(full), decay, max_length)


def parameter(report: ModelReport, name: str) -> Parameter:
    return next(own for own in report.parameters if own.name == name)


def reported(ranker: object, dataset: Dataset | None = None) -> ModelReport:
    dataset = world() if dataset is None else dataset
    return report_model(ranker, dataset, split_of(dataset))  # pyright: ignore[reportArgumentType]


def test_a_ranker_that_looks_at_the_last_item_alone_says_so():
    found = reported(weights(np.random.default_rng(1).random((N_ITEMS, N_ITEMS)), max_length=1))
    assert parameter(found, "age: last").value == 1
    assert parameter(found, "age: older").value == 0
    assert parameter(found, "age: last").even == pytest.approx(1 / 9)


def test_where_every_item_counts_the_same_shares_are_even():
    found = reported(weights(np.ones((N_ITEMS, N_ITEMS))))
    for name, share in (("age: last", 1 / 9), ("age: 2 to 5", 4 / 9), ("age: older", 4 / 9)):
        own = parameter(found, name)
        assert (own.value, own.even) == (pytest.approx(share), pytest.approx(share))


def test_fading_weights_are_a_geometric_series():
    """½ for each step back: the last of nine has 1 of 2 − 2⁻⁸."""
    found = reported(weights(np.ones((N_ITEMS, N_ITEMS)), decay=0.5))
    assert parameter(found, "age: last").value == pytest.approx(1 / (2 - 2**-8))


def test_a_ranker_of_categories_gets_all_its_reasons_from_the_category():
    same = np.array([[one == other for other in CATEGORIES] for one in CATEGORIES], dtype=float)
    own = parameter(reported(weights(same)), "same category")
    assert own.value == 1
    assert 0.3 < own.even < 0.9


def test_without_categories_nothing_is_said_of_them():
    found = reported(weights(np.ones((N_ITEMS, N_ITEMS))), world(categories=[""] * N_ITEMS))
    assert "same category" not in {own.name for own in found.parameters}


def test_popularity_has_one_parameter_and_lists_more_popular_than_the_history():
    counts = np.random.default_rng(2).permutation(N_ITEMS + 1).astype(float)
    found = reported(PopularityRanker(counts))
    assert [own.name for own in found.parameters] == ["popularity of the list"]
    assert "What a person did before changes nothing." in describe(found)


def test_popularity_of_a_list_is_the_share_of_items_that_fewer_people_touched():
    """Everybody is given items 1 to 10 where they are candidates; how popular these are is counted here."""
    dataset = world()
    split = split_of(dataset)
    own = parameter(reported(PopularityRanker(np.arange(N_ITEMS + 1, 0.0, -1)), dataset), POPULARITY)
    counts = np.bincount(histories(dataset, split, "valid").items, minlength=N_ITEMS + 1)[1:]
    known, shares = histories(dataset, split, "test"), list[float]()
    for user in np.flatnonzero(known.lengths >= 2).tolist():
        shown = [item for item in range(1, N_ITEMS + 1) if item not in known[user]][:10]
        shares.append(float(np.mean([(counts < counts[item - 1]).sum() / N_ITEMS for item in shown])))
    assert own.value == pytest.approx(np.mean(shares))


def test_shares_of_the_parts_sum_to_one():
    torch.manual_seed(0)
    text = np.random.default_rng(3).normal(size=(N_ITEMS + 1, 5)).astype(np.float16)
    found = reported(small_transformer(N_ITEMS, text_vectors=text))
    parts = [own for own in found.parameters if own.name.startswith("part: ")]
    assert [own.name for own in parts] == ["part: popularity", "part: id", "part: text"]
    assert sum(own.value for own in parts) == pytest.approx(1)
    assert all(own.ci_low <= own.value <= own.ci_high for own in found.parameters)
    assert "A recommendation is decided, in order of weight, by" in describe(found)


def test_interval_is_as_wide_as_that_of_a_mean():
    """Of 40 people, ±1.96 standard errors of the share; the bootstrap's differs by its draws alone."""
    dataset = world()
    ranker = weights(np.random.default_rng(1).random((N_ITEMS, N_ITEMS)))
    known = histories(dataset, split_of(dataset), "test")
    shares = list[float]()
    for user in np.flatnonzero(known.lengths >= 2).tolist():
        scores = ranker.score(known.take(np.array([user])))[0]
        scores[[0, *known[user]]] = -np.inf
        of_item = np.abs(ranker.contributions(known[user], int(scores.argmax())))
        shares.append(float(of_item[-1] / of_item.sum()))
    own = parameter(reported(ranker, dataset), "age: last")
    error = np.std(shares) / len(shares) ** 0.5
    assert own.value == pytest.approx(np.mean(shares))
    assert own.ci_high - own.ci_low == pytest.approx(2 * 1.96 * error, rel=0.1)


def test_cohorts_of_under_eleven_people_are_not_shown_and_cannot_be_worked_out():
    """Five red ones could be told from everybody less blue and green, so green isn't shown either."""
    groups = ["red"] * 5 + ["green"] * 12 + ["blue"] * 23
    found = reported(weights(np.ones((N_ITEMS, N_ITEMS))), world(groups))
    assert [(cohort.group, cohort.n) for cohort in found.cohorts if cohort.attribute == "colour"] == [
        ("blue", 23)
    ]
    assert {"red", "green"} <= {group for _, group in found.not_shown}
    assert all(own.n >= MIN_COHORT for cohort in found.cohorts for own in cohort.parameters)


def test_a_cohort_that_goes_by_other_things_is_named():
    """Blue people's last item decides, because what came before it means nothing to anything."""
    report = reported(weights(np.ones((N_ITEMS, N_ITEMS))), world(["blue"] * 20 + ["green"] * 20))
    blue = report.cohorts[0]
    sure = replace(blue, parameters=(replace(blue.parameters[0], value=0.9, ci_low=0.8, ci_high=0.95),))
    assert "No cohort was found" in describe(report)
    assert f"other ones for colour {blue.group}" in describe(replace(report, cohorts=(sure,)))


def test_nobody_with_a_history_is_a_sentence():
    dataset = build_dataset(tables([("ann", "a"), ("bob", "b")], [1, 2]))
    with pytest.raises(DataError, match="nobody"):
        report_model(PopularityRanker(np.ones(3)), dataset, leave_one_out(dataset))


def test_a_parameter_is_said_to_weigh_more_only_where_its_interval_says_so() -> None:
    def last(low: float, high: float) -> str:
        parameters = (
            Parameter("age: last", 0.3, low, high, 0.2, 50),
            Parameter("age: older", 0.5, 0.4, 0.6, 0.6, 50),
        )
        return describe(ModelReport(50, "counts", parameters, (), ()))

    assert "more than an average one; everything" in last(0.25, 0.35)
    assert "not surely more or less" in last(0.15, 0.35)
    assert "less than an average one; everything" in last(0.1, 0.15)


def test_the_paragraph_says_the_same_in_chinese():
    """The same figures in the same order, and not a word of English but the names in the data."""
    report = reported(weights(np.ones((N_ITEMS, N_ITEMS))), world(["blue"] * 20 + ["green"] * 20))
    english, chinese = describe(report), describe(report, "zh")
    assert re.findall(r"\d+%", english) == re.findall(r"\d+%", chinese)
    assert not re.search("[A-Za-z]", chinese)
    assert chinese.endswith("人的首个推荐上测得；区间的置信水平为 95 %。")


def test_every_phrase_names_the_same_values_in_both_languages():
    for field in fields(Phrases):
        english, chinese = getattr(ENGLISH, field.name), getattr(CHINESE, field.name)
        if isinstance(english, dict):
            assert english.keys() == chinese.keys()
        else:
            assert sorted(re.findall(r"{\w+}", english)) == sorted(re.findall(r"{\w+}", chinese)), field.name


def test_another_language_is_refused():
    with pytest.raises(ConfigError, match="no language 'fr'; languages are en, zh"):
        describe(ModelReport(50, "counts", (), (), ()), "fr")
