"""Beside the history: why this and not that, what the parts of a ranker add, and who has no history."""

from math import isfinite
from typing import Any

from recsys_core.actions.counterfactuals import question_about
from recsys_core.actions.models import LoadedModel, list_for_user, list_source, request_for
from recsys_core.actions.reasons import compared_with, method_named
from recsys_core.data.split import AsOf, histories
from recsys_core.explain.components import NEUTRAL, Components, explain_components
from recsys_core.explain.contrast import Contrast, contrast
from recsys_core.explain.history import Attributions, attribute, default_method
from recsys_core.ranker.neural import NeuralRanker
from recsys_core.ranker.popularity import item_counts


def contrast_items(
    model: LoadedModel,
    user_id: str,
    item_id: str | None,
    other_id: str,
    method: str | None = None,
    as_of: AsOf = "test",
    baseline: str | None = None,
) -> Contrast:
    """Why an item (the first of the list, if none is named) rather than another one, for a person.

    Raises:
        NotFoundError: no such person or item.
        DataError: the person has touched one of the items, so it is no candidate.
        ConfigError: both items are the same, the method or the baseline doesn't fit, or there is no history.
    """
    question = question_about(model, user_id, item_id, as_of)
    other = model.data.dataset.item_number(other_id)
    options = compared_with(model, user_id, baseline)
    return contrast(model.ranker, question, other, method_named(method), options)


def attributions_of(
    model: LoadedModel,
    user_id: str,
    item_id: str | None,
    method: str,
    as_of: AsOf = "test",
    baseline: str | None = None,
) -> Attributions:
    """What one method says of an item, without testing it; for looking at several side by side.

    Raises:
        NotFoundError: no such person or item.
        DataError: the person has touched the item.
        ConfigError: there is no such method or baseline, it doesn't fit this ranker or history, or there
            is no history.
    """
    chosen = method_named(method) or default_method(model.ranker)
    question = question_about(model, user_id, item_id, as_of)
    return attribute(model.ranker, question, chosen, compared_with(model, user_id, baseline))


def components_of(model: LoadedModel, user_id: str, item_id: str | None, as_of: AsOf = "test") -> Components:
    """What the parts of the model add to the score of an item; the person may have no history.

    Raises:
        NotFoundError: no such person or item.
        DataError: the person has touched the item.
        ConfigError: the ranker isn't made of parts.
    """
    (found,) = explain_components(model.ranker, [question_about(model, user_id, item_id, as_of)])
    return found


def without_history_json(
    model: LoadedModel, user_id: str, item_id: str | None, as_of: AsOf = "test"
) -> dict[str, Any] | None:
    """What `reclens explain` answers about somebody without a history; None where there is one.

    Their list is made from the profile and from popularity, so these explain it.

    Raises:
        NotFoundError: no such person or item.
    """
    source = list_source(model, user_id, as_of)
    if source == "history" or len(request_for(model, user_id, as_of).history):
        return None
    dataset = model.data.dataset
    number = question_about(model, user_id, item_id, as_of).item_number
    ranked = list_for_user(model, user_id, dataset.n_items, as_of)
    place = int((ranked["item_id"] == dataset.item_ids[number]).to_numpy().argmax())
    counts = item_counts(histories(dataset, model.data.split, "valid"), dataset.n_items)
    neural = isinstance(model.ranker, NeuralRanker)
    found = components_json(components_of(model, user_id, item_id, as_of)) if neural else None
    return {
        "user_id": user_id,
        "item_id": dataset.item_ids[number],
        "title": dataset.titles[number],
        "score": float(ranked["score"].to_numpy()[place]),
        "rank": place + 1,
        "method": None,
        "attributions": [],
        "source": source,
        "training_interactions": int(counts[number]),
        "popularity_rank": 1 + int((counts[1:] > counts[number]).sum()),
        "components": found,
        "verified": False,
        "reason": "this person has no history at this moment, so no item of it can be the reason; "
        f"the list is made from {'the profile and popularity' if source == 'profile' else 'popularity'}",
    }


def contrast_json(model: LoadedModel, found: Contrast) -> dict[str, Any]:
    """What `reclens explain --over` adds to its answer."""
    dataset, history = model.data.dataset, found.question.history
    rows = zip(history, found.values, found.own.values, found.other.values, strict=True)
    return {
        "item_id": dataset.item_ids[found.question.item_number],
        "over": dataset.item_ids[found.other_number],
        "over_title": dataset.titles[found.other_number],
        "method": found.own.method,
        "margin": found.margin,
        "baseline_margin": _number(found.baseline_margin),
        "delta": _number(found.delta),
        "attributions": [
            {
                "item_id": dataset.item_ids[number],
                "title": dataset.titles[number],
                "position": position,
                "attribution": float(value),
                "own": float(own),
                "other": float(other),
            }
            for position, (number, value, own, other) in enumerate(rows, start=1)
        ],
    }


def components_json(found: Components) -> dict[str, Any]:
    """What `reclens explain --components` adds to its answer."""
    return {
        "baseline_score": found.baseline_score,
        "score": found.score,
        "delta": found.delta,
        "parts": [
            {"part": part, "contribution": float(value), "absent": NEUTRAL[part]}
            for part, value in zip(found.parts, found.contributions, strict=True)
        ],
    }


def _number(value: float) -> float | None:
    return value if isfinite(value) else None
