"""What is known of events beside their items: read, merged, carried along, removed, learned from."""

import math
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch
from hand_made import tables
from numpy.typing import NDArray

from recsys_core.data.dataset import Dataset, Histories, build_dataset
from recsys_core.data.events import EventContext, read_event_columns
from recsys_core.data.split import histories, leave_one_out
from recsys_core.explain.attributions import MAX_RELATIVE_DELTA
from recsys_core.explain.history import attribute
from recsys_core.explain.scoring import Question, removed
from recsys_core.ranker.events import EventKinds, buckets, gaps_before
from recsys_core.ranker.lists import ListRequest, list_requests, rank_of, without
from recsys_core.ranker.neural import HistoryBatch
from recsys_core.ranker.transformer import TransformerRanker
from recsys_core.trainer.loop import Callbacks, Recipe, train
from recsys_core.trainer.windows import batches, cut_windows

pytestmark = pytest.mark.usefixtures("one_thread")

CPU = torch.device("cpu")
NAN = math.nan
EVERYTHING = EventKinds(n_types=3, strength=True, time=True)


def events_of(**columns: list[str] | list[float]) -> pd.DataFrame:
    return pd.DataFrame(columns)


def context(
    types: list[int], strengths: list[float] | None = None, times: list[float] | None = None
) -> EventContext:
    """The context of events of one person, with one context column that is the type again."""
    nothing = [NAN] * len(types)
    codes = np.array(types, dtype=np.int64)
    numbers = [np.array(values or nothing) for values in (strengths, times, None)]
    return EventContext(codes, *numbers, codes[:, None], 0 * codes)


def sequence(items: list[int], types: list[int], times: list[float] | None = None) -> Histories:
    return Histories(np.array(items), np.array([0, len(items)]), context(types, times=times))


@pytest.fixture
def shop() -> Dataset:
    """Ann looks at a, takes it into the cart and looks again, then at b, c and d; c is her validation item.

    She has bought c by the time that she comes to d, her test item.
    """
    made = tables([("ann", item) for item in "aaabccd"], times=[10, 20, 30, 100, 200, 210, 300])
    interactions = made.interactions.assign(
        event=["view", "cart", "view", "view", "view", "purchase", "view"],
        dwell_s=[5.0, NAN, 9.0, 2.0, 3.0, 4.0, 1.0],
        context_device=["phone", "phone", "", "desktop", "phone", "phone", "phone"],
    )
    users = made.users.assign(region=["East"])
    return build_dataset(type(made)(interactions, made.items, users))


def test_types_are_numbered_from_the_weakest():
    columns = read_event_columns(
        events_of(event=["buy", "view", "Click", "view", "", "fling", "poke", "poke"])
    )
    assert columns.types.values == ("poke", "fling", "view", "Click", "buy")
    assert columns.context is not None
    assert columns.context.types.tolist() == [5, 3, 4, 3, 0, 2, 1, 1]


def test_a_rating_is_the_strength_before_a_dwell_time():
    columns = read_event_columns(events_of(rating=[4.0, NAN], dwell_s=[30.0, 60.0]))
    assert columns.context is not None
    assert columns.strength == "rating"
    np.testing.assert_array_equal(columns.context.strengths, [4, NAN])
    assert columns.context.dwell_s.tolist() == [30, 60]


def test_ids_alone_have_no_context():
    columns = read_event_columns(events_of(user_id=["a"], item_id=["b"], event=[""], rating=[NAN]))
    assert (columns.context, columns.strength, columns.types.values) == (None, "", ())


def test_a_run_of_events_is_of_its_strongest_type_and_largest_strength():
    run = context([1, 3, 2, 0, 1], [5, NAN, 9, NAN, NAN], [10, 20, 30, 40, 50]).merged(np.array([0, 3, 4]))
    assert run.types.tolist() == [3, 0, 1]
    np.testing.assert_array_equal(run.strengths, [9, NAN, NAN])
    assert run.timestamps_s.tolist() == [10, 40, 50]
    assert run.contexts.tolist() == [[1], [0], [1]]


