"""Which groups of items a model shows, how much, and how that fits what people chose."""

import numpy as np
import pandas as pd

from recsys_core.actions.loaded import LoadedModel
from recsys_core.actions.models import lists_for_all
from recsys_core.data.dataset import IntArray
from recsys_core.data.split import all_targets, histories
from recsys_core.fairness.exposure import audit_items
from recsys_core.fairness.exposure_groups import item_groups
from recsys_core.fairness.exposure_result import ItemAudit, ItemAuditSettings
from recsys_core.fairness.result import AuditSettings
from recsys_core.metrics.popularity import item_popularity
from recsys_core.metrics.ranking import name_and_k

DEFAULT_K = 10


def audit_model_items(model: LoadedModel, settings: ItemAuditSettings) -> ItemAudit:
    """The item side of a model's lists as of the test, or of imported ones.

    Raises:
        DataError: an attribute of items doesn't exist or can't form groups, or too few people have lists.
        ConfigError: imported lists end before k.
    """
    dataset, split = model.data.dataset, model.data.split
    n_people = item_popularity(histories(dataset, split, "valid"), dataset.n_items).n_people
    for by in settings.by:
        item_groups(dataset.items, by, n_people)  # what is wrong with it is said before anything is ranked
    return audit_items(
        list_matrix(model, settings.k),
        histories(dataset, split, "test").bare(),
        all_targets(dataset, split, "test"),
        dataset.items,
        n_people,
        settings,
    )


def audit_with(model: LoadedModel, settings: AuditSettings, by: tuple[str, ...]) -> ItemAudit:
    """The item side of an audit of people: the same k (10 where its metric has none), draws and seed.

    Raises:
        DataError, ConfigError: as `audit_model_items`.
    """
    k = name_and_k(settings.metric)[1] or DEFAULT_K
    return audit_model_items(
        model, ItemAuditSettings(by, k, settings.draws, settings.seed, settings.minimum_group)
    )


def list_matrix(model: LoadedModel, k: int) -> IntArray:
    """[n_users, k] everybody's list as item numbers, 0 behind shorter ones."""
    dataset = model.data.dataset
    table = lists_for_all(model, k)
    lists = np.zeros((dataset.n_users, k), dtype=np.int64)
    users = pd.Index(dataset.users["user_id"]).get_indexer(pd.Index(table["user_id"]))
    items = pd.Index(dataset.items["item_id"]).get_indexer(pd.Index(table["item_id"])) + 1
    lists[users, table["rank"].to_numpy() - 1] = items
    return lists
