"""Two harmless requests whose difference is a handful of people: the second one is refused, or hides them."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from app_workspace import BuiltWorkspace
from command import Command
from small_groups import person_id

from recsys_core.actions import causes
from recsys_core.actions.concepts import find_concepts
from recsys_core.actions.disclosures import shown_before
from recsys_core.actions.group_answers import disclose, members_of
from recsys_core.actions.group_sizes import hidden_sizes
from recsys_core.actions.imported import import_recommendations
from recsys_core.actions.loaded import LoadedModel
from recsys_core.actions.mitigation_people import drawn_halves, halves_of, halves_shown
from recsys_core.actions.models import evaluate_model, open_model
from recsys_core.actions.slices import shown_slices
from recsys_core.fairness.disclosure import EVERYBODY, Shown, hidden_beside, packed
from recsys_core.ranker.slices import SLICED_BY
from recsys_core.store.workspace import Workspace

TOLD_APART = "fewer than 11 people could be told apart"
FIRST = "First system"


@pytest.fixture
def workspace(clubs: Command) -> Workspace:
    return Workspace.open(clubs.workspace)


def with_attribute(model: LoadedModel, name: str, values: np.ndarray) -> LoadedModel:
    """The model with one more attribute of its people."""
    dataset = model.data.dataset
    users = dataset.users.assign(**{name: values})
    return replace(model, data=replace(model.data, dataset=replace(dataset, users=users)))


def test_concepts_of_one_person_more_are_refused(own_shop: BuiltWorkspace):
    reclens = Command(own_shop.home)
    words = ("concepts", own_shop.transformer, "--by", "gender", "--people")
    found = reclens.json(*words, "60")
    assert TOLD_APART in reclens.refusal(*words, "61")
    assert reclens.json(*words, "60") == found
    assert reclens.json("concepts", own_shop.transformer, "--people", "60")["effects"]


def test_concepts_of_everybody_and_of_everybody_but_one_are_not_both_shown(own_shop: BuiltWorkspace):
    reclens = Command(own_shop.home)
    reclens.json("concepts", own_shop.transformer, "--people", "60")
    assert TOLD_APART in reclens.refusal("concepts", own_shop.transformer, "--people", "59")


def test_concepts_of_two_items_have_nothing_that_could_be_subtracted(own_shop: BuiltWorkspace):
    reclens = Command(own_shop.home)
    items = open_model(Workspace.open(own_shop.home), own_shop.transformer).data.dataset.items["item_id"]
    for item in items[:2]:
        words = ("concepts", own_shop.transformer, "--item", str(item), "--people", "60")
        found = reclens.json(*words)
        assert {row["n_people"] for row in found["effects"]} == {60}
        assert TOLD_APART in reclens.refusal(*words[:-1], "61")


def test_concepts_of_ten_people_are_refused(own_shop: BuiltWorkspace):
    told = Command(own_shop.home).refusal("concepts", own_shop.transformer, "--people", "10")
    assert "fewer than 11 people, of whom nothing is shown" in told


def test_people_of_unknown_group_are_no_group_that_concepts_leave_untested(own_shop: BuiltWorkspace):
    model = open_model(Workspace.open(own_shop.home), own_shop.transformer)
    wing = np.resize(["a", "b", "b"], model.data.dataset.n_users).astype(object)
    wing[:4] = ""
    report = find_concepts(with_attribute(model, "wing", wing), by="wing")
    groups = {name for name, _ in report.not_tested if name.startswith("wing=")}
    assert groups and groups <= {"wing=a", "wing=b"}


def test_tests_of_explanations_are_not_shown_of_one_person_more_or_of_a_small_cohort(clubs: Command):
    words = ("verify", "knn", "--method", "counts")
    found = clubs.json(*words, "--people", "60")
    assert TOLD_APART in clubs.refusal(*words, "--people", "61")
    assert TOLD_APART in clubs.refusal(*words, "--people", "61", "--background")
    assert "fewer than 11 people" in clubs.refusal(*words, "--cohort", "club=rare")
    assert clubs.json(*words, "--people", "60")["n_people"] == found["n_people"] == 60
    assert clubs.json(*words, "--cohort", "club=little")["n_people"] == 43


@pytest.fixture
def two_wings(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> LoadedModel:
    """Of 120 women 105 live in the wing "long" and are served nothing, 15 in "short"; men are served well."""
    model = open_model(workspace, FIRST)
    women = (model.data.dataset.users["gender"] == "F").to_numpy()
    wing = np.where(np.arange(240) % 4 == 1, "short", "long").astype(object)  # half of the men
    wing[women] = np.where(np.arange(120) % 8 == 0, "short", "long")
    users = model.data.dataset.users["user_id"]
    served = np.where(women & (wing == "long"), np.arange(240) % 6 == 0, 1.0)
    values = pd.Series(served.astype(float), index=pd.Index(users))
    monkeypatch.setattr(causes, "per_person_table", lambda *_: values)
    return with_attribute(model, "wing", wing)


def test_a_subgroup_that_leaves_a_few_of_one_shown_before_is_passed_over(
    workspace: Workspace, two_wings: LoadedModel
):
    worst = (("gender", "F"), ("wing", "long"))
    asked = ("gender", "wing")
    assert causes.worst_subgroup_of(two_wings, asked, draws=200).conditions == worst  # with no record
    first = causes.worst_subgroup_of(two_wings, ("gender",), depth=1, draws=200, workspace=workspace)
    assert first.conditions == (("gender", "F"),)
    after = causes.worst_subgroup_of(two_wings, asked, draws=200, workspace=workspace)
    assert after.conditions == first.conditions
    again = causes.worst_subgroup_of(two_wings, ("gender",), depth=1, draws=200, workspace=workspace)
    assert again == first


def test_a_subgroup_is_held_against_audits_and_audits_against_it(
    workspace: Workspace, two_wings: LoadedModel
):
    everybody = members_of(two_wings.data, range(240))
    crowd = np.where(np.arange(240) % 24 == 0, "few", "crowd")  # ten people, women all
    women = (two_wings.data.dataset.users["gender"] == "F").to_numpy()
    told = np.where(women & (crowd == "crowd"), "most women", "others")  # all women but ten
    model = with_attribute(two_wings, "told", told)
    disclose(workspace, model.data, everybody, ["told"])
    found = causes.worst_subgroup_of(model, ("gender", "wing"), draws=200, workspace=workspace)
    assert set(found.conditions) != {("gender", "F")}
    other = Workspace.open(workspace.home.parent / "other")
    first = causes.worst_subgroup_of(model, ("gender",), depth=1, draws=200, workspace=other)
    assert first.conditions == (("gender", "F"),)
    assert disclose(other, model.data, everybody, ["told"])["told"] == {"most women", "others"}


def test_the_same_subgroup_less_a_few_people_of_a_half_is_hidden():
    n = 400
    users = pd.DataFrame({"user_id": [str(i) for i in range(n)], "gender": ["F", "M"] * (n // 2)})
    users["area"] = np.where(np.arange(n) % 50 == 0, "b", "a")  # eight of 200 women
    half, everybody = np.arange(n) < n // 2, np.ones(n, dtype=bool)
    women, most = (("gender", "F"),), (("gender", "F"), ("area", "a"))
    shown = [Shown(EVERYBODY, (), (), packed(half), n, packed(everybody), women)]
    asked = (users, half, (EVERYBODY,), 11, everybody)
    assert hidden_beside(shown, *asked, most) == {EVERYBODY: {"in", "out"}}
    assert hidden_beside(shown, *asked, women) == {EVERYBODY: frozenset()}
    assert hidden_beside([], *asked, most) == {EVERYBODY: frozenset()}


def test_a_side_effect_whose_group_is_small_in_the_other_half_is_hidden(workspace: Workspace):
    model = open_model(workspace, "knn")
    fitting, showing = drawn_halves(model, 0)
    wing = np.full(240, "long", dtype=object)
    wing[[*showing[:14], *fitting[:5]]] = "short"  # an audit of all 19, less these 14, would tell of five
    wing[[*showing[20:60], *fitting[20:60]]] = "tall"
    model = with_attribute(model, "wing", wing)
    assert "short" in halves_shown(workspace, model, ("wing",), 0).hidden["wing"]
    wing[fitting[5:14]] = "short"
    model = with_attribute(model, "wing", wing)
    assert halves_shown(workspace, model, ("wing",), 0).hidden["wing"] == frozenset()


def test_of_two_rules_that_hide_groups_of_a_mitigation_one_is_left(workspace: Workspace):
    model = open_model(workspace, "knn")
    wing = np.full(240, "c", dtype=object)
    for half in drawn_halves(model, 0):
        wing[half[:5]], wing[half[5:30]], wing[half[30:60]] = "few", "a", "b"
    model = with_attribute(model, "wing", wing)
    assert halves_of(model, "wing", 0, frozenset(("few", "c"))).groups == ("a", "b")
    hidden = halves_shown(workspace, model, ("wing",), 0).hidden["wing"]
    assert "few" in hidden and len(hidden) == 2


def test_mitigations_by_other_halves_are_refused_and_by_the_same_ones_are_not(clubs: Command):
    words = ("mitigate", "knn", "--rerank", "popularity:0.3", "--max-loss", "1", "--draws", "200")
    found = clubs.json(*words, "--by", "gender")
    shown = {(row["attribute"], row["group"]) for row in found["side_effects"]}
    assert ("club", "north") in shown and ("club", "rare") not in shown
    told = clubs.refusal(*words, "--by", "gender", "--seed", "1")
    assert TOLD_APART in told and "or by the seed of the halves that were shown before" in told
    assert TOLD_APART in clubs.refusal(*words, "--by", "gender", "--seed", "1", "--background")
    assert clubs.json(*words, "--by", "gender") == found
    assert clubs.json(*words, "--by", "town", "--metric", "hr@10")["points"]


def test_a_mitigation_by_no_attribute_is_refused_without_a_word_of_seeds(clubs: Command):
    told = clubs.refusal("mitigate", "knn", "--by", "gendr", "--rerank", "popularity:0.3")
    assert "'gendr' is not an attribute of the people; there are: " in told and "seed" not in told


def test_slices_hide_what_a_group_shown_before_would_tell_of_them(workspace: Workspace):
    model = open_model(workspace, "knn")
    evaluation = evaluate_model(model, "test", 10)
    slices, hidden = shown_slices(model, evaluation)
    tail = next(own for own in slices if own.name == "tail items")
    assert "tail items" not in hidden and 30 <= tail.n_users <= 210
    targets = np.array([own in SLICED_BY["slice of the catalogue"][1:] for own in kinds(model)])
    wing = np.where(targets, "in", "out")
    wing[np.flatnonzero(targets)[:5]] = "out"  # all of the tail but five
    model = with_attribute(model, "wing", wing)
    disclose(workspace, model.data, members_of(model.data, range(240)), ["wing"])
    assert {"head items", "tail items"} <= shown_slices(model, evaluation, workspace)[1]


@pytest.mark.parametrize("sliced_before", [False, True])
def test_slices_are_no_attributes_that_an_audit_could_be_asked_by(clubs: Command, sliced_before: bool):
    if sliced_before:
        clubs.json("evaluate", FIRST, "--slices", "--k", "10")
    audit = ("audit", FIRST, "--draws", "200", "--by")
    for by in ("slice of people", "gendr"):
        told = clubs.refusal(*audit, by)
        assert "is not an attribute of the people; there are: gender, club, town, activity" in told
        assert "slice of the catalogue" not in told
        assert "slice of" not in clubs.refusal("compare", FIRST, "Second system", "--by", "gendr")
    rows = clubs.json(*audit, "town")["by_group"]
    assert {row["group"] for row in rows} == {"Harbour", "Hill", "Meadow"}


def test_a_group_that_a_slice_would_tell_of_is_hidden_afterwards(workspace: Workspace):
    model = open_model(workspace, "knn")
    first = shown_slices(model, evaluate_model(model, "test", 10), workspace)
    targets = np.array([own == "tail items" for own in kinds(model)])
    wing = np.where(targets, "in", "out")
    wing[np.flatnonzero(targets)[:5]] = "out"
    model = with_attribute(model, "wing", wing)
    members = members_of(model.data, range(240))
    assert disclose(workspace, model.data, members, ["wing"])["wing"] == {"in", "out"}
    assert shown_slices(model, evaluate_model(model, "test", 10), workspace)[1] == first[1]


def kinds(model: LoadedModel) -> list[str]:
    """In which slice of the catalogue everybody's held-out item is, by counting."""
    data = model.data
    dataset, n = data.dataset, data.dataset.n_items
    popular = np.zeros(n + 1, dtype=int)
    last = [own[-1] for own in dataset.events]
    for own in dataset.events:
        for item in set(own[:-2].tolist()):
            popular[item] += 1
    head = set((np.lexsort((np.arange(1, n + 1), -popular[1:]))[: -(-n // 5)] + 1).tolist())
    return ["head items" if item in head else "tail items" for item in last]


def test_a_slice_of_a_few_people_and_the_other_one_of_its_kind_show_nothing(clubs: Command):
    found = clubs.json("evaluate", "knn", "--slices", "--k", "10")["slices"]
    for row in found:
        figures = [value for name, value in row.items() if name not in ("slice", "reason")]
        assert (row["n_users"] is None) == (row["reason"] != "") == all(own is None for own in figures)
        assert row["n_users"] is None or row["n_users"] in (0, 240) or 11 <= row["n_users"] <= 229
    assert clubs.json("evaluate", "knn", "--slices", "--k", "10")["slices"] == found
    assert clubs.json("evaluate", "knn", "--slices", "--split", "valid")["slices"]


def test_sizes_and_an_audit_of_an_intersection_do_not_tell_a_small_cell(clubs: Command, workspace: Workspace):
    data = open_model(workspace, FIRST).data
    sizes = data.dataset.users["gender"].value_counts()

    def rests(cells: list[dict[str, object]], hidden: frozenset[str]) -> list[int]:
        """What a gender's size less the cells shown inside of it leaves."""
        inside = {
            gender: [int(str(row["n"])) for row in cells if str(row["group"]).startswith(f"{gender} ")]
            for gender in set(sizes.index) - hidden
        }
        return [int(sizes[gender]) - sum(own) for gender, own in inside.items()]

    audit = clubs.json("audit", FIRST, "--by", "gender*club", "--draws", "200")["by_group"]
    shown = [row for row in audit if not row["suppressed"]]
    assert any(0 < rest < 11 for rest in rests(shown, hidden_sizes(None, data)["gender"]))  # there is a leak
    assert not any(0 < rest < 11 for rest in rests(shown, hidden_sizes(workspace, data)["gender"]))


def test_an_audit_after_the_sizes_hides_what_they_would_tell(clubs: Command, workspace: Workspace):
    data = open_model(workspace, FIRST).data
    hidden = hidden_sizes(workspace, data)
    assert hidden["gender"] == hidden["town"] == frozenset()
    audit = clubs.json("audit", FIRST, "--by", "gender*club", "--draws", "200")["by_group"]
    for gender, size in data.dataset.users["gender"].value_counts().items():
        cells = [row["n"] for row in audit if row["group"].startswith(gender) and not row["suppressed"]]
        assert size - sum(cells) >= 11
    assert hidden_sizes(workspace, data) == hidden


@pytest.fixture
def nearly_all(clubs: Command, workspace: Workspace, tmp_path: Path) -> str:
    """Lists of everybody but three women of Harbour, imported as a model of their own."""
    clubs.json("recommend", FIRST, "--all", "--k", "10", "--out", str(tmp_path / "lists.parquet"))
    lists = pd.read_parquet(tmp_path / "lists.parquet")
    missing = [person_id(number) for number in (0, 6, 12)]
    lists[~lists["user_id"].isin(missing)].to_csv(tmp_path / "lists.csv", index=False)
    dataset = open_model(workspace, FIRST).data.record.id
    return import_recommendations(workspace, dataset, tmp_path / "lists.csv", "Nearly all").record.id


def groups_shown(clubs: Command, model: str, by: str) -> set[str]:
    rows = clubs.json("audit", model, "--by", by, "--draws", "200")["by_group"]
    return {row["group"] for row in rows if not row["suppressed"]}


def test_sizes_are_no_figures_so_that_lists_without_three_people_can_be_audited(
    clubs: Command, workspace: Workspace, nearly_all: str
):
    data = open_model(workspace, FIRST).data
    assert set(hidden_sizes(workspace, data)) == {"gender", "club", "town"}
    assert shown_before(workspace, data.record.id) == ()
    assert groups_shown(clubs, nearly_all, "gender") == set()
    towns = groups_shown(clubs, nearly_all, "town")
    assert len(towns) == 1 and "Harbour" not in towns


def test_sizes_after_an_audit_without_three_people_are_not_those_that_tell_of_them(
    clubs: Command, workspace: Workspace, nearly_all: str
):
    assert groups_shown(clubs, nearly_all, "gender") == {"F", "M"}
    hidden = hidden_sizes(workspace, open_model(workspace, FIRST).data)
    assert hidden["gender"] == {"F", "M"} and hidden["town"] == frozenset()
