"""Re-ranking by reading: a BERT-like encoder reads the history's texts and a candidate's text together.

A first ranker makes a shortlist; what the encoder says of each item on it is added to that ranker's
score. Everything else stays below, in the first ranker's order. A typed wish can stand in for a history.

Shapes: n histories, V = n_items + 1, `depth` items on a shortlist.
"""

import copy
from dataclasses import dataclass

import numpy as np
import torch
from tokenizers import Tokenizer
from torch import Tensor

from recsys_core.data.dataset import FloatArray, Histories, IntArray
from recsys_core.ranker.inner import Inner, pack, text_of, text_tensor
from recsys_core.ranker.late_fusion import comparable
from recsys_core.ranker.neighbours import WHOLE_HISTORY
from recsys_core.ranker.pair_reader import PairReader, load_reader
from recsys_core.ranker.pair_rows import ItemTokens, PairRows, pair_rows
from recsys_core.ranker.popularity import PopularityRanker
from recsys_core.ranker.protocol import ScoreArray, ScoreKind
from recsys_core.ranker.threads import one_thread_a_piece
from recsys_core.ranker.top_k import mask_seen, top_k

CAP = 8.0  # a logit counts for no more than this, so that what isn't read is surely below
GAP = 1e-3


@dataclass(frozen=True, slots=True)
class Texts:
    """What is read: the items' texts as tokens, their vectors, and the tokenizer for wishes.

    Attributes:
        items: tokens of each item.
        vectors: [V, t] half-precision vectors of the items' texts: which of them are near a wish.
        tokenizer: as JSON.
    """

    items: ItemTokens
    vectors: Tensor
    tokenizer: str


