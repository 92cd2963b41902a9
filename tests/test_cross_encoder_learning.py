"""A cross-encoder learns: that people keep to what they like, from wishes too; its weight; what stops it."""

from pathlib import Path

import numpy as np
import pytest
import torch
from cross_encoder_kit import COLOURS, CPU, RECIPE, colour_histories, coloured, ignore, loaded, untrained
from hand_made import WeightedSum, dataset_of, histories_in, random_histories
from ranker_kit import N_ITEMS
from safetensors.torch import load_file, save_file
from tiny_bert import tiny_encoder

from recsys_core import pipeline
from recsys_core.config import SETTINGS, CrossEncoderSettings, make_settings
from recsys_core.data.dataset import Histories
from recsys_core.data.split import leave_one_out
from recsys_core.encoder.cache import TextVectors
from recsys_core.errors import CancelledError, ConfigError, DataError, RecsysError, StoreError
from recsys_core.ranker.cross_encoder import CrossEncoderRanker
from recsys_core.ranker.inner import Inner
from recsys_core.ranker.neighbours import fit_transitions
from recsys_core.ranker.popularity import fit_popularity
from recsys_core.ranker.top_k import mask_seen, top_k
from recsys_core.ranker.wishes import recommend_for_wish
from recsys_core.trainer.checkpoints import load_ranker, save_ranker
from recsys_core.trainer.clicks import draw_clicks
from recsys_core.trainer.cross_encoder import (
    ReadingRecipe,
    best_weight,
    learn_to_read,
    new_cross_encoder,
    train_cross_encoder,
)

pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture(scope="module")
def who_reads_colours() -> CrossEncoderRanker:
    known = colour_histories(60, seed=0)
    wanted = np.array([np.setdiff1d(np.arange(1, 9) + 8 * (n % 2), known[n])[0] for n in range(60)])
    return train_cross_encoder(coloured(known), known, wanted, RECIPE, ignore)


def test_it_learns_that_people_stay_with_their_colour(who_reads_colours: CrossEncoderRanker):
    new, is_blue = colour_histories(20, seed=1), np.arange(20) % 2 == 1
    people, items = np.repeat(np.arange(20), 16), np.tile(np.arange(1, 17), 20)
    logits = who_reads_colours.read(who_reads_colours.heads(new), people, items).reshape(20, 16)
    of_red, of_blue = logits[:, :8].mean(axis=1), logits[:, 8:].mean(axis=1)
    assert ((of_blue > of_red) == is_blue).mean() > 0.95
    assert np.abs(of_blue - of_red).mean() > 1


def test_a_wish_stands_in_for_a_history(who_reads_colours: CrossEncoderRanker):
    nearness = np.zeros((1, 17), dtype=np.float32)
    nearness[0, 0] = -np.inf
    for wish, items in (("red", range(1, 9)), ("blue", range(9, 17))):
        scores = who_reads_colours.score_wish(wish, nearness)
        assert scores[0, 0] == -np.inf
        assert set(top_k(scores, 4)[0].tolist()) <= set(items)


def test_a_wish_longer_than_the_encoder_reads_is_cut(who_reads_colours: CrossEncoderRanker):
    nearness = np.zeros((1, 17), dtype=np.float32)
    assert np.isfinite(who_reads_colours.score_wish("red " * 1_000, nearness)[0, 1:]).all()


def test_a_kept_model_reads_wishes_alike(who_reads_colours: CrossEncoderRanker, tmp_path: Path):
    known = colour_histories(10, seed=0)
    own = fit_transitions(known, 16, 20, 0.7)
    first = Inner("transitions", "transitions", SETTINGS["transitions"](), own)
    kept = CrossEncoderRanker(
        first,
        who_reads_colours.popularity,
        who_reads_colours.reader,
        who_reads_colours.texts,
        depth=16,
        window=4,
    )
    save_ranker(kept, tmp_path / "weights")
    again = load_ranker(CrossEncoderSettings(depth=16, max_length=4), tmp_path / "weights", CPU)
    assert isinstance(again, CrossEncoderRanker)
    nearness = np.zeros((1, 17), dtype=np.float32)
    assert np.array_equal(again.score_wish("red", nearness), kept.score_wish("red", nearness))
    assert np.array_equal(again.score(known), kept.score(known))


def test_the_same_seed_learns_the_same_weights():
    known = colour_histories(20, seed=0)
    short = ReadingRecipe(3, 4, 2, 1e-3, 0, torch.float32)
    first, second = (
        train_cross_encoder(coloured(known), known, np.zeros(20, dtype=np.int64), short, ignore).score(known)
        for _ in range(2)
    )
    assert np.array_equal(first, second)


def test_clicks_are_of_listed_items_against_items_never_touched():
    known = random_histories(4, 30, N_ITEMS, 8, shortest=2)
    ranker = untrained(known, N_ITEMS, depth=10)
    clicks = draw_clicks(ranker, known, 40, 3, np.random.default_rng(0))
    assert len(clicks) == len(clicks.histories) == 40
    people = [history.tolist() for history in histories_in(known)]
    for before, (clicked, *negatives) in zip(histories_in(clicks.histories), clicks.candidates, strict=True):
        begun = [own for own in people if own[: len(before) + 1] == [*before.tolist(), clicked]]
        assert begun
        assert any(set(negatives).isdisjoint(own) for own in begun)
        row = Histories.of([before])
        listed = top_k(mask_seen(ranker.first.ranker.score(row), row), 10)[0]
        assert {clicked, *negatives} <= set(listed.tolist())


