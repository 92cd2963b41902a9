"""An encoder in int8 by ONNX Runtime: near to single precision, exported once, and refused in a sentence."""

import shutil
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from io import StringIO
from pathlib import Path

import numpy as np
import onnx
import pytest
import tiny_encoders
import torch

from recsys_core.encoder import int8
from recsys_core.encoder.cache import TextVectors, encode_more, encode_texts
from recsys_core.encoder.int8 import mean_cosine, quantised
from recsys_core.encoder.loading import load_encoder
from recsys_core.encoder.text import EncoderOptions
from recsys_core.errors import ConfigError

CPU = torch.device("cpu")
INT8 = EncoderOptions(precision="int8")
TEXTS = ["a red book about war", "the quiet film and the long night of cats and dogs", "no", "love in war"]


@dataclass(frozen=True)
class Exported:
    """An encoder's folder, the cache in which it was exported once, and what that printed."""

    name: str
    cache: Path
    found: TextVectors
    printed: tuple[str, str]

    @property
    def file(self) -> Path:
        return next(self.cache.glob("*/int8.onnx"))


@pytest.fixture(scope="module")
def bert(tmp_path_factory: pytest.TempPathFactory) -> Exported:
    name = str(tiny_encoders.bert(tmp_path_factory.mktemp("bert")))
    cache = tmp_path_factory.mktemp("cache")
    with redirect_stdout(StringIO()) as out, redirect_stderr(StringIO()) as err:
        found = encode_texts(TEXTS, name, CPU, cache, options=INT8)
    return Exported(name, cache, found, (out.getvalue(), err.getvalue()))


def test_int8_vectors_are_near_those_of_fp32_and_not_the_same(bert: Exported):
    exact = load_encoder(bert.name, CPU)
    rough = quantised(exact, bert.file)
    assert rough.precision == "int8"
    for batch_size in (1, 3, 64):
        vectors, expected = rough.encode(TEXTS, batch_size), exact.encode(TEXTS)
        assert ((vectors * expected).sum(1) > 0.97).all()
        assert np.abs(vectors - expected).max() > 1e-4


@pytest.mark.slow
def test_a_decoder_can_be_exported_too(tmp_path: Path):
    exact = load_encoder(str(tiny_encoders.gpt2(tmp_path / "gpt2")), CPU)
    vectors = quantised(exact, tmp_path / "int8.onnx").encode(TEXTS)
    assert ((vectors * exact.encode(TEXTS)).sum(1) > 0.97).all()


def test_weights_are_kept_in_eight_bits(bert: Exported):
    graph = onnx.load(bert.file).graph
    assert [node.op_type for node in graph.node].count("MatMulInteger") == 2 * 6  # per block: q, k, v, 3 more
    assert any(weight.data_type == onnx.TensorProto.INT8 for weight in graph.initializer)


def test_exporting_prints_nothing(bert: Exported):
    assert bert.printed == ("", "")


def test_the_file_is_made_once_and_made_again_when_damaged(
    bert: Exported, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    exact, path, written = load_encoder(bert.name, CPU), tmp_path / "int8.onnx", list[Path]()
    monkeypatch.setattr(
        int8, "_write", lambda _, target: written.append(target) or shutil.copy(bert.file, target)
    )
    expected = quantised(exact, path).encode(TEXTS)
    assert np.array_equal(quantised(exact, path).encode(TEXTS), expected)
    assert len(written) == 1
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    assert np.array_equal(quantised(exact, path).encode(TEXTS), expected)
    assert len(written) == 2


def test_the_cosine_to_fp32_is_measured_and_kept(bert: Exported):
    exact = encode_texts(TEXTS, bert.name, CPU, bert.cache)
    expected = (bert.found.vectors.astype(float) * exact.vectors.astype(float)).sum(1).mean()
    assert bert.found.cosine_to_fp32 == pytest.approx(expected, abs=2e-3)
    assert 0.97 < bert.found.cosine_to_fp32 < 1 - 1e-6
    again = encode_texts(TEXTS, bert.name, CPU, bert.cache, options=INT8)
    assert again.cosine_to_fp32 == bert.found.cosine_to_fp32
    assert exact.cosine_to_fp32 is None


def test_vectors_that_int8_moved_far_come_with_a_warning(bert: Exported, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("recsys_core.encoder.cache.mean_cosine", lambda *_: 0.9)
    found = encode_texts(["no war"], bert.name, CPU, bert.cache, options=INT8)
    assert found.warning.startswith("int8 turned the texts' vectors to a mean cosine of 0.900")


def test_texts_that_tell_nothing_have_no_cosine(bert: Exported, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("recsys_core.encoder.cache.mean_cosine", lambda *_: float("nan"))
    found = encode_texts(["no cats"], bert.name, CPU, bert.cache, options=INT8)
    assert (found.cosine_to_fp32, found.warning) == (None, "")


def test_new_texts_are_encoded_in_int8_too(bert: Exported):
    text = encode_texts(["no love"], bert.name, CPU, bert.cache, options=INT8)
    assert np.array_equal(encode_more(text, ["no love"], CPU, bert.cache).vectors, text.vectors)


def test_an_encoder_that_cannot_be_exported_is_named(
    bert: Exported, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    def refuse(*_: object, **__: object) -> None:
        raise RuntimeError("no such operator")

    monkeypatch.setattr(torch.onnx, "export", refuse)
    with pytest.raises(ConfigError, match="it can't be turned into int8; choose fp32 or bf16"):
        quantised(load_encoder(bert.name, CPU), tmp_path / "int8.onnx")
    assert list(tmp_path.iterdir()) == []


def test_without_onnx_runtime_what_to_install_is_said(
    bert: Exported, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(int8, "find_spec", lambda name: None if name == "onnxruntime" else name)
    with pytest.raises(ConfigError, match=r"int8 needs onnxruntime: pip install 'reclens\[onnx\]'"):
        encode_texts(TEXTS, bert.name, CPU, tmp_path, options=INT8)


def test_mean_cosine_of_hand_made_vectors():
    one = np.array([[1, 0], [0, 2], [3, 4], [0, 0]], dtype=np.float32)
    other = np.array([[2, 0], [1, 0], [4, 3], [1, 1]], dtype=np.float32)
    assert mean_cosine(one, other) == pytest.approx((1 + 0 + 24 / 25) / 3)
    assert np.isnan(mean_cosine(one[3:], other[3:]))