def test_a_run_says_what_was_written_last_whatever_its_number():
    """Texts are numbered as a file tells them, which may be from the newest to the oldest."""
    texts = np.array([9, 0, 0, 5, 2, 0, 0, 3])  # runs: 9 · none · 5, 2 · none, 3
    written = replace(context([1] * 8), texts=texts)
    assert written.merged(np.array([0, 1, 3, 6])).texts.tolist() == [9, 0, 2, 3]


def test_in_a_file_from_the_newest_to_the_oldest_the_newest_text_of_a_run_is_its_last():
    made = tables([("ann", "a"), ("ann", "a"), ("ann", "b")], times=[30, 20, 10])
    dataset = build_dataset(
        replace(made, interactions=made.interactions.assign(review_text=["great", "meh", ""]))
    )
    known = histories(dataset, leave_one_out(dataset), "now")
    assert known.context is not None
    assert [("", *dataset.written)[number] for number in known.context.texts] == ["", "great"]


def test_no_events_are_no_runs():
    assert context([]).merged(np.zeros(0, dtype=np.int64)).types.tolist() == []


def test_a_history_knows_the_whole_run_of_each_touch(shop: Dataset):
    split = leave_one_out(shop)
    known = histories(shop, split, "test")
    assert known.items.tolist() == [1, 2, 3]
    assert known.context is not None
    kinds = [shop.event_types.values[code - 1] for code in known.context.types]
    assert kinds == ["cart", "view", "purchase"]
    assert known.context.strengths.tolist() == [9, 2, 4]
    assert known.context.timestamps_s.tolist() == [10, 100, 200]


def test_the_time_of_the_request_is_that_of_the_target(shop: Dataset):
    split = leave_one_out(shop)
    times = [histories(shop, split, moment).askers for moment in ("valid", "test", "now")]
    np.testing.assert_array_equal([asked.time_s[0] for asked in times if asked], [200, 300, NAN])


def test_attributes_go_with_their_person():
    made = tables([("ann", "a"), ("bob", "b"), ("cy", "c")], times=[1, 2, 3])
    users = made.users.assign(region=["West", "East", "East"])
    dataset = build_dataset(type(made)(made.interactions, made.items, users))
    known = histories(dataset, leave_one_out(dataset), "now").take(np.array([2, 0]))
    assert dataset.attributes[0].values == ("East", "West")
    assert known.askers is not None
    assert known.askers.attributes.tolist() == [[1], [2]]


def test_taken_and_padded_histories_keep_events_beside_their_items():
    known = Histories(np.array([7, 8, 9, 7]), np.array([0, 3, 4]), context([1, 2, 3, 1]))
    padded = known.take(np.array([1, 0])).padded_context(2)
    assert padded is not None
    assert padded.types.tolist() == [[1, 0], [2, 3]]
    np.testing.assert_array_equal(padded.timestamps_s, [[NAN, NAN], [NAN, NAN]])
    assert padded.contexts[..., 0].tolist() == [[1, 0], [2, 3]]


def test_joined_histories_know_of_each_what_it_knew():
    joined = Histories.joined([Histories.of([[5]]), sequence([6, 7], [1, 2]), Histories.of([[]])])
    assert joined.items.tolist() == [5, 6, 7]
    assert joined.offsets.tolist() == [0, 1, 3, 3]
    assert joined.context is not None
    assert joined.context.types.tolist() == [0, 1, 2]


def test_windows_and_batches_keep_events_beside_their_items():
    known = sequence([1, 2, 3, 4, 5], [1, 2, 3, 1, 2], [0, 10, 30, 60, 100])
    batch = next(batches(cut_windows(known, 8), 1, np.random.default_rng(0)))
    assert batch.context is not None and batch.request_s is not None
    assert batch.history[0].tolist() == [1, 2, 3, 4]
    assert batch.context.types[0].tolist() == [1, 2, 3, 1]
    assert batch.request_s[0].tolist() == [10, 30, 60, 100]  # when each target came
    assert batch.parts(1)[0].context is not None


