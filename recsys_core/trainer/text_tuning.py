"""Fine-tuning a text encoder on interactions: items that follow each other in histories come nearer.

Pairs of items that stand close together in a training history are each other's answers; the other items
of the batch are what it must not answer. Source: the in-batch softmax of van den Oord et al., 2018
(InfoNCE), as sentence-transformers trains on pairs.

Shapes: B pairs, t size of a vector.
"""

import copy
import hashlib
import math
import shutil
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Literal, cast

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from recsys_core.config import NeuralSettings
from recsys_core.data.dataset import Dataset, Histories, IntArray
from recsys_core.data.reviews import item_texts
from recsys_core.data.split import Split, histories
from recsys_core.encoder.head import read_modules
from recsys_core.encoder.loading import load_encoder
from recsys_core.encoder.sources import local_folder
from recsys_core.encoder.text import TextEncoder
from recsys_core.errors import ConfigError, DataError, RecsysError
from recsys_core.files import new_folder
from recsys_core.trainer.schedule import rate_at

if TYPE_CHECKING:  # both take seconds to import
    from transformers import PreTrainedModel

Tuning = Literal["lora", "full"]
OnStep = Callable[[float, str], None]

MAX_GRADIENT_NORM = 5.0
MAX_DISTANCE = 3
MAX_TOKENS = 64
TEMPERATURE = 0.05
LORA_RANK = 8
_NOT_COPIED = ("*.safetensors*", "*.bin", "*.h5", "*.ot", "*.msgpack", "*.py", ".*", "onnx", "openvino")
LEARNING_RATE: dict[Tuning, float] = {"lora": 1e-3, "full": 5e-5}


@dataclass(frozen=True, slots=True)
class TuningRecipe:
    """How an encoder is tuned.

    Attributes:
        tuning: "lora" learns small matrices beside those of the encoder, "full" all of its weights.
        steps: how many.
        batch_size: pairs a step, at least 2.
        seed: decides pairs and the start of the small matrices.
        learning_rate: its peak; None = 1e-3 for lora, 5e-5 for full.
    """

    tuning: Tuning
    steps: int
    batch_size: int = 64
    seed: int = 0
    learning_rate: float | None = None


def tune_encoder(
    encoder: TextEncoder, texts: Sequence[str], known: Histories, recipe: TuningRecipe, on_step: OnStep
) -> TextEncoder:
    """A tuned copy of the encoder; the one that is given stays as it is.

    Args:
        encoder: frozen until now.
        texts: [n_items] of the items.
        known: training histories.
        recipe: how.
        on_step: told the share of the steps that are done, and the loss; it may raise to stop.

    Raises:
        ConfigError: lora without the package `peft`.
        DataError: no history has two different items close together.
        RecsysError: the loss became NaN or infinite.
    """
    pairs = neighbouring_pairs(known)
    if len(pairs) == 0:
        raise DataError("no history has two different items, so there is nothing to tune the encoder on")
    model = copy.deepcopy(cast("PreTrainedModel", encoder.model))
    if recipe.tuning == "full":
        _learn(replace(encoder, model=model.requires_grad_(True)), texts, pairs, recipe, on_step)
        return replace(encoder, model=model.requires_grad_(False).eval())
    adapted = with_adapters(model, recipe.seed)
    _learn(replace(encoder, model=adapted), texts, pairs, recipe, on_step)
    return replace(encoder, model=merged(adapted))


def neighbouring_pairs(known: Histories) -> IntArray:
    """[n_pairs, 2] different items at most 3 places apart in one history."""
    parts = [np.zeros((0, 2), dtype=np.int64)]
    for distance in range(1, MAX_DISTANCE + 1):
        pair = np.stack([known.items[:-distance], known.items[distance:]], axis=1)
        fits = (known.rows[:-distance] == known.rows[distance:]) & (pair[:, 0] != pair[:, 1])
        parts.append(pair[fits])
    return np.concatenate(parts)


def with_adapters(model: "PreTrainedModel", seed: int) -> "PreTrainedModel":
    """The model with small trainable matrices beside its own, which are frozen.

    Source: Hu et al., ICLR 2022 (LoRA), through `peft`.

    Raises:
        ConfigError: `peft` isn't installed.
    """
    try:
        from peft import LoraConfig, get_peft_model
    except ImportError as error:
        raise ConfigError(
            "fine_tune=lora needs the package peft, which isn't installed; run: pip install "
            "'reclens[finetune]', or write fine_tune=full"
        ) from error
    config = LoraConfig(r=LORA_RANK, lora_alpha=2 * LORA_RANK, lora_dropout=0.0, target_modules="all-linear")
    with torch.random.fork_rng(devices=[]), warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)  # of names that transformers 6 will drop
        torch.manual_seed(seed)
        return cast("PreTrainedModel", get_peft_model(model, config))


def merged(adapted: "PreTrainedModel") -> "PreTrainedModel":
    """The model with what its adapters learned added to its own weights."""
    plain = cast("PreTrainedModel", adapted.merge_and_unload())  # pyright: ignore[reportCallIssue]
    return plain.requires_grad_(False).eval()


