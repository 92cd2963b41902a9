"""`reclens mitigate`: a frontier, its side effects, and the chosen point as a model like any other."""

import json
import shutil
import time
from dataclasses import asdict, replace
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from app_workspace import TINY, BuiltWorkspace
from command import Command

from recsys_core import pipeline
from recsys_core.actions import jobs, mitigation, mitigation_training
from recsys_core.actions.audits import open_audit
from recsys_core.actions.mitigation import keep_mitigated, mitigate
from recsys_core.actions.mitigation_kept import KeptWork
from recsys_core.actions.mitigation_runs import MITIGATE, MitigationPlan, run_mitigation, run_plan
from recsys_core.actions.mitigation_training import train_variants, training_settings
from recsys_core.actions.models import open_model, train
from recsys_core.actions.reranking import reranker_of
from recsys_core.config import make_settings, read_settings
from recsys_core.data.split import histories
from recsys_core.errors import CancelledError, ConfigError, DataError, StoreError
from recsys_core.fairness.exposure_groups import item_groups
from recsys_core.metrics.popularity import item_popularity
from recsys_core.ranker.inner import Inner
from recsys_core.ranker.policy import Policy
from recsys_core.ranker.policy_values import exposure_shares, values_under
from recsys_core.ranker.reranked import RerankedRanker
from recsys_core.store import jobs as store_jobs
from recsys_core.store.workspace import Workspace
from recsys_core.trainer import loop
from recsys_core.trainer.windows import batches

WORDS = ("--by", "gender", "--metric", "hr@20", "--draws", "200", "--max-loss", "0.2")
SPECS = ("--rerank", "popularity:0.3", "--rerank", "calibration:0.3")


@pytest.fixture
def reclens(own_wider_shop: BuiltWorkspace) -> Command:
    return Command(own_wider_shop.home)


def test_the_frontier_has_a_chosen_point_and_what_it_does_beside(reclens: Command):
    found = reclens.json("mitigate", "Test item-knn", *WORDS, *SPECS)
    assert sum(point["chosen"] for point in found["points"]) == 1
    assert found["n_fitting"] + found["n_showing"] <= 420
    gaps = [point["fit_gap"] for point in found["points"]]
    assert gaps == sorted(gaps, reverse=True)
    for point in found["points"]:
        for change in (point["utility"], point["gap"], *point["groups"].values()):
            assert change["difference"] == pytest.approx(change["after"] - change["before"])
            assert change["ci_low"] <= change["ci_high"]
    assert {row["attribute"] for row in found["side_effects"]} >= {"gender"}
    assert all(row["n"] >= 11 for row in found["side_effects"])
    assert {row["name"] for row in found["items"]} >= {"coverage@10", "gini@10"}


def test_the_chosen_point_is_kept_as_a_model_that_is_audited_like_any_other(reclens: Command):
    found = reclens.json("mitigate", "Test item-knn", *WORDS, *SPECS, "--name", "milder")
    assert found["model"]
    audited = reclens.json("audit", "milder", "--by", "gender", "--metric", "hr@20", "--draws", "200")
    assert audited["overall"]["n"] > 0
    lists = reclens.json("recommend", "milder", "--all", "--k", "20")["recommendations"]
    assert lists
    compared = reclens.json("compare", "milder", "Test item-knn", "--metric", "hr@20", "--draws", "500")
    assert compared["n_users"] == audited["overall"]["n"]


def test_the_kept_model_ranks_as_the_frontier_said(own_wider_shop: BuiltWorkspace, reclens: Command):
    reclens.json("mitigate", "Test item-knn", *WORDS, *SPECS, "--name", "milder")
    workspace = Workspace.open(own_wider_shop.home)
    model = open_model(workspace, own_wider_shop.item_knn)
    done, ranker = mitigate(model, "gender", ("popularity:0.3", "calibration:0.3"), "hr@20", 0.2, 200)
    kept = open_model(workspace, "milder")
    known = [ranker.policy, kept.ranker.policy]  # type: ignore[union-attr]
    assert known[0] == known[1] == done.policy
    assert kept.settings.model_dump()["by"] == "gender"


