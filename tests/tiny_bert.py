"""A BERT so small that it is made and trained on the spot, over a vocabulary of whole words."""

from collections.abc import Sequence

import torch
from tokenizers import Tokenizer
from tokenizers.models import WordLevel
from tokenizers.pre_tokenizers import Whitespace
from transformers import BertConfig, BertModel, PreTrainedTokenizerFast

from recsys_core.encoder.text import TextEncoder

INIT = (
    0.3  # of random weights: from BERT's own 0.02 a model this small learns for many steps before it differs
)
SPECIAL = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")


def tiny_tokenizer(words: Sequence[str]) -> PreTrainedTokenizerFast:
    """A tokenizer that knows these words and no others."""
    vocabulary = {word: number for number, word in enumerate(dict.fromkeys([*SPECIAL, *words]))}
    backend = Tokenizer(WordLevel(vocabulary, unk_token="[UNK]"))
    backend.pre_tokenizer = Whitespace()
    names = ("pad", "unk", "cls", "sep", "mask")
    return PreTrainedTokenizerFast(
        tokenizer_object=backend,
        **{f"{name}_token": token for name, token in zip(names, SPECIAL, strict=True)},
    )


def tiny_encoder(words: Sequence[str], seed: int = 0, n_positions: int = 128, size: int = 16) -> TextEncoder:
    """An encoder of two layers with random weights, which nothing disturbs in training."""
    tokenizer = tiny_tokenizer(words)
    torch.manual_seed(seed)
    config = BertConfig(
        vocab_size=len(tokenizer),
        hidden_size=size,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=2 * size,
        max_position_embeddings=n_positions,
        hidden_dropout_prob=0.0,
        attention_probs_dropout_prob=0.0,
        initializer_range=INIT,
    )
    return TextEncoder("tiny", tokenizer, BertModel(config).eval(), torch.device("cpu"), config.hidden_size)
