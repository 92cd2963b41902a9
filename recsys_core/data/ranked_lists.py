"""Ranked lists from a file that another system wrote: read safely, judged row by row, in places from 1.

The file goes through the same child process as any upload. Of ids that mean nothing here, of items that
a person had before, and of an item that comes twice, the rows are set aside and the places below close up:
what counts is the order of the candidates, and these are the items that the person hadn't touched.
"""

from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from recsys_core.data.dataset import Dataset, FloatArray, Histories, IntArray
from recsys_core.data.mapping import Mapping
from recsys_core.data.readers import import_files, load_tables, preview
from recsys_core.data.schema import CONTEXT_PREFIX, Role
from recsys_core.errors import DataError

RANK_NAMES, SCORE_NAMES = ("rank", "position", "place"), ("score", "prediction", "relevance")
SET_ASIDE_COLUMNS = ["file", "row", "user_id", "item_id", "reason"]

NO_PERSON = "no person of the data set has this id"
NO_ITEM = "no item of the data set has this id"
BAD_RANK = "the rank is not a whole number from 1"
BAD_SCORE = "the score is not a number"
SEEN = "the person had this item before, so it is no candidate"
TWICE = "the item is on this person's list already, further up"


@dataclass(frozen=True, slots=True)
class ReadLists:
    """Lists under numbers, and the account of how they came about.

    Attributes:
        items: [n_users, longest] item numbers, best first, 0 behind shorter lists.
        scores: [n_users, longest] as the file gave them; NaN where it gave ranks alone, and behind.
        by_rank: whether the order is that of ranks; else that of scores.
        n_rows: rows of the file, those set aside included.
        n_tied: rows that share their rank or score with the row above them.
        set_aside: rows that aren't used, with `file`, `row`, `user_id`, `item_id`, `reason`.
        warnings: what a person should know before any figure.
    """

    items: IntArray
    scores: FloatArray
    by_rank: bool
    n_rows: int
    n_tied: int
    set_aside: pd.DataFrame
    warnings: tuple[str, ...]

    @property
    def has_list(self) -> NDArray[np.bool_]:
        """[n_users] who has a list at all."""
        return self.items.max(axis=1) > 0


def read_lists(path: Path, dataset: Dataset, known: Histories, mapping: Mapping | None = None) -> ReadLists:
    """The lists in a file with user_id, item_id, and rank or score (higher first; rank goes before score).

    Equal ranks or scores of a person are put in the order of item numbers, as everywhere in RecLens.

    Args:
        path: CSV, TSV, JSON lines or Parquet.
        dataset: whose people and items.
        known: [n_users] what each person had when the lists were made.
        mapping: which columns are the ids; None = they are guessed.

    Raises:
        DataError: the file can't be read, has neither rank nor score, or no row can be used.
    """
    columns = preview(path).columns
    rank, score = (_named(columns, names) for names in (RANK_NAMES, SCORE_NAMES))
    key = rank if rank is not None else score
    if key is None:
        raise DataError(
            f"{path.name} has neither a column 'rank' nor a column 'score'; "
            f"its columns are {', '.join(columns)}"
        )
    pairs = [(Role.ORDER, key)] + ([(Role.CONTEXT, score)] if rank is not None and score is not None else [])
    said = Mapping((*(mapping or Mapping()).pairs, *pairs))
    with TemporaryDirectory(prefix="reclens-lists-") as folder:
        report = import_files(path, None, None, said, None, Path(folder))
        rows = load_tables(Path(folder)).interactions
    rejected = report.rejected.drop(columns="column").assign(user_id="", item_id="")
    word = "rank" if rank is not None else "score"
    rejected["reason"] = rejected["reason"].str.replace(r"\border\b", word, regex=True)
    given = pd.DataFrame(
        {
            "user_id": rows["user_id"],
            "item_id": rows["item_id"],
            "key": rows["order"].to_numpy(dtype=np.float64),
            "score": _scores(rows, key, score),
        }
    )
    return judge_lists(given, rejected, dataset, known, by_rank=rank is not None, name=path.name)


def _named(columns: tuple[str, ...], names: tuple[str, ...]) -> str | None:
    lowered = {column.lower().strip(): column for column in reversed(columns)}
    return next((lowered[name] for name in names if name in lowered), None)


def _scores(rows: pd.DataFrame, key: str, score: str | None) -> FloatArray:
    if score is None:
        return np.full(len(rows), np.nan)
    column = "order" if score == key else CONTEXT_PREFIX + score
    numbers = pd.to_numeric(rows[column], errors="coerce").to_numpy(dtype=np.float64)
    return np.where(np.isfinite(numbers), numbers, np.nan)


