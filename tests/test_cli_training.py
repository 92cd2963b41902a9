"""The command from search to resumed training: searched settings, seeds, checkpoints, jobs, torchrun."""

import json
import os
import socket
import subprocess
import sys
import time
from functools import partial
from pathlib import Path

import pytest
from command import Command

from recsys_core import pipeline
from recsys_core.actions import jobs
from recsys_core.data.simulate import ShopSize, simulate_shop, write_shop
from recsys_core.store.records import JobRecord
from recsys_core.store.workspace import Workspace
from recsys_core.trainer.resume import CHECKPOINT_FILE

TINY = ["epochs=4", "max_length=10", "embedding_size=16", "n_blocks=1", "encoder=none"]
CHANGES = [word for change in TINY for word in ("--set", change)]
PATIENCE_S = 120.0


@pytest.fixture(autouse=True)
def few_people_test_explanations(monkeypatch: pytest.MonkeyPatch) -> None:
    """What a training tests its explanations on has no part in its weights."""
    monkeypatch.setattr(pipeline, "verify_method", partial(pipeline.verify_method, n_people=3))


@pytest.fixture(scope="module")
def reclens(tmp_path_factory: pytest.TempPathFactory) -> Command:
    files = tmp_path_factory.mktemp("shop")
    write_shop(simulate_shop(1, ShopSize(150, 120, 4_500)), files)
    command = Command(tmp_path_factory.mktemp("home with a space"))
    command.json("ingest", "shop", "--interactions", str(files / "interactions.csv"))
    return command


def trained(reclens: Command, name: str, *words: str) -> str:
    """The SHA-256 of the weights of a tiny transformer."""
    options = ["--ranker", "transformer", "--name", name, *CHANGES, *words]
    return reclens.json("train", "shop", *options)["weights_sha256"]


def test_searched_settings_are_written_and_trained_with(reclens: Command, tmp_path: Path):
    best = tmp_path / "best.json"
    found = reclens.json("search", "shop", "--ranker", "transitions", "--trials", "5", "--out", str(best))
    assert found == json.loads(best.read_text())
    assert [trial["number"] for trial in found["trials"]] == [0, 1, 2, 3, 4]
    assert found["valid_ndcg@10"] == max(trial["valid_ndcg@10"] for trial in found["trials"])
    model = reclens.json(
        "train", "shop", "--ranker", "transitions", "--name", "found", "--settings", str(best)
    )
    assert model["valid"]["ndcg@10"] == found["valid_ndcg@10"]


def test_a_search_says_what_to_set(reclens: Command):
    done = reclens.run("search", "shop", "--ranker", "ease", "--trials", "2")
    assert done.code == 0
    assert "best: --set l2=" in done.stdout


def test_a_neural_search_keeps_what_was_set(reclens: Command):
    words = ["--ranker", "transformer", "--trials", "2", "--minutes", "5", *CHANGES]
    found = reclens.json("search", "shop", *words)
    assert found["settings"]["epochs"] == 4
    assert found["trials"][0]["epochs"] == 4


def test_settings_of_another_ranker_are_refused(reclens: Command, tmp_path: Path):
    best = tmp_path / "best.json"
    reclens.json("search", "shop", "--ranker", "ease", "--trials", "1", "--out", str(best))
    words = ["--ranker", "transitions", "--name", "wrong", "--settings", str(best)]
    assert "best.json holds settings of ease, not of transitions" in reclens.refusal("train", "shop", *words)


def test_a_search_without_optuna_says_what_to_install(reclens: Command, monkeypatch: pytest.MonkeyPatch):
    for module in ("recsys_core.actions.searches", "recsys_core.trainer.search"):
        monkeypatch.delitem(sys.modules, module, raising=False)
        monkeypatch.delattr(sys.modules[module.rpartition(".")[0]], module.rpartition(".")[2], raising=False)
    monkeypatch.setitem(sys.modules, "optuna", None)
    assert "a search needs Optuna; install it with" in reclens.refusal("search", "shop", "--ranker", "ease")


def test_a_search_of_nothing_is_refused(reclens: Command):
    assert "popularity has nothing to search" in reclens.refusal("search", "shop", "--ranker", "popularity")


def test_seeds_tell_mean_and_spread_and_keep_no_model(reclens: Command):
    before = len(reclens.json("list", "models")["models"])
    found = reclens.json("seeds", "shop", "--ranker", "transformer", "--seeds", "0,1,2", *CHANGES)
    values = [row["ndcg@10"] for row in found["by_seed"]]
    mean = sum(values) / 3
    assert found["seeds"] == [0, 1, 2]
    assert len(set(values)) > 1
    assert found["mean"]["ndcg@10"] == pytest.approx(mean)
    assert found["sd"]["ndcg@10"] == pytest.approx((sum((v - mean) ** 2 for v in values) / 2) ** 0.5)
    assert len(reclens.json("list", "models")["models"]) == before


