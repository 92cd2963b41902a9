"""Are explanations as true, as short and as steady for everybody? One audit for each of the three."""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd

from recsys_core.actions.audit_questions import audited_users
from recsys_core.actions.audit_records import keep_audited
from recsys_core.actions.disclosures import held_against
from recsys_core.actions.models import LoadedModel
from recsys_core.actions.preferences import with_threshold
from recsys_core.actions.reasons import explain_item
from recsys_core.data.dataset import FloatArray, IntArray
from recsys_core.data.split import histories
from recsys_core.errors import ConfigError, DataError
from recsys_core.explain.explanation import Explanation, explain
from recsys_core.fairness.audit import audit
from recsys_core.fairness.result import AuditResult, AuditSettings
from recsys_core.pipeline import Progress
from recsys_core.ranker.lists import list_requests, without
from recsys_core.store.workspace import Workspace

MEASURES = ("faithfulness", "size", "stability")
N_PEOPLE, MOST_PEOPLE = 300, 5_000
SHORTEST = 3  # history items: with fewer there is nothing to choose from once one is gone
CARRIED = 0.8  # share of the absolute attributions that the items of an explanation's size carry
TOP = 3  # strongest items, whose overlap is the stability
RANDOM = "random"


@dataclass(frozen=True, slots=True)
class ExplanationParity:
    """Three audits of the explanations of the first item on each drawn person's list.

    Attributes:
        method: of the explanations.
        n: people drawn.
        audits: by measure. faithfulness: comprehensiveness less that of a random order, mean over both
            kinds of removal; higher is truer, 0 = no truer than chance. size: share of the history's items
            that carry 80 % of the absolute attributions, 0 to 1; lower is shorter. stability: overlap
            (Jaccard) of the three strongest items beside the oldest with those once that one is gone, 0 to 1.
    """

    method: str
    n: int
    audits: dict[str, AuditResult]


def audit_explanations(
    model: LoadedModel,
    settings: AuditSettings,
    n_people: int = N_PEOPLE,
    progress: Progress = lambda share, message: None,
    workspace: Workspace | None = None,
) -> ExplanationParity:
    """Faithfulness, size and stability of explanations by group, over people drawn by the seed.

    Args:
        model: an opened model.
        settings: groups, reference, draws and seed; metric and margin are each measure's own.
        n_people: how many people have an item explained.
        progress: told the share that is done.
        workspace: whose record of what was shown counts, as for `audit_model`.

    Raises:
        DataError: an attribute that can't form groups, nobody with three history items, or a few people who
            could be told apart by what was shown before.
        ConfigError: the number of people is out of bounds.
    """
    if not 1 <= n_people <= MOST_PEOPLE:
        raise ConfigError(f"people is {n_people}; allowed are 1 to {MOST_PEOPLE}")
    data = model.data.dataset
    known = histories(data, model.data.split, "test")
    people = np.flatnonzero((known.without_repeats().lengths >= SHORTEST) & (known.lengths < data.n_items))
    if len(people) == 0:
        raise DataError(f"nobody has {SHORTEST} history items, so no explanation can be held against another")
    drawn = np.sort(np.random.default_rng(settings.seed).permutation(people)[:n_people])
    rows, method = list[tuple[float, float, float]](), ""
    for number, user in enumerate(drawn):
        progress(number / len(drawn), "Explaining")
        explanation = explain_item(model, str(data.users["user_id"].iloc[user]))
        method = explanation.attributions.method
        rows.append((_gain(explanation), _size(explanation), _stability(model, int(user), explanation)))
    index = pd.Index(data.users["user_id"].to_numpy()[drawn])
    table = pd.DataFrame(rows, index=index, columns=list(MEASURES)).dropna()
    users, dataset_id = audited_users(model.data), model.data.record.id
    earlier = held_against(workspace, dataset_id, "explanations")
    asked = with_threshold(settings, workspace)
    audits = {name: audit(table[name], users, replace(asked, metric=name), earlier) for name in MEASURES}
    first = MEASURES[0]  # all are about the same people, and show the same groups
    asked = replace(asked, metric=first)
    shown = audits[first].shown
    keep_audited(workspace, model.data, table[first], users, asked, earlier, shown, "explanations")
    progress(1.0, "Done")
    return ExplanationParity(method, len(table), audits)


def parity_json(found: ExplanationParity) -> dict[str, Any]:
    """The contract of `reclens explanation-parity --json`."""
    audits = {name: result.to_json() for name, result in found.audits.items()}
    return {"method": found.method, "n": found.n, "measures": audits}


def strongest(history: IntArray, values: FloatArray, n: int = TOP) -> set[int]:
    """The items of a history with the largest absolute attributions; an item that comes twice adds up."""
    items, places = np.unique(history, return_inverse=True)
    total = np.abs(np.bincount(places, values, minlength=len(items)))
    return {int(item) for item in items[np.argsort(-total, kind="stable")[:n]]}


def share_that_carries(history: IntArray, values: FloatArray, carried: float = CARRIED) -> float:
    """The smallest share of a history's different items whose absolute attributions are 80 % of all.

    NaN where all attributions are 0.
    """
    items, places = np.unique(history, return_inverse=True)
    falling = np.sort(np.abs(np.bincount(places, values, minlength=len(items))))[::-1]
    if falling.sum() == 0:
        return float("nan")
    needed = int(np.searchsorted(np.cumsum(falling), carried * falling.sum() * (1 - 1e-12))) + 1
    return needed / len(items)


def overlap(first: set[int], second: set[int]) -> float:
    """Jaccard's index: what two sets share of what they have together."""
    return len(first & second) / max(1, len(first | second))


def _gain(explanation: Explanation) -> float:
    """Comprehensiveness over that of a random order, mean over the kinds of removal."""
    method = explanation.attributions.method
    gains = [
        orders[method].comprehensiveness - orders[RANDOM].comprehensiveness
        for orders in explanation.faithfulness.values()
    ]
    return float(np.mean(gains))


def _size(explanation: Explanation) -> float:
    return share_that_carries(explanation.history, explanation.attributions.values)


def _stability(model: LoadedModel, user: int, explanation: Explanation) -> float:
    """How much the strongest items stay when the oldest one, wherever else it occurs, is gone."""
    data = model.data
    request = list_requests(data.dataset, data.split, np.array([user]), "test")[0]
    oldest = int(explanation.history[0])
    shorter = without(request, [oldest])
    again = explain(
        model.ranker,
        data.dataset,
        data.split,
        shorter,
        explanation.item_number,
        explanation.attributions.method,
        None,
    )
    own = explanation.history != oldest
    first = strongest(explanation.history[own], explanation.attributions.values[own])
    return overlap(first, strongest(again.history, again.attributions.values))
