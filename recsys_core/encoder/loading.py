"""An encoder from its folder: tokenizer, weights, and what its files say of how it wants to be used.

Once the folder is there: no network, no pickles, and no code that comes with the weights.
"""

from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import torch
from safetensors import SafetensorError

from recsys_core.encoder.head import Head, SentenceModules, read_modules
from recsys_core.encoder.prompts import read_prompts
from recsys_core.encoder.sources import local_folder, unusable
from recsys_core.encoder.text import EncoderOptions, Precision, TextEncoder
from recsys_core.errors import StoreError
from recsys_core.files import read_json

if TYPE_CHECKING:  # transformers takes seconds to import
    from transformers import PreTrainedModel, PreTrainedTokenizerBase


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
    """Both from a folder; of a model that also decodes, the part that reads."""
    from transformers import AutoModel, AutoTokenizer
    from transformers.utils.logging import disable_progress_bar, set_verbosity_error

    disable_progress_bar()  # of loading weights: it writes to the command's stderr, as do remarks on them
    set_verbosity_error()
    only_here: dict[str, Any] = {"local_files_only": True, "trust_remote_code": False}
    tokenizer = AutoTokenizer.from_pretrained(folder, **only_here)
    model = AutoModel.from_pretrained(folder, use_safetensors=True, dtype=torch.float32, **only_here)
    model = model.get_encoder() if model.config.is_encoder_decoder else model
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