def judge_lists(
    given: pd.DataFrame, rejected: pd.DataFrame, dataset: Dataset, known: Histories, by_rank: bool, name: str
) -> ReadLists:
    """The lists in rows that were read, with a reason for every row that isn't used.

    Args:
        given: `user_id`, `item_id`, `key` (a rank, the lowest first, or a score, the highest first), `score`.
        rejected: rows that couldn't be read, with the columns of `set_aside`.
        dataset: whose people and items.
        known: [n_users] what each person had when the lists were made.
        by_rank: whether `key` is a rank.
        name: of the file.

    Raises:
        DataError: no row can be used.
    """
    users = pd.Index(dataset.users["user_id"]).get_indexer(pd.Index(given["user_id"]))
    items = pd.Index(dataset.items["item_id"]).get_indexer(pd.Index(given["item_id"])) + 1
    keys = given["key"].to_numpy() if by_rank else -given["key"].to_numpy()  # the lowest first
    reason = _reasons(users, items, keys, by_rank, dataset, known)
    order = np.lexsort((items, keys, users))
    order = order[reason[order] == ""]
    is_first = np.zeros(len(order), dtype=bool)
    is_first[np.unique(_pairs(users[order], items[order], dataset), return_index=True)[1]] = True
    reason[order[~is_first]] = TWICE
    order = order[is_first]
    set_aside = _set_aside(given, reason, rejected, name)
    n_rows = len(given) + len(rejected)
    if len(order) == 0:
        raise DataError(f"{name}: none of its {n_rows:,} rows can be used; {_most_common(set_aside)}")
    numbers, scores, n_tied = _placed(
        users[order], items[order], keys[order], given["score"].to_numpy()[order], dataset.n_users
    )
    warnings = _warnings(numbers, dataset, known, set_aside, n_tied, by_rank)
    return ReadLists(numbers, scores, by_rank, n_rows, n_tied, set_aside, warnings)


def _reasons(
    users: NDArray[np.integer],
    items: NDArray[np.integer],
    keys: FloatArray,
    by_rank: bool,
    dataset: Dataset,
    known: Histories,
) -> NDArray[np.object_]:
    """[n] why each row can't be used, whatever the other rows are; "" where it can."""
    seen = np.isin(_pairs(users, items, dataset), _pairs(known.rows, known.items, dataset))
    no_rank = np.isnan(keys) | (by_rank & ((keys < 1) | (keys != np.floor(keys))))
    return np.select(
        [users < 0, items == 0, no_rank, seen],
        [NO_PERSON, NO_ITEM, BAD_RANK if by_rank else BAD_SCORE, SEEN],
        default="",
    ).astype(object)


def _set_aside(
    given: pd.DataFrame, reason: NDArray[np.object_], rejected: pd.DataFrame, name: str
) -> pd.DataFrame:
    aside = given.loc[reason != "", ["user_id", "item_id"]]
    aside = aside.assign(file=name, row=None, reason=reason[reason != ""])
    parts = [part.astype(object) for part in (rejected, aside) if len(part)]
    return (pd.concat(parts, ignore_index=True) if parts else aside)[SET_ASIDE_COLUMNS]


def _placed(
    users: NDArray[np.integer],
    items: NDArray[np.integer],
    keys: FloatArray,
    given: FloatArray,
    n_users: int,
) -> tuple[IntArray, FloatArray, int]:
    """Items and scores [n_users, longest] of rows in the order of people and keys, and how many are tied."""
    same = users[1:] == users[:-1]
    starts = np.concatenate([[0], np.flatnonzero(~same) + 1])
    place = np.arange(len(users)) - np.repeat(starts, np.diff([*starts, len(users)]))
    shape = n_users, int(place.max()) + 1
    numbers, scores = np.zeros(shape, dtype=np.int64), np.full(shape, np.nan)
    numbers[users, place], scores[users, place] = items, given
    return numbers, scores, int((same & (keys[1:] == keys[:-1])).sum())


def _pairs(users: NDArray[np.integer], items: NDArray[np.integer], dataset: Dataset) -> IntArray:
    return users.astype(np.int64) * (dataset.n_items + 1) + items


def _warnings(
    numbers: IntArray, dataset: Dataset, known: Histories, set_aside: pd.DataFrame, n_tied: int, by_rank: bool
) -> tuple[str, ...]:
    lengths = (numbers > 0).sum(axis=1)
    candidates = dataset.n_items - known.without_repeats().lengths
    n_without = int((lengths == 0).sum())
    n_short = int(((lengths > 0) & (lengths < np.minimum(numbers.shape[1], candidates))).sum())
    said = [
        f"{n:,} rows were set aside: {reason}" for reason, n in set_aside["reason"].value_counts().items()
    ]
    if n_tied:
        what = "rank" if by_rank else "score"
        said.append(f"{n_tied:,} rows have the same {what} as the row above; ties go by item number")
    if n_without:
        said.append(
            f"{n_without:,} of {dataset.n_users:,} people have no list; they have no value in any figure"
        )
    if n_short:
        said.append(
            f"{n_short:,} lists end before the {numbers.shape[1]} places of the longest; "
            "what is missing counts as showing nothing"
        )
    return tuple(said)


def _most_common(set_aside: pd.DataFrame) -> str:
    counts = set_aside["reason"].value_counts()
    return f"of {int(counts.iloc[0]):,} of them, {counts.index[0]}"
