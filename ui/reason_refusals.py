"""What Explain can't explain, and why, in the person's language: the common refusals, before asking."""

import numpy as np

from recsys_core.actions.models import LoadedModel, request_for
from recsys_core.data.dataset import IntArray
from recsys_core.explain.removal import MAX_EXACT_ITEMS
from ui.state import AsOf
from ui.text import safe, t


def person_refused(model: LoadedModel, user_id: str) -> str | None:
    """Why nobody of that id can be explained to; None where somebody can."""
    is_known = bool((model.data.dataset.users["user_id"] == user_id).any())
    return None if is_known else t("explain.unknown_person", user=safe(user_id))


def why_refused(model: LoadedModel, user_id: str, item_id: str, method: str, as_of: AsOf) -> str | None:
    """Why an item can't be explained to a person by a method; None where nothing speaks against it."""
    refused = item_refused(model, user_id, item_id, as_of)
    if refused is not None:
        return refused
    return method_refused(model, request_for(model, user_id, as_of).history, method)


def item_refused(model: LoadedModel, user_id: str, item_id: str, as_of: AsOf) -> str | None:
    """Why an item can't be explained to a person; None where it can."""
    dataset = model.data.dataset
    if not (dataset.items["item_id"] == item_id).any():
        return t("explain.unknown_item", item=safe(item_id))
    number = dataset.item_number(item_id)
    if number in request_for(model, user_id, as_of).seen:
        return t("explain.in_history", item=safe(dataset.titles[number]))
    return None


def method_refused(model: LoadedModel, history: IntArray, method: str) -> str | None:
    """Why a method can't answer about a history; None where nothing speaks against it."""
    n = len(np.unique(history[-model.ranker.max_length :]))
    if method == "shapley-exact" and n > MAX_EXACT_ITEMS:
        return t("explain.too_many_items", items=n, most=MAX_EXACT_ITEMS)
    return None
