"""Names of uploads, limits of settings, time left of jobs: what the forms are made of."""

from dataclasses import replace

import pytest

from recsys_core.config import SETTINGS, EaseSettings, TransformerSettings
from recsys_core.store.records import JobRecord
from ui.imports import name_on_disk
from ui.job_rows import seconds_left
from ui.parameters import limits
from ui.text import about, duration


@pytest.mark.parametrize(
    ("name", "on_disk"),
    [
        ("ratings.csv", "ratings.csv"),
        ("../../etc/passwd", "passwd"),
        ("C:\\data\\a.tsv", "a.tsv"),
        ("..", "upload"),
        ("", "upload"),
        ("a\x00b\n.csv", "a_b_.csv"),
        ("电影 (1).csv", "电影 (1).csv"),
        ("=cmd|' /C calc'!A0.csv", "C calc__A0.csv"),
    ],
)
def test_upload_name_stays_recognisable_and_in_its_folder(name: str, on_disk: str) -> None:
    assert name_on_disk(name) == on_disk


def test_endless_upload_name_is_cut_and_keeps_its_ending() -> None:
    shortened = name_on_disk("x" * 500 + ".csv")
    assert len(shortened) == 100
    assert shortened.endswith("x.csv")


def test_limits_are_the_bounds_of_the_settings() -> None:
    assert limits(TransformerSettings.model_fields["epochs"]) == (1, 1_000)
    assert limits(TransformerSettings.model_fields["item_id"]) == (None, None)


def test_excluded_bounds_are_just_missed() -> None:
    low, high = limits(EaseSettings.model_fields["l2"])
    assert low is not None and 0 < low < 1e-300
    assert high == 1e6
    _, high = limits(TransformerSettings.model_fields["dropout"])
    assert high is not None and 0.999 < high < 1


def test_every_number_has_limits() -> None:
    unbounded = [
        (ranker, name)
        for ranker, kind in SETTINGS.items()
        for name, field in kind.model_fields.items()
        if field.annotation in (int, float) and None in limits(field)
    ]
    assert unbounded == []


JOB = JobRecord(
    id="job_1", kind="train", spec={}, state="running", submission_key=None, created_at_s=0.0,
    started_at_s=100.0, finished_at_s=None, pid=1, heartbeat_s=0.0, progress=0.25, message="",
    cancel_requested=False, result=None, error=None,
)  # fmt: skip


def test_time_left_follows_from_the_share_that_is_done() -> None:
    assert seconds_left(JOB, 130.0) == 90.0


@pytest.mark.parametrize(
    "job", [replace(JOB, progress=0.01), replace(JOB, started_at_s=None), replace(JOB, state="queued")]
)
def test_time_left_is_unknown_too_early(job: JobRecord) -> None:
    assert seconds_left(job, 130.0) is None


@pytest.mark.parametrize(
    ("seconds", "words"), [(1, "5 s"), (42, "40 s"), (59, "1 min"), (100, "2 min"), (7_000, "1 h 56 min")]
)
def test_estimates_are_rounded(seconds: float, words: str) -> None:
    assert about(seconds) == words


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(0.42, "0.4 s"), (3, "3 s"), (59.6, "1 min 0 s"), (200, "3 min 20 s"), (3_700, "1 h 1 min")],
)
def test_lengths_of_time_are_said_in_full(seconds: float, words: str) -> None:
    assert duration(seconds) == words
