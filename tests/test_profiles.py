"""People's profiles: each column by hand, and rankers that read them."""

import math

import numpy as np
import pytest
import torch
from hand_made import dataset_of, random_histories, tables

from recsys_core.config import make_settings
from recsys_core.data.dataset import Dataset, Histories, build_dataset
from recsys_core.data.profiles import item_traits, profile_layout
from recsys_core.data.split import histories, leave_one_out
from recsys_core.errors import ConfigError, StoreError
from recsys_core.explain.history import MAX_RELATIVE_DELTA, attribute
from recsys_core.explain.scoring import Question
from recsys_core.ranker.fusion import FusionRanker
from recsys_core.ranker.hybrid import HybridRanker
from recsys_core.ranker.lists import list_requests, recommend, source_of
from recsys_core.ranker.neural import HistoryBatch, NeuralRanker, Prediction
from recsys_core.ranker.profile import ProfileColumns, ProfileRanker, RecencyPools, profiles
from recsys_core.ranker.registry import new_neural_ranker
from recsys_core.ranker.transformer import TransformerRanker
from recsys_core.trainer.drawn_softmax import softmax_over_drawn
from recsys_core.trainer.losses import softmax_over_candidates

pytestmark = pytest.mark.usefixtures("one_thread")

CPU = torch.device("cpu")
DAY = 86_400.0
KINDS: tuple[type[FusionRanker] | type[HybridRanker], ...] = (FusionRanker, HybridRanker)
TEXTS = torch.randn(8, 5, generator=torch.Generator().manual_seed(1)).half()


@pytest.fixture(scope="module")
def shop() -> Dataset:
    """Ann touches a, b and c on three days; bob only a; d and e are new to everybody. b costs most."""
    made = tables(
        [("ann", "a"), ("ann", "b"), ("ann", "c"), ("bob", "a")], times=[0, DAY, 4 * DAY + 43_200, 5]
    )
    interactions = made.interactions.assign(
        dwell_s=[math.e - 1, math.nan, math.e**3 - 1, 1.0], context_device=["phone", "", "desktop", "phone"]
    )
    items = made.items.assign(category=["Crime", "Crime|War", ""], price=["1", "100", "x"])
    users = made.users.assign(region=["East", "West"], age=["", "30"])
    return build_dataset(type(made)(interactions, items, users))


def columns_of(dataset: Dataset, allowed: list[str] | None = None) -> ProfileColumns:
    traits = item_traits(dataset, histories(dataset, leave_one_out(dataset), "valid"))
    return ProfileColumns.of(profile_layout(dataset, traits, allowed or []), traits)


def profile_of(dataset: Dataset, known: Histories, allowed: list[str] | None = None) -> dict[str, float]:
    """The first person's profile, by name of column."""
    columns = columns_of(dataset, allowed)
    return dict(zip(columns.columns.names, profiles(columns, known, 100)[0].tolist(), strict=True))


def test_a_profile_by_hand(shop: Dataset):
    known = histories(shop, leave_one_out(shop), "now").take(np.array([0]))
    found = profile_of(shop, known)
    assert found["activity"] == pytest.approx(math.log(1 + 3) / 5)
    assert found["mean gap"] == pytest.approx((math.log(2) + math.log(1 + 3.5)) / 2 / 5, rel=1e-6)
    assert found["last gap"] == pytest.approx(math.log(1 + 3.5) / 5, rel=1e-6)
    assert found["hour: 0-5"] == pytest.approx(2 / 3)
    assert found["hour: 12-17"] == pytest.approx(1 / 3)
    assert found["dwell"] == pytest.approx((1 + 3) / 2 / 5, rel=1e-6)
    assert found["category: Crime"] == pytest.approx((1 + 0.5 + 0) / 3)
    assert found["category: War"] == pytest.approx(0.5 / 3)
    assert found["device: phone"] == found["device: desktop"] == 0.5


def test_price_and_popularity_are_standardised_over_items(shop: Dataset):
    """Prices: log 2 and log 101, so −1 and 1; "x" is no price. In training only a and bob's a are touched."""
    traits = item_traits(shop, histories(shop, leave_one_out(shop), "valid"))
    table = dict(zip(traits.names, traits.values[1:].T.tolist(), strict=True))
    assert table["price taste"] == pytest.approx([-1, 1, 0])
    assert table["popularity taste"] == pytest.approx([2**0.5, -(0.5**0.5), -(0.5**0.5)])


def test_an_average_item_has_average_traits(shop: Dataset):
    traits = item_traits(shop, histories(shop, leave_one_out(shop), "valid"))
    np.testing.assert_allclose(traits.values[0], traits.values[1:].mean(0))


