"""An evaluation as columns of a table, one row a person, to be kept beside a model and read again."""

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from recsys_core.data.dataset import FloatArray, IntArray
from recsys_core.errors import ConfigError
from recsys_core.metrics.list_measures import PERSON_MEASURES, ListMeasures
from recsys_core.metrics.ranks import RelevantRanks, one_each
from recsys_core.ranker.evaluation import Evaluation, Part


def to_columns(evaluation: Evaluation) -> dict[str, NDArray[np.generic]]:
    """[n_users] each: the rank under the name of the part, and beside it what else is known of a person.

    Raises:
        ConfigError: somebody has several held-out items, for which one row a person has no room.
    """
    part, held_out, lists = evaluation.part, evaluation.held_out, evaluation.lists
    if held_out.n_relevant.max(initial=0) > 1:
        raise ConfigError("only evaluations with one held-out item a person can be kept beside a model")
    columns: dict[str, NDArray[np.generic]] = {part: held_out.first}
    if held_out.n_candidates is not None:
        columns[f"{part}_candidates"] = held_out.n_candidates
    if held_out.popular_ranks is not None:
        popular = RelevantRanks(held_out.popular_ranks, held_out.offsets)
        columns[f"{part}_popular_rank"] = popular.first
    return columns | {f"{part}_{name}": getattr(lists, name) for name in PERSON_MEASURES}


def from_columns(table: pd.DataFrame, part: Part, k: int, coverage: float, gini: float) -> Evaluation:
    """The evaluation that `to_columns` took apart; what an earlier version didn't keep isn't known."""
    measures = [_floats(table, f"{part}_{name}") for name in PERSON_MEASURES]
    counts = [_whole(table, f"{part}_{name}") for name in ("candidates", "popular_rank")]
    held_out = one_each(table[part].to_numpy(dtype=np.int64), *counts)
    return Evaluation(part, held_out, k, ListMeasures(coverage, gini, *measures))


def _floats(table: pd.DataFrame, name: str) -> FloatArray:
    return table[name].to_numpy(dtype=np.float64) if name in table else np.full(len(table), np.nan)


def _whole(table: pd.DataFrame, name: str) -> IntArray | None:
    return table[name].to_numpy(dtype=np.int64) if name in table else None
