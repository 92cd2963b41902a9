"""Every ranker through the kit, then each against a reference of its own."""

import functools
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import pytest
import torch
from hand_made import histories_in, random_histories, shaken, small_transformer
from numpy.typing import NDArray
from ranker_kit import CHECKS, N_ITEMS, SCORED, Case
from safetensors.torch import save_file
from sklearn.linear_model import Ridge
from sklearn.metrics.pairwise import cosine_similarity

from recsys_core.config import (
    SETTINGS,
    Bert4RecSettings,
    LstmSettings,
    Settings,
    TransformerSettings,
    make_settings,
)
from recsys_core.data.dataset import Histories
from recsys_core.data.profiles import ItemTraits, ProfileLayout
from recsys_core.errors import ConfigError, StoreError
from recsys_core.ranker.bert4rec import Bert4RecRanker
from recsys_core.ranker.blocks import BlockName
from recsys_core.ranker.fusion import FusionRanker
from recsys_core.ranker.hybrid import HybridRanker
from recsys_core.ranker.lstm import CellName, RecurrentRanker
from recsys_core.ranker.neighbours import NeighbourRanker, fit_ease, fit_item_knn, fit_transitions
from recsys_core.ranker.neural import HistoryBatch, NeuralRanker
from recsys_core.ranker.popularity import fit_popularity, item_counts
from recsys_core.ranker.profile import ProfileColumns
from recsys_core.ranker.protocol import AdditiveRanker, Ranker
from recsys_core.ranker.transformer import TransformerRanker
from recsys_core.trainer.checkpoints import load_ranker, save_ranker

R = TypeVar("R", bound=NeuralRanker)
FloatArray = NDArray[np.float64]
CPU = torch.device("cpu")
SHAPE: dict[str, Any] = {"embedding_size": 8, "max_length": 12}
TEXTS = np.random.default_rng(3).normal(size=(N_ITEMS + 1, 5)).astype(np.float16)


def started(ranker: R, histories: Histories) -> R:
    """The ranker at the popularity of the histories; to learn is the trainer's part."""
    ranker.start_at_popularity(torch.from_numpy(item_counts(histories, ranker.n_items)))
    return ranker


def transformer(
    histories: Histories, n_items: int, with_text: bool = False, block: BlockName = "sasrec"
) -> TransformerRanker:
    text = TEXTS if with_text else None
    return started(small_transformer(n_items, text_vectors=text, block=block), histories)


def bert4rec(histories: Histories, n_items: int) -> Bert4RecRanker:
    torch.manual_seed(0)
    return started(shaken(Bert4RecRanker(n_items, 8, 2, 2, 12, 0.1, mask_share=0.3)), histories)


def recurrent(histories: Histories, n_items: int, cell: CellName) -> RecurrentRanker:
    torch.manual_seed(0)
    return started(shaken(RecurrentRanker(n_items, 8, 2, 12, 0.1, cell)), histories)


def loaded(settings: Settings) -> Callable[[Path], Ranker]:
    return lambda path: load_ranker(settings, path, CPU)


def loaded_transformer(path: Path, n_blocks: int = 2, n_heads: int = 2, max_length: int = 12) -> Ranker:
    settings = TransformerSettings(
        embedding_size=8, n_blocks=n_blocks, n_heads=n_heads, max_length=max_length
    )
    return load_ranker(settings, path, CPU)


PROFILE_RANKERS: dict[str, type[FusionRanker] | type[HybridRanker]] = {
    "fusion": FusionRanker,
    "hybrid": HybridRanker,
}


def profile_ranker(name: str, histories: Histories, n_items: int) -> FusionRanker | HybridRanker:
    """A ranker of profiles and texts whose weights are all random; to learn is the trainer's part."""
    torch.manual_seed(0)
    traits = ItemTraits(("popularity taste", "category: a"), TEXTS[:, :2].astype(np.float64))
    layout = ProfileLayout(traits.names, (), (), (), has_times=False, has_dwell=False, has_strengths=False)
    profile = ProfileColumns.of(layout, traits)
    ranker = PROFILE_RANKERS[name](n_items, 8, 12, 0.1, profile, torch.from_numpy(TEXTS.copy()), use_id=True)
    with torch.no_grad():
        for weight in ranker.parameters():
            weight.add_(torch.randn_like(weight) * 0.5)
    ranker.start_at_popularity(torch.from_numpy(item_counts(histories, n_items)))
    return ranker.eval()


def loaded_profile_ranker(name: str, path: Path) -> Ranker:
    return load_ranker(
        make_settings(name, changes=["embedding_size=8", "max_length=12", "item_id=true"]), path, CPU
    )


