"""A cross-encoder: its packed rows against pairs read one by one, its lists, what it learns, and wishes."""

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from hand_made import WeightedSum, dataset_of, histories_in, random_histories
from ranker_kit import CHECKS, N_ITEMS, Case
from safetensors.torch import load_file, save_file
from tiny_bert import tiny_encoder

from recsys_core import pipeline
from recsys_core.config import SETTINGS, CrossEncoderSettings, make_settings
from recsys_core.data.dataset import Histories
from recsys_core.data.split import leave_one_out
from recsys_core.encoder.cache import TextVectors
from recsys_core.errors import CancelledError, ConfigError, DataError, RecsysError, StoreError
from recsys_core.explain.history import attribute, default_method
from recsys_core.explain.scoring import Question, item_scores
from recsys_core.ranker.cross_encoder import CAP, CrossEncoderRanker
from recsys_core.ranker.inner import Inner
from recsys_core.ranker.neighbours import fit_transitions
from recsys_core.ranker.pair_rows import CANDIDATES_A_ROW, ItemTokens, pair_rows
from recsys_core.ranker.popularity import fit_popularity
from recsys_core.ranker.protocol import Ranker
from recsys_core.ranker.top_k import mask_seen, top_k
from recsys_core.ranker.wishes import recommend_for_wish
from recsys_core.trainer.checkpoints import load_ranker, save_ranker
from recsys_core.trainer.cross_encoder import (
    ReadingRecipe,
    best_weight,
    draw_clicks,
    learn_to_read,
    new_cross_encoder,
    train_cross_encoder,
)

CPU = torch.device("cpu")
WORDS = [f"w{number}" for number in range(N_ITEMS + 1)]


@pytest.fixture(autouse=True, scope="module")
def one_thread() -> Iterator[None]:
    """For models this small a second thread only waits."""
    n_threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(n_threads)


def ignore(share: float, message: str) -> None:
    """Nobody follows."""


def untrained(
    histories: Histories, n_items: int, *, depth: int = 6, texts: list[str] | None = None, window: int = 4
) -> CrossEncoderRanker:
    """A cross-encoder over transition counts whose reader has random weights; item i is called "wi"."""
    own = texts or [f"w{number} w{number // 3}" for number in range(1, n_items + 1)]
    words = sorted({word for text in own for word in text.split()})
    steps = Inner(
        "transitions", "transitions", SETTINGS["transitions"](), fit_transitions(histories, n_items, 20, 0.7)
    )
    ranker = new_cross_encoder(
        tiny_encoder(words),
        own,
        torch.zeros(n_items + 1, 2, dtype=torch.float16),
        steps,
        fit_popularity(histories, n_items),
        item_tokens=4,
        depth=depth,
        window=window,
        precision=torch.float32,
    )
    with torch.no_grad():
        ranker.reader.head.weight.copy_(torch.randn(1, 16))
    return ranker.with_weight(0.7)


def loaded(path: Path) -> Ranker:
    return load_ranker(CrossEncoderSettings(depth=6, max_length=4), path, CPU)


KIT_CASE = Case("cross-encoder", untrained, loaded, tolerance=1e-5)


@pytest.mark.parametrize("check", CHECKS, ids=[check.__name__ for check in CHECKS])
def test_cross_encoder(check: Callable[[Case, Path], None], tmp_path: Path):
    check(KIT_CASE, tmp_path)


def read_alone(ranker: CrossEncoderRanker, history: list[int], candidate: int) -> float:
    """The logit of one pair: the history's states without the candidate, then the candidate's over both."""
    encoder, items = ranker.reader.encoder, ranker.texts.items
    head = items.of_history(np.array(history))
    own = np.append(items.texts[candidate], items.stop)
    tokens = torch.from_numpy(np.concatenate([head, own]))[None]
    types = torch.tensor([[0] * len(head) + [1] * len(own)])
    look = torch.ones(len(tokens[0]), len(tokens[0]), dtype=torch.bool)
    look[: len(head), len(head) :] = False
    with torch.no_grad():
        hidden = encoder(
            input_ids=tokens, token_type_ids=types, attention_mask=look[None, None]
        ).last_hidden_state[0]
        raw = float(ranker.reader.head(hidden[len(head) :].mean(0)))
    return CAP * np.tanh(raw / CAP)


def test_candidates_packed_in_rows_are_read_as_if_alone():
    """More candidates than one row holds, histories of different lengths, one of them empty."""
    ranker = untrained(random_histories(1, 30, 40, 9), 40)
    histories = Histories.of([[3, 7, 9], [], [5]])
    head_of_pair = np.repeat([0, 1, 2], [CANDIDATES_A_ROW + 8, 2, 1])
    candidates = np.random.default_rng(0).integers(1, 41, len(head_of_pair))
    logits = ranker.read(ranker.heads(histories), head_of_pair, candidates)
    expected = [
        read_alone(ranker, histories[int(head)].tolist(), int(item))
        for head, item in zip(head_of_pair, candidates, strict=True)
    ]
    np.testing.assert_allclose(logits, expected, atol=1e-5)
    assert np.std(expected) > 0.1


