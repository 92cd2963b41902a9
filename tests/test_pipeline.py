"""The stages from training to explanation on a tiny shop, ranker by ranker."""

import math
from pathlib import Path

import numpy as np
import pytest
import torch
from hand_made import dataset_of, histories_in

from recsys_core.config import SETTINGS, NeuralSettings, make_settings
from recsys_core.data.dataset import Dataset
from recsys_core.data.split import histories, leave_one_out
from recsys_core.encoder.cache import TextVectors, encode_texts
from recsys_core.errors import ConfigError, DataError
from recsys_core.explain.explanation import explain, verify_method
from recsys_core.explain.faithfulness import REMOVALS
from recsys_core.explain.knowledge import item_knowledge
from recsys_core.explain.orders import RIVALS
from recsys_core.pipeline import (
    TrainedModel,
    encode_items,
    train_model,
)
from recsys_core.ranker.inner import Inner
from recsys_core.ranker.lists import list_requests, recommend
from recsys_core.ranker.popularity import fit_popularity
from recsys_core.ranker.registry import fit_counting_ranker
from recsys_core.ranker.wishes import recommend_for_wish

pytestmark = pytest.mark.usefixtures("one_thread")

CPU = torch.device("cpu")
LETTERS = "abcdefghijklmnopqrst"
SMALL = ["epochs=2", "embedding_size=8", "n_blocks=1", "max_length=10", "encoder=none"]
SHORT = ["steps=2", "batch_size=2", "negatives=2", "max_length=2", "depth=3"]


@pytest.fixture(scope="module")
def shop() -> Dataset:
    """Forty people who each walk on through the alphabet from where they began."""
    dataset = dataset_of({f"u{n}": (LETTERS[n % 20 :] + LETTERS)[: 5 + n % 7] for n in range(40)})
    dataset.items["title"] = [f"{letter * 3} as in {letter}{letter}" for letter in dataset.items["item_id"]]
    return dataset


def trained(dataset: Dataset, ranker: str, folder: Path, changes: list[str] | None = None) -> TrainedModel:
    settings = SETTINGS[ranker].model_fields
    small = SHORT if ranker == "cross-encoder" else [*SMALL, "item_id=true"]
    fitting = [change for change in small if change.partition("=")[0] in settings]
    return train_model(
        dataset,
        leave_one_out(dataset),
        ranker,
        make_settings(ranker, changes=changes or fitting),
        seed=0,
        device=CPU,
        cache=folder,
        progress=lambda share, message: None,
        on_epoch=lambda epoch: None,
        members=members_of(dataset) if ranker == "ensemble" else (),
    )


def members_of(dataset: Dataset) -> list[Inner]:
    """Two models that an ensemble can be made of."""
    known = histories(dataset, leave_one_out(dataset), "valid")
    names = ("transitions", "popularity")
    return [
        Inner(name, name, SETTINGS[name](), fit_counting_ranker(SETTINGS[name](), known, dataset.n_items))
        for name in names
    ]


@pytest.mark.parametrize("ranker", SETTINGS)
def test_every_ranker_is_trained_evaluated_and_tested(ranker: str, shop: Dataset, tmp_path: Path):
    model = trained(shop, ranker, tmp_path)
    assert model.valid.n_users == model.test.n_users == 40
    assert 0 <= model.test.mean("ndcg@10") <= 1
    if ranker == "cross-encoder":
        assert model.verification is None
    else:
        assert model.verification is not None
        assert model.verification.n_people == 40
        assert not model.verification.verified
    assert (model.log is not None) == issubclass(SETTINGS[ranker], NeuralSettings)
    assert model.seconds > 0
    assert model.peak_memory_bytes > 1e6


def test_who_walks_through_the_alphabet_goes_on_to_the_next_letter(shop: Dataset, tmp_path: Path):
    model = trained(shop, "transitions", tmp_path)
    assert model.test.mean("hr@10") == 1.0
    assert model.test.mean("ndcg@10") > 0.8
    assert model.test.mean("ndcg@10") > trained(shop, "popularity", tmp_path).test.mean("ndcg@10") + 0.3


def test_progress_rises_to_one_and_says_what_is_done(shop: Dataset, tmp_path: Path):
    told: list[tuple[float, str]] = []
    train_model(
        shop,
        leave_one_out(shop),
        "transformer",
        make_settings("transformer", changes=SMALL),
        seed=0,
        device=CPU,
        cache=tmp_path,
        progress=lambda share, message: told.append((share, message)),
        on_epoch=lambda epoch: None,
    )
    shares = [share for share, _ in told]
    assert shares == sorted(shares)
    assert told[-1] == (1.0, "Done")
    assert list(dict.fromkeys(message for _, message in told)) == [
        "Learning",
        "Evaluating",
        "Testing its explanations",
        "Done",
    ]