CASES = (
    Case("popularity", fit_popularity, lambda path: load_ranker(SETTINGS["popularity"](), path, CPU)),
    Case(
        "item-knn",
        lambda h, n: fit_item_knn(h, n, 8, 2.0),
        lambda path: load_ranker(SETTINGS["item-knn"](), path, CPU),
    ),
    Case("ease", lambda h, n: fit_ease(h, n, 5.0), lambda path: load_ranker(SETTINGS["ease"](), path, CPU)),
    Case(
        "transitions",
        lambda h, n: fit_transitions(h, n, 5, 0.7),
        lambda path: load_ranker(SETTINGS["transitions"](), path, CPU),
    ),
    Case("transformer", transformer, loaded_transformer, tolerance=1e-5),
    Case("transformer with text", lambda h, n: transformer(h, n, True), loaded_transformer, tolerance=1e-5),
    *(
        Case(
            f"transformer of {block} blocks",
            lambda h, n, block=block: transformer(h, n, block=block),
            loaded(TransformerSettings(**SHAPE, n_blocks=2, n_heads=2, block=block)),
            tolerance=1e-5,
        )
        for block in ("ligr", "hstu")
    ),
    Case(
        "bert4rec",
        bert4rec,
        loaded(Bert4RecSettings(**SHAPE, n_blocks=2, n_heads=2, mask_share=0.3)),
        tolerance=1e-5,
    ),
    *(
        Case(
            f"lstm of {cell} cells",
            lambda h, n, cell=cell: recurrent(h, n, cell),
            loaded(LstmSettings(**SHAPE, n_layers=2, cell=cell)),
            tolerance=1e-5,
        )
        for cell in ("lstm", "gru")
    ),
    *(
        Case(
            name,
            functools.partial(profile_ranker, name),
            functools.partial(loaded_profile_ranker, name),
            tolerance=1e-4,
        )
        for name in PROFILE_RANKERS
    ),
)
SUMS: dict[str, Callable[[Histories, int], AdditiveRanker]] = {
    "popularity": fit_popularity,
    "item-knn": lambda h, n: fit_item_knn(h, n, 8, 2.0),
    "ease": lambda h, n: fit_ease(h, n, 5.0),
    "transitions": lambda h, n: fit_transitions(h, n, 5, 0.7),
}


@pytest.mark.parametrize("check", CHECKS, ids=[check.__name__ for check in CHECKS])
@pytest.mark.parametrize("case", CASES, ids=[case.name for case in CASES])
def test_ranker(case: Case, check: Callable[[Case, Path], None], tmp_path: Path):
    check(case, tmp_path)


def binary(histories: Histories, n_items: int) -> FloatArray:
    """[n, n_items] 1 where a person touched an item."""
    touched = np.zeros((len(histories), n_items))
    for row, history in enumerate(histories_in(histories)):
        touched[row, history - 1] = 1
    return touched


def test_popularity_counts_every_training_interaction():
    ranker = fit_popularity(Histories.of([[1, 2, 2], [], [2]]), n_items=3)
    assert ranker.score(Histories.of([[], [3]])).tolist() == [[0, 1, 3, 0], [0, 1, 3, 0]]


def test_item_knn_by_hand():
    """Item 1 has people {0, 1, 2}, item 2 {0, 1}, item 3 {2}: cosines 2/√6, 1/√3 and 0."""
    ranker = fit_item_knn(Histories.of([[1, 2], [2, 1, 1], [1, 3]]), 3, n_neighbours=5, shrinkage=0.0)
    similar = {(1, 2): 2 / 6**0.5, (1, 3): 1 / 3**0.5, (2, 3): 0.0}
    expected = np.zeros((4, 4))
    for (row, column), value in similar.items():
        expected[row, column] = expected[column, row] = value
    np.testing.assert_allclose(ranker.weights.toarray(), expected, atol=1e-12)


def test_item_knn_shrinkage_is_added_to_the_denominator():
    ranker = fit_item_knn(Histories.of([[1, 2], [2, 1, 1], [1, 3]]), 3, n_neighbours=5, shrinkage=10.0)
    assert ranker.weights[1, 2] == pytest.approx(2 / (6**0.5 + 10))


def test_item_knn_without_shrinkage_is_the_cosine_of_scikit_learn():
    histories = random_histories(seed=4, n=40, n_items=12, longest=8)
    expected = cosine_similarity(binary(histories, 12).T)
    np.fill_diagonal(expected, 0)
    found = fit_item_knn(histories, 12, n_neighbours=12, shrinkage=0.0).weights.toarray()
    np.testing.assert_allclose(found[1:, 1:], expected, atol=1e-12)
    assert not found[0].any()
    assert not found[:, 0].any()