class CrossEncoderRanker:
    """Scores: first(i) + weight · logit(history, i) on the shortlist, first(i) less a constant elsewhere.

    Attributes:
        first: the ranker that makes the shortlist.
        popularity: serves those who have no history.
        reader: the encoder.
        texts: what it reads.
        depth: length of a shortlist.
        weight: of the logits, chosen on validation.
        window: how many of the last items are read.
    """

    score_kind: ScoreKind = "similarity"
    max_length = WHOLE_HISTORY  # what was touched long ago still stays off the shortlist

    def __init__(
        self,
        first: Inner,
        popularity: PopularityRanker,
        reader: PairReader,
        texts: Texts,
        *,
        depth: int,
        window: int,
        weight: float = 1.0,
        precision: torch.dtype = torch.float32,
    ) -> None:
        self.first, self.popularity, self.reader, self.texts = first, popularity, reader, texts
        self.depth, self.window, self.weight, self.precision = depth, window, weight, precision
        self._fast_reader = copy.deepcopy(reader).eval()
        self._fast_reader.encoder.to(precision)  # pyright: ignore[reportArgumentType]

    def with_weight(self, weight: float, depth: int | None = None) -> "CrossEncoderRanker":
        """The same ranker, its reader as it is by now, with another weight, or another shortlist's length."""
        return CrossEncoderRanker(
            self.first,
            self.popularity,
            self.reader,
            self.texts,
            depth=depth or self.depth,
            window=self.window,
            weight=weight,
            precision=self.precision,
        )

    @property
    def n_items(self) -> int:
        return self.popularity.n_items

    def score(self, histories: Histories) -> ScoreArray:
        """[n, V] as the class says; somebody without a history gets the logarithm of popularity."""
        first = self.first_scores(histories)
        shortlists = self.shortlists(first, histories) * (histories.lengths > 0)[:, None]
        scores = first - self._below(histories)[:, None]
        rows, columns = np.nonzero(shortlists)
        items = shortlists[rows, columns]
        heads = self.heads(histories)
        scores[rows, items] = first[rows, items] + self.weight * self.read(heads, rows, items)
        return scores

    def score_of(self, histories: Histories, item_number: int) -> ScoreArray:
        """[n] the score of one item, reading nothing but that: what `score` has in its column."""
        first = self.first_scores(histories)
        listed = (self.shortlists(first, histories) == item_number).any(axis=1) & (histories.lengths > 0)
        windows, which = np.unique(histories.padded(self.window), axis=0, return_inverse=True)
        which = which.reshape(-1)
        asked = np.unique(which[listed])
        logits = np.zeros(len(windows), dtype=np.float32)
        heads = [self.texts.items.of_history(window) for window in windows]
        logits[asked] = self.read(heads, asked, np.full(len(asked), item_number))
        own = first[:, item_number]
        read = own + self.weight * logits[which]
        return np.where(listed, read, own - self._below(histories)).astype(np.float32)

    def score_wish(self, wish: str, nearness: ScoreArray) -> ScoreArray:
        """[1, V] the same for a typed wish, items whose texts are near it being the shortlist.

        Args:
            wish: any text.
            nearness: [1, V] cosine of the wish and each item's text; −∞ for the padding.
        """
        nobody = Histories.of([[]])
        first = comparable(np.where(np.isfinite(nearness), nearness, 0), nobody, "similarity", "standardised")
        tokens = Tokenizer.from_str(self.texts.tokenizer).encode(wish, add_special_tokens=False).ids
        room = self.reader.limits.n_positions - int(self.texts.items.texts.lengths.max()) - 3
        items = self.shortlists(first, nobody)[0]
        items = items[items > 0]
        scores = (first - (self.weight * CAP + GAP)).astype(np.float32)
        head = self.texts.items.of_wish(tokens[:room])
        logits = self.read([head], np.zeros(len(items), dtype=np.int64), items)
        scores[0, items] = first[0, items] + self.weight * logits
        scores[0, 0] = -np.inf
        return scores

    def first_scores(self, histories: Histories) -> ScoreArray:
        """[n, V] log-probabilities, or what is nearest to them, of the first ranker."""
        scores = self.first.ranker.score(histories)
        shared = comparable(scores, histories, self.first.ranker.score_kind, "log-probability")
        nobody = np.flatnonzero(histories.lengths == 0)
        popular = self.popularity.score(histories.take(nobody))
        shared[nobody] = comparable(popular, histories.take(nobody), "count", "log-probability")
        return shared

    def shortlists(self, first: ScoreArray, histories: Histories) -> IntArray:
        """[n, depth] the first ranker's best items that aren't in the history; 0 where there are no more."""
        return top_k(mask_seen(first.copy(), histories), self.depth)

    def _below(self, histories: Histories) -> ScoreArray:
        """[n] what is taken from the score of items that aren't read; 0 where nothing is read."""
        return np.where(histories.lengths > 0, self.weight * CAP + GAP, 0).astype(np.float32)

    def heads(self, histories: Histories) -> list[IntArray]:
        """[n] the tokens of each history's last items."""
        starts = np.maximum(histories.offsets[1:] - self.window, histories.offsets[:-1])
        return [
            self.texts.items.of_history(histories.items[start:stop])
            for start, stop in zip(starts, histories.offsets[1:], strict=True)
        ]

    def read(self, heads: list[IntArray], head_of_pair: IntArray, candidates: IntArray) -> ScoreArray:
        """[n_pairs] the logit of each candidate after each head, from −8 to 8."""
        logits = np.zeros(len(candidates), dtype=np.float32)
        batches = pair_rows(self.texts.items, heads, head_of_pair, candidates)
        with one_thread_a_piece(self.reader.head.weight.device) as spread:
            for pairs, values in spread(self._read_rows, batches):
                logits[pairs] = values
        return logits

    @torch.inference_mode()
    def _read_rows(self, rows: PairRows) -> tuple[IntArray, ScoreArray]:
        return rows.pairs, (CAP * torch.tanh(self._fast_reader(rows) / CAP)).cpu().numpy()

    def tensors(self) -> dict[str, Tensor]:
        """Weights, texts, tokenizer and first ranker: nothing else is needed to score."""
        items = self.texts.items
        return (
            pack([self.first])
            | self.reader.tensors()
            | {
                "counts": torch.from_numpy(self.popularity.counts),
                "tokens": torch.from_numpy(items.texts.items),
                "token_offsets": torch.from_numpy(items.texts.offsets),
                "around": torch.tensor([items.start, items.stop]),
                "item_vectors.text": self.texts.vectors,
                "tokenizer": text_tensor(self.texts.tokenizer),
                "weight": torch.tensor(self.weight, dtype=torch.float64),
                "half": torch.tensor(self.precision == torch.bfloat16),
            }
        )


def load_cross_encoder(
    tensors: dict[str, Tensor], first: Inner, device: torch.device, *, depth: int, window: int
) -> CrossEncoderRanker:
    """The ranker from what `tensors` gave; it computes as precisely as where it was trained.

    Raises:
        KeyError, ValueError, RuntimeError: a tensor is missing, or they don't fit together.
    """
    tokens = Histories(tensors["tokens"].numpy(), tensors["token_offsets"].numpy())
    start, stop = tensors["around"].tolist()
    texts = Texts(
        ItemTokens(tokens, start, stop), tensors["item_vectors.text"], text_of(tensors["tokenizer"])
    )
    counts: FloatArray = tensors["counts"].numpy()
    if not len(counts) == len(tokens) == len(texts.vectors) == first.ranker.n_items + 1:
        raise ValueError("texts, counts and the first ranker are of different numbers of items")
    return CrossEncoderRanker(
        first,
        PopularityRanker(counts),
        load_reader(tensors).to(device),
        texts,
        depth=depth,
        window=window,
        weight=float(tensors["weight"]),
        precision=torch.bfloat16 if bool(tensors["half"]) else torch.float32,
    )
