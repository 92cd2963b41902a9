"""Pictures → vectors, by any Hugging Face vision encoder on disk: ViT, DINOv2, CLIP and SigLIP, ConvNeXt, …

Pictures are read with Pillow alone. An item without one has the vector 0 and is counted.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import numpy as np
import torch
from PIL import Image
from safetensors import SafetensorError

from recsys_core.encoder.kept import (
    DigestArray,
    HalfArray,
    KeptVectors,
    keep,
    mark_used,
    name_of,
    read_kept,
    take_known,
)
from recsys_core.encoder.loading import first_line, precision_on
from recsys_core.encoder.pictures import Picture, opened, picture_digests, unreadable
from recsys_core.encoder.sources import folder_state, local_folder, unusable
from recsys_core.encoder.text import FloatArray, Precision, Progress

if TYPE_CHECKING:  # transformers takes seconds to import
    from transformers import BaseImageProcessor, PreTrainedModel

_VERSION = "images 1"


@dataclass(frozen=True, slots=True)
class ImageVectors:
    """[n_images, size] unit vectors, half precision, and how they came about.

    Attributes:
        n_without: how many items have no picture, and so the vector 0.
    """

    vectors: HalfArray
    encoder: str
    n_without: int


@dataclass(frozen=True, slots=True)
class ImageEncoder:
    """An image processor and an encoder; `encode` gives the vectors that the encoder's makers meant.

    Attributes:
        name: what the person asked for: a folder or a Hugging Face id.
        size: of a vector.
        pooled: whether the encoder's own pooling was trained; else the first token, or the mean, is taken.
    """

    name: str
    processor: "BaseImageProcessor"
    model: "PreTrainedModel"
    device: torch.device
    size: int
    pooled: bool
    precision: Precision = "fp32"

    @torch.inference_mode()
    def encode(
        self, images: Sequence[Picture], batch_size: int = 32, progress: Progress | None = None
    ) -> FloatArray:
        """[len(images), size] vectors; 0 for None.

        Raises:
            DataError: pictures that can't be read, the first of them by name.
        """
        vectors, problems = np.zeros((len(images), self.size), dtype=np.float32), list[str]()
        with torch.autocast(self.device.type, torch.bfloat16, enabled=self.precision == "bf16"):
            for start in range(0, len(images), batch_size):
                there = [
                    row
                    for row in range(start, min(start + batch_size, len(images)))
                    if images[row] is not None
                ]
                pictures = [opened(images[row], problems) for row in there]
                if there and not problems:
                    vectors[there] = self._vectors(cast("list[Image.Image]", pictures)).cpu().numpy()
                if progress is not None:
                    progress(min(1.0, (start + batch_size) / len(images)))
        if problems:
            raise unreadable(problems)
        return vectors

    def _vectors(self, images: list[Image.Image]) -> torch.Tensor:
        """[B, size] in single precision."""
        pixels = self.processor(images=images, return_tensors="pt")["pixel_values"].to(self.device)
        return image_features(self.model, pixels, self.pooled).float()


def image_features(model: Any, pixels: torch.Tensor, pooled: bool) -> torch.Tensor:
    """[B, size] of pixels [B, channels, height, width]: the model's own pooling where it was trained."""
    if hasattr(model, "get_image_features"):  # CLIP, SigLIP: the space that pictures share with texts
        found = model.get_image_features(pixel_values=pixels)
        return found if isinstance(found, torch.Tensor) else found.pooler_output
    found = model(pixel_values=pixels)
    if pooled:
        return found.pooler_output.flatten(1)
    states = found.last_hidden_state
    if states.dim() == 4:  # [B, channels, height, width]
        return states.mean((2, 3))
    has_class_token = hasattr(getattr(model, "embeddings", None), "cls_token")
    return states[:, 0] if has_class_token else states.mean(1)


def load_image_encoder(name: str, device: torch.device) -> ImageEncoder:
    """The vision encoder of that name: a folder, or a Hugging Face id.

    Raises:
        ConfigError: it is not on this machine and can't be fetched, or isn't a vision encoder.
    """
    folder = local_folder(name, "vision")
    try:
        return _load(name, folder, device)
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise unusable(name, first_line(error), "vision") from error
    except (RuntimeError, IndexError, ImportError, SafetensorError) as error:
        raise unusable(name, first_line(error), "vision") from error


def encode_images(
    images: Sequence[Picture],
    encoder: str,
    device: torch.device,
    cache: Path,
    progress: Progress | None = None,
) -> ImageVectors:
    """Unit vectors of pictures given as files or as Pillow images; None where an item has none.

    Mapped from the cache folder if the same pictures were encoded before; where some of them were, only
    the others are encoded.

    Raises:
        ConfigError: there is no such encoder.
        DataError: pictures that can't be read, the first of them by name.
        StoreError: the cache can't be written.
    """
    shelf = cache / name_of(_VERSION, encoder, folder_state(local_folder(encoder, "vision")))
    digests = picture_digests(images)
    folder = shelf / name_of(digests.tobytes())
    kept = read_kept(folder)
    if kept is None:
        made = _encode(images, digests, load_image_encoder(encoder, device), shelf, progress)
        keep(folder, made)
        kept = read_kept(folder) or made
    mark_used(folder)
    return ImageVectors(kept.vectors, encoder, int((kept.counts[:, 0] == 0).sum()))


def _load(name: str, folder: Path, device: torch.device) -> ImageEncoder:
    """No network, no pickles, no code that comes with the weights, and Pillow for what is done to pixels."""
    from transformers import AutoImageProcessor, AutoModel
    from transformers.utils.logging import disable_progress_bar, set_verbosity_error

    disable_progress_bar()
    set_verbosity_error()
    only_here: dict[str, Any] = {"local_files_only": True, "trust_remote_code": False}
    processor = AutoImageProcessor.from_pretrained(folder, backend="pil", **only_here)
    model, report = AutoModel.from_pretrained(
        folder, use_safetensors=True, dtype=torch.float32, output_loading_info=True, **only_here
    )
    model = model.to(device).eval()
    pooled = not any("pooler" in key for key in report["missing_keys"])
    pixels = processor(images=[Image.new("RGB", (64, 64))], return_tensors="pt")["pixel_values"].to(device)
    with torch.inference_mode():
        size = image_features(model, pixels, pooled).shape[1]
    return ImageEncoder(name, processor, model, device, size, pooled, precision_on("auto", device))


def _encode(
    images: Sequence[Picture],
    digests: DigestArray,
    encoder: ImageEncoder,
    shelf: Path,
    progress: Progress | None,
) -> KeptVectors:
    counts = np.array([(int(image is not None), 0) for image in images], dtype=np.int32).reshape(-1, 2)
    made = KeptVectors(np.zeros((len(images), encoder.size), dtype=np.float16), digests, counts)
    known = take_known(shelf, digests, made)
    _, first, again = np.unique(digests, return_index=True, return_inverse=True)
    new = first[~known[first]]  # one row of each picture that has no vector yet
    vectors = encoder.encode([images[int(row)] for row in new], progress=progress)
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    made.vectors[new] = vectors / np.where(lengths > 0, lengths, 1)
    made.vectors[:] = made.vectors[first][again]
    return made