@pytest.mark.parametrize("name", ["item-knn", "ease", "transitions"])
def test_the_score_of_one_item_is_its_column_to_the_last_bit(name: str):
    (case,) = (case for case in CASES if case.name == name)
    known = random_histories(4, 40, N_ITEMS, 9)
    ranker = case.fit(known, N_ITEMS)
    assert isinstance(ranker, NeighbourRanker)
    asked = Histories.joined([known, Histories.of([[], [5, 5, 5], [0, 3, 0], list(range(1, 13))])])
    scores = ranker.score(asked)
    for item in range(1, N_ITEMS + 1):
        assert ranker.score_of(asked, item).tolist() == scores[:, item].tolist()


def test_item_knn_keeps_the_best_neighbours_of_each_item():
    histories = random_histories(seed=4, n=40, n_items=12, longest=8)
    everything = fit_item_knn(histories, 12, n_neighbours=12, shrinkage=1.0).weights.toarray()
    kept = fit_item_knn(histories, 12, n_neighbours=3, shrinkage=1.0).weights.toarray()
    for item in range(1, 13):
        best = np.sort(everything[:, item])[::-1]
        assert np.sort(kept[:, item])[::-1].tolist() == [*best[:3], *[0.0] * 10]


def test_ease_is_a_ridge_regression_of_each_item_on_all_others():
    histories = random_histories(seed=5, n=50, n_items=10, longest=7)
    touched = binary(histories, 10)
    weights = fit_ease(histories, 10, l2=3.0).weights.toarray()[1:, 1:]
    for item in range(10):
        others = np.delete(np.arange(10), item)
        model = Ridge(alpha=3.0, fit_intercept=False).fit(touched[:, others], touched[:, item])
        np.testing.assert_allclose(weights[others, item], model.coef_, atol=1e-9)
        assert weights[item, item] == 0


def test_transitions_by_hand():
    """1 → 2 and 2 → 3 at distance 1, 1 → 3 at 2; 3 → 1 in another history, and nothing across the two."""
    ranker = fit_transitions(Histories.of([[1, 2, 3], [3, 1]]), 3, window=2, decay=0.5)
    expected = np.zeros((4, 4))
    expected[1, 2], expected[1, 3] = 1 / 2**0.5, 0.5 / 2**0.5  # item 1 occurs twice
    expected[2, 3] = 1.0
    expected[3, 1] = 1 / 2**0.5  # and so does item 3
    np.testing.assert_allclose(ranker.weights.toarray(), expected, atol=1e-12)


def test_transitions_weigh_the_last_item_most():
    ranker = fit_transitions(Histories.of([[1, 2, 3], [3, 1]]), 3, window=2, decay=0.5)
    scores = ranker.score(Histories.of([[1, 2], [2, 1], [1, 2, 2]]))[:, 3]
    once = 0.5 / 2**0.5  # W[1, 3]; W[2, 3] is 1
    np.testing.assert_allclose(scores, [1 + 0.5 * once, once + 0.5, 1 + 0.5], rtol=1e-6)


@pytest.mark.parametrize("name", SUMS)
def test_contributions_add_up_to_the_score(name: str):
    ranker = SUMS[name](random_histories(seed=1, n=60, n_items=N_ITEMS, longest=20), N_ITEMS)
    scores = ranker.score(SCORED)
    nothing = ranker.score(Histories.of([[]]))[0]
    for row, history in enumerate(histories_in(SCORED)):
        for item in (1, 17, N_ITEMS):
            added = ranker.contributions(history, item)
            assert added.shape == history.shape
            assert added.sum() == pytest.approx(scores[row, item] - nothing[item], abs=1e-5)


def test_a_longer_history_than_any_in_training_counts_from_its_first_item():
    ranker = fit_item_knn(Histories.of([[1, 2], [3, 4]]), 4, n_neighbours=5, shrinkage=0.0)
    assert ranker.score(Histories.of([[1, 3, 3, 3, 3]]))[0, 2] == pytest.approx(1.0)


def states(ranker: TransformerRanker, history: list[int]) -> FloatArray:
    """[length, d] the state after each item of one history."""
    with torch.no_grad():
        return (
            ranker.hidden(
                HistoryBatch(torch.tensor([history]), torch.tensor([len(history)])), ranker.item_vectors()
            )[0]
            .double()
            .numpy()
        )


def test_the_future_cannot_change_past_states():
    ranker = small_transformer(9)
    before = states(ranker, [1, 2, 3, 4, 5, 6])
    after = states(ranker, [1, 2, 3, 9, 8, 7])
    np.testing.assert_allclose(before[:3], after[:3], rtol=0, atol=1e-6)
    assert (np.abs(before[3:] - after[3:]).max(axis=1) > 0.1).all()


def test_the_past_does_change_later_states():
    ranker = small_transformer(9)
    difference = np.abs(states(ranker, [1, 2, 3, 4]) - states(ranker, [9, 2, 3, 4])).max(axis=1)
    assert (difference > 0.01).all()


