"""What people wrote at events, as the few numbers a text that rankers read of it."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from recsys_core.encoder.cache import TextVectors, encode_more, encode_texts
from recsys_core.encoder.kept import HalfArray
from recsys_core.encoder.ngrams import NGRAMS
from recsys_core.encoder.reduction import principal_values
from recsys_core.encoder.text import Progress

MAX_CHARACTERS = 300  # of one text: its beginning says most
SIZE = 32  # numbers that are kept of a text: a million texts take 64 MB with the model


def encode_written(
    texts: Sequence[str],
    in_training: NDArray[np.bool_],
    items: TextVectors,
    device: torch.device,
    cache: Path,
    progress: Progress,
) -> HalfArray:
    """[n_texts + 1, 32 or fewer] the texts as the encoder of the items' texts reads them; row 0 is no text.

    Args:
        texts: the different texts.
        in_training: [n_texts] those that decide which directions of the vectors are kept.
        items: the items' text vectors, whose encoder is used.
        device: where it runs.
        cache: folder of encoded texts.
        progress: told the share that is encoded.

    Raises:
        ConfigError: the encoder isn't there any more.
    """
    cut = [text[:MAX_CHARACTERS] for text in texts]
    if items.encoder == NGRAMS:  # they were fitted to the items' texts, and know nothing of held-out ones
        read = encode_more(items, cut, device, cache)
    else:
        read = encode_texts(cut, items.encoder, device, cache, progress, items.options)
    return np.pad(principal_values(read.vectors, in_training, SIZE), ((1, 0), (0, 0)))
