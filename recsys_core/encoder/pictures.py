"""Pictures of items: which file is whose, and what is in it. Read with Pillow alone, nothing is fetched."""

import hashlib
import warnings
from collections.abc import Sequence
from pathlib import Path

from PIL import Image, ImageOps

from recsys_core.encoder.kept import DigestArray, digests_of
from recsys_core.errors import DataError

Picture = Path | Image.Image | None

_NAMED_PROBLEMS = 5


def image_files(names: Sequence[str], folder: Path) -> list[Path | None]:
    """[n] the file of each item's picture inside `folder`; None where it has none.

    An address (nothing is fetched) and a path that leads out of the folder count as none.
    """
    inside = folder.resolve()
    return [_inside(name, inside) for name in names]


def picture_digests(images: Sequence[Picture]) -> DigestArray:
    """[n] SHA-256 of what each picture is made of.

    Raises:
        DataError: files that can't be read, the first of them by name.
    """
    contents, problems = list[bytes](), list[str]()
    for image in images:
        try:
            contents.append(_content_digest(image))
        except OSError as error:
            problems.append(f"{_name(image)} ({error.strerror or error})")
    if problems:
        raise unreadable(problems)
    return digests_of(contents)


def opened(image: Picture, problems: list[str]) -> Image.Image | None:
    """The picture in three colours, upright; None where it can't be read, and why goes to the problems."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")  # of Pillow: too large to be harmless, or damaged
            if not isinstance(image, Path):
                return None if image is None else _upright(image)
            with Image.open(image) as file:
                return _upright(file)
    except Exception as error:  # Pillow's readers raise whatever a damaged file leads them to
        reason = str(error).replace(f"{str(image)!r}", "it") or type(error).__name__
        problems.append(f"{_name(image)} ({reason})")
        return None


def unreadable(problems: Sequence[str]) -> DataError:
    """The error for pictures that can't be read: how many, and the first of them."""
    named = "; ".join(problems[:_NAMED_PROBLEMS]) + ("; …" if len(problems) > _NAMED_PROBLEMS else "")
    return DataError(
        f"pictures that can't be read: {len(problems):,}, namely {named}; replace them, or leave them out"
    )


def _inside(name: str, folder: Path) -> Path | None:
    if not name or "://" in name or "\x00" in name:
        return None
    path = (folder / name).resolve()
    return path if path != folder and path.is_relative_to(folder) else None


def _content_digest(image: Picture) -> bytes:
    if image is None:
        return b""
    if isinstance(image, Path):
        with image.open("rb") as file:
            return hashlib.file_digest(file, "sha256").digest()
    return hashlib.sha256(f"{image.mode} {image.size} ".encode() + image.tobytes()).digest()


def _upright(image: Image.Image) -> Image.Image:
    return ImageOps.exif_transpose(image).convert("RGB")


def _name(image: Picture) -> str:
    return image.name if isinstance(image, Path) else "an image"
