"""Which categories and words move a model's scores, and for whom."""

import re
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

import numpy as np

from recsys_core.actions.models import LoadedModel
from recsys_core.data.dataset import IntArray
from recsys_core.data.split import histories
from recsys_core.errors import ConfigError, DataError
from recsys_core.explain.badges import people_of
from recsys_core.explain.concept_items import category_concepts, words_concept
from recsys_core.explain.concepts import Concept, ConceptReport, concept_effects
from recsys_core.explain.explanation import about_first_items
from recsys_core.explain.scoring import Question

CONCEPT_PEOPLE = 500


def find_concepts(
    model: LoadedModel,
    words: Sequence[str] = (),
    by: str | None = None,
    item_id: str | None = None,
    people: int = CONCEPT_PEOPLE,
    seed: int = 0,
) -> ConceptReport:
    """What the catalogue's categories, and concepts that are typed, do to scores.

    Args:
        model: an opened model.
        words: concepts as `name=word,word`.
        by: an attribute of people; each of its values is a group.
        item_id: the item whose score is asked for; None = the first on each person's list.
        people: how many, drawn by the seed.
        seed: also draws the random sets.

    Raises:
        DataError: there is no such attribute, or nobody has two items of history.
        NotFoundError: there is no such item.
        ConfigError: the ranker has no vectors of items, or a concept no words, or there is no concept.
    """
    dataset = model.data.dataset
    typed = [_typed(model, text) for text in words]
    concepts = [*category_concepts(dataset), *typed]
    if not concepts:
        raise ConfigError("the catalogue has no categories; type a concept: --words name=word,word")
    drawn, questions = _questions(model, item_id, people, seed)
    groups = {} if by is None else _groups(model, by, drawn)
    return concept_effects(model.ranker, questions, concepts, groups, seed)


def concepts_json(report: ConceptReport) -> dict[str, Any]:
    """The contract of `reclens concepts --json`."""
    return {
        "effects": [asdict(effect) for effect in report.effects],
        "not_tested": [{"name": name, "reason": reason} for name, reason in report.not_tested],
    }


def words_typed(text: str) -> list[str]:
    """The words between commas, be they written in Chinese or not."""
    return [word.strip() for word in re.split("[,，、]", text) if word.strip()]


def _typed(model: LoadedModel, text: str) -> Concept:
    name, equals, words = text.partition("=")
    if not equals or not name.strip():
        raise ConfigError(f"'{text}' is no concept; write name=word,word")
    return words_concept(model.data.dataset, name.strip(), words_typed(words))


def _questions(
    model: LoadedModel, item_id: str | None, people: int, seed: int
) -> tuple[IntArray, list[Question]]:
    """The people who are asked about, and the question about each."""
    data = model.data
    known = histories(data.dataset, data.split, "test")
    fitting = np.flatnonzero(known.lengths >= 2)
    number = 0 if item_id is None else data.dataset.item_number(item_id)
    fitting = np.setdiff1d(fitting, known.rows[known.items == number])  # who touched it has it off the list
    drawn = np.sort(np.random.default_rng(seed).permutation(fitting)[:people])
    if len(drawn) == 0:
        raise DataError("nobody has two different items of history and this item still before them")
    batch = known.take(drawn)
    if item_id is None:
        listed, questions = about_first_items(model.ranker, batch)
        return drawn[listed], questions
    alone = [batch.take(np.array([row])) for row in range(len(batch))]
    return drawn, [Question(own.items, number, own.items, own.context, own.askers) for own in alone]


def _groups(model: LoadedModel, by: str, drawn: IntArray) -> dict[str, IntArray]:
    users = model.data.dataset.users
    if by not in users.columns or by == "user_id":
        people_of(model.data.dataset, f"{by}=")  # says which attributes there are
    values = users[by].astype(str)
    return {
        f"{by}={value}": np.flatnonzero((values.iloc[drawn] == value).to_numpy())
        for value in sorted(set(values) - {""})
    }