TAIL = ("--rerank", "share:0.3@popularity=tail,exposure:0.25@popularity=tail")


def test_protected_items_can_be_given_their_due_and_who_gains_is_told(reclens: Command):
    found = reclens.json("mitigate", "Test item-knn", *WORDS, *TAIL)
    tried = {spec for point in found["points"] for spec in point["rules"].values()}
    assert tried <= {"", "share:0.3@popularity=tail", "exposure:0.25@popularity=tail"}
    shares = {row["group"]: row for row in found["item_groups"]}
    assert set(shares) == {"head", "middle", "tail"}
    for side in ("before", "after"):
        assert sum(row[side] for row in shares.values()) == pytest.approx(1)
    assert shares["tail"]["difference"] >= 0


def test_every_list_has_the_exposure_that_was_asked_for(own_wider_shop: BuiltWorkspace):
    model = open_model(Workspace.open(own_wider_shop.home), own_wider_shop.item_knn)
    data, split, spec = model.data.dataset, model.data.split, "exposure:0.25@popularity=tail"
    n_people = item_popularity(histories(data, split, "valid"), data.n_items).n_people
    membership = item_groups(data.items, "popularity", n_people).membership
    facts = reranker_of(model.ranker, data, split, spec).facts
    inner = Inner("m", "item-knn", model.settings, model.ranker)
    ranker = RerankedRanker(inner, Policy((), ((),), (spec,), 10), facts)
    unasked, asked = (
        exposure_shares(own, data, split, np.arange(data.n_users), membership, 10)
        for own in (model.ranker, ranker)
    )
    assert (asked[2] >= 0.25 - 1e-9).all()
    assert (unasked[2] < 0.25).any()
    assert asked.sum(axis=0) == pytest.approx(1)


@pytest.fixture(scope="module")
def trained_shop(kept_wider_shop: BuiltWorkspace, tmp_path_factory: pytest.TempPathFactory) -> BuiltWorkspace:
    """The wider shop with a tiny transformer."""
    home = tmp_path_factory.mktemp("trained") / "home"
    shutil.copytree(kept_wider_shop.home, home)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(pipeline, "verify_method", partial(pipeline.verify_method, n_people=5))
        train(Workspace.open(home), kept_wider_shop.dataset, "transformer", "tiny", "quick", 0, TINY)
    return replace(kept_wider_shop, home=home)


GENTLE = ("--by", "gender", "--metric", "hr@20", "--draws", "200", "--max-loss", "1")


def test_other_trainings_stand_on_the_same_frontier(trained_shop: BuiltWorkspace):
    reclens = Command(trained_shop.home)
    found = reclens.json(
        "mitigate", "tiny", *GENTLE, *SPECS, "--train", "reweighting", "--train", "adversarial:0.5"
    )
    rules = [set(point["rules"].values()) for point in found["points"]]
    assert {"train reweighting:1"} in rules
    assert {"train adversarial:0.5"} in rules
    mixed = [own for own in rules if len(own) > 1]
    assert not any(spec.startswith("train ") for own in mixed for spec in own)
    assert sum(point["chosen"] for point in found["points"]) == 1


