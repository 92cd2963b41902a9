"""Attribution mass by group in a world whose proxies are planted, and its figures worked out by hand."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from hand_made import WeightedSum

from recsys_core.actions import attribution_mass
from recsys_core.actions.attribution_mass import AttributeMass, find_mass_of
from recsys_core.actions.data import ingest
from recsys_core.actions.loaded import LoadedModel
from recsys_core.actions.models import open_model, train
from recsys_core.store.workspace import Workspace

SIZES = {"A": 60, "B": 60, "D": 20, "C": 10}
WITH_X = {"A": 12, "B": 48, "D": 0, "C": 0}
LAST = "last"  # everybody's held-out item


def world() -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]:
    """Everybody touches three common items, then one of category x or of y, then the last item.

    Of B 48 touch an x, of A only 12. They live in the north, the others of both in the south; of C and D no
    town is known. Each x and each y is one of three, so that none of them has people enough to be told of.
    """
    people, events = list[tuple[str, str, str]](), list[tuple[str, str, int]]()
    for group, size in SIZES.items():
        for number in range(size):
            has_x = number < WITH_X[group]
            town = ("north" if has_x else "south") if group in "AB" else ""
            user = f"{group}{number:02d}"
            people.append((user, group, town))
            own = ["z1", "z2", "z3", f"{'x' if has_x else 'y'}{number % 3}", LAST]
            events += [(user, item, 1_700_000_000 + 60 * place) for place, item in enumerate(own)]
    items = list(dict.fromkeys(row[1] for row in events))
    return (
        pd.DataFrame(events, columns=["user_id", "item_id", "timestamp"]),
        pd.DataFrame({"item_id": items, "title": items, "category": [name[0] for name in items]}),
        pd.DataFrame(people, columns=["user_id", "group", "town"]),
    )


@pytest.fixture(scope="module")
def planted(tmp_path_factory: pytest.TempPathFactory) -> LoadedModel:
    """A model that ranks the last item first: by 1 for the third common item and 1 for any x."""
    folder = tmp_path_factory.mktemp("planted")
    paths = [folder / name for name in ("interactions.csv", "items.csv", "users.csv")]
    for table, path in zip(world(), paths, strict=True):
        table.to_csv(path, index=False)
    workspace = Workspace.open(folder / "home")
    dataset = ingest(workspace, "Planted", *paths).record.id
    model = open_model(workspace, train(workspace, dataset, "popularity", "Planted", "quick").id)
    data = model.data.dataset
    weights = np.zeros((data.n_items + 1, data.n_items + 1))
    weights[[data.item_number(name) for name in ("z3", "x0", "x1", "x2")], data.item_number(LAST)] = 1
    return replace(model, ranker=WeightedSum(weights))


def of_last_two(model: LoadedModel) -> LoadedModel:
    """The model as if it looked at the last two items alone."""
    assert isinstance(model.ranker, WeightedSum)
    return replace(model, ranker=replace(model.ranker, max_length=2))


def even_of(found: AttributeMass) -> dict[str, float]:
    return {row.group: row.even for row in found.groups}


def test_even_is_the_share_of_proxies_among_the_items_of_a_history(planted: LoadedModel):
    """Who has an x has one proxy among four items: 60 of 150 people, 12 of 60 in A, 48 of 60 in B."""
    expected = {"": 60 / 150 / 4, "A": 12 / 60 / 4, "B": 48 / 60 / 4}
    assert even_of(find_mass_of(planted, "group")) == pytest.approx(expected)


def test_even_counts_only_items_that_the_model_looks_at(planted: LoadedModel):
    """Of the last two items one is the x, if there is one."""
    expected = {"": 60 / 150 / 2, "A": 12 / 60 / 2, "B": 48 / 60 / 2}
    assert even_of(find_mass_of(of_last_two(planted), "group")) == pytest.approx(expected)


def test_even_counts_the_attributes_that_the_model_reads(
    planted: LoadedModel, monkeypatch: pytest.MonkeyPatch
):
    """Beside two items a town: with an x two proxies of three, without it one in A and B, none in C and D."""
    monkeypatch.setattr(attribution_mass, "attribute_inputs", lambda _: ("town",))
    found = find_mass_of(of_last_two(planted), "group")
    assert {own.name for own in found.proxies} == {"x", "town=north", "town=south"}
    in_a, in_b = (12 * 2 / 3 + 48 / 3) / 60, (48 * 2 / 3 + 12 / 3) / 60
    assert even_of(found) == pytest.approx({"": (60 * in_a + 60 * in_b) / 150, "A": in_a, "B": in_b})


def test_what_one_group_touches_most_is_the_strongest_proxy(planted: LoadedModel):
    """Of 60 people each 12 and 48 have an x: φ = (48² − 12²) / 60². Nothing else tells the groups."""
    (proxy,) = find_mass_of(planted, "group").proxies
    assert (proxy.kind, proxy.name) == ("category", "x")
    assert proxy.strength == (48**2 - 12**2) / 60**2


def test_mass_lies_on_the_planted_proxy_by_group(planted: LoadedModel):
    """Who has an x has half of the mass on it, the other half on z3; all others have all of it on z3."""
    found = find_mass_of(planted, "group")
    mass = {row.group: row.proxies.value for row in found.groups}
    assert mass == pytest.approx({"": 60 / 150 / 2, "A": 12 / 60 / 2, "B": 48 / 60 / 2})
    assert not found.reads and {row.attribute.value for row in found.groups} == {0}
    for row in found.groups:
        assert row.proxies.ci_low < row.proxies.value < row.proxies.ci_high


def test_a_group_of_ten_and_the_one_that_would_tell_it_are_not_shown(planted: LoadedModel):
    assert {row.group: row.n for row in find_mass_of(planted, "group").groups} == {"": 150, "A": 60, "B": 60}


def test_what_one_group_alone_touches_is_not_told(planted: LoadedModel):
    """All of the north have an x and nobody of the south: that would tell of each of them."""
    assert find_mass_of(planted, "town").proxies == ()
