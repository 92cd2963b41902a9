"""Why an item is on a person's list."""

from dataclasses import asdict, replace
from math import isfinite
from typing import Any, get_args

import numpy as np

from recsys_core.actions.models import LoadedModel, request_for
from recsys_core.data.split import AsOf, histories
from recsys_core.errors import ConfigError, DataError
from recsys_core.explain.attributions import Baseline, Method, Options
from recsys_core.explain.badges import badge_for
from recsys_core.explain.explanation import Explanation, explain
from recsys_core.explain.faithfulness import Verification
from recsys_core.explain.history import METHODS, default_method
from recsys_core.explain.measures import MeasuredOrder
from recsys_core.ranker.lists import recommend

BASELINES: tuple[Baseline, ...] = get_args(Baseline)


def explain_item(
    model: LoadedModel,
    user_id: str,
    item_id: str | None = None,
    method: str | None = None,
    as_of: AsOf = "test",
    baseline: str | None = None,
    n_steps: int | None = None,
    n_draws: int | None = None,
) -> Explanation:
    """Why an item (the first of the list, if none is named) is where it is on a person's list.

    Args:
        model: whose list.
        user_id: the person.
        item_id: the item.
        method: by its name; None = the ranker's own.
        as_of: the moment of the list.
        baseline: by its name; None = the method's own.
        n_steps: points on the path of a method that has one; None = as many as it takes to add up.
        n_draws: what a method that draws draws; None = its own number.

    Raises:
        NotFoundError: no such person or item.
        DataError: the person has touched the item, so it is no candidate.
        ConfigError: there is no such method or baseline, or it doesn't fit the ranker, or it would take more
            steps or scored histories than are allowed.
    """
    data = model.data
    request = request_for(model, user_id, as_of)
    if item_id is None:
        first = recommend(model.ranker, data.dataset, [request], 1)
        if first.empty:
            raise DataError(f"'{user_id}' has touched every item, so there is no list to explain")
        item_id = str(first["item_id"].iloc[0])
    number = data.dataset.item_number(item_id)
    chosen = method_named(method) or default_method(model.ranker)
    badge = badge_of(model, user_id, chosen)
    options = compared_with(model, user_id, baseline)
    options = replace(options, n_steps=n_steps, n_draws=options.n_draws if n_draws is None else n_draws)
    return explain(model.ranker, data.dataset, data.split, request, number, chosen, badge, options)


def badge_of(model: LoadedModel, user_id: str, method: Method) -> Verification | None:
    """The newest test of a method on this model that is about a person; None where there was none.

    Raises:
        NotFoundError: no such person.
    """
    trained = () if model.verification is None else (model.verification,)
    return badge_for((*trained, *model.badges), method, model.data.dataset, user_id)


def explanation_json(model: LoadedModel, explanation: Explanation) -> dict[str, Any]:
    """The contract of `reclens explain --json`."""
    dataset, found = model.data.dataset, explanation.attributions
    drawn = found.standard_errors
    return {
        "user_id": explanation.user_id,
        "item_id": dataset.item_ids[explanation.item_number],
        "title": dataset.titles[explanation.item_number],
        "score": found.score,
        "rank": explanation.rank,
        "method": found.method,
        "baseline": found.baseline,
        "baseline_name": explanation.baseline,
        "baseline_score": _number(found.baseline_score),
        "attributions": [
            {
                "item_id": dataset.item_ids[number],
                "title": dataset.titles[number],
                "position": position,
                "attribution": float(value),
                "standard_error": None if drawn is None else _number(float(drawn[position - 1])),
            }
            for position, (number, value) in enumerate(
                zip(explanation.history, found.values, strict=True), start=1
            )
        ],
        "delta": _number(found.delta),
        "relative_delta": _number(found.relative_delta),
        "n_steps": found.n_steps,
        "cost": asdict(found.cost),
        "warnings": list(found.warnings),
        "faithfulness": {
            removal: {name: asdict(figures) for name, figures in orders.items()}
            for removal, orders in explanation.faithfulness.items()
        },
        "curves": {
            removal: {name: _curves(found) for name, found in orders.items()}
            for removal, orders in explanation.measured.items()
        },
        "verified": explanation.verified,
        "reason": explanation.reason,
    }


def _curves(found: MeasuredOrder) -> dict[str, Any]:
    """The item's score while history items leave, and while they enter, in one order."""
    return {
        "n_items": found.deletion.n_moved.tolist(),
        "deletion": found.deletion.scores.tolist(),
        "insertion": found.insertion.scores.tolist(),
    }


def method_named(name: str | None) -> Method | None:
    """The method of that name; None for none.

    Raises:
        ConfigError: there is no such method.
    """
    if name is None:
        return None
    for method in METHODS:
        if method == name:
            return method
    raise ConfigError(f"there is no method '{name}'; methods are {', '.join(METHODS)}")


def compared_with(model: LoadedModel, user_id: str, baseline: str | None) -> Options:
    """How to explain something to a person with a baseline of that name; None = the method's own.

    Other people's histories are those of training, without the person's.

    Raises:
        ConfigError: there is no such baseline.
        NotFoundError: no such person.
    """
    if baseline is None:
        return Options()
    data = model.data
    known = histories(data.dataset, data.split, "valid")
    others = np.delete(np.arange(len(known)), data.dataset.user_number(user_id))
    return Options(_baseline_named(baseline), others=known.take(others))


def _baseline_named(name: str) -> Baseline:
    for baseline in BASELINES:
        if baseline == name:
            return baseline
    raise ConfigError(f"there is no baseline '{name}'; baselines are {', '.join(BASELINES)}")


def _number(value: float) -> float | None:
    return float(value) if isfinite(value) and not np.isnan(value) else None
