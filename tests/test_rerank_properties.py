"""What every re-ranking keeps to in random worlds: whole lists, no chance, order among those alike."""

from itertools import product

import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import given, settings
from hypothesis import strategies as st

from recsys_core.fairness.mitigation import group_means, policies
from recsys_core.ranker.rerank import ItemFacts, ItemSets, Reranker, less_popular, parse_reranking

N = 12
SEEDS = st.integers(0, 100_000)
STRENGTHS = st.floats(0, 1).map(lambda share: round(share, 3))
METHODS = ("mmr", "calibration", "popularity", "cap", "share", "exposure")
FEW = settings(max_examples=60, deadline=None)


def spec_of(method: str, strength: float) -> str:
    """A re-ranking as it is asked for; a share stays within its bounds, a cap is 1 to 4."""
    if method == "cap":
        return f"cap:{1 + int(strength * 3)}"
    if method in ("share", "exposure"):
        return f"{method}:{0.05 + 0.9 * strength:.3f}@maker=small"
    return f"{method}:{strength}"


class World:
    """Candidates with scores that tie now and then, and facts of which several items share each.

    Two items of one kind are alike to every method: same vector, categories, popularity and maker.
    """

    def __init__(self, seed: int) -> None:
        rng = np.random.default_rng(seed)
        self.kinds = rng.integers(0, 4, N + 1)
        vectors = rng.normal(size=(4, 3))
        shares = rng.integers(0, 2, (4, 3)).astype(float)
        shares[0] = (1, 0, 0)  # there is a category in any world
        shares /= np.maximum(shares.sum(axis=1, keepdims=True), 1)
        self.kinds[1] = 0
        self.facts = ItemFacts(
            (vectors / np.linalg.norm(vectors, axis=1, keepdims=True))[self.kinds],
            sp.csr_matrix(shares[self.kinds]),
            rng.integers(0, 9, 4).astype(float)[self.kinds],
            ItemSets(("maker=small",), (rng.random(4) < 0.5)[self.kinds][None]),
        )
        self.items = 1 + rng.permutation(N)
        self.scores = rng.integers(0, 7, N).astype(float)
        self.history = rng.integers(1, N + 1, 5)

    def listed(self, spec: str, k: int, order: "np.ndarray[tuple[int], np.dtype[np.int64]]") -> list[int]:
        """The item numbers of a list, the candidates having been handed over in that order."""
        items, scores = self.items[order], self.scores[order]
        reranker = Reranker(parse_reranking(spec), self.facts)
        return items[reranker.first(items, scores, self.history, k)].tolist()


AS_DRAWN = np.arange(N)


@pytest.mark.parametrize("method", METHODS)
@given(seed=SEEDS, strength=STRENGTHS, k=st.integers(1, N + 3))
@FEW
def test_a_list_is_made_of_candidates_each_once(method: str, seed: int, strength: float, k: int):
    world = World(seed)
    listed = world.listed(spec_of(method, strength), k, AS_DRAWN)
    assert set(listed) <= set(world.items.tolist())
    assert len(set(listed)) == len(listed)
    if method != "cap":  # which may end where nothing fits any more
        assert len(listed) == min(k, N)


@pytest.mark.parametrize("method", METHODS)
@given(seed=SEEDS, strength=STRENGTHS, k=st.integers(1, N))
@FEW
def test_neither_chance_nor_the_order_of_candidates_has_a_say(
    method: str, seed: int, strength: float, k: int
):
    world, spec = World(seed), spec_of(method, strength)
    shuffled = np.random.default_rng(seed + 1).permutation(N)
    assert world.listed(spec, k, shuffled) == world.listed(spec, k, AS_DRAWN)


@pytest.mark.parametrize("method", METHODS)
@given(seed=SEEDS, strength=STRENGTHS, k=st.integers(1, N))
@FEW
def test_of_items_that_are_alike_the_better_never_comes_behind_the_worse(
    method: str, seed: int, strength: float, k: int
):
    """Nor does it stay off a list that the worse one is on; of equal scores the smaller number is the better.

    At a strength of 1 the scores are forgotten.
    """
    world = World(seed)
    listed = world.listed(spec_of(method, min(strength, 0.95)), k, AS_DRAWN)
    place = {item: listed.index(item) if item in listed else N for item in world.items.tolist()}
    best_first = world.items[np.lexsort((world.items, -world.scores))].tolist()
    for kind in range(4):
        alike = [place[item] for item in best_first if world.kinds[item] == kind]
        assert alike == sorted(alike)


@pytest.mark.parametrize("method", METHODS)
@given(seed=SEEDS, strength=STRENGTHS, k=st.integers(1, N))
@FEW
def test_a_shorter_list_is_the_beginning_of_a_longer_one_where_nothing_is_due_to_the_whole(
    method: str, seed: int, strength: float, k: int
):
    """What is due to a protected group depends on the length: of the exposure, and of the tests in all."""
    world, spec = World(seed), spec_of(method, strength)
    whole = world.listed(spec, N, AS_DRAWN)
    if method not in ("share", "exposure"):
        assert world.listed(spec, k, AS_DRAWN) == whole[:k]


@given(seed=SEEDS, k=st.integers(1, N), strengths=st.tuples(STRENGTHS, STRENGTHS))
@FEW
def test_a_stronger_pull_from_popular_items_never_makes_a_list_more_popular(
    seed: int, k: int, strengths: tuple[float, float]
):
    """Of two best sums of (1 − s) · score − s · log(1 + popularity) the larger s has the less of it."""
    world = World(seed)
    popularity = world.facts.popularity[world.items]
    weak, strong = (
        np.log1p(popularity[less_popular(world.scores, popularity, k, strength)]).sum()
        for strength in sorted(strengths)
    )
    assert strong <= weak + 1e-9


@given(
    seed=SEEDS,
    n_options=st.integers(1, 4),
    n_groups=st.integers(2, 3),
    max_loss=st.floats(0, 0.5),
)
@FEW
def test_no_policy_costs_a_group_more_than_it_may_and_none_that_may_be_is_better_than_all(
    seed: int, n_options: int, n_groups: int, max_loss: float
):
    """All combinations are tried; each that costs no group too much is matched in gap and in every mean."""
    rng = np.random.default_rng(seed)
    groups = np.concatenate([np.arange(n_groups), rng.integers(-1, n_groups, 20)])
    values = rng.random((n_options, len(groups))).round(2)
    means = group_means(values, groups, n_groups)
    found = policies(values, groups, n_groups, max_loss)
    places = np.arange(n_groups)
    own = np.array([means[list(options), places] for options in found])
    assert found[0] == (0,) * n_groups
    assert (own >= (1 - max_loss) * means[0] - 1e-12).all()
    for options in product(range(n_options), repeat=n_groups):
        tried = means[list(options), places]
        if (tried >= (1 - max_loss) * means[0]).all():
            as_good = (own >= tried - 1e-12).all(axis=1) & (np.ptp(own, axis=1) <= np.ptp(tried) + 1e-12)
            assert as_good.any()