def tuned_encoder(
    dataset: Dataset,
    split: Split,
    settings: NeuralSettings,
    seed: int,
    device: torch.device,
    cache: Path,
    on_step: OnStep,
) -> str:
    """The name of the encoder that settings ask for: a folder of its own where it is to be tuned.

    Raises:
        ConfigError: there is no such encoder, or its library isn't installed.
        DataError, RecsysError: as `tune_encoder`.
        StoreError: the disk refused.
    """
    if settings.fine_tune == "none":
        return settings.encoder
    recipe = TuningRecipe(settings.fine_tune, settings.fine_tune_steps, seed=seed)
    encoder, texts = load_encoder(settings.encoder, device), item_texts(dataset, split)
    tuned = tune_encoder(encoder, texts, histories(dataset, split, "valid"), recipe, on_step)
    return str(save_tuned(tuned, cache, local_folder(settings.encoder)))


def save_tuned(encoder: TextEncoder, cache: Path, source: Path | None = None) -> Path:
    """The folder in `cache` that holds a tuned encoder, named by the SHA-256 of its weights.

    A folder that is there already isn't written again: vectors that were kept for it stay valid.

    Args:
        encoder: tuned.
        cache: folder of whatever can be made again.
        source: the folder that the encoder was loaded from, whose pooling and prompts are kept; None
            for mean pooling and no prompts.

    Raises:
        StoreError: the disk refused.
    """
    model = cast("PreTrainedModel", encoder.model)
    folder = cache / "tuned" / _digest(model)
    if folder.is_dir():
        return folder
    with new_folder(folder) as fresh:
        place = fresh
        if source is not None:
            shutil.copytree(source, fresh, dirs_exist_ok=True, ignore=shutil.ignore_patterns(*_NOT_COPIED))
            place = fresh / read_modules(source, None).transformer.relative_to(source)
        model.save_pretrained(place)
        encoder.tokenizer.save_pretrained(place)
    return folder


def embed(encoder: TextEncoder, texts: Sequence[str]) -> Tensor:
    """[len(texts), t] vectors of length 1, made as the encoder makes them, with their gradient."""
    tokens = encoder.tokenizer(
        encoder.prompts.before(list(texts), False),
        padding=True,
        truncation=True,
        max_length=min(MAX_TOKENS, encoder.max_tokens),
        return_tensors="pt",
    ).to(encoder.device)
    model = cast("PreTrainedModel", encoder.model)
    hidden = model(input_ids=tokens["input_ids"], attention_mask=tokens["attention_mask"]).last_hidden_state
    return F.normalize(encoder.head(hidden, tokens["attention_mask"]), dim=-1)


def _digest(model: "PreTrainedModel") -> str:
    digest = hashlib.sha256()
    for name, weight in sorted(model.state_dict().items()):
        digest.update(f"{name} {tuple(weight.shape)} {weight.dtype} ".encode())
        digest.update(weight.detach().cpu().contiguous().flatten().view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()


def pair_loss(first: Tensor, second: Tensor, items: IntArray) -> Tensor:
    """Mean cross-entropy of finding each item's partner among those of the batch, both ways.

    Range ≥ 0, lower is better. What is no wrong answer is left out: another partner of the same item,
    another item with the same partner, and the item itself.

    Args:
        first: [B, t] unit vectors of the first items of the pairs.
        second: [B, t] of the second ones.
        items: [B, 2] which items they are.
    """
    one, other = torch.from_numpy(items[:, 0]), torch.from_numpy(items[:, 1])
    right = torch.arange(len(items), device=first.device)
    also_right = (one[:, None] == one) | (other[:, None] == other)
    uncounted = (also_right | (one[:, None] == other)) & ~torch.eye(len(items), dtype=torch.bool)
    cosines = (first @ second.T / TEMPERATURE).masked_fill(uncounted.to(first.device), -torch.inf)
    return (F.cross_entropy(cosines, right) + F.cross_entropy(cosines.T, right)) / 2


def _learn(
    encoder: TextEncoder, texts: Sequence[str], pairs: IntArray, recipe: TuningRecipe, on_step: OnStep
) -> None:
    """Trains whatever of the model isn't frozen; without dropout, so that a seed gives the same weights."""
    generator = np.random.default_rng(recipe.seed)
    model = cast("PreTrainedModel", encoder.model).eval()
    weights = [weight for weight in model.parameters() if weight.requires_grad]
    peak = recipe.learning_rate or LEARNING_RATE[recipe.tuning]
    optimizer = torch.optim.AdamW(weights, lr=peak, weight_decay=0.0)
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: rate_at(step, recipe.steps))
    for step in range(recipe.steps):
        own = pairs[generator.integers(len(pairs), size=recipe.batch_size)]
        vectors = embed(encoder, [texts[item - 1] for item in own.T.ravel().tolist()])
        loss = pair_loss(vectors[: len(own)], vectors[len(own) :], own)
        value = float(loss.detach())
        if not math.isfinite(value):
            raise RecsysError(
                f"the loss of the text encoder became {value} at step {step + 1}; write fine_tune=none"
            )
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(weights, MAX_GRADIENT_NORM)
        optimizer.step()
        schedule.step()
        on_step((step + 1) / recipe.steps, f"Tuning the text encoder (loss {value:.3f})")
