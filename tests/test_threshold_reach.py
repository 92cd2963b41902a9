"""A raised privacy threshold reaches whatever shows groups: mitigations, subgroups, descriptions."""

import numpy as np
import pytest
from app_workspace import BuiltWorkspace
from command import Command

from recsys_core.actions.mitigation_people import Halves
from recsys_core.actions.models import open_model
from recsys_core.actions.side_effects import group_changes
from recsys_core.store.workspace import Workspace

MODEL = "Test item-knn"
MITIGATE = ("mitigate", MODEL, "--by", "gender", "--metric", "hr@20", "--draws", "200", "--max-loss", "1")
SUBGROUPS = ("subgroups", MODEL, "--metric", "hr@20", "--draws", "200", "--depth", "1")


@pytest.fixture
def reclens(own_wider_shop: BuiltWorkspace) -> Command:
    return Command(own_wider_shop.home)


def raise_to(reclens: Command, minimum: int) -> None:
    reclens.json("settings", "--minimum-group", str(minimum))


def test_a_mitigation_of_smaller_groups_is_refused(reclens: Command):
    raise_to(reclens, 300)
    assert "gender has fewer than 2 groups of 300 people in each half" in reclens.refusal(*MITIGATE)


def test_a_mitigation_as_a_job_is_refused_before_it_starts(reclens: Command):
    raise_to(reclens, 300)
    assert "gender has fewer than 2 groups of 300 people" in reclens.refusal(*MITIGATE, "--background")
    assert reclens.json("list", "jobs") == {"jobs": []}


def test_a_group_that_the_choosing_half_has_too_few_of_has_no_side_effects(own_wider_shop: BuiltWorkspace):
    """What is shown of everybody in an audit, less what is shown here, would be these few."""
    model = open_model(Workspace.open(own_wider_shop.home), MODEL)
    users = model.data.dataset.users
    group = str(users["gender"].mode()[0])
    inside, outside = (np.flatnonzero((users["gender"] == group) == side) for side in (True, False))
    fitting = np.sort(np.concatenate([outside[:100], inside[:5]]))
    showing = np.setdiff1d(np.arange(len(users)), fitting)
    halves = Halves(fitting, showing, (), np.zeros(len(users), dtype=np.int64))
    values = np.linspace(0, 1, len(showing))
    rows = group_changes(model, "gender", halves, values, values, 200, 0)
    assert len(inside) > 100
    assert {row.attribute for row in rows} - {"gender"}
    assert not [row for row in rows if row.attribute == "gender" and row.group == group]


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