def test_padding_behind_changes_no_state():
    ranker = small_transformer(9)
    np.testing.assert_allclose(
        states(ranker, [1, 2, 3, 0, 0])[:3], states(ranker, [1, 2, 3]), rtol=0, atol=1e-5
    )


def test_after_no_history_the_transformer_ranks_by_popularity():
    counts = torch.tensor([0.0, 5.0, 1.0, 9.0, 0.0])
    ranker = TransformerRanker(4, 8, 1, 2, 10, 0.0)
    ranker.start_at_popularity(counts)
    scores = ranker.score(Histories.of([[]]))[0, 1:]
    assert np.argsort(-scores).tolist() == [2, 0, 1, 3]
    assert scores[2] - scores[1] == pytest.approx(np.log(10 / 2), abs=1e-6)


def test_no_item_in_particular_is_the_mean_of_all_items():
    with torch.no_grad():
        vectors = transformer(SCORED, N_ITEMS, with_text=True).item_vectors()
    torch.testing.assert_close(vectors[0], vectors[1:].mean(0))


def test_an_item_known_by_its_text_alone_is_scored_by_it():
    """Two items of one text can't be told apart but by their bias, which is 0 here."""
    torch.manual_seed(0)
    text = torch.from_numpy(TEXTS.copy())
    text[5] = text[4]
    ranker = TransformerRanker(N_ITEMS, 8, 1, 2, 10, 0.0, text_vectors=text, use_id=False)
    scores = ranker.score(Histories.of([[1, 2, 3]]))[0]
    assert scores[4] == pytest.approx(scores[5], abs=1e-6)
    assert abs(scores[4] - scores[6]) > 1e-3


def test_heads_that_do_not_divide_the_embedding_are_an_error():
    with pytest.raises(ConfigError, match=r"embedding_size \(8\) must be divisible by n_heads \(3\)"):
        TransformerRanker(4, 8, 1, 3, 10, 0.0)


def test_an_item_with_neither_id_nor_text_is_an_error():
    with pytest.raises(ConfigError, match="its id or its text"):
        TransformerRanker(4, 8, 1, 2, 10, 0.0, use_id=False)


def test_a_file_that_is_no_safetensors_is_an_error(tmp_path: Path):
    (tmp_path / "weights").write_bytes(b"not weights")
    with pytest.raises(StoreError, match="weights holds no usable weights"):
        load_ranker(SETTINGS["popularity"](), tmp_path / "weights", CPU)


def test_a_missing_file_is_an_error(tmp_path: Path):
    with pytest.raises(StoreError, match="holds no usable weights"):
        loaded_transformer(tmp_path / "nothing")


@pytest.mark.parametrize(("written", "read"), [("popularity", "ease"), ("ease", "popularity")])
def test_weights_of_another_ranker_are_an_error(tmp_path: Path, written: str, read: str):
    save_ranker(SUMS[written](SCORED, N_ITEMS), tmp_path / "weights")
    with pytest.raises(StoreError, match="doesn't hold the ranker that its settings describe"):
        load_ranker(SETTINGS[read](), tmp_path / "weights", CPU)


@pytest.mark.parametrize("name", ["columns", "row_starts"])
@pytest.mark.parametrize("value", [-1, 10_000])
def test_indices_out_of_bounds_are_an_error(tmp_path: Path, name: str, value: int):
    ranker = SUMS["ease"](SCORED, N_ITEMS)
    assert isinstance(ranker, NeighbourRanker)
    tensors = {key: tensor.clone() for key, tensor in ranker.tensors().items()}
    tensors[name][3] = value
    save_file(tensors, tmp_path / "weights")
    with pytest.raises(StoreError, match="doesn't hold the ranker"):
        load_ranker(SETTINGS["ease"](), tmp_path / "weights", CPU)


@pytest.mark.parametrize("shape", [{"n_blocks": 3}, {"n_blocks": 1}, {"max_length": 13}])
def test_a_transformer_of_another_shape_is_an_error(tmp_path: Path, shape: dict[str, int]):
    save_ranker(transformer(SCORED, N_ITEMS), tmp_path / "weights")
    with pytest.raises(StoreError, match="doesn't hold the ranker that its settings describe"):
        loaded_transformer(tmp_path / "weights", **shape)


def test_counts_are_no_transformer(tmp_path: Path):
    save_ranker(fit_popularity(SCORED, N_ITEMS), tmp_path / "weights")
    with pytest.raises(StoreError, match="doesn't hold the ranker"):
        loaded_transformer(tmp_path / "weights")


def test_a_folder_that_is_not_there_cannot_be_written_to(tmp_path: Path):
    with pytest.raises(StoreError, match="could not write weights"):
        save_ranker(fit_popularity(SCORED, N_ITEMS), tmp_path / "nowhere" / "weights")