def test_the_same_seed_gives_the_same_scores(shop: Dataset, tmp_path: Path):
    known = histories(shop, leave_one_out(shop), "test")
    first, second = (trained(shop, "transformer", tmp_path).ranker.score(known) for _ in range(2))
    assert np.array_equal(first, second)


def test_one_item_is_nothing_to_rank(tmp_path: Path):
    with pytest.raises(DataError, match="has one item"):
        trained(dataset_of({"u": "a", "v": "aa"}), "popularity", tmp_path)


def test_one_person_is_nobody_to_learn_from(tmp_path: Path):
    with pytest.raises(DataError, match="has 1 person, so there is nobody to learn from for anybody else"):
        trained(dataset_of({"u": "abcd"}), "transitions", tmp_path)


@pytest.mark.parametrize("ranker", ["transformer", "ease", "item-knn", "transitions"])
def test_people_with_one_item_each_are_an_error(ranker: str, tmp_path: Path):
    with pytest.raises(DataError, match=r"nobody in the data set has touched 3 different items.*add people"):
        trained(dataset_of({"u": "a", "v": "b", "w": "c"}), ranker, tmp_path)


def test_nobody_with_three_different_items_is_an_error(tmp_path: Path):
    with pytest.raises(DataError, match="nobody in the data set has touched 3 different items"):
        trained(dataset_of({"u": "ab", "v": "ba"}), "popularity", tmp_path)


@pytest.mark.parametrize("ranker", SETTINGS)
def test_an_explanation_is_of_the_item_on_the_list(ranker: str, shop: Dataset, tmp_path: Path):
    model, split = trained(shop, ranker, tmp_path), leave_one_out(shop)
    (request,) = list_requests(shop, split, np.array([3]), "test")
    first = recommend(model.ranker, shop, [request], 1).iloc[0]
    number = shop.item_number(first["item_id"])
    found = explain(model.ranker, shop, split, request, number, None, model.verification)
    assert found.rank == 1
    rounding = 1e-4 if ranker == "cross-encoder" else 1e-5  # one pair a time or many, in half precision
    assert found.attributions.score == pytest.approx(first["score"], abs=rounding)
    assert len(found.attributions.values) == len(found.history)
    if found.attributions.method != "leave-one-out":  # which promises no sum
        assert found.attributions.relative_delta < 0.01
    assert set(found.faithfulness) == set(REMOVALS)
    for figures in found.faithfulness.values():
        assert set(figures) == {found.attributions.method, *RIVALS}
    untested = "leave-one-out was not tested on this model yet"
    tested = "tested on 40 people; the badge needs 200"
    assert found.reason == (untested if ranker == "cross-encoder" else tested)


def test_a_method_that_was_not_tested_has_no_badge(shop: Dataset, tmp_path: Path):
    model, split = trained(shop, "ease", tmp_path), leave_one_out(shop)
    (request,) = list_requests(shop, split, np.array([3]), "test")
    first = recommend(model.ranker, shop, [request], 1)["item_id"].iloc[0]
    found = explain(
        model.ranker, shop, split, request, shop.item_number(first), "leave-one-out", model.verification
    )
    assert not found.verified
    assert found.reason == "leave-one-out was not tested on this model yet"


def test_a_touched_item_is_no_candidate(shop: Dataset, tmp_path: Path):
    model, split = trained(shop, "ease", tmp_path), leave_one_out(shop)
    (request,) = list_requests(shop, split, np.array([3]), "test")
    with pytest.raises(DataError, match="'ddd as in dd' is in this person's history, so it is no candidate"):
        explain(model.ranker, shop, split, request, shop.item_number("d"), None, None)


def test_nobody_with_two_items_of_history_leaves_the_method_untested():
    dataset = dataset_of({"u": "a", "v": "b"})
    split = leave_one_out(dataset)
    ranker = fit_popularity(dataset.events, 2)
    assert verify_method(ranker, dataset, split, "counts", seed=0) is None


def test_people_who_have_touched_everything_leave_the_method_untested():
    dataset = dataset_of({"u": "ab", "v": "ba"})
    ranker = fit_popularity(dataset.events, 2)
    assert verify_method(ranker, dataset, leave_one_out(dataset), "counts", seed=0) is None


