"""Figures computed again by somebody else's code, from files that the command wrote."""

import warnings
from pathlib import Path

import pandas as pd


def ndcg_by_ranx(folder: Path) -> float:
    """NDCG@10 of lists.parquet against test.parquet; people without a list count as 0, as everywhere."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # numba's and ranx's own
        return _ndcg(folder)


def _ndcg(folder: Path) -> float:
    from ranx import Qrels, Run, evaluate

    test, lists = pd.read_parquet(folder / "test.parquet"), pd.read_parquet(folder / "lists.parquet")
    qrels = Qrels({row.user_id: {row.item_id: 1} for row in test.itertuples()})
    ranked = lists.assign(score=-lists["rank"].astype(float))
    run = Run(
        {
            user: dict(zip(rows["item_id"], rows["score"], strict=True))
            for user, rows in ranked.groupby("user_id")
        }
    )
    return float(evaluate(qrels, run, "ndcg@10", make_comparable=True))
