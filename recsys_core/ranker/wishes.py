"""Lists for somebody of whom only a typed wish is known."""

from pathlib import Path

import numpy as np
import pandas as pd
import torch

from recsys_core.data.dataset import Dataset
from recsys_core.encoder.cache import TextVectors, encode_more
from recsys_core.errors import ConfigError
from recsys_core.ranker.cross_encoder import CrossEncoderRanker
from recsys_core.ranker.protocol import Ranker
from recsys_core.ranker.top_k import top_k


def recommend_for_wish(
    text: TextVectors | None,
    dataset: Dataset,
    wish: str,
    k: int,
    device: torch.device,
    cache: Path,
    ranker: Ranker | None = None,
) -> pd.DataFrame:
    """A list for somebody of whom only a typed wish is known: items whose text is nearest to it by cosine.

    A cross-encoder then reads the wish together with the texts of the nearest, and ranks these anew.

    Raises:
        ConfigError: the model knows no text, or one that can't be compared with a wish.
    """
    if text is None:
        raise ConfigError("this model reads no text, so it can't serve a wish; train one with an encoder")
    if not wish.strip():
        raise ConfigError("the wish is empty; type a few words")
    wished = encode_more(text, [wish], device, cache, as_query=True)
    if wished.warning or not wished.vectors.any():
        raise ConfigError(
            wished.warning or f"no item's text has anything in common with '{wish}'; type other words"
        )
    scores = np.zeros((1, dataset.n_items + 1), dtype=np.float32)
    scores[0, 1:] = text.vectors.astype(np.float32) @ wished.vectors[0].astype(np.float32)
    scores[0, 0] = -np.inf
    if isinstance(ranker, CrossEncoderRanker):
        scores = ranker.score_wish(wish, scores)
    items = top_k(scores, k)[0]
    columns = {"user_id": "", "item_id": dataset.item_ids[items], "title": dataset.titles[items]}
    ranked = {"rank": np.arange(1, len(items) + 1), "score": scores[0, items], "source": "wish"}
    return pd.DataFrame(columns | ranked)
