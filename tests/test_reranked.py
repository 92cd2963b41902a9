"""A ranker with re-ranking by group: its lists are those of the re-ranking, and it is kept like any other."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from hand_made import WeightedSum, random_histories, tables
from ranker_kit import CHECKS, LEARNED_FROM, N_ITEMS, Case

from recsys_core.config import RerankedSettings, make_settings
from recsys_core.data.dataset import Dataset, Histories, build_dataset
from recsys_core.data.events import Askers
from recsys_core.errors import ConfigError, StoreError
from recsys_core.fairness.groups import group_labels
from recsys_core.ranker.inner import Inner
from recsys_core.ranker.neighbours import fit_item_knn
from recsys_core.ranker.policy import Policy, policy_of_groups
from recsys_core.ranker.rerank import NO_SETS, ItemFacts, ItemSets, Reranker, category_shares, parse_reranking
from recsys_core.ranker.reranked import RerankedRanker, load_reranked
from recsys_core.ranker.top_k import mask_seen, top_k
from recsys_core.trainer.checkpoints import load_ranker, save_ranker

SETTINGS = RerankedSettings(model="m", by="region", rules="East: mmr:0.5")
CPU = torch.device("cpu")
SPECS = (
    "mmr:0.5",
    "popularity:0.7",
    "calibration:0.8",
    "cap:2",
    "share:0.5@maker=small",
    "exposure:0.5@maker=small",
)
LENGTH = 6


def facts_of(n_items: int, seed: int = 0) -> ItemFacts:
    rng = np.random.default_rng(seed)
    vectors = rng.normal(0, 1, (n_items + 1, 5))
    pairs = [("u", f"i{item}") for item in range(n_items)]
    made = tables(pairs)
    made.items["category"] = rng.choice(["x", "y", "x|z", ""], n_items)
    unit = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    popularity = rng.integers(0, 50, n_items + 1).astype(np.float64)
    sets = ItemSets(("maker=small",), rng.random((1, n_items + 1)) < 0.3)
    return ItemFacts(unit, category_shares(build_dataset(made)), popularity, sets)


def asked_by(known: Histories, codes: list[list[int]]) -> Histories:
    attributes = np.array(codes, dtype=np.int64)
    return Histories(known.items, known.offsets, None, Askers(attributes, np.full(len(known), np.nan)))


def reranked(policy: Policy, ties: bool = False) -> RerankedRanker:
    if ties:
        inner: object = WeightedSum(np.zeros((N_ITEMS + 1, N_ITEMS + 1)))
    else:
        inner = fit_item_knn(LEARNED_FROM, N_ITEMS, 10, 1.0)
    return RerankedRanker(
        Inner("m", "item-knn", make_settings("item-knn"), inner),  # type: ignore[arg-type]
        policy,
        facts_of(N_ITEMS),
    )


@pytest.mark.parametrize("spec", SPECS)
@pytest.mark.parametrize("ties", [False, True])
def test_the_list_is_that_of_the_reranking(spec: str, ties: bool):
    """With ties too, where the order of equal scores would else be that of item numbers."""
    ranker = reranked(Policy((0,), ((1,),), (spec,), LENGTH), ties)
    known = asked_by(random_histories(3, 12, N_ITEMS, 8, 1), [[1]] * 12)
    base = ranker.inner.ranker.score(known)
    lists = top_k(mask_seen(ranker.score(known), known), LENGTH)
    tool = Reranker(parse_reranking(spec), ranker.facts)
    pools = top_k(mask_seen(base.copy(), known), tool.pool_size(LENGTH))
    for row in range(12):
        pool = pools[row][pools[row] > 0]
        first = tool.first(pool, base[row, pool].astype(np.float64), known[row], LENGTH)
        assert lists[row, : len(first)].tolist() == pool[first].tolist()


def test_scores_are_dealt_out_anew_and_hardly_changed():
    ranker = reranked(Policy((0,), ((1,),), ("popularity:0.7",), LENGTH))
    known = asked_by(random_histories(4, 8, N_ITEMS, 8, 1), [[1]] * 8)
    before = mask_seen(ranker.inner.ranker.score(known), known)
    after = mask_seen(ranker.score(known), known)
    assert np.sort(after, axis=1) == pytest.approx(np.sort(before, axis=1), abs=1e-5)
    assert (after != before).any()


def test_only_people_of_the_named_groups_get_another_list():
    policy = Policy((0,), ((1,), (2,)), ("popularity:0.9", ""), LENGTH)
    ranker = reranked(policy)
    known = asked_by(random_histories(5, 4, N_ITEMS, 8, 2), [[1], [2], [0], [7]])
    same = (ranker.score(known) == ranker.inner.ranker.score(known)).all(axis=1)
    assert same.tolist() == [False, True, True, True]
    assert (ranker.score(known.bare()) == ranker.inner.ranker.score(known)).all()


def test_a_history_of_everything_has_no_list_to_rerank():
    ranker = reranked(Policy((0,), ((1,),), ("mmr:0.5",), LENGTH))
    known = asked_by(Histories.of([list(range(1, N_ITEMS + 1))]), [[1]])
    assert (ranker.score(known) == ranker.inner.ranker.score(known)).all()


def test_it_is_kept_and_read_back_to_the_same_scores(tmp_path: Path):
    ranker = reranked(Policy((0,), ((1,), (2,)), ("calibration:0.8", "mmr:0.5"), LENGTH))
    save_ranker(ranker, tmp_path / "weights.safetensors")
    again = load_ranker(SETTINGS, tmp_path / "weights.safetensors", CPU)
    known = asked_by(random_histories(6, 20, N_ITEMS, 8), [[1 + number % 2] for number in range(20)])
    assert (again.score(known) == ranker.score(known)).all()
    assert (again.n_items, again.score_kind) == (ranker.n_items, ranker.score_kind)


@pytest.fixture
def dataset() -> Dataset:
    made = tables([(f"u{user}", f"i{item}") for user in range(40) for item in range(3)])
    made.users["region"] = (["East", "West", "North", ""] * 10)[:40]
    made.users["age"] = [str(20 + number) for number in range(40)]
    return build_dataset(made)


def test_a_policy_of_groups_is_told_by_attributes(dataset: Dataset):
    labels = group_labels(dataset.users, "region")
    policy = policy_of_groups(dataset, ["region"], labels, {"East": "mmr:0.3"}, LENGTH)
    asked = Histories(np.zeros(0, dtype=np.int64), np.zeros(41, dtype=np.int64), None, None)
    assert policy.of_people(asked) == [""] * 40
    asked = asked_by(asked, dataset.attribute_codes.tolist())
    expected = ["mmr:0.3" if region == "East" else "" for region in dataset.users["region"]]
    assert policy.of_people(asked) == expected
    assert policy.distinct == ("mmr:0.3",)


def test_binned_numbers_make_groups_of_several_codes(dataset: Dataset):
    labels = group_labels(dataset.users, "age")
    policy = policy_of_groups(dataset, ["age"], labels, {"18–24": "mmr:0.3"}, LENGTH)
    asked = asked_by(Histories.of([[1]] * 40), dataset.attribute_codes.tolist())
    assert policy.of_people(asked).count("mmr:0.3") == 5


def test_a_policy_is_kept_as_json():
    policy = Policy((1, 0), ((1, 2), (0, 1)), ("mmr:0.3", ""), 7)
    assert Policy.from_json(policy.to_json()) == policy
    for broken in ("", "[]", '{"columns": [0], "codes": [[1]], "specs": ["tea:1"], "length": 3}'):
        with pytest.raises(StoreError, match="re-ranking by group can't be read"):
            Policy.from_json(broken)


def test_protected_groups_are_kept_too_and_older_files_have_none(tmp_path: Path):
    ranker = reranked(Policy((0,), ((1,),), ("share:0.5@maker=small",), LENGTH))
    save_ranker(ranker, tmp_path / "weights.safetensors")
    again = load_ranker(SETTINGS, tmp_path / "weights.safetensors", CPU)
    known = asked_by(random_histories(6, 20, N_ITEMS, 8), [[1]] * 20)
    assert (again.score(known) == ranker.score(known)).all()
    assert (again.score(known) != ranker.inner.ranker.score(known)).any()
    older = {name: own for name, own in ranker.tensors().items() if not name.startswith("facts.protected")}
    assert load_reranked(older, ranker.inner).facts.protected is NO_SETS


def test_nobody_trains_it_by_name():
    with pytest.raises(ConfigError, match="there is no ranker 'reranked'"):
        make_settings("reranked")


def everybody(spec: str) -> Policy:
    return Policy((), ((),), (spec,), LENGTH)


@pytest.mark.parametrize("check", CHECKS, ids=[check.__name__ for check in CHECKS])
@pytest.mark.parametrize("spec", ["mmr:0.5", "calibration:0.8"])
def test_reranked(spec: str, check: Callable[[Case, Path], None], tmp_path: Path):
    def fit(histories: Histories, n_items: int) -> RerankedRanker:
        inner = fit_item_knn(histories, n_items, 10, 1.0)
        return RerankedRanker(
            Inner("m", "item-knn", make_settings("item-knn"), inner), everybody(spec), facts_of(n_items)
        )

    check(Case("reranked", fit, lambda path: load_ranker(SETTINGS, path, CPU)), tmp_path)
