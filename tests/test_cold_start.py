"""Items that nobody has touched, and people of whom nothing has happened."""

import numpy as np
import pytest
import torch
from hand_made import WeightedSum, dataset_of, random_histories, small_transformer

from recsys_core.config import TransformerSettings
from recsys_core.data.dataset import Histories
from recsys_core.data.profiles import ItemTraits, ProfileLayout
from recsys_core.data.split import leave_one_out
from recsys_core.errors import ConfigError
from recsys_core.ranker.cold import add_items, know_untouched_by_content
from recsys_core.ranker.fusion import FusionRanker
from recsys_core.ranker.hybrid import HybridRanker
from recsys_core.ranker.lists import ListRequest, recommend, source_of
from recsys_core.ranker.neural import NeuralRanker
from recsys_core.ranker.popularity import fit_popularity
from recsys_core.ranker.profile import ProfileColumns
from recsys_core.ranker.registry import ranker_of
from recsys_core.ranker.slices import are_cold
from recsys_core.ranker.transformer import TransformerRanker
from recsys_core.trainer.loop import Callbacks, Recipe, train

pytestmark = pytest.mark.usefixtures("one_thread")

CPU = torch.device("cpu")
N_ITEMS = 20  # 1 to 10 are of one kind, 11 to 20 of another
NOTHING = np.zeros(0, dtype=np.int64)
KINDS = ("transformer", "fusion", "hybrid")


def texts_of(kinds: list[int], seed: int) -> torch.Tensor:
    """[len(kinds), 6] texts of one kind are alike, those of two are not."""
    generator = np.random.default_rng(seed)
    centre = np.array([[1, 0, 0, 0, 0, 0], [0, 1, 0, 0, 0, 0]])
    return torch.from_numpy(centre[kinds] + 0.2 * generator.normal(size=(len(kinds), 6))).half()


def new_ranker(kind: str) -> NeuralRanker:
    torch.manual_seed(0)
    texts = texts_of([0, *[0] * 10, *[1] * 10], 0)
    if kind == "transformer":
        return TransformerRanker(N_ITEMS, 8, 1, 2, 8, 0.0, text_vectors=texts)
    traits = ItemTraits(("popularity taste",), np.zeros((N_ITEMS + 1, 1)))
    layout = ProfileLayout(traits.names, (), (), (), has_times=False, has_dwell=False, has_strengths=False)
    made = FusionRanker if kind == "fusion" else HybridRanker
    return made(N_ITEMS, 8, 8, 0.0, ProfileColumns.of(layout, traits), texts, use_id=kind == "hybrid")


@pytest.fixture(scope="module", params=KINDS)
def trained(request: pytest.FixtureRequest) -> NeuralRanker:
    """A ranker that has learned that people stay with one kind of item."""
    generator = np.random.default_rng(0)
    sequences = [generator.permutation(10)[:7] + 1 + 10 * (person % 2) for person in range(200)]
    ranker = new_ranker(request.param)
    recipe = Recipe(8, 8, batch_size=32, learning_rate=0.02, weight_decay=0.01, seed=0)
    rising = iter(range(8))
    callbacks = Callbacks(step=lambda _: None, epoch=lambda _: None)
    train(ranker, Histories.of(sequences), lambda: next(rising), recipe, CPU, callbacks)
    return ranker


def test_a_new_item_whose_text_fits_is_ranked_high_at_once(trained: NeuralRanker):
    """Item 21 is of the first kind, 22 of the second; each goes to those who want its kind."""
    grown = add_items(trained, texts_of([0, 1], 1))
    scores = grown.score(Histories.of([[1, 2, 3], [11, 12, 13]]))
    own, other = slice(4, 11), slice(14, 21)
    assert scores[0, 21] > scores[0, other].max()
    assert scores[0, 21] > scores[0, 22] + 2
    assert scores[1, 22] > scores[1, own].max()
    assert scores[1, 22] > scores[1, 21] + 2


def test_items_that_were_there_are_scored_as_before(trained: NeuralRanker):
    known = random_histories(3, 6, N_ITEMS, 8, shortest=1)
    before = trained.score(known)
    after = add_items(trained, texts_of([0, 1, 1], 1)).score(known)
    assert after.shape == (6, N_ITEMS + 4)
    np.testing.assert_array_equal(after[:, 1 : N_ITEMS + 1], before[:, 1:])
    assert trained.n_items == N_ITEMS


def test_a_second_addition_leaves_the_first_one_as_it_was(trained: NeuralRanker):
    known = random_histories(4, 6, N_ITEMS, 8)
    once = add_items(trained, texts_of([0, 1, 1], 1))
    twice = add_items(once, texts_of([1] * 40, 2))
    before, after = once.score(known), twice.score(known)
    assert after.shape == (6, N_ITEMS + 44)
    np.testing.assert_array_equal(after[:, 1 : N_ITEMS + 4], before[:, 1:])