def test_nobody_with_two_items_leaves_nothing_to_learn():
    with pytest.raises(DataError, match="no click could be learned from"):
        draw_clicks(
            untrained(Histories.of([[1], [2]]), 4), Histories.of([[1], [2]]), 5, 2, np.random.default_rng(0)
        )


def test_a_loss_that_becomes_nan_stops_the_training():
    known = colour_histories(20, seed=0)
    ranker = coloured(known)
    clicks = draw_clicks(ranker, known, 8, 2, np.random.default_rng(0))
    with torch.no_grad():
        next(iter(ranker.reader.encoder.parameters())).fill_(torch.nan)
    with pytest.raises(RecsysError, match="the loss became nan at step 1; lower learning_rate"):
        learn_to_read(ranker, clicks, RECIPE, ignore)


def test_a_person_can_stop_it():
    def stop(share: float, message: str) -> None:
        raise CancelledError("stopped")

    known = colour_histories(20, seed=0)
    with pytest.raises(CancelledError):
        train_cross_encoder(coloured(known), known, np.zeros(20, dtype=np.int64), RECIPE, stop)


def test_the_weight_is_small_where_reading_misleads_and_large_where_it_helps(
    who_reads_colours: CrossEncoderRanker,
):
    """A first ranker that knows the colours and a reader that doesn't, and the other way round."""
    new = colour_histories(30, seed=2)
    wanted = np.array([np.setdiff1d(np.arange(1, 9) + 8 * (n % 2), new[n])[-1] for n in range(30)])
    assert best_weight(who_reads_colours, new, wanted, seed=0) >= 0.5
    weights = np.full((17, 17), 1.0)
    weights[1:9, 8:9] = weights[9:, 16:] = 1.2
    first = Inner("knows", "transitions", SETTINGS["transitions"](), WeightedSum(weights))
    knows = untrained(new, 16, texts=COLOURS)
    misled = CrossEncoderRanker(first, knows.popularity, knows.reader, knows.texts, depth=16, window=4)
    last = np.where(np.arange(30) % 2, 16, 8)
    free = np.flatnonzero([last[n] not in new[n] for n in range(30)])
    assert best_weight(misled, new.take(free), last[free], seed=0) == 0.05


def test_nobody_with_a_held_out_item_leaves_the_weight_at_one():
    known = colour_histories(6, seed=0)
    assert best_weight(coloured(known), known, np.zeros(6, dtype=np.int64), seed=0) == 1.0


def test_texts_that_the_encoder_cannot_read_are_refused():
    with pytest.raises(ConfigError, match="'tiny' can't read 100% of the items' text; name a multilingual"):
        new_cross_encoder(
            tiny_encoder(["red"]),
            ["ሰላም", "ለዓለም"],
            torch.zeros(3, 2),
            Inner("p", "popularity", SETTINGS["popularity"](), fit_popularity(Histories.of([]), 2)),
            fit_popularity(Histories.of([]), 2),
            item_tokens=4,
            depth=2,
            window=2,
            precision=torch.float32,
        )


def test_more_text_than_the_encoder_reads_is_refused():
    with pytest.raises(ConfigError, match=r"max_length \(60\) texts of up to 3 tokens .* the 128 tokens"):
        untrained(Histories.of([[1, 2]]), 4, window=60)


def test_damaged_weights_are_an_error(tmp_path: Path):
    save_ranker(untrained(Histories.of([[1, 2]]), 4), tmp_path / "whole")
    tensors = load_file(tmp_path / "whole")
    damages = {
        "counts": torch.zeros(9),
        "encoder_config": torch.zeros(3, dtype=torch.uint8),
        "reader.head.weight": torch.zeros(1, 3),
    }
    for name, damaged in damages.items():
        save_file(tensors | {name: damaged}, tmp_path / "damaged")
        with pytest.raises(StoreError, match="doesn't hold the ranker"):
            loaded(tmp_path / "damaged")


def test_it_is_trained_and_listed_like_every_other_model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Forty people who stay with their colour; the badge isn't tested, and says so."""
    letters = {"r": COLOURS[:8], "b": COLOURS[8:]}
    people = {
        f"u{n}": "".join(chr((97 if n % 2 else 105) + (n + step) % 8) for step in range(5)) for n in range(40)
    }
    shop = dataset_of(people)
    names = dict(zip("abcdefghijklmnop", [*letters["r"], *letters["b"]], strict=True))
    shop.items["title"] = [names[letter] for letter in shop.items["item_id"]]
    vectors = TextVectors(np.ones((shop.n_items, 2), dtype=np.float16), "tiny", 0.0, "")
    words = sorted({word for text in COLOURS for word in text.split()})
    monkeypatch.setattr(pipeline, "encode_items", lambda *_: vectors)
    monkeypatch.setattr("recsys_core.trainer.cross_encoder.load_encoder", lambda *_: tiny_encoder(words))
    monkeypatch.setattr("recsys_core.ranker.wishes.encode_more", lambda *_, **__: vectors)
    told = list[str]()
    model = pipeline.train_model(
        shop,
        leave_one_out(shop),
        "cross-encoder",
        make_settings("cross-encoder", changes=["steps=5", "batch_size=4", "max_length=3", "depth=4"]),
        seed=0,
        device=CPU,
        cache=tmp_path,
        progress=lambda share, message: told.append(message.split(" (")[0]),
        on_epoch=lambda epoch: None,
    )
    assert "Learning to read" in told
    assert model.verification is None
    assert model.test.n_users == 40
    table = recommend_for_wish(vectors, shop, "red", 3, CPU, tmp_path, model.ranker)
    assert len(table) == 3
