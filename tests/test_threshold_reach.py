"""A raised privacy threshold reaches whatever shows groups: mitigations, subgroups, descriptions."""

import pytest
from app_workspace import BuiltWorkspace
from command import Command

from recsys_core.actions.cohort_summaries import cohort_groups
from recsys_core.actions.cohorts import CohortPlan, submit_explaining
from recsys_core.actions.mitigation_people import drawn_halves, halves_shown
from recsys_core.actions.models import open_model
from recsys_core.actions.preferences import set_minimum_group
from recsys_core.actions.side_effects import attributes_told
from recsys_core.errors import DataError
from recsys_core.fairness.groups import group_labels
from recsys_core.store.workspace import Workspace

MODEL = "Test item-knn"
MITIGATE = ("mitigate", MODEL, "--by", "gender", "--metric", "hr@20", "--draws", "200", "--max-loss", "1")
SENTENCE = "that may be shown, so there is no gap to close"
SUBGROUPS = ("subgroups", MODEL, "--metric", "hr@20", "--draws", "200", "--depth", "1")


@pytest.fixture
def reclens(own_wider_shop: BuiltWorkspace) -> Command:
    return Command(own_wider_shop.home)


def raise_to(reclens: Command, minimum: int) -> None:
    reclens.json("settings", "--minimum-group", str(minimum))


def test_a_mitigation_of_smaller_groups_is_refused(reclens: Command):
    raise_to(reclens, 300)
    assert SENTENCE in reclens.refusal(*MITIGATE)


def test_a_mitigation_as_a_job_is_refused_before_it_starts(reclens: Command):
    raise_to(reclens, 300)
    assert SENTENCE in reclens.refusal(*MITIGATE, "--background")
    assert reclens.json("list", "jobs") == {"jobs": []}


def test_a_mitigation_may_show_no_group_that_is_smaller_in_either_half(own_wider_shop: BuiltWorkspace):
    workspace = Workspace.open(own_wider_shop.home)
    model = open_model(workspace, MODEL)
    users, names = model.data.dataset.users, attributes_told(model, "gender")

    def shown() -> list[int]:
        hidden = halves_shown(workspace, model, names, 0).hidden
        sizes = [
            group_labels(users, name).iloc[half].value_counts().drop(list(hidden[name]), errors="ignore")
            for name in names
            for half in drawn_halves(model, 0)
        ]
        return [int(n) for own in sizes for n in own if n]

    assert min(shown()) < 36
    set_minimum_group(workspace, 36)
    assert shown() and min(shown()) >= 36


def test_a_cohort_of_fewer_people_is_not_explained_as_a_job(own_wider_shop: BuiltWorkspace):
    workspace = Workspace.open(own_wider_shop.home)
    model = open_model(workspace, MODEL)
    value, n = next(iter(model.data.dataset.users["gender"].value_counts().items()))
    set_minimum_group(workspace, int(n) + 1)
    with pytest.raises(DataError, match=f"fewer than {int(n) + 1} people are in the cohort"):
        submit_explaining(workspace, MODEL, CohortPlan(5, "counts", (f"gender={value}",)))
    assert cohort_groups(model, "gender", int(n) + 1) == []


def test_a_probe_and_a_feedback_loop_of_smaller_groups_are_refused(reclens: Command):
    raise_to(reclens, 300)
    assert "groups of 300 people that may be shown" in reclens.refusal("leakage", MODEL, "--by", "gender")
    assert "groups that may be shown" in reclens.refusal("feedback", MODEL, "--by", "gender")


def test_the_worst_subgroup_is_no_smaller_in_either_half(reclens: Command):
    found = reclens.json(*SUBGROUPS)
    assert found["n"] < 80
    raise_to(reclens, 80)
    raised = reclens.json(*SUBGROUPS)
    assert min(raised["n"], raised["n_others"]) >= 80
    assert raised["n_searched"] < found["n_searched"]


def test_a_search_for_smaller_subgroups_is_refused(reclens: Command):
    raise_to(reclens, 60)
    assert "a subgroup of 30 people in a half is allowed; it must be 60 or more" in reclens.refusal(
        *SUBGROUPS, "--fewest", "30"
    )


def test_a_description_has_no_smaller_cohort_and_says_so(reclens: Command):
    words = ("describe", MODEL, "--people", "120")
    raise_to(reclens, 40)
    found = reclens.json(*words)
    assert found["cohorts"] and min(row["n"] for row in found["cohorts"]) >= 40
    assert min(own["n"] for row in found["cohorts"] for own in row["parameters"]) >= 40
    assert {row["reason"] for row in found["not_shown"]} == {"fewer than 40 people, or next to such a group"}


def test_a_description_of_fewer_people_is_refused(reclens: Command):
    raise_to(reclens, 40)
    told = reclens.refusal("describe", MODEL, "--people", "30")
    assert "the number of people is 30; it takes at least 40" in told
