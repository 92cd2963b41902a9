"""A re-ranking as it is asked for, with what it needs to know of the items of a data set."""

from collections.abc import Sequence

import numpy as np

from recsys_core.data.dataset import Dataset
from recsys_core.data.split import Split, histories
from recsys_core.errors import DataError
from recsys_core.explain.knowledge import item_knowledge
from recsys_core.fairness.exposure_groups import item_groups
from recsys_core.metrics.popularity import item_popularity
from recsys_core.ranker.protocol import Ranker
from recsys_core.ranker.rerank import ItemFacts, ItemSets, Reranker, category_shares, parse_reranking


def reranker_of(ranker: Ranker, dataset: Dataset, split: Split, spec: str) -> Reranker:
    """The re-ranking that a text like `mmr:0.3` asks for, with what it needs to know of the items.

    Raises:
        ConfigError: there is no such re-ranking, or the data have nothing for it to go by.
    """
    return Reranker(parse_reranking(spec), item_facts(ranker, dataset, split, (spec,)))


def item_facts(ranker: Ranker, dataset: Dataset, split: Split, specs: Sequence[str]) -> ItemFacts:
    """What these re-rankings need to know of the items.

    Raises:
        ConfigError: there is no such re-ranking.
        DataError: no items have the attribute that one of them names, or the value.
    """
    named = dict.fromkeys(group for spec in specs if (group := parse_reranking(spec).group))
    known = item_knowledge(ranker, dataset, split)
    return ItemFacts(
        known.vectors, category_shares(dataset), known.popularity, _item_sets(dataset, split, tuple(named))
    )


def _item_sets(dataset: Dataset, split: Split, names: tuple[str, ...]) -> ItemSets:
    """The items that are named as `attribute=value`; who is partly in a group is in it."""
    n_people = item_popularity(histories(dataset, split, "valid"), dataset.n_items).n_people
    members = np.zeros((len(names), dataset.n_items + 1), dtype=bool)
    for row, name in enumerate(names):
        attribute, _, value = name.partition("=")
        found = item_groups(dataset.items, attribute, n_people)
        if value not in found.groups:
            raise DataError(f"no item's {attribute} is '{value}'; there are: {', '.join(found.groups[:20])}")
        members[row] = found.membership[:, found.groups.index(value)] > 0
    return ItemSets(names, members)