def test_rows_hold_texts_and_positions_as_described():
    tokens = ItemTokens(Histories.of([[], [11, 12], [13]]), start=1, stop=2)
    (rows,) = pair_rows(tokens, [tokens.of_history(np.array([0, 2]))], np.array([0, 0]), np.array([1, 2]))
    used = 3 + 3 + 2
    assert rows.tokens.shape == (1, 32)
    assert rows.tokens[0, :used].tolist() == [1, 13, 2, 11, 12, 2, 13, 2]
    assert rows.segments[0].tolist() == [0] * 3 + [1] * 3 + [2] * 2 + [-1] * (32 - used)
    assert rows.positions[0, :used].tolist() == [0, 1, 2, 3, 4, 5, 3, 4]
    look = rows.may_look()[0, 0]
    assert not look[:3, 3:].any()  # the history looks at no candidate
    assert look[3:6, :6].all()
    assert not look[3:6, 6:].any()  # and candidates not at each other
    assert look.any(dim=1).all()  # a line without any would be NaN


def test_an_item_without_text_can_be_read():
    ranker = untrained(Histories.of([[1, 2, 3]]), 3, texts=["red", "", "blue"])
    assert np.isfinite(ranker.score(Histories.of([[2]]))).all()


def test_what_is_not_read_stays_below_in_the_order_of_the_first_ranker():
    histories = random_histories(2, 40, N_ITEMS, 12, shortest=2)
    ranker = untrained(histories, N_ITEMS)
    first = ranker.first.ranker.score(histories)
    before = top_k(mask_seen(first, histories), N_ITEMS)
    after = top_k(mask_seen(ranker.score(histories), histories), N_ITEMS)
    for own, read in zip(before, after, strict=True):
        assert sorted(read[:6]) == sorted(own[:6])
        assert read[6:].tolist() == own[6:].tolist()
    assert (before[:, :6] != after[:, :6]).any()


def test_scores_are_the_first_rankers_and_the_weighted_logits():
    histories = Histories.of([[4, 5]])
    ranker = untrained(random_histories(2, 40, N_ITEMS, 12, shortest=2), N_ITEMS)
    counts = ranker.first.ranker.score(histories)[0].astype(np.float64)
    share = counts + 0.1 * counts[1:].mean()
    item = int(top_k(mask_seen(ranker.score(histories), histories), 1)[0, 0])
    expected = np.log(share[item] / share[1:].sum()) + 0.7 * read_alone(ranker, [4, 5], item)
    assert ranker.score(histories)[0, item] == pytest.approx(expected, abs=1e-5)


def test_somebody_without_a_history_gets_what_is_popular():
    ranker = untrained(Histories.of([[1, 2], [2, 3], [2, 1], [3, 2], [2]]), 5)
    assert top_k(mask_seen(ranker.score(Histories.of([[]])), Histories.of([[]])), 3)[0].tolist() == [2, 1, 3]


def test_one_items_score_is_that_of_the_whole_list():
    histories = Histories.of([*histories_in(random_histories(3, 30, N_ITEMS, 9)), np.array([0, 4, 0])])
    ranker = untrained(random_histories(2, 40, N_ITEMS, 12), N_ITEMS)
    scores = ranker.score(histories)
    for item in (1, 8, N_ITEMS):
        np.testing.assert_allclose(ranker.score_of(histories, item), scores[:, item], atol=1e-5)


def test_explanations_read_one_pair_a_window(monkeypatch: pytest.MonkeyPatch):
    """Forty items left out one by one change the four that are read in five ways at most."""
    ranker = untrained(random_histories(2, 40, N_ITEMS, 12), N_ITEMS, depth=N_ITEMS)
    n_pairs = list[int]()
    read = ranker.read
    monkeypatch.setattr(ranker, "read", lambda *asked: n_pairs.append(len(asked[2])) or read(*asked))
    history = np.arange(1, 26)
    question = Question(history, 28, history)
    found = attribute(ranker, question, default_method(ranker))
    assert found.method == "leave-one-out"
    assert sum(n_pairs) <= 5
    score = ranker.score(Histories.of([history]))[0, 28]
    assert item_scores(ranker, question, Histories.of([history]))[0] == pytest.approx(score, abs=1e-5)


COLOURS = [
    f"{colour} {thing}" for colour in ("red", "blue") for thing in ("a", "b", "c", "d", "e", "f", "g", "h")
]


def colour_histories(n: int, seed: int) -> Histories:
    """People who like red things (items 1 to 8) or blue ones (9 to 16), in any order."""
    generator = np.random.default_rng(seed)
    return Histories.of([generator.permutation(8)[:5] + 1 + 8 * (person % 2) for person in range(n)])


def coloured(histories: Histories) -> CrossEncoderRanker:
    """Untrained; its first ranker lists everything, in an order that knows no colour."""
    ranker = untrained(histories, 16, depth=16, texts=COLOURS)
    flat = np.tile(np.arange(17.0)[::-1] + 1, (17, 1))
    first = Inner("flat", "transitions", SETTINGS["transitions"](), WeightedSum(flat))
    return CrossEncoderRanker(first, ranker.popularity, ranker.reader, ranker.texts, depth=16, window=4)


RECIPE = ReadingRecipe(200, 16, 4, learning_rate=3e-3, seed=0, precision=torch.float32)


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