def test_what_comes_after_training_is_in_no_profile():
    """Two shops that differ in what was held out only have the same profiles and traits in training."""
    first, second = (dataset_of({"ann": f"abcd{last}", "bob": "xyabc"}) for last in ("xy", "yx"))
    found = [
        profiles(columns_of(shop), histories(shop, leave_one_out(shop), "valid"), 100)[0, :4]
        for shop in (first, second)
    ]
    np.testing.assert_array_equal(found[0], found[1])


def test_no_attribute_enters_unasked(shop: Dataset):
    names = columns_of(shop).columns.names
    assert not [name for name in names if "=" in name]


def test_an_allowed_attribute_enters_alone(shop: Dataset):
    known = histories(shop, leave_one_out(shop), "now").take(np.array([0]))
    found = profile_of(shop, known, ["region"])
    assert {name: value for name, value in found.items() if "=" in name} == {
        "region = East": 1,
        "region = West": 0,
    }


def test_an_attribute_that_the_data_lack_is_an_error(shop: Dataset):
    with pytest.raises(ConfigError, match="no attribute 'shoe'; attributes are region, age"):
        columns_of(shop, ["shoe"])


def test_a_profile_of_nobody_is_zeros(shop: Dataset):
    assert not profiles(columns_of(shop, ["region"]), Histories.of([[]]), 100).any()


def test_a_profile_comes_back_as_it_was_kept(shop: Dataset):
    columns = columns_of(shop, ["region"])
    kept = {f"profile.{name}": tensor for name, tensor in columns.state_dict().items()}
    again = ProfileColumns.kept_in(kept)
    assert again is not None and again.columns == columns.columns
    assert ProfileColumns.kept_in({}) is None


def test_a_layout_that_is_none_is_an_error(shop: Dataset):
    damaged = torch.tensor([123, 125], dtype=torch.uint8)
    with pytest.raises(StoreError, match="layout can't be read"):
        ProfileColumns.kept_in({"profile.layout": damaged, "profile.traits": torch.zeros(2, 2)})


def test_pools_are_means_weighted_by_age():
    pools = RecencyPools(2, 4)
    with torch.no_grad():
        pools.log_weights[1] = torch.tensor([0.0, -math.log(2), -math.log(4), 0])
        found = pools(torch.tensor([[[1.0], [2.0], [6.0]]]))[0]
    even, halving = [1, 1.5, 3], [1, (2 + 0.5) / 1.5, (6 + 1 + 0.25) / 1.75]
    np.testing.assert_allclose(found.numpy(), np.stack([even, halving], axis=1), rtol=1e-6)


def ranker_of(
    kind: type[FusionRanker] | type[HybridRanker], dataset: Dataset, allowed: list[str] | None = None
):
    """A ranker with random weights."""
    torch.manual_seed(0)
    texts = TEXTS[: dataset.n_items + 1].clone()
    ranker = kind(dataset.n_items, 6, 10, 0.0, columns_of(dataset, allowed), texts, use_id=True)
    with torch.no_grad():
        for weight in ranker.parameters():
            weight.add_(torch.randn_like(weight) * 0.3)
    return ranker.eval()


@pytest.fixture(scope="module")
def long_shop() -> Dataset:
    return dataset_of({"ann": "abcdef", "bob": "gfedcb", "cy": "acegbd"})


@pytest.mark.parametrize("kind", KINDS)
def test_the_future_cannot_change_past_states(
    kind: type[FusionRanker] | type[HybridRanker], long_shop: Dataset
):
    ranker = ranker_of(kind, long_shop)
    with torch.no_grad():
        states = [
            ranker.hidden(HistoryBatch.of(Histories.of([items]), 10, CPU), ranker.item_vectors())[0, :2]
            for items in ([1, 2, 3, 4], [1, 2, 7])
        ]
    torch.testing.assert_close(states[0], states[1], rtol=0, atol=1e-6)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("method", ["integrated-gradients", "leave-one-out"])
def test_profile_rankers_are_explained(
    kind: type[FusionRanker] | type[HybridRanker], method: str, long_shop: Dataset
):
    ranker = ranker_of(kind, long_shop)
    request = list_requests(long_shop, leave_one_out(long_shop), np.array([0]), "test")[0]
    question = Question(request.history, 7, request.seen, request.context, request.askers)
    if method == "leave-one-out":
        assert np.abs(attribute(ranker, question, "leave-one-out").values).max() > 1e-4
    else:
        assert attribute(ranker, question, "integrated-gradients").relative_delta <= MAX_RELATIVE_DELTA