@pytest.mark.parametrize(
    ("seeds", "words"), [("0", "at least 2 different ones"), ("1,1", "at least 2"), ("0,x", "'x' is no seed")]
)
def test_seeds_that_tell_no_spread_are_refused(seeds: str, words: str, reclens: Command):
    assert words in reclens.refusal("seeds", "shop", "--ranker", "popularity", "--seeds", seeds)


def test_a_finished_training_leaves_no_checkpoint(reclens: Command, tmp_path: Path):
    plain = trained(reclens, "plain")
    assert trained(reclens, "kept", "--checkpoint", str(tmp_path / "checkpoint")) == plain
    assert list(tmp_path.iterdir()) == []


def test_a_checkpoint_of_other_settings_is_refused(reclens: Command, tmp_path: Path):
    checkpoint = tmp_path / "checkpoint"
    stop_in_epoch(reclens, 3, checkpoint)
    words = ["--ranker", "transformer", "--name", "other", "--set", "epochs=9", *CHANGES[2:]]
    assert "checkpoint was kept by a run with other settings" in reclens.refusal(
        "train", "shop", *words, "--checkpoint", str(checkpoint)
    )
    assert trained(reclens, "gone on", "--checkpoint", str(checkpoint)) == trained(reclens, "straight")


def stop_in_epoch(reclens: Command, number: int, checkpoint: Path) -> None:
    """Trains as `trained` does, until a person interrupts it."""
    from recsys_core.actions import models
    from recsys_core.errors import CancelledError

    def stop(epoch: object) -> None:
        if getattr(epoch, "number", 0) == number - 1:
            raise CancelledError("stopped")

    workspace = Workspace.open(reclens.workspace)
    with pytest.raises(CancelledError):
        models.train(
            workspace, "shop", "transformer", "x", changes=TINY, on_epoch=stop, checkpoint=checkpoint
        )


def wait_for(workspace: Workspace, job_id: str, *states: str) -> JobRecord:
    start = time.monotonic()
    while (job := jobs.show_job(workspace, job_id)).state not in states:
        assert time.monotonic() - start < PATIENCE_S, (job, jobs.job_log(workspace, job_id))
        time.sleep(0.05)
    return job


@pytest.mark.slow
def test_a_cancelled_job_is_resumed_to_the_weights_of_one_that_was_not(reclens: Command):
    """Cancelled after its first epoch; the job's folder keeps the checkpoint until the model is there."""
    long = [*TINY[1:], "epochs=30", "patience=30"]
    words = [word for change in long for word in ("--set", change)]
    workspace = Workspace.open(reclens.workspace)
    job = jobs.submit_training(workspace, "shop", "transformer", "resumed", changes=long)
    checkpoint = workspace.job_folder(job.id) / CHECKPOINT_FILE
    start = time.monotonic()
    while not checkpoint.exists():
        assert time.monotonic() - start < PATIENCE_S, jobs.job_log(workspace, job.id)
        time.sleep(0.01)
    assert reclens.json("jobs", "cancel", job.id)["state"] == "cancelled"
    n_before = len(jobs.job_events(workspace, job.id))
    assert n_before < 30
    assert checkpoint.exists()
    assert reclens.json("jobs", "resume", job.id)["state"] in ("queued", "running")
    done = wait_for(workspace, job.id, "done", "failed", "lost")
    assert (done.state, done.error) == ("done", None)
    numbers = [event["number"] for event in jobs.job_events(workspace, job.id)]
    assert numbers == list(range(1, 31))
    assert not checkpoint.exists()
    straight = reclens.json("train", "shop", "--ranker", "transformer", "--name", "whole", *words)
    assert done.result is not None
    assert done.result["weights_sha256"] == straight["weights_sha256"]
    assert "is done; failed, cancelled and lost jobs can be resumed" in reclens.refusal(
        "jobs", "resume", job.id
    )


def test_a_job_that_is_not_there_is_not_resumed(reclens: Command):
    assert "there is no job 'jb_000000000000'" in reclens.refusal("jobs", "resume", "jb_000000000000")


@pytest.mark.slow
def test_torchrun_trains_one_model_and_answers_once(reclens: Command):
    """Two processes on this machine; the weights are those of one process with as many pieces."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    command = [sys.executable, "-m", "torch.distributed.run", "--nproc-per-node", "2", "--master-port", port]
    words = ["train", "shop", "--ranker", "transformer", "--name", "together", *CHANGES, "--json"]
    environment = os.environ | {"GLOO_SOCKET_IFNAME": "lo", "OMP_NUM_THREADS": "2"}
    done = subprocess.run(
        [*command, "-m", "recsys_core.cli", *words, "--workspace", str(reclens.workspace)],
        env=environment,
        capture_output=True,
        text=True,
        timeout=PATIENCE_S * 2,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    (line,) = done.stdout.splitlines()
    assert json.loads(line)["weights_sha256"] == trained(reclens, "pieces", "--set", "accumulation=2")
