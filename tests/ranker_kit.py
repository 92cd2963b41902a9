"""What every ranker must do, as checks that any ranker can be put through: add a `Case`, pass them all."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from hand_made import histories_in, random_histories

from recsys_core.data.dataset import Histories
from recsys_core.files import sha256_of
from recsys_core.ranker.protocol import Ranker
from recsys_core.ranker.top_k import mask_seen, top_k
from recsys_core.trainer.checkpoints import save_ranker

N_ITEMS = 30
LEARNED_FROM = random_histories(seed=1, n=60, n_items=N_ITEMS, longest=20)
SCORED = random_histories(seed=2, n=25, n_items=N_ITEMS, longest=40)


@dataclass(frozen=True, slots=True)
class Case:
    """How one kind of ranker is made and read back.

    Attributes:
        name: of the kind.
        fit: from training histories and the number of items.
        load: from the file that `save_ranker` wrote.
        tolerance: how far a score may move with the company in which it is computed; 0 = not a bit.
    """

    name: str
    fit: Callable[[Histories, int], Ranker]
    load: Callable[[Path], Ranker]
    tolerance: float = 0.0


def has_one_row_a_history_and_one_column_an_item(case: Case, _: Path) -> None:
    scores = case.fit(LEARNED_FROM, N_ITEMS).score(SCORED)
    assert scores.shape == (len(SCORED), N_ITEMS + 1)
    assert scores.dtype == np.float32
    assert np.isfinite(scores[:, 1:]).all()


def knows_how_many_items_it_can_score(case: Case, _: Path) -> None:
    assert case.fit(LEARNED_FROM, N_ITEMS).n_items == N_ITEMS


def gives_the_same_bits_each_time(case: Case, _: Path) -> None:
    ranker = case.fit(LEARNED_FROM, N_ITEMS)
    assert np.array_equal(ranker.score(SCORED), ranker.score(SCORED))


def learns_the_same_bits_each_time(case: Case, _: Path) -> None:
    first, second = (case.fit(LEARNED_FROM, N_ITEMS).score(SCORED) for _ in range(2))
    assert np.array_equal(first, second)


def scores_the_same_bits_once_saved_and_loaded(case: Case, folder: Path) -> None:
    ranker = case.fit(LEARNED_FROM, N_ITEMS)
    save_ranker(ranker, folder / "weights.safetensors")
    loaded = case.load(folder / "weights.safetensors")
    assert np.array_equal(loaded.score(SCORED), ranker.score(SCORED))
    for what in ("n_items", "max_length", "score_kind"):
        assert getattr(loaded, what) == getattr(ranker, what)


def is_kept_in_the_same_file_each_time(case: Case, folder: Path) -> None:
    for name in ("first", "second"):
        save_ranker(case.fit(LEARNED_FROM, N_ITEMS), folder / name)
    assert sha256_of(folder / "first") == sha256_of(folder / "second")


def is_not_changed_by_the_company_in_a_batch(case: Case, _: Path) -> None:
    """Others in the batch bring padding with them, and another order of rows."""
    ranker = case.fit(LEARNED_FROM, N_ITEMS)
    together = ranker.score(SCORED)
    alone = np.concatenate([ranker.score(Histories.of([history])) for history in histories_in(SCORED)])
    np.testing.assert_allclose(alone, together, rtol=0, atol=case.tolerance)
    backwards = ranker.score(SCORED.take(np.arange(len(SCORED))[::-1]))[::-1]
    np.testing.assert_allclose(backwards, together, rtol=0, atol=case.tolerance)


def does_not_look_beyond_its_length(case: Case, _: Path) -> None:
    ranker = case.fit(LEARNED_FROM, N_ITEMS)
    windows = [history[max(0, len(history) - ranker.max_length) :] for history in histories_in(SCORED)]
    np.testing.assert_allclose(
        ranker.score(SCORED), ranker.score(Histories.of(windows)), rtol=0, atol=case.tolerance
    )


def scores_an_empty_history(case: Case, _: Path) -> None:
    ranker = case.fit(LEARNED_FROM, N_ITEMS)
    alone = ranker.score(Histories.of([[]]))
    assert alone.shape == (1, N_ITEMS + 1)
    assert np.isfinite(alone).all()
    beside = ranker.score(Histories.of([[1, 2, 3], [], [4]]))[1]
    np.testing.assert_allclose(beside, alone[0], rtol=0, atol=case.tolerance)


def scores_nobody(case: Case, _: Path) -> None:
    assert case.fit(LEARNED_FROM, N_ITEMS).score(Histories.of([])).shape == (0, N_ITEMS + 1)


def learns_from_people_without_history_and_items_without_people(case: Case, _: Path) -> None:
    ranker = case.fit(Histories.of([[], [1, 2], [], [2, 1, 3]]), N_ITEMS)
    assert np.isfinite(ranker.score(SCORED)[:, 1:]).all()


def leaves_seen_items_and_the_padding_off_the_list(case: Case, _: Path) -> None:
    lists = top_k(mask_seen(case.fit(LEARNED_FROM, N_ITEMS).score(SCORED), SCORED), N_ITEMS)
    for history, items in zip(histories_in(SCORED), lists, strict=True):
        candidates = set(range(1, N_ITEMS + 1)) - set(history.tolist())
        listed = items[items > 0].tolist()
        assert sorted(listed) == sorted(candidates)


def takes_no_item_in_particular_for_an_item(case: Case, _: Path) -> None:
    """Explanations put number 0 where an item of the history was."""
    assert np.isfinite(case.fit(LEARNED_FROM, N_ITEMS).score(Histories.of([[0, 3, 0], [0]]))).all()


def leaves_the_histories_as_they_are(case: Case, _: Path) -> None:
    learned_from, scored = Histories.of(histories_in(LEARNED_FROM)), Histories.of(histories_in(SCORED))
    case.fit(learned_from, N_ITEMS).score(scored)
    assert np.array_equal(learned_from.items, LEARNED_FROM.items)
    assert np.array_equal(scored.items, SCORED.items)


CHECKS: tuple[Callable[[Case, Path], None], ...] = (
    has_one_row_a_history_and_one_column_an_item,
    knows_how_many_items_it_can_score,
    gives_the_same_bits_each_time,
    learns_the_same_bits_each_time,
    scores_the_same_bits_once_saved_and_loaded,
    is_kept_in_the_same_file_each_time,
    is_not_changed_by_the_company_in_a_batch,
    does_not_look_beyond_its_length,
    scores_an_empty_history,
    scores_nobody,
    learns_from_people_without_history_and_items_without_people,
    leaves_seen_items_and_the_padding_off_the_list,
    takes_no_item_in_particular_for_an_item,
    leaves_the_histories_as_they_are,
)
