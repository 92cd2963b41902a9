"""Encoders small enough to be made on the spot: random weights, a vocabulary of a few words, real files."""

import json
from pathlib import Path

import torch
from PIL import Image, ImageDraw
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors, trainers
from transformers import (
    BertConfig,
    BertModel,
    GPT2Config,
    GPT2Model,
    PreTrainedTokenizerFast,
    T5Config,
    T5Model,
    ViTConfig,
    ViTModel,
)
from transformers.models.vit.image_processing_pil_vit import ViTImageProcessorPil
from transformers.utils.logging import disable_progress_bar, set_verbosity_error

disable_progress_bar()
set_verbosity_error()

WORDS = (
    *("a", "the", "red", "blue", "book", "film", "about", "war", "love", "cats", "dogs", "quiet", "long"),
    *("night", "in", "and", "of", "no", "query", "passage", ":"),
)
SENTENCES = ["a red book about war", "the quiet film", "cats and dogs in love", "a long night", "no"]
SIZE = 32
PATCHES = 4


def bert(folder: Path, seed: int = 0) -> Path:
    """A folder with a bidirectional encoder that knows a few words."""
    torch.manual_seed(seed)
    tokenizer = _word_tokenizer()
    config = BertConfig(
        vocab_size=len(tokenizer),
        hidden_size=SIZE,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=48,
        max_position_embeddings=40,
        initializer_range=0.5,
    )
    return _saved(folder, BertModel(config), tokenizer)


def gpt2(folder: Path, padding_side: str = "right", seed: int = 0) -> Path:
    """A folder with a decoder, whose tokenizer has no token to pad with."""
    torch.manual_seed(seed)
    tokenizer = _byte_tokenizer(padding_side)
    config = GPT2Config(
        vocab_size=len(tokenizer), n_embd=SIZE, n_layer=2, n_head=2, n_positions=40, initializer_range=0.5
    )
    return _saved(folder, GPT2Model(config), tokenizer)


def t5(folder: Path, seed: int = 0) -> Path:
    """A folder with an encoder and a decoder, of which only the first reads texts."""
    torch.manual_seed(seed)
    tokenizer = _word_tokenizer()
    config = T5Config(
        vocab_size=len(tokenizer), d_model=SIZE, d_kv=16, d_ff=48, num_layers=2, num_heads=2, pad_token_id=0
    )
    return _saved(folder, T5Model(config), tokenizer)


def with_modules(
    folder: Path,
    pooling: dict[str, object],
    dense_size: int | None = None,
    normalise: bool = True,
    prompts: dict[str, str] | None = None,
) -> Path:
    """The same folder with the files that sentence-transformers keeps beside the weights."""
    prefix = "sentence_transformers.models"
    modules = [("", f"{prefix}.Transformer"), ("1_Pooling", f"{prefix}.Pooling")]
    _write(folder / "1_Pooling/config.json", {"word_embedding_dimension": SIZE} | pooling)
    if dense_size is not None:
        modules.append(("2_Dense", f"{prefix}.Dense"))
        _write_dense(folder / "2_Dense", dense_size)
    if normalise:
        modules.append((f"{len(modules)}_Normalize", f"{prefix}.Normalize"))
    rows = [
        {"idx": place, "name": str(place), "path": path, "type": kind}
        for place, (path, kind) in enumerate(modules)
    ]
    _write(folder / "modules.json", rows)
    if prompts is not None:
        _write(folder / "config_sentence_transformers.json", {"prompts": prompts})
    return folder


def vit(folder: Path, seed: int = 0, pooler: bool = True) -> Path:
    """A folder with a vision encoder for pictures of 16 × 16 pixels."""
    torch.manual_seed(seed)
    config = ViTConfig(
        hidden_size=SIZE,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=48,
        image_size=16,
        patch_size=16 // PATCHES,
        initializer_range=0.5,
    )
    ViTModel(config, add_pooling_layer=pooler).save_pretrained(folder)
    ViTImageProcessorPil(size={"height": 16, "width": 16}).save_pretrained(folder)
    return folder


def drawn(folder: Path, colour: str, size: tuple[int, int] = (40, 30), suffix: str = "png") -> Path:
    """A picture of a disc on a white ground."""
    folder.mkdir(parents=True, exist_ok=True)
    image = Image.new("RGB", size, "white")
    ImageDraw.Draw(image).ellipse((5, 5, 25, 25), fill=colour)
    path = folder / f"{colour}.{suffix}"
    image.save(path)
    return path


def _word_tokenizer() -> PreTrainedTokenizerFast:
    vocabulary = {token: number for number, token in enumerate(["[PAD]", "[UNK]", "[CLS]", "[SEP]", *WORDS])}
    tokenizer = Tokenizer(models.WordLevel(vocabulary, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", special_tokens=[("[CLS]", 2), ("[SEP]", 3)]
    )
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        pad_token="[PAD]",
        unk_token="[UNK]",
        cls_token="[CLS]",
        sep_token="[SEP]",
        model_max_length=40,
    )


def _byte_tokenizer(padding_side: str) -> PreTrainedTokenizerFast:
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=300,
        special_tokens=["<|endoftext|>"],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(SENTENCES, trainer)
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, eos_token="<|endoftext|>", padding_side=padding_side
    )


def _saved(folder: Path, model: torch.nn.Module, tokenizer: PreTrainedTokenizerFast) -> Path:
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


def _write_dense(folder: Path, size: int) -> None:
    from safetensors.torch import save_file

    activation = "torch.nn.modules.activation.Tanh"
    _write(
        folder / "config.json",
        {"in_features": SIZE, "out_features": size, "bias": True, "activation_function": activation},
    )
    layer = torch.nn.Linear(SIZE, size)
    save_file(
        {f"linear.{name}": tensor.data for name, tensor in layer.named_parameters()},
        folder / "model.safetensors",
    )


def _write(path: Path, value: object) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(value), encoding="utf-8")
