"""Which categories and words move a model's scores, and for whom."""

import re
from collections.abc import Sequence
from dataclasses import asdict, replace
from typing import Any

import numpy as np

from recsys_core.actions.group_answers import GroupAnswer, hidden_in, members_of, record_answer, refuse_few
from recsys_core.actions.models import LoadedModel
from recsys_core.data.dataset import IntArray
from recsys_core.data.split import histories
from recsys_core.errors import ConfigError, DataError
from recsys_core.explain.badges import people_of
from recsys_core.explain.concept_items import category_concepts, words_concept
from recsys_core.explain.concepts import Concept, ConceptReport, concept_effects
from recsys_core.explain.explanation import about_first_items
from recsys_core.explain.scoring import Question
from recsys_core.fairness.groups import UNKNOWN, group_labels
from recsys_core.store.workspace import Workspace

CONCEPT_PEOPLE = 500
NOT_SHOWN = "too few people, or it would tell of a group of too few"


def find_concepts(
    model: LoadedModel,
    words: Sequence[str] = (),
    by: str | None = None,
    item_id: str | None = None,
    people: int = CONCEPT_PEOPLE,
    seed: int = 0,
    workspace: Workspace | None = None,
) -> ConceptReport:
    """What the catalogue's categories, and concepts that are typed, do to scores.

    Args:
        model: an opened model.
        words: concepts as `name=word,word`.
        by: an attribute of people; each of its values is a group.
        item_id: the item whose score is asked for; None = the first on each person's list.
        people: how many, drawn by the seed.
        seed: also draws the random sets.
        workspace: whose record of what was shown counts, and is added to.

    Raises:
        DataError: there is no such attribute, or it can't form groups; fewer people than may be shown (11, or
            the workspace's privacy threshold) have two items of history, or a few of them could be told apart
            by what was shown of others before.
        NotFoundError: there is no such item.
        ConfigError: the ranker has no vectors of items, or a concept no words, or there is no concept.
    """
    dataset = model.data.dataset
    typed = [_typed(model, text) for text in words]
    concepts = [*category_concepts(dataset), *typed]
    if not concepts:
        raise ConfigError("the catalogue has no categories; type a concept: --words name=word,word")
    drawn, questions = _questions(model, item_id, people, seed)
    refuse_few(workspace, len(drawn))
    groups = {} if by is None else _groups(model, by, drawn)
    answer = _answer(model, drawn, by, item_id)
    hidden = hidden_in(workspace, model.data, answer)
    not_shown = [_name(by, group) for group in sorted(hidden[by] - {UNKNOWN})] if by else []
    shown = {name: rows for name, rows in groups.items() if name not in not_shown}
    found = concept_effects(model.ranker, questions, concepts, shown, seed)
    record_answer(workspace, model.data, answer, hidden)
    return replace(found, not_tested=(*found.not_tested, *((name, NOT_SHOWN) for name in not_shown)))


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
    labels = group_labels(users, by).astype(str).to_numpy()[drawn]
    return {_name(by, group): np.flatnonzero(labels == group) for group in sorted(set(labels) - {UNKNOWN})}


def _name(by: str, group: str) -> str:
    return f"{by}={group}"


def _answer(model: LoadedModel, drawn: IntArray, by: str | None, item_id: str | None) -> GroupAnswer:
    """What would be shown: of the scores of one item, or of everybody's own first one."""
    everybody = np.ones(model.data.dataset.n_users, dtype=np.bool_)
    members = members_of(model.data, drawn)
    return GroupAnswer(members, (by,) if by else (), "concepts", everybody, topic=item_id or "")
