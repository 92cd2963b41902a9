"""Vectors kept by content and encoder: found again, healed, extended by what is new, met by later texts."""

import shutil
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import tiny_encoders
import torch

from recsys_core.encoder import cache as cache_module
from recsys_core.encoder import kept as kept_module
from recsys_core.encoder.cache import TextVectors, encode_more, encode_texts
from recsys_core.encoder.loading import load_encoder
from recsys_core.encoder.ngrams import NGRAMS, encode_ngrams
from recsys_core.encoder.text import EncoderOptions, TextEncoder
from recsys_core.errors import ConfigError, StoreError

CPU = torch.device("cpu")
TEXTS = ["a red book about war", "the quiet film", "no", "love"]
UNREADABLE = ["红楼梦 卷一", "红楼梦 卷二", "三国演义", "the film"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> str:
    return str(tiny_encoders.bert(tmp_path_factory.mktemp("encoder")))


@pytest.fixture
def encoded(monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """What encoders were given to encode, call by call."""
    calls: list[list[str]] = []
    encode = TextEncoder.encode

    def watched(self: TextEncoder, texts: Sequence[str], *others: object, **named: object) -> np.ndarray:
        calls.append(list(texts))
        return encode(self, texts, *others, **named)

    monkeypatch.setattr(TextEncoder, "encode", watched)
    return calls


def catalogues(cache: Path) -> list[Path]:
    """The folders of kept catalogues."""
    return sorted(marker.parent for marker in cache.glob("*/*/sha256.json"))


def unit(vectors: np.ndarray) -> np.ndarray:
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def test_a_catalogue_that_can_be_read_keeps_its_encoder(tmp_path: Path, folder: str):
    found = encode_texts(TEXTS, folder, CPU, tmp_path)
    assert (found.encoder, found.unknown_share, found.warning) == (folder, 0.0, "")
    np.testing.assert_allclose(found.vectors, unit(load_encoder(folder, CPU).encode(TEXTS)), atol=1e-3)


def test_vectors_have_length_one_even_where_the_folder_leaves_their_length(tmp_path: Path):
    loose = tiny_encoders.with_modules(
        tiny_encoders.bert(tmp_path / "encoder"), {"pooling_mode": "mean"}, normalise=False
    )
    vectors = encode_texts(TEXTS, str(loose), CPU, tmp_path / "cache").vectors
    np.testing.assert_allclose(np.linalg.norm(vectors.astype(float), axis=1), 1, atol=1e-3)


def test_an_unreadable_catalogue_is_encoded_by_ngrams_and_says_so(tmp_path: Path, folder: str):
    found = encode_texts(UNREADABLE, folder, CPU, tmp_path)
    assert found.encoder == NGRAMS
    assert np.array_equal(found.vectors, encode_ngrams(UNREADABLE).astype(np.float16))
    assert found.unknown_share == pytest.approx(5 / 7)
    assert found.warning.startswith(f"the encoder '{folder}' can't read 71% of the items' text")


def test_minilm_cannot_read_a_chinese_catalogue_and_ngrams_tell_it_apart(tmp_path: Path):
    found = encode_texts(
        ["红楼梦 第一卷", "红楼梦 第二卷", "三国演义 上", "聊斋志异"], "minilm", CPU, tmp_path
    )
    assert found.encoder == NGRAMS
    assert found.unknown_share > 0.3
    assert found.vectors[0] @ found.vectors[1] > found.vectors[0] @ found.vectors[2] + 0.3


@pytest.mark.parametrize("texts", [TEXTS, UNREADABLE], ids=["readable", "unreadable"])
def test_the_same_texts_come_from_the_cache_as_they_went_in(
    texts: list[str], tmp_path: Path, folder: str, monkeypatch: pytest.MonkeyPatch
):
    first = encode_texts(texts, folder, CPU, tmp_path / "new")
    monkeypatch.setattr(cache_module, "load_encoder", None)
    monkeypatch.setattr(cache_module, "fit_ngrams", None)
    again = encode_texts(texts, folder, CPU, tmp_path / "new")
    assert np.array_equal(first.vectors, again.vectors)
    plain = {"vectors": np.zeros(0), "ngrams": None}
    assert replace(first, **plain).__repr__() == replace(again, **plain).__repr__()


@pytest.mark.parametrize("texts", [TEXTS, []], ids=["some", "none"])
def test_vectors_are_mapped_from_the_disk_and_cannot_be_changed(
    texts: list[str], tmp_path: Path, folder: str
):
    for _ in range(2):
        vectors = encode_texts(texts, folder, CPU, tmp_path).vectors
        assert isinstance(vectors, np.memmap)
        assert vectors.shape == (len(texts), tiny_encoders.SIZE)
        assert not vectors.flags.writeable


def test_nothing_that_is_kept_is_a_pickle(tmp_path: Path, folder: str):
    encode_texts(UNREADABLE, folder, CPU, tmp_path)
    (kept,) = catalogues(tmp_path)
    names = {file.name for file in kept.iterdir()}
    assert names == {
        *("about.json", "counts.npy", "digests.npy", "ngrams.safetensors", "sha256.json", "vectors.npy")
    }
    for file in kept.glob("*.npy"):
        assert not np.load(file, allow_pickle=False).dtype.hasobject


@pytest.mark.parametrize(
    "others",
    [TEXTS[::-1], TEXTS[:-1], [*TEXTS[:-2], "\x00".join(TEXTS[-2:])], [*TEXTS[:-1], TEXTS[-1] + " "]],
    ids=["another order", "one fewer", "two joined by NUL", "a blank more"],
)
def test_other_texts_are_another_catalogue(tmp_path: Path, others: list[str], folder: str):
    encode_texts(TEXTS, folder, CPU, tmp_path)
    assert len(encode_texts(others, folder, CPU, tmp_path).vectors) == len(others)
    assert len(catalogues(tmp_path)) == 2


def test_only_what_is_new_is_encoded(tmp_path: Path, folder: str, encoded: list[list[str]]):
    words = tiny_encoders.WORDS
    catalogue = [f"{words[n % 17]} {words[n // 17 % 17]} {words[n // 289]}" for n in range(400)]
    before = encode_texts(catalogue, folder, CPU, tmp_path)
    new = ["cats and dogs", "a long night", "no war", "no love"]
    later = encode_texts([*new[:2], *catalogue[::-1], *new[2:]], folder, CPU, tmp_path)
    assert sorted(encoded[0]) == sorted(set(catalogue))
    assert sorted(encoded[1]) == sorted(new)
    assert len(encoded) == 2
    assert np.array_equal(later.vectors[2:-2], before.vectors[::-1])
    alone = unit(load_encoder(folder, CPU).encode(new))
    np.testing.assert_allclose(later.vectors[[0, 1, -2, -1]], alone, atol=1e-3)


def test_a_catalogue_that_grew_has_bitwise_the_vectors_of_one_that_was_always_as_large(tmp_path: Path):
    catalogue = [f"{word} {n % 7} {'and so on ' * (n % 5)}" for n in range(60) for word in ("war", "peace")]
    for n in (31, 64, 120):
        grown = encode_texts(catalogue[:n], "minilm", CPU, tmp_path / "grown").vectors
    at_once = encode_texts(catalogue, "minilm", CPU, tmp_path / "at once").vectors
    assert np.array_equal(grown, at_once)


def test_a_text_that_several_items_have_is_encoded_once(
    tmp_path: Path, folder: str, encoded: list[list[str]]
):
    vectors = encode_texts(["no", "love", "no", "no"], folder, CPU, tmp_path).vectors
    assert sorted(encoded[0]) == ["love", "no"]
    assert np.array_equal(vectors[0], vectors[2])
    assert np.array_equal(vectors[0], vectors[3])
    assert not np.array_equal(vectors[0], vectors[1])


def test_the_unknown_share_counts_what_was_encoded_before_too(tmp_path: Path, folder: str):
    encode_texts(["red blue book film 好"], folder, CPU, tmp_path)
    later = encode_texts(["red blue book film 好", "war", "好", "war"], folder, CPU, tmp_path)
    assert later.unknown_share == pytest.approx(2 / 8)


def test_vectors_of_ngrams_are_never_taken_for_those_of_the_encoder(tmp_path: Path, folder: str):
    encode_texts([*UNREADABLE, "the film"], folder, CPU, tmp_path)
    later = encode_texts(["the film", "a book"], folder, CPU, tmp_path)
    assert later.encoder == folder
    np.testing.assert_allclose(
        later.vectors, unit(load_encoder(folder, CPU).encode(["the film", "a book"])), atol=1e-3
    )


def test_a_folder_whose_encoder_was_replaced_is_read_again(tmp_path: Path):
    folder = tiny_encoders.bert(tmp_path / "encoder", seed=0)
    before = encode_texts(TEXTS, str(folder), CPU, tmp_path / "cache").vectors
    shutil.rmtree(folder)
    tiny_encoders.bert(folder, seed=1)
    after = encode_texts(TEXTS, str(folder), CPU, tmp_path / "cache").vectors
    assert np.abs(before - after).max() > 0.1


def test_another_use_of_the_same_encoder_has_its_own_vectors(tmp_path: Path, folder: str):
    mean = encode_texts(TEXTS, folder, CPU, tmp_path).vectors
    cls = encode_texts(TEXTS, folder, CPU, tmp_path, options=EncoderOptions(pooling="cls")).vectors
    assert np.abs(mean - cls).max() > 0.1


@pytest.mark.parametrize(
    "name", ["vectors.npy", "digests.npy", "counts.npy", "about.json", "ngrams.safetensors", "sha256.json"]
)
@pytest.mark.parametrize("place", [0, 0.5, -1])
def test_a_flipped_bit_in_the_cache_is_found_and_healed(name: str, place: float, tmp_path: Path, folder: str):
    expected = encode_texts(UNREADABLE, folder, CPU, tmp_path).vectors.copy()
    (kept,) = catalogues(tmp_path)
    content = bytearray((kept / name).read_bytes())
    at = int(place * len(content)) if isinstance(place, float) else min(place, len(content) - 1)
    content[at] ^= 0b100
    (kept / name).write_bytes(content)
    assert np.array_equal(encode_texts(UNREADABLE, folder, CPU, tmp_path).vectors, expected)
    assert kept_module.read_kept(kept) is not None


def test_a_damaged_catalogue_gives_nothing_to_a_later_one(
    tmp_path: Path, folder: str, encoded: list[list[str]]
):
    encode_texts(TEXTS, folder, CPU, tmp_path)
    (kept,) = catalogues(tmp_path)
    content = bytearray((kept / "vectors.npy").read_bytes())
    content[-1] ^= 0b100
    (kept / "vectors.npy").write_bytes(content)
    encode_texts([*TEXTS, "night"], folder, CPU, tmp_path)
    assert sorted(encoded[-1]) == sorted([*TEXTS, "night"])


def test_a_cache_that_cannot_be_written_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    def refuse(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", refuse)
    with pytest.raises(StoreError, match="No space left on device"):
        encode_texts(TEXTS, NGRAMS, CPU, tmp_path)
    assert not [path for path in tmp_path.rglob("*") if path.is_file()]


def test_the_cache_stays_within_its_size_and_keeps_what_was_used_last(
    tmp_path: Path, folder: str, monkeypatch: pytest.MonkeyPatch, encoded: list[list[str]]
):
    encode_texts(["a book"], folder, CPU, tmp_path)
    (first,) = catalogues(tmp_path)
    size = sum(file.stat().st_size for file in first.iterdir())
    monkeypatch.setattr(kept_module, "MAX_CACHE_BYTES", 3 * size + size // 2)
    for text in ("a film", "a war"):
        encode_texts([text], folder, CPU, tmp_path)
    encode_texts(["a book"], folder, CPU, tmp_path)  # used again: now "a film" is the oldest
    encode_texts(["a night"], folder, CPU, tmp_path)
    assert len(catalogues(tmp_path)) == 3
    n_encoded = len(encoded)
    for text in ("a book", "a war", "a night"):
        encode_texts([text], folder, CPU, tmp_path)
    assert len(encoded) == n_encoded


def test_new_texts_are_encoded_as_the_catalogue_was(tmp_path: Path, folder: str):
    options = EncoderOptions(pooling="cls")
    text = encode_texts(TEXTS, folder, CPU, tmp_path, options=options)
    more = encode_more(text, ["a long night", TEXTS[1]], CPU, tmp_path)
    assert np.array_equal(more.vectors[1], text.vectors[1])
    np.testing.assert_allclose(
        more.vectors, unit(load_encoder(folder, CPU, options).encode(["a long night", TEXTS[1]])), atol=1e-3
    )
    assert (more.encoder, more.warning) == (folder, "")


def test_new_texts_of_an_unreadable_catalogue_are_encoded_by_its_ngrams(tmp_path: Path, folder: str):
    text = encode_texts(UNREADABLE, folder, CPU, tmp_path)
    more = encode_more(text, ["三国演义 卷三", UNREADABLE[1]], CPU, tmp_path)
    np.testing.assert_allclose(more.vectors[1].astype(float), text.vectors[1].astype(float), atol=1e-3)
    assert np.argmax(text.vectors.astype(float) @ more.vectors[0].astype(float)) == 2
    assert (more.encoder, more.warning) == (NGRAMS, "")


def test_a_wish_gets_the_prompt_of_a_query(tmp_path: Path):
    folder = tiny_encoders.with_modules(
        tiny_encoders.bert(tmp_path / "encoder"),
        {"pooling_mode": "mean"},
        prompts={"query": "query : ", "passage": "passage : "},
    )
    text = encode_texts(["book"], str(folder), CPU, tmp_path)
    wish, item = (encode_more(text, ["book"], CPU, tmp_path, as_query=q).vectors[0] for q in (True, False))
    assert np.array_equal(item, text.vectors[0])
    assert np.abs(wish - item).max() > 0.01


def test_new_texts_that_cannot_be_read_are_encoded_with_a_warning(tmp_path: Path, folder: str):
    text = encode_texts(TEXTS, folder, CPU, tmp_path)
    more = encode_more(text, ["红楼梦 卷一 war"], CPU, tmp_path)
    assert more.unknown_share == pytest.approx(2 / 3)
    assert more.warning == f"the encoder '{folder}' can't read 67% of this text"


def test_a_replaced_encoder_of_another_size_is_an_error(tmp_path: Path):
    folder = tiny_encoders.bert(tmp_path / "encoder")
    text = encode_texts(TEXTS, str(folder), CPU, tmp_path / "cache")
    tiny_encoders.with_modules(folder, {"pooling_mode": "mean"}, dense_size=8)
    with pytest.raises(ConfigError, match="vectors of 8 numbers, and this model learned from vectors of 32"):
        encode_more(text, ["no"], CPU, tmp_path / "cache")


def test_a_model_from_before_ngrams_were_kept_asks_to_be_trained_again(tmp_path: Path):
    old = TextVectors(np.zeros((1, 2), dtype=np.float16), NGRAMS, 0.0, "")
    with pytest.raises(ConfigError, match="train it again"):
        encode_more(old, ["no"], CPU, tmp_path)