def test_what_is_known_of_an_event_goes_with_its_item():
    gone = np.array([[False, False, False], [True, False, False], [False, True, True]])
    closed, held = (removed(sequence([7, 8, 9], [1, 2, 3]), gone, in_place) for in_place in (False, True))
    assert closed.context is not None and held.context is not None
    assert [
        closed.context.types[a:b].tolist() for a, b in zip(closed.offsets, closed.offsets[1:], strict=False)
    ] == [
        [1, 2, 3],
        [2, 3],
        [1],
    ]
    assert held.items.tolist() == [7, 8, 9, 0, 8, 9, 7, 0, 0]
    assert held.context.types.tolist() == [1, 2, 3, 0, 2, 3, 1, 0, 0]


def test_a_list_without_an_item_is_made_without_its_event(shop: Dataset):
    request = list_requests(shop, leave_one_out(shop), np.array([0]), "test")[0]
    assert request.context is not None
    left = without(request, [1])
    assert left.context is not None
    assert left.history.tolist() == [2, 3]
    assert left.context.timestamps_s.tolist() == [100, 200]
    assert left.askers is request.askers


def test_buckets_by_hand():
    """Four a doubling of 1 + value: 0 → 1, 1 → 5, 3 → 9; two a doubling: a day (86,401 = 2^16.4) → 33."""
    values = torch.tensor([NAN, -5, 0, 1, 3, 1e300], dtype=torch.float64)
    assert buckets(values, 4.0).tolist() == [0, 1, 1, 5, 9, 63]
    assert buckets(torch.tensor([86_400.0]), 2.0).tolist() == [33]


def test_the_first_event_has_no_gap():
    times = torch.tensor([[0.0, 5.0, 20.0, NAN]])
    np.testing.assert_array_equal(gaps_before(times), [[NAN, 5, 15, NAN]])


def ranker_of_events(kinds: EventKinds = EVERYTHING, spread: float = 0.5) -> TransformerRanker:
    """A transformer that reads events, with random weights; the unknown stays 0, as training leaves it."""
    torch.manual_seed(0)
    ranker = TransformerRanker(9, 8, 1, 2, max_length=6, dropout=0.0, events=kinds)
    with torch.no_grad():
        for weight in ranker.parameters():
            weight.add_(torch.randn_like(weight) * spread)
        assert ranker.event_vectors is not None
        for table in ranker.event_vectors.children():
            assert isinstance(table, torch.nn.Embedding)
            table.weight[0] = 0
    return ranker.eval()


def score(ranker: TransformerRanker, known: Histories) -> NDArray[np.float32]:
    return ranker.score(known)[0]


def test_the_type_and_the_time_of_an_event_change_scores():
    ranker = ranker_of_events()
    before = score(ranker, sequence([1, 2, 3], [1, 1, 1], [0, 10, 20]))
    for other in (
        sequence([1, 2, 3], [1, 3, 1], [0, 10, 20]),
        sequence([1, 2, 3], [1, 1, 1], [0, 10, 9_000]),
    ):
        assert np.abs(score(ranker, other) - before).max() > 0.01


def test_events_of_which_nothing_is_known_are_read_as_items_alone():
    ranker = ranker_of_events()
    unknown = Histories(np.array([1, 2]), np.array([0, 2]), EventContext.unknown((2,), 1))
    np.testing.assert_array_equal(score(ranker, unknown), score(ranker, Histories.of([[1, 2]])))


def test_untrained_features_change_no_score():
    torch.manual_seed(0)
    plain = TransformerRanker(9, 8, 1, 2, 6, 0.0).eval()
    torch.manual_seed(0)
    reading = TransformerRanker(9, 8, 1, 2, 6, 0.0, events=EVERYTHING).eval()
    known = sequence([1, 2, 3], [1, 3, 2], [0, 10, 20])
    np.testing.assert_array_equal(score(reading, known), score(plain, known))