def test_a_chosen_training_is_kept_as_a_model_whose_card_names_the_attribute(
    trained_shop: BuiltWorkspace, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(
        mitigation_training, "verify_method", partial(mitigation_training.verify_method, n_people=5)
    )
    workspace = Workspace.open(trained_shop.home)
    model = open_model(workspace, "tiny")
    settings = training_settings(model, "gender", ["dro:2"])
    (variant,) = train_variants(model, settings, workspace.cache, lambda share, message: None)
    found, _ = mitigate(model, "gender", ("popularity:0.3",), "hr@20", 1.0, 200, variants=(variant,))
    record = keep_mitigated(workspace, model, found, variant, "by dro")
    kept = open_model(workspace, "by dro")
    assert kept.settings.model_dump() == model.settings.model_dump() | {
        "group_attribute": "gender",
        "group_objective": "dro",
        "group_strength": 2.0,
    }
    assert record.details["epochs"] == 2
    audit = Command(trained_shop.home).json("audit", "by dro", "--by", "gender", "--draws", "200")
    report = open_audit(workspace, audit["audit"])
    facts = {fact.name: fact.value for fact in report.evidence.extras.model}
    assert facts["Attribute used in training"] == "gender (dro, strength 2)"


def test_a_job_answers_what_the_command_answers(trained_shop: BuiltWorkspace, tmp_path: Path):
    workspace = Workspace.open(trained_shop.home)
    plan = MitigationPlan("gender", ("popularity:0.3",), ("gap:2",), "hr@20", 1.0, None, 200)
    spec = {"model": workspace.resolve("model", "tiny").id, **json.loads(json.dumps(asdict(plan)))}
    told = list[tuple[float, str]]()

    class Reporter:
        folder = tmp_path

        def progress(self, share: float, message: str) -> None:
            told.append((share, message))

        def check_cancelled(self) -> None:
            pass

    found = run_mitigation(workspace, spec, Reporter())  # type: ignore[arg-type]
    assert found == run_plan(workspace, "tiny", plan)
    assert any(message.startswith("train gap:2: ") for _, message in told)
    assert told[-1] == (1.0, "Done")
    shares = [share for share, _ in told]
    assert shares == sorted(shares)


STOPS = {"train dro:1: Learning": 4, "train gap:2: Learning": 2, "Ranking for those who show": 0}


@pytest.mark.slow
@pytest.mark.parametrize("stop", STOPS)
def test_a_job_that_was_stopped_goes_on_from_what_it_finished(
    stop: str, trained_shop: BuiltWorkspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    """Two trainings of two epochs each: as many are left as weren't finished, and the answer is the same."""
    workspace = Workspace.open(trained_shop.home)
    plan = MitigationPlan("gender", ("popularity:0.3",), ("dro", "gap:2"), "hr@20", 1.0, None, 200)
    spec = {"model": workspace.resolve("model", "tiny").id, **json.loads(json.dumps(asdict(plan)))}
    epochs, ranked = list[int](), list[str]()

    def counted_batches(*args: Any) -> Any:
        epochs.append(1)
        return batches(*args)

    def counted_values(*args: Any) -> Any:
        ranked.append(args[3])
        return values_under(*args)

    class Reporter:
        folder = tmp_path
        stop_at = stop

        def progress(self, share: float, message: str) -> None:
            if self.stop_at and message.startswith(self.stop_at):
                raise CancelledError("the job was cancelled")

        def check_cancelled(self) -> None:
            pass

    monkeypatch.setattr(loop, "batches", counted_batches)
    monkeypatch.setattr(mitigation, "values_under", counted_values)
    reporter = Reporter()
    with pytest.raises(CancelledError):
        run_mitigation(workspace, spec, reporter)  # type: ignore[arg-type]
    reporter.stop_at = ""
    epochs.clear()
    ranked.clear()
    found = run_mitigation(workspace, spec, reporter)  # type: ignore[arg-type]
    assert len(epochs) == STOPS[stop]
    assert ranked == (["test"] if stop.startswith("Ranking") else ["valid", "test"])
    assert found == run_plan(workspace, "tiny", plan)
    assert list(tmp_path.iterdir()) == []


def test_what_was_worked_out_for_others_is_worked_out_again(tmp_path: Path):
    kept, people = KeptWork(tmp_path / "finished"), np.array([3, 5])
    first = kept.values("test reranked", people, ["", "mmr:0.3"], lambda: np.array([[1.0, 2.0], [3.0, 4.0]]))
    for asked, options in ((people, ["", "mmr:0.3"]), (people + 1, ["", "mmr:0.3"]), (people, ["", "cap:2"])):
        again = kept.values("test reranked", asked, options, lambda: np.zeros((2, 2)))
        same = asked is people and options[1] == "mmr:0.3"
        assert again.tolist() == (first.tolist() if same else [[0.0, 0.0], [0.0, 0.0]])


def test_a_damaged_part_is_named(tmp_path: Path):
    (tmp_path / "test_reranked.parquet").write_text("no table")
    with pytest.raises(StoreError, match=r"test_reranked\.parquet can't be read; delete it"):
        KeptWork(tmp_path).values("test reranked", np.array([1]), [""], lambda: np.zeros((1, 1)))


def test_a_failed_mitigation_can_be_resumed_unless_its_name_is_taken(own_wider_shop: BuiltWorkspace):
    workspace = Workspace.open(own_wider_shop.home)
    plan = asdict(MitigationPlan("gender", name="Test item-knn"))
    spec = {"model": own_wider_shop.item_knn, **plan}
    job = store_jobs.submit(workspace, MITIGATE, spec, worker_module="store_job_worker")  # which knows none
    while job.is_active:
        time.sleep(0.05)
        job = jobs.show_job(workspace, job.id)
    assert jobs.can_resume(job)
    with pytest.raises(DataError, match="Test item-knn"):
        jobs.resume_job(workspace, job.id)


def test_a_job_is_refused_before_it_starts(trained_shop: BuiltWorkspace):
    reclens = Command(trained_shop.home)
    said = reclens.refusal("mitigate", "tiny", "--by", "gender", "--train", "tea", "--background")
    assert "'tea' is no training by groups; write resampling, reweighting, dro, gap, adversarial" in said
    assert reclens.json("list", "jobs") == {"jobs": []}


def test_what_does_not_learn_by_steps_cannot_be_trained_by_groups(reclens: Command):
    said = reclens.refusal("mitigate", "Test item-knn", "--by", "gender", "--train", "all")
    assert "is of the kind item-knn, which doesn't learn by steps" in said


def test_a_model_that_learned_from_others_is_not_trained_again_without_them():
    taught = make_settings("transformer", changes=["teachers=first"])
    model = SimpleNamespace(settings=taught, ranker_name="transformer", record=SimpleNamespace(name="second"))
    assert training_settings(model, "gender", []) == {}  # type: ignore[arg-type]
    with pytest.raises(ConfigError, match="'second' also learned from other models"):
        training_settings(model, "gender", ["resampling"])  # type: ignore[arg-type]


def test_a_model_from_before_reviews_were_read_is_trained_again_without_them():
    values = make_settings("transformer").model_dump(mode="json")
    del values["reviews"]
    old = SimpleNamespace(settings=read_settings("transformer", values), ranker_name="transformer")
    (variant,) = training_settings(old, "gender", ["gap"]).values()  # type: ignore[arg-type]
    assert variant.model_dump()["reviews"] is False


def test_in_words_it_says_who_chose_and_who_shows(reclens: Command):
    text = reclens.run("mitigate", "Test item-knn", *WORDS, *SPECS).stdout
    assert "chosen by" in text and "keep the chosen point with --name" in text


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["--by", "tea"], "'tea' is not an attribute"),
        (["--by", "gender", "--rerank", "tea:1"], "'tea:1' is no re-ranking"),
        (["--by", "gender", "--rerank", "share:0.2@tea=hot"], "'tea' is not an attribute of the items"),
        (["--by", "gender", "--rerank", "share:0.2@popularity=hot"], "no item's popularity is 'hot'"),
        (["--by", "gender", "--max-loss", "2"], "may lose is 2.0; it must lie from 0 to 1"),
        (["--by", "gender", "--metric", "tea@3"], "no metric 'tea@3'"),
        (["--by", "gender", "--draws", "3"], "draws is 3"),
        (["--by", "gender", "--name", "Test item-knn"], "Test item-knn"),
    ],
)
def test_bad_input_is_one_sentence(reclens: Command, words: list[str], sentence: str):
    assert sentence in reclens.refusal("mitigate", "Test item-knn", *words)
