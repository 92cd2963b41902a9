"""A cross-encoder reads: its packed rows against pairs read one by one, its scores, and its lists."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from cross_encoder_kit import loaded, untrained
from hand_made import histories_in, random_histories
from ranker_kit import CHECKS, N_ITEMS, Case

from recsys_core.data.dataset import Histories
from recsys_core.explain.history import attribute, default_method
from recsys_core.explain.scoring import Question, item_scores
from recsys_core.ranker.cross_encoder import CAP, CrossEncoderRanker
from recsys_core.ranker.pair_rows import CANDIDATES_A_ROW, ItemTokens, pair_rows
from recsys_core.ranker.top_k import mask_seen, top_k

pytestmark = pytest.mark.usefixtures("one_thread")

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