def asked_at(known: Histories, time_s: float) -> Histories:
    from recsys_core.data.events import Askers

    askers = Askers(np.zeros((1, 0), dtype=np.int64), np.array([time_s]))
    return Histories(known.items, known.offsets, known.context, askers)


def test_the_time_of_the_request_counts_only_where_it_is_asked_for():
    known = sequence([1, 2, 3], [1, 1, 1], [0, 10, 20])
    soon, late = asked_at(known, 25), asked_at(known, 1e6)
    blind, told = ranker_of_events(), ranker_of_events(EventKinds(time=True, request_time=True))
    np.testing.assert_array_equal(score(blind, soon), score(blind, late))
    assert np.abs(score(told, soon) - score(told, late)).max() > 0.01


def test_later_events_cannot_change_past_states():
    ranker = ranker_of_events()
    states = list[NDArray[np.float64]]()
    for types, times in (([1, 2, 3, 1], [0.0, 10, 20, 30]), ([1, 2, 1, 3], [0.0, 10, 900, 5e6])):
        with torch.no_grad():
            batch = HistoryBatch.of(sequence([1, 2, 3, 4], types, times), 6, CPU)
            states.append(ranker.hidden(batch, ranker.item_vectors())[0].double().numpy())
    np.testing.assert_allclose(states[0][:2], states[1][:2], rtol=0, atol=1e-6)


def test_integrated_gradients_add_up_where_events_are_read():
    ranker = ranker_of_events(spread=0.3)
    known = sequence([1, 2, 3, 4], [1, 3, 2, 1], [0, 10, 500, 9_000])
    question = Question(known.items, 7, known.items, known.context)
    found = attribute(ranker, question, "integrated-gradients")
    assert found.relative_delta <= MAX_RELATIVE_DELTA
    assert rank_of(ranker, ListRequest(known.items, known.items, context=known.context), 7) >= 1


def test_leave_one_out_takes_the_event_with_the_item():
    ranker = ranker_of_events()
    known = sequence([1, 2, 3], [1, 3, 2], [0, 10, 500])
    found = attribute(ranker, Question(known.items, 7, known.items, known.context), "leave-one-out")

    def log_probability(left: Histories) -> float:
        logits = score(ranker, left).astype(np.float64)[[4, 5, 6, 7, 8, 9]]
        return float(logits[3] - np.log(np.exp(logits).sum()))

    fall = log_probability(known) - log_probability(sequence([1, 3], [1, 2], [0, 500]))
    assert found.values[1] == pytest.approx(fall, abs=1e-5)


def test_a_planted_type_decides_what_comes_next():
    """After item 1 comes item 2 if it was of type 1, item 3 if it was of type 2; ids alone can't tell."""
    generator = np.random.default_rng(0)
    types = generator.integers(1, 3, 200)
    items = np.array([[4 + n % 4, 1, 1 + kind] for n, kind in enumerate(types)])
    codes = np.array([[1, kind, 1] for kind in types])
    known = Histories(items.ravel(), np.arange(0, 601, 3), context(codes.ravel().tolist()))
    torch.manual_seed(0)
    ranker = TransformerRanker(7, 8, 1, 2, max_length=4, dropout=0.0, events=EventKinds(n_types=2))
    recipe = Recipe(8, 8, batch_size=32, learning_rate=0.02, weight_decay=0.0, seed=0)
    rising = iter(range(8))
    callbacks = Callbacks(step=lambda _: None, epoch=lambda _: None)
    train(ranker, known, lambda: next(rising), recipe, CPU, callbacks)
    first, second = (score(ranker, sequence([5, 1], [1, kind])) for kind in (1, 2))
    assert first[2] - first[3] > 2
    assert second[3] - second[2] > 2