def test_a_ranker_with_added_items_comes_back_to_the_bit():
    ranker = add_items(new_ranker("transformer"), texts_of([0, 1], 1))
    settings = TransformerSettings(embedding_size=8, n_blocks=1, n_heads=2, max_length=8, dropout=0)
    again = ranker_of(settings, ranker.tensors(), CPU)
    known = random_histories(5, 6, N_ITEMS + 2, 8)
    np.testing.assert_array_equal(again.score(known), ranker.score(known))
    known = random_histories(5, 6, N_ITEMS, 8)
    own = new_ranker("transformer").score(known)
    np.testing.assert_array_equal(again.score(known)[:, 1 : N_ITEMS + 1], own[:, 1:])


def test_no_new_items_are_no_change():
    ranker = new_ranker("transformer").eval()
    same = add_items(ranker, torch.zeros(0, 6))
    np.testing.assert_array_equal(same.score(Histories.of([[1]])), ranker.score(Histories.of([[1]])))


def test_a_ranker_that_reads_no_text_takes_no_new_item():
    with pytest.raises(ConfigError, match="reads no text"):
        add_items(small_transformer(5), torch.zeros(1, 6))


def test_texts_of_another_encoder_are_refused():
    with pytest.raises(ConfigError, match="vectors have 7 numbers, those of this ranker 6"):
        add_items(new_ranker("transformer"), torch.zeros(1, 7))


def test_untouched_items_of_the_catalogue_are_average_and_least_popular():
    ranker = new_ranker("transformer")
    assert ranker.item_vectors.id is not None
    counts = np.array([0.0, *[5, 1, 0], *range(1, 18)])
    ranker.start_at_popularity(torch.from_numpy(counts))
    ids = ranker.item_vectors.id.weight.detach().clone()
    know_untouched_by_content(ranker, counts)
    touched = [item for item in range(1, 21) if item != 3]
    torch.testing.assert_close(ranker.item_vectors.id.weight[3], ids[touched].mean(0))
    torch.testing.assert_close(ranker.item_vectors.id.weight[touched], ids[touched])
    assert float(ranker.item_bias[3].detach()) == float(ranker.item_bias[2].detach())


def test_where_nothing_was_touched_nothing_changes():
    ranker = new_ranker("transformer")
    before = {name: tensor.clone() for name, tensor in ranker.tensors().items()}
    know_untouched_by_content(ranker, np.zeros(21))
    for name, tensor in ranker.tensors().items():
        torch.testing.assert_close(tensor, before[name])


def test_cold_is_whom_fewer_than_five_people_touched():
    """Five people touch a in training, one of them twice touches b, four touch c; nobody touches d then."""
    sequences = {"ann": "abbcxy", **{f"p{number}": "acxy" for number in range(3)}, "bob": "aexd"}
    dataset = dataset_of(sequences)
    items = np.array([dataset.item_number(item_id) for item_id in "abcd"])
    assert are_cold(dataset, leave_one_out(dataset, 0), items).tolist() == [False, True, True, True]


def test_a_list_says_what_it_is_made_from():
    dataset = dataset_of({"ann": "abc", "bob": "cba"})
    requests = [ListRequest(np.array([1]), np.array([1]), "ann"), ListRequest(NOTHING, NOTHING)]
    table = recommend(small_transformer(3), dataset, requests, k=2)
    assert table["source"].tolist() == ["history", "history", "popularity", "popularity"]
    popular = recommend(fit_popularity(Histories.of([[1, 1, 2]]), 3), dataset, requests[:1], k=2)
    assert popular["source"].tolist() == ["popularity"] * 2


def test_sums_over_no_history_are_replaced_by_popularity():
    dataset = dataset_of({"ann": "abc", "bob": "cba"})
    weights = np.array([[0, 0, 0, 0], [0, 0, 1, 2], [0, 1, 0, 2], [0, 1, 2, 0]], dtype=np.float64)
    requests = [ListRequest(NOTHING, NOTHING, "new"), ListRequest(np.array([1]), np.array([1]), "ann")]
    popularity = np.array([0.0, 1, 9, 5])
    table = recommend(WeightedSum(weights), dataset, requests, k=3, popularity=popularity)
    new = table[table["user_id"] == "new"]
    assert new["item_id"].tolist() == ["b", "c", "a"]
    assert new["score"].tolist() == [9, 5, 1]
    assert table.loc[table["user_id"] == "ann", "item_id"].tolist() == ["c", "b"]


def test_a_transformer_needs_no_one_to_tell_it_what_is_popular():
    request = ListRequest(NOTHING, NOTHING)
    assert source_of(small_transformer(3), request) == "popularity"