@pytest.mark.parametrize("kind", KINDS)
def test_someone_without_a_history_is_served_by_the_allowed_attributes(
    kind: type[FusionRanker] | type[HybridRanker],
):
    made = tables(
        [(user, item) for user in ("ann", "bob") for item in "abcd"], times=range(8), users=("eve",)
    )
    users = made.users.assign(region=["East", "East", "West"])  # eve has touched nothing
    dataset = build_dataset(type(made)(made.interactions, made.items, users))
    requests = list_requests(dataset, leave_one_out(dataset), np.arange(3), "valid")
    asks = [request for request in requests if len(request.history) == 0]
    assert len(asks) == 1
    served, blind = ranker_of(kind, dataset, ["region"]), ranker_of(kind, dataset)
    by_profile, by_bias = (recommend(ranker, dataset, asks, 4) for ranker in (served, blind))
    assert set(by_profile["source"]) == {"profile"}
    assert set(by_bias["source"]) == {"popularity"}
    np.testing.assert_array_equal(blind.score(asks[0].known)[0], blind.item_bias.detach().numpy())
    assert np.abs(served.score(asks[0].known)[0] - served.item_bias.detach().numpy()).max() > 1e-3
    assert source_of(served, requests[1]) == "history"


def test_hybrid_scores_by_its_definition(long_shop: Dataset):
    ranker = ranker_of(HybridRanker, long_shop)
    state, bias = torch.randn(2, 12), torch.randn(3)
    vectors = torch.randn(3, 6)
    with torch.no_grad():
        found = ranker.logits(state, vectors, bias)
        own = ranker.own_logits(state, vectors[1:], bias[1:])
    weights = {name: weight.detach().double().numpy() for name, weight in ranker.named_parameters()}
    for person in range(2):
        for item in range(3):
            factors, layer = np.split(state[person].double().numpy(), 2)
            vector = vectors[item].double().numpy()
            hidden = np.maximum(layer + weights["item_layer.weight"] @ vector, 0)
            expected = factors @ vector + hidden @ weights["output"] + float(bias[item])
            assert float(found[person, item]) == pytest.approx(expected, abs=1e-5)
            if person + 1 == item:
                assert float(own[person]) == pytest.approx(expected, abs=1e-5)


def test_hybrid_scores_do_not_depend_on_chunks(long_shop: Dataset, monkeypatch: pytest.MonkeyPatch):
    ranker, known = ranker_of(HybridRanker, long_shop), random_histories(0, 5, 7, 6)
    whole = ranker.score(known)
    monkeypatch.setattr("recsys_core.ranker.hybrid.CHUNK_VALUES", 50)
    np.testing.assert_allclose(ranker.score(known), whole, atol=1e-5)


def asked_of(ranker: NeuralRanker, n: int, n_items: int) -> tuple[Prediction, Histories]:
    generator = torch.Generator().manual_seed(2)
    targets = torch.randint(1, n_items + 1, (n,), generator=generator)
    seen = [[int(target) % n_items + 1, (int(target) + 1) % n_items + 1] for target in targets]
    states = torch.randn(n, ranker.item_vectors().shape[1], generator=generator)
    return Prediction(states, torch.arange(n), torch.ones(n), targets), Histories.of(seen)


def test_all_items_drawn_are_the_softmax_over_all_candidates():
    torch.manual_seed(0)
    ranker = TransformerRanker(20, 8, 1, 2, 6, 0.0)
    ranker.start_at_popularity(torch.arange(21.0))
    asked, seen = asked_of(ranker, 12, 20)
    vectors = ranker.item_vectors()
    drawn = softmax_over_drawn(ranker, asked, vectors, seen, n_drawn=20)
    full = softmax_over_candidates(asked.states, vectors, ranker.item_bias, asked.targets, seen)
    assert float(drawn.detach()) == pytest.approx(float(full.detach()), rel=1e-5)
    for one, other in zip(
        *(torch.autograd.grad(loss, ranker.item_bias) for loss in (drawn, full)), strict=True
    ):
        torch.testing.assert_close(one, other, atol=1e-6, rtol=1e-4)


def test_few_items_drawn_come_near_the_softmax_over_all():
    """The mean over draws is a little below, by Jensen's inequality, and far from the uncorrected log."""
    torch.manual_seed(0)
    ranker = TransformerRanker(400, 8, 1, 2, 6, 0.0)
    asked, seen = asked_of(ranker, 50, 400)
    with torch.no_grad():
        vectors = ranker.item_vectors()
        drawn = [float(softmax_over_drawn(ranker, asked, vectors, seen, 100)) for _ in range(40)]
        full = float(softmax_over_candidates(asked.states, vectors, ranker.item_bias, asked.targets, seen))
    assert np.mean(drawn) == pytest.approx(full, abs=0.05)
    assert np.std(drawn) > 0


def test_settings_name_the_allowed_attributes():
    settings = make_settings("fusion", changes=["attributes=region, age_band"])
    assert getattr(settings, "allowed_attributes") == ["region", "age_band"]  # noqa: B009
    assert getattr(make_settings("hybrid"), "allowed_attributes") == []  # noqa: B009


def test_a_profile_ranker_without_a_profile_is_an_error():
    with pytest.raises(ConfigError, match="no neural ranker takes FusionSettings"):
        new_neural_ranker(make_settings("fusion"), 5, TEXTS)


def test_every_profile_ranker_reads_events():
    assert ProfileRanker.reads_events
