"""One person's ranked list as a table, and how it changes when parts of the history are taken away."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
import streamlit as st

from recsys_core.actions.data import LoadedDataset
from recsys_core.actions.models import LoadedModel, list_for_user
from recsys_core.data.dataset import FloatArray
from recsys_core.ranker.protocol import ScoreKind
from ui import answers
from ui.people import categories, held_out_item
from ui.state import AsOf
from ui.text import plain, t

UP, DOWN, SAME, NEW = "▲", "▼", "＝", "★"


def ranked_list(
    model: LoadedModel,
    user_id: str,
    k: int,
    as_of: AsOf,
    dropped: Sequence[str] = (),
    rerank: str | None = None,
) -> pd.DataFrame:
    """The first k of a person's list, in the model's order or put in another one by `rerank`.

    Columns: `item_id`, `rank`, `title`, `strength` (see `strengths`), `category`, `popularity` (training
    interactions), `score`, `cold` (whether under five people touched it in training), `held_out` (whether
    it is the held-out item; never so as of now), and where items were dropped from the history or the list
    was reordered, `rank_before` (NaN where it was no candidate).

    Raises:
        NotFoundError: no such person or item.
        ConfigError: there is no such re-ranking, or the data have nothing for it to go by.
    """
    ranked = list_for_user(model, user_id, k, as_of, dropped, rerank=rerank)
    shown = with_knowledge(model.data, ranked, model.ranker.score_kind)
    held_out = held_out_item(model.data, user_id) if as_of == "test" else 0
    shown["held_out"] = (shown["item_id"] == model.data.dataset.item_ids[held_out]) & (held_out > 0)
    if dropped or rerank:
        before = list_for_user(model, user_id, model.data.dataset.n_items, as_of)
        shown["rank_before"] = before.set_index("item_id")["rank"].reindex(shown["item_id"]).to_numpy()
    return shown


def with_knowledge(data: LoadedDataset, ranked: pd.DataFrame, score_kind: ScoreKind) -> pd.DataFrame:
    """A list of `item_id`, `title`, `rank`, `score` with what is known of each item beside it."""
    numbers = pd.Index(data.dataset.items["item_id"]).get_indexer(pd.Index(ranked["item_id"])) + 1
    return pd.DataFrame(
        {
            "item_id": ranked["item_id"].to_numpy(),
            "rank": ranked["rank"].to_numpy(dtype=np.int64),
            "title": [plain(title) for title in ranked["title"]],
            "strength": strengths(ranked["score"].to_numpy(dtype=np.float64), score_kind),
            "category": categories(data, numbers),
            "popularity": answers.popularity(data)[numbers].astype(np.int64),
            "score": ranked["score"].to_numpy(dtype=np.float64),
            "cold": ranked["cold"].to_numpy(dtype=np.bool_),
        }
    )


def strengths(scores: FloatArray, kind: ScoreKind) -> list[float]:
    """[k] each score as a share of the first one, 0 to 1: of its probability, or of the plain score.

    Scores that aren't above 0, or aren't known, have no share: 0.
    """
    if len(scores) == 0:
        return []
    shares = np.exp(scores - scores[0]) if kind == "log-probability" else scores / max(scores[0], 1e-12)
    return np.clip(np.nan_to_num(shares), 0, 1).tolist()


def rank_changes(rank_before: Sequence[float], rank: Sequence[int]) -> list[str]:
    """Each item's move in signs and numbers: "▲ 3" came up three places, "▼ 2" fell two, "＝" stayed."""
    return [_change(before, now) for before, now in zip(rank_before, rank, strict=True)]


def _change(before: float, now: int) -> str:
    if np.isnan(before):
        return NEW
    moved = int(before) - now
    if moved == 0:
        return SAME
    return f"{UP} {moved}" if moved > 0 else f"{DOWN} {-moved}"


def readable(shown: pd.DataFrame) -> pd.DataFrame:
    """The list as a person reads it: moves and the held-out item in words, the ids last."""
    table = shown.drop(columns=["held_out", "rank_before", "item_id", "cold"], errors="ignore")
    table["strength"] = 100 * table["strength"]
    if "rank_before" in shown:
        table.insert(1, "change", rank_changes(shown["rank_before"].tolist(), shown["rank"].tolist()))
        table.insert(2, "rank_before", shown["rank_before"])
    if shown.get("held_out", pd.Series([False])).any():
        table.insert(3, "held_out", [t("explore.held_out_mark") if hit else "" for hit in shown["held_out"]])
    if shown["cold"].any():
        table["cold"] = [t("explore.cold_mark") if is_cold else "" for is_cold in shown["cold"]]
    return table.assign(item_id=[plain(item_id) for item_id in shown["item_id"]])


def list_columns(score_kind: ScoreKind) -> dict[str, Any]:
    """Names, widths and tooltips of the columns of a ranked list."""
    config = st.column_config
    return {
        "rank": config.NumberColumn(t("explore.rank"), width=60, help=t("explore.rank_help"), pinned=True),
        "change": config.TextColumn(t("explore.change"), width=65, help=t("explore.change_help")),
        "rank_before": config.NumberColumn(t("explore.rank_before"), width=60, format="%d"),
        "held_out": config.TextColumn(t("explore.held_out"), width=70, help=t("explore.held_out_help")),
        "title": config.TextColumn(t("explore.title"), width="medium"),
        "strength": config.ProgressColumn(
            t("explore.strength"),
            min_value=0,
            max_value=100,
            format="%.0f %%",
            width=110,
            help=t(f"explore.strength_{score_kind}"),
        ),
        "category": config.TextColumn(t("explore.category"), width="small"),
        "popularity": config.NumberColumn(
            t("explore.popularity"), format="localized", width=90, help=t("explore.popularity_help")
        ),
        "score": config.NumberColumn(
            t("explore.score"), format="%.4f", width=90, help=t(f"explore.score_{score_kind}")
        ),
        "cold": config.TextColumn(t("explore.cold"), width=70, help=t("explore.cold_help")),
        "item_id": config.TextColumn(t("explore.item_id"), width="small"),
    }


def history_columns() -> dict[str, Any]:
    """Names, widths and tooltips of the columns of a history."""
    config = st.column_config
    return {
        "position": config.NumberColumn(t("explore.position"), width=50, help=t("explore.position_help")),
        "time": config.DatetimeColumn(
            t("explore.time"), format="YYYY-MM-DD", width=95, help=t("explore.time_help")
        ),
        "title": config.TextColumn(t("explore.title"), width="medium"),
        "category": config.TextColumn(t("explore.category"), width="small"),
        "item_id": config.TextColumn(t("explore.item_id"), width="small"),
    }
