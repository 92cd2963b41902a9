"""Lists that another system made: they can be measured, audited and shown, but nothing can be asked of it."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NoReturn

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from torch import Tensor

from recsys_core.data.dataset import Dataset, FloatArray, Histories, IntArray
from recsys_core.data.split import Split, all_targets, histories
from recsys_core.errors import ConfigError
from recsys_core.metrics.beyond_accuracy import unit_vectors
from recsys_core.metrics.list_measures import ListMeasures, ListTotals
from recsys_core.metrics.popularity import candidate_counts, item_popularity, people_vectors, popular_ranks
from recsys_core.metrics.ranks import RelevantRanks, ranks_on_lists
from recsys_core.ranker.evaluation import Evaluation
from recsys_core.ranker.protocol import ScoreKind

IMPORTED = "imported"  # the name of this kind of ranker wherever models are listed


@dataclass(frozen=True, slots=True)
class ImportedLists:
    """Everybody's list as it came, in the place of a ranker; whatever needs a ranker's scores is refused.

    Attributes:
        items: [n_users, longest] item numbers, best first, 0 behind shorter lists.
        scores: [n_users, longest] what the other system gave; NaN where it gave ranks alone.
        n_items: of the data set.
        max_length: how much of a history is looked at: none.
        score_kind: as in the protocol.
    """

    items: IntArray
    scores: FloatArray
    n_items: int
    max_length: int = 0
    score_kind: ScoreKind = "imported"

    @property
    def longest(self) -> int:
        """Places of the longest list: as far as any metric reaches."""
        return self.items.shape[1]

    def score(self, histories: Histories) -> NoReturn:
        """Refuses: what the system would have scored for a history isn't known.

        Raises:
            ConfigError: always.
        """
        raise ConfigError(
            "these lists were made elsewhere and only the lists are known, so nothing can be scored: no "
            "reasons, no what-ifs, no other history; they can be evaluated, compared, audited and shown"
        )

    def tensors(self) -> dict[str, Tensor]:
        """Nothing was learned here."""
        return {}


def listed(lists: ImportedLists, dataset: Dataset, user_ids: Sequence[str], k: int) -> pd.DataFrame:
    """The lists of these people, as `ranker.lists.recommend` gives them; nothing for those who have none.

    Raises:
        ConfigError: k is under 1 or beyond the longest list.
    """
    _check_k(lists, k)
    users = pd.Index(dataset.users["user_id"]).get_indexer(pd.Index(user_ids))
    row, place = np.nonzero(lists.items[users, :k])
    numbers = lists.items[users[row], place]
    return pd.DataFrame(
        {
            "user_id": np.array(user_ids, dtype=object)[row],
            "item_id": dataset.item_ids[numbers],
            "title": dataset.titles[numbers],
            "rank": place + 1,
            "score": lists.scores[users[row], place],
            "source": np.full(len(row), IMPORTED, dtype=object),
        }
    )


def evaluate_lists(lists: ImportedLists, dataset: Dataset, split: Split, k: int) -> Evaluation:
    """Where the lists have everybody's test items, by the definitions of `ranker.evaluation.evaluate`.

    People without a list have no value. An item that isn't on a list is beyond all its places, and a list
    that ends before k shows nothing there.

    Raises:
        ConfigError: k is under 1 or beyond the longest list.
    """
    _check_k(lists, k)
    known, wanted = histories(dataset, split, "test"), all_targets(dataset, split, "test")
    wanted = _of_people(wanted, lists.items.max(axis=1) > 0)
    training = histories(dataset, split, "valid")
    popularity = item_popularity(training, dataset.n_items)
    totals = ListTotals(dataset.n_users, popularity, unit_vectors(people_vectors(training, dataset.n_items)))
    people = np.flatnonzero(wanted.lengths > 0)
    totals.add(people, lists.items[people, :k])
    held_out = RelevantRanks(
        ranks_on_lists(lists.items, wanted).ranks,
        wanted.offsets,
        candidate_counts(known, dataset.n_items),
        popular_ranks(popularity, known, wanted),
    )
    return Evaluation("test", held_out, k, totals.measures(), longest=lists.longest)


def nothing_held_out(n_users: int) -> Evaluation:
    """The evaluation on validation items, of which lists made for the test say nothing."""
    nothing = np.zeros(0, dtype=np.int64)
    unknown = np.full(n_users, np.nan)
    measures = ListMeasures(float("nan"), float("nan"), unknown, unknown, unknown)
    held_out = RelevantRanks(nothing, np.zeros(n_users + 1, dtype=np.int64))
    return Evaluation("valid", held_out, 1, measures, longest=0)


def _of_people(wanted: Histories, chosen: NDArray[np.bool_]) -> Histories:
    """The same people; those who aren't chosen have nothing held out."""
    lengths = np.where(chosen, wanted.lengths, 0)
    return Histories(wanted.items[chosen[wanted.rows]], np.concatenate([[0], np.cumsum(lengths)]))


def _check_k(lists: ImportedLists, k: int) -> None:
    if not 1 <= k <= lists.longest:
        raise ConfigError(f"k is {k}; these imported lists have 1 to {lists.longest} places")
