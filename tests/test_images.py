"""Pictures to vectors: against plain transformers, read with Pillow alone, and named when they are broken."""

from pathlib import Path

import numpy as np
import pytest
import tiny_encoders
import torch
from PIL import Image
from transformers import (
    AutoModel,
    CLIPConfig,
    CLIPModel,
    Dinov2Config,
    Dinov2Model,
    ResNetConfig,
    ResNetModel,
    SwinConfig,
    SwinModel,
)
from transformers.models.vit.image_processing_pil_vit import ViTImageProcessorPil

from recsys_core.encoder.images import ImageEncoder, encode_images, load_image_encoder
from recsys_core.encoder.pictures import image_files
from recsys_core.errors import ConfigError, DataError

CPU = torch.device("cpu")
COLOURS = ["red", "blue", "green", "black"]


@pytest.fixture(scope="module")
def vit(tmp_path_factory: pytest.TempPathFactory) -> str:
    return str(tiny_encoders.vit(tmp_path_factory.mktemp("vit")))


@pytest.fixture(scope="module")
def drawn(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    folder = tmp_path_factory.mktemp("pictures")
    return [tiny_encoders.drawn(folder, colour) for colour in COLOURS]


def pixels_by_hand(image: Image.Image) -> torch.Tensor:
    """[3, 16, 16] resized by Pillow, and brought from 0 … 255 to −1 … 1."""
    small = np.asarray(image.resize((16, 16), Image.Resampling.BILINEAR), dtype=np.float64)
    return torch.from_numpy((small / 255 - 0.5) / 0.5).permute(2, 0, 1).float()


def test_a_vit_gives_what_its_model_makes_of_pixels_worked_out_by_hand(vit: str, drawn: list[Path]):
    model = AutoModel.from_pretrained(vit).eval()
    pixels = torch.stack([pixels_by_hand(Image.open(path)) for path in drawn])
    with torch.no_grad():
        expected = model(pixel_values=pixels).pooler_output.numpy()
    vectors = load_image_encoder(vit, CPU).encode(drawn, batch_size=3)
    np.testing.assert_allclose(vectors, expected, atol=1e-4)
    assert np.abs(vectors[0] - vectors[1]).max() > 0.01


def test_a_pooling_that_was_never_trained_is_not_used(tmp_path: Path, drawn: list[Path]):
    folder = tiny_encoders.vit(tmp_path, pooler=False)
    vectors = [load_image_encoder(str(folder), CPU).encode(drawn) for _ in range(2)]
    assert np.array_equal(vectors[0], vectors[1])  # random weights would differ
    model = AutoModel.from_pretrained(folder).eval()
    pixels = torch.stack([pixels_by_hand(Image.open(path)) for path in drawn])
    with torch.no_grad():
        expected = model(pixel_values=pixels).last_hidden_state[:, 0].numpy()
    np.testing.assert_allclose(vectors[0], expected, atol=1e-4)


SMALL = {
    "hidden_size": 32,
    "num_hidden_layers": 1,
    "num_attention_heads": 2,
    "image_size": 16,
    "patch_size": 4,
}
TEXT = {
    "hidden_size": 32,
    "num_hidden_layers": 1,
    "num_attention_heads": 2,
    "intermediate_size": 8,
    "vocab_size": 9,
    "bos_token_id": 1,
    "eos_token_id": 2,
}


@pytest.mark.parametrize(
    ("model", "size"),
    [
        (
            lambda: CLIPModel(
                CLIPConfig(
                    text_config=TEXT, vision_config=SMALL | {"intermediate_size": 8}, projection_dim=12
                )
            ),
            12,
        ),
        (lambda: Dinov2Model(Dinov2Config(**SMALL)), 32),
        (lambda: ResNetModel(ResNetConfig(embedding_size=8, hidden_sizes=[8, 20], depths=[1, 1])), 20),
        (
            lambda: SwinModel(
                SwinConfig(
                    image_size=16, patch_size=2, embed_dim=8, depths=[1, 1], num_heads=[1, 2], window_size=4
                )
            ),
            16,
        ),
    ],
    ids=["clip", "dinov2", "resnet", "swin"],
)
def test_encoders_of_other_kinds_give_a_vector_a_picture(
    model: object, size: int, tmp_path: Path, drawn: list[Path]
):
    torch.manual_seed(0)
    model().save_pretrained(tmp_path / "encoder")
    ViTImageProcessorPil(size={"height": 16, "width": 16}).save_pretrained(tmp_path / "encoder")
    found = encode_images(drawn, str(tmp_path / "encoder"), CPU, tmp_path / "cache")
    assert found.vectors.shape == (4, size)
    np.testing.assert_allclose(np.linalg.norm(found.vectors.astype(float), axis=1), 1, atol=2e-3)


def test_vectors_are_units_in_the_order_of_the_pictures_and_mapped(
    vit: str, drawn: list[Path], tmp_path: Path
):
    found = encode_images(drawn, vit, CPU, tmp_path)
    plain = load_image_encoder(vit, CPU).encode(drawn)
    np.testing.assert_allclose(found.vectors, plain / np.linalg.norm(plain, axis=1, keepdims=True), atol=1e-3)
    assert isinstance(found.vectors, np.memmap)
    assert (found.encoder, found.n_without) == (vit, 0)


def test_an_item_without_a_picture_has_the_vector_zero_and_is_counted(
    vit: str, drawn: list[Path], tmp_path: Path
):
    found = encode_images([None, drawn[0], None], vit, CPU, tmp_path)
    assert found.n_without == 2
    assert not found.vectors[[0, 2]].any()
    assert found.vectors[1].any()
    none = encode_images([None, None], vit, CPU, tmp_path)
    assert (none.n_without, none.vectors.shape) == (2, (2, tiny_encoders.SIZE))
    assert encode_images([], vit, CPU, tmp_path).vectors.shape == (0, tiny_encoders.SIZE)


def test_files_and_pillow_images_give_the_same_vectors(vit: str, drawn: list[Path], tmp_path: Path):
    images = [Image.open(path) for path in drawn]
    from_files = encode_images(drawn, vit, CPU, tmp_path / "files").vectors
    from_images = encode_images(images, vit, CPU, tmp_path / "images").vectors
    assert np.array_equal(from_files, from_images)
    assert images[0].getpixel((0, 0)) == (255, 255, 255)  # what was handed in is still open
    for image in images:
        image.close()


def test_only_new_pictures_are_encoded(
    vit: str, drawn: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    calls: list[int] = []
    encode = ImageEncoder.encode

    def watched(self: ImageEncoder, images: list[Path], **named: object) -> np.ndarray:
        calls.append(len(images))
        return encode(self, images, **named)

    monkeypatch.setattr(ImageEncoder, "encode", watched)
    first = encode_images(drawn[:3], vit, CPU, tmp_path).vectors
    later = encode_images([drawn[3], None, *drawn[:3], drawn[3]], vit, CPU, tmp_path).vectors
    encode_images(drawn[:3], vit, CPU, tmp_path)
    assert calls == [3, 2]  # the new picture, and what stands for none
    assert np.array_equal(later[2:5], first)
    assert np.array_equal(later[0], later[5])


def test_a_picture_that_was_drawn_anew_is_encoded_anew(vit: str, tmp_path: Path):
    path = tiny_encoders.drawn(tmp_path / "a", "red")
    before = encode_images([path], vit, CPU, tmp_path / "cache").vectors
    path.write_bytes(tiny_encoders.drawn(tmp_path / "b", "blue").read_bytes())
    assert np.abs(before - encode_images([path], vit, CPU, tmp_path / "cache").vectors).max() > 0.01


@pytest.mark.parametrize("mode", ["L", "RGBA", "P", "CMYK", "1", "LA", "I;16", "F"])
def test_pictures_of_every_mode_can_be_read(mode: str, vit: str):
    image = Image.new("RGB", (20, 20), "red")
    image = Image.new(mode, (20, 20)) if mode in ("I;16", "F") else image.convert(mode)
    assert np.isfinite(load_image_encoder(vit, CPU).encode([image])).all()


def test_a_picture_is_turned_upright(vit: str, tmp_path: Path):
    image = Image.new("RGB", (20, 10), "white")
    image.paste("red", (0, 0, 5, 10))
    turned = image.transpose(Image.Transpose.ROTATE_90)  # EXIF 6 says: turn by 90° clockwise to look at it
    exif = Image.Exif()
    exif[0x0112] = 6
    turned.save(tmp_path / "turned.png", exif=exif)
    vectors = load_image_encoder(vit, CPU).encode([image, tmp_path / "turned.png", turned])
    np.testing.assert_allclose(vectors[0], vectors[1], atol=1e-5)
    assert np.abs(vectors[0] - vectors[2]).max() > 0.01


def broken(folder: Path, drawn: list[Path]) -> list[Path]:
    """A text, half a picture, an empty file, and one that isn't there."""
    (folder / "text.png").write_text("not a picture")
    (folder / "half.png").write_bytes(drawn[0].read_bytes()[:120])
    (folder / "empty.jpg").write_bytes(b"")
    return [folder / name for name in ("text.png", "half.png", "empty.jpg")]


def test_every_broken_picture_is_named_at_once(vit: str, drawn: list[Path], tmp_path: Path):
    files = [drawn[0], *broken(tmp_path, drawn), drawn[1]]
    with pytest.raises(DataError) as caught:
        encode_images(files, vit, CPU, tmp_path / "cache")
    sentence = str(caught.value)
    assert sentence.startswith("pictures that can't be read: 3, namely ")
    for name in ("text.png", "half.png", "empty.jpg"):
        assert name in sentence
    assert str(tmp_path) not in sentence
    assert not list(tmp_path.glob("cache/*/*"))


def test_pictures_that_are_not_there_are_named(vit: str, tmp_path: Path):
    with pytest.raises(DataError, match=r"gone\.png \(No such file or directory\)"):
        encode_images([tmp_path / "gone.png"], vit, CPU, tmp_path)


def test_of_many_broken_pictures_five_are_named(vit: str, tmp_path: Path):
    files = [tmp_path / f"{n}.png" for n in range(7)]
    with pytest.raises(DataError, match=r"can't be read: 7, namely 0\.png .*4\.png [^;]*; …;"):
        encode_images(files, vit, CPU, tmp_path)


def test_a_picture_that_would_fill_the_memory_is_refused(
    vit: str, drawn: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 1_000)
    with pytest.raises(DataError, match=r"red\.png \(Image size \(1200 pixels\) exceeds limit"):
        encode_images(drawn[:1], vit, CPU, tmp_path)


def test_a_picture_is_looked_for_inside_its_folder_alone(tmp_path: Path):
    names = ["a.png", "sub/b.png", "", "https://x.org/a.png", "../a.png", "/etc/passwd", ".", "a\x00.png"]
    inside = [tmp_path / "a.png", tmp_path / "sub/b.png"]
    assert image_files(names, tmp_path) == [*inside, *[None] * 6]


def test_a_link_out_of_the_folder_is_not_followed(tmp_path: Path):
    (tmp_path / "pictures").mkdir()
    (tmp_path / "pictures/x.png").symlink_to(tmp_path / "secret.png")
    assert image_files(["x.png"], tmp_path / "pictures") == [None]


def test_a_text_encoder_is_no_vision_encoder(tmp_path: Path):
    with pytest.raises(ConfigError, match="is no usable folder"):
        load_image_encoder(str(tiny_encoders.bert(tmp_path)), CPU)


def test_a_vision_encoder_that_is_not_there_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    with pytest.raises(ConfigError, match=r"no usable vision encoder.*preprocessor_config\.json"):
        encode_images([], "someone/no-such-vit", CPU, tmp_path)


def test_progress_ends_at_one(vit: str, drawn: list[Path]):
    told: list[float] = []
    load_image_encoder(vit, CPU).encode(drawn, batch_size=3, progress=told.append)
    assert told == pytest.approx([0.75, 1.0])