def test_items_of_the_same_people_are_similar(shop: Dataset):
    """Cosines of random projections are near those of the sets of people."""
    split = leave_one_out(shop)
    known = histories(shop, split, "valid")
    knowledge = item_knowledge(fit_popularity(known, shop.n_items), shop, split)
    touched = np.zeros((40, shop.n_items + 1))
    for row, history in enumerate(histories_in(known)):
        touched[row, history] = 1
    touched /= np.maximum(np.linalg.norm(touched, axis=0), 1)
    expected = touched.T @ touched
    assert np.abs(knowledge.vectors @ knowledge.vectors.T - expected)[1:, 1:].mean() < 0.12
    assert knowledge.popularity[1:].tolist() == [
        sum(int(item in history) for history in histories_in(known)) for item in range(1, shop.n_items + 1)
    ]


WORDS = np.array([[1, 0], [0.6, 0.8], [0, 1]], dtype=np.float16)
READ = TextVectors(WORDS, "minilm", 0.0, "")


def wished(text: TextVectors, found: TextVectors, folder: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The list of a wish that was encoded as `found`."""
    monkeypatch.setattr("recsys_core.ranker.wishes.encode_more", lambda *_, as_query: found)
    table = recommend_for_wish(text, dataset_of({"u": "abc"}), "a book", 5, CPU, folder)
    assert table["rank"].tolist() == [1, 2, 3]
    assert table["score"].tolist() == pytest.approx([1, 0.8, 0.6], abs=1e-3)
    return table["item_id"].tolist()


def test_a_wish_is_served_with_the_nearest_texts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    found = TextVectors(WORDS[1:2], "minilm", 0.0, "")
    assert wished(READ, found, tmp_path, monkeypatch) == ["b", "c", "a"]


def test_a_model_without_texts_serves_no_wish(tmp_path: Path):
    with pytest.raises(ConfigError, match="can't serve a wish"):
        recommend_for_wish(None, dataset_of({"u": "abc"}), "a book", 5, CPU, tmp_path)


def test_a_chinese_catalogue_serves_wishes_by_ngrams(tmp_path: Path):
    titles = ["红楼梦 第一卷", "三国演义 上", "西游记 全本"]
    text = encode_texts(titles, "minilm", CPU, tmp_path)
    table = recommend_for_wish(text, dataset_of({"u": "abc"}), "想看三国演义", 3, CPU, tmp_path)
    assert text.encoder == "character-ngrams"
    assert table["item_id"].tolist()[0] == "b"


def test_a_wish_that_no_item_has_anything_in_common_with_is_an_error(tmp_path: Path):
    text = encode_texts(["红楼梦", "三国演义", "西游记"], "character-ngrams", CPU, tmp_path)
    with pytest.raises(ConfigError, match="no item's text has anything in common with 'chess'"):
        recommend_for_wish(text, dataset_of({"u": "abc"}), "chess", 3, CPU, tmp_path)


def test_a_wish_that_the_encoder_cannot_read_is_an_error(tmp_path: Path):
    text = encode_texts(["a book", "a film", "a song"], "minilm", CPU, tmp_path)
    with pytest.raises(ConfigError, match="the encoder 'minilm' can't read 100% of this text"):
        recommend_for_wish(text, dataset_of({"u": "abc"}), "ሰላም ለዓለም", 3, CPU, tmp_path)


def test_an_empty_wish_is_an_error(tmp_path: Path):
    with pytest.raises(ConfigError, match="the wish is empty"):
        recommend_for_wish(
            TextVectors(WORDS, "minilm", 0.0, ""), dataset_of({"u": "abc"}), " ", 5, CPU, tmp_path
        )


def test_items_are_encoded_by_ngrams_where_asked_for(shop: Dataset, tmp_path: Path):
    split = leave_one_out(shop)
    text = encode_items(shop, split, "character-ngrams", CPU, tmp_path, lambda share, message: None)
    assert text is not None
    assert len(text.vectors) == shop.n_items
    assert encode_items(shop, split, "none", CPU, tmp_path, lambda share, message: None) is None


def test_a_model_learns_from_text_alone(shop: Dataset, tmp_path: Path):
    changes = [*SMALL[:-1], "encoder=character-ngrams", "item_id=false"]
    model = trained(shop, "transformer", tmp_path, changes)
    assert model.text is not None
    assert not math.isnan(model.test.mean("ndcg@10"))
