"""Two answers that are worked out beside each other: what the first one showed binds the second one."""

from contextlib import suppress
from dataclasses import replace
from threading import Barrier, BrokenBarrierError, Thread
from typing import Any

import numpy as np
import pytest
from command import Command

from recsys_core.actions import audits, disclosures, verifications
from recsys_core.actions.audits import audit_model
from recsys_core.actions.disclosures import keep_shown, shown_before
from recsys_core.actions.group_answers import (
    GroupAnswer,
    disclose,
    hidden_in,
    members_of,
    record_answer,
    record_answers,
)
from recsys_core.actions.loaded import LoadedModel
from recsys_core.actions.models import open_model
from recsys_core.actions.verifications import verify_model
from recsys_core.errors import DataError
from recsys_core.fairness.disclosure import Shown, packed
from recsys_core.fairness.result import AuditSettings
from recsys_core.files import write_json
from recsys_core.store.workspace import Workspace

FIRST = "First system"
TOLD_APART = "fewer than 11 people could be told apart"
MEANWHILE = "another answer was shown, beside which it would tell of fewer than 11 people. Ask again"


@pytest.fixture
def workspace(clubs: Command) -> Workspace:
    return Workspace.open(clubs.workspace)


@pytest.fixture
def model(workspace: Workspace) -> LoadedModel:
    """With the attribute "told": all women but five, and the others."""
    opened = open_model(workspace, FIRST)
    women = (opened.data.dataset.users["gender"] == "F").to_numpy()
    told = np.where(women, "most women", "others")
    told[np.flatnonzero(women)[:5]] = "others"
    users = opened.data.dataset.users.assign(told=told)
    return replace(opened, data=replace(opened.data, dataset=replace(opened.data.dataset, users=users)))


def everybody(model: LoadedModel) -> np.ndarray:
    return members_of(model.data, range(240))


def test_of_two_answers_that_were_allowed_before_either_was_shown_the_second_is_refused(
    workspace: Workspace, model: LoadedModel
):
    first = GroupAnswer(members_of(model.data, range(200)), (), "verifications")
    second = GroupAnswer(members_of(model.data, range(201)), (), "verifications")
    allowed = [hidden_in(workspace, model.data, answer) for answer in (first, second)]
    record_answer(workspace, model.data, first, allowed[0])
    with pytest.raises(DataError, match=TOLD_APART):
        record_answer(workspace, model.data, second, allowed[1])
    (kept,) = shown_before(workspace, model.data.record.id, "verifications")
    assert kept.people == packed(first.members)
    record_answer(workspace, model.data, first, allowed[0])  # the same once more tells nothing new


def test_an_answer_that_would_have_to_hide_more_by_now_is_refused_and_asked_again_hides_it(
    workspace: Workspace, model: LoadedModel
):
    by_gender, by_told = (GroupAnswer(everybody(model), (name,)) for name in ("gender", "told"))
    allowed = [hidden_in(workspace, model.data, answer) for answer in (by_gender, by_told)]
    assert allowed == [{"gender": frozenset()}, {"told": frozenset()}]
    record_answer(workspace, model.data, by_gender, allowed[0])
    with pytest.raises(DataError, match=MEANWHILE):
        record_answer(workspace, model.data, by_told, allowed[1])
    assert [one.by for one in shown_before(workspace, model.data.record.id)] == ["gender"]
    assert disclose(workspace, model.data, everybody(model), ["told"]) == {"told": {"most women", "others"}}


def test_an_answer_that_hides_more_than_it_must_is_recorded(workspace: Workspace, model: LoadedModel):
    answer = GroupAnswer(everybody(model), ("town",))
    record_answer(workspace, model.data, answer, {"town": frozenset(("Hill", "Harbour"))})
    (kept,) = shown_before(workspace, model.data.record.id)
    assert kept.hidden == ("Harbour", "Hill")


def test_of_several_answers_all_are_recorded_or_none(workspace: Workspace, model: LoadedModel):
    disclose(workspace, model.data, members_of(model.data, range(200)), [], "subgroups")
    fine = GroupAnswer(everybody(model), ("gender",))
    refused = GroupAnswer(members_of(model.data, range(201)), (), "subgroups")
    answers = [(fine, {"gender": frozenset[str]()}), (refused, {"": frozenset[str]()})]
    with pytest.raises(DataError, match=TOLD_APART):
        record_answers(workspace, model.data, answers)
    assert shown_before(workspace, model.data.record.id) == ()


@pytest.mark.parametrize(("n", "sentence"), [(240, MEANWHILE), (239, TOLD_APART)])
def test_an_audit_is_held_against_what_was_shown_while_it_was_worked_out(
    workspace: Workspace, model: LoadedModel, monkeypatch: pytest.MonkeyPatch, n: int, sentence: str
):
    def slow_audit(*asked: Any) -> Any:
        found = audit(*asked)
        disclose(workspace, model.data, members_of(model.data, range(n)), ["gender"])
        return found

    audit = audits.audit
    monkeypatch.setattr(audits, "audit", slow_audit)
    with pytest.raises(DataError, match=sentence):
        audit_model(model, AuditSettings(("told",), draws=200), workspace)
    assert {one.by for one in shown_before(workspace, model.data.record.id)} == {"gender"}


def test_a_test_of_explanations_that_another_one_overtook_keeps_no_badge(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
):
    model, found = open_model(workspace, "knn"), verifications.leaderboard

    def overtaken(*asked: Any, **more: Any) -> Any:
        others = verifications.asked_of(model, "", 61, 0)[0]
        answer = GroupAnswer(members_of(model.data, others), (), "verifications")
        record_answer(workspace, model.data, answer, {"": frozenset()})
        return found(*asked, **more)

    kept = list[object]()
    monkeypatch.setattr(verifications, "leaderboard", overtaken)
    monkeypatch.setattr(verifications, "keep_badges", lambda *badges: kept.append(badges))
    with pytest.raises(DataError, match=TOLD_APART):
        verify_model(workspace, "knn", ["counts"], people=60)
    assert kept == []


def test_two_that_record_at_once_lose_nothing(
    workspace: Workspace, model: LoadedModel, monkeypatch: pytest.MonkeyPatch
):
    both = Barrier(2)

    def write_late(path: Any, value: Any) -> str:
        """Waits for the other one to have read as well, which it can't while this one has the lock."""
        with suppress(BrokenBarrierError):
            both.wait(0.5)
        return write_json(path, value)

    monkeypatch.setattr(disclosures, "write_json", write_late)
    dataset_id = model.data.record.id
    shown = [Shown("gender", (), (), packed(members_of(model.data, range(n))), 240) for n in (100, 200)]
    threads = [
        Thread(target=keep_shown, args=(Workspace.open(workspace.home), dataset_id, [one])) for one in shown
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert set(shown_before(workspace, dataset_id)) == set(shown)
