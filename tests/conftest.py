"""Fixtures that several test files share."""

import os
import shutil
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # before torch comes in; see the Makefile
os.environ.setdefault("NUMBA_DISABLE_JIT", "1")  # before ranx comes in: compiling it outlasts running it

import pytest
import torch
from app_workspace import BuiltWorkspace, build_hostile_workspace, build_workspace
from command import Command
from small_groups import build_small_groups
from wider_shop import build_wider_shop

from recsys_core import pipeline
from recsys_core.actions import disclosures
from recsys_core.actions.models import train

# Whole files that `make quick` leaves out: pages opened one by one, and statistics of many simulated worlds.
SLOW_FILES = (
    *("test_app_compare", "test_app_explain", "test_app_explore", "test_app_fairness", "test_app_mitigation"),
    *("test_app_reasons", "test_app_why", "test_imported_lists", "test_planted_truth", "test_probe"),
    *("test_worst_subgroup", "test_teacher_models", "test_explanation_parity", "test_mitigate_command"),
    *("test_app_jobs", "test_app_report", "test_influence", "test_payload_attack", "test_robustness"),
    *("test_group_answers", "test_bundles", "test_app_settings", "test_surrogate", "test_baseline_choice"),
    *("test_cli_training", "test_leakage_command", "test_encoder_int8", "test_rating_audit", "test_cohorts"),
    *("test_group_objectives", "test_app_frame", "test_comparisons", "test_cli_reasons", "test_app_words"),
    *("test_app_concepts", "test_app_refusals", "test_app_lists", "test_differencing", "test_no_raw_ids"),
    *("test_app_fairness_causes", "test_app_fairness_checks", "test_app_fairness_items", "test_two_at_once"),
)


SHARED: list[BuiltWorkspace] = []  # workspaces that many tests look at


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Marks the tests of the slow files."""
    for item in items:
        if item.path.stem in SLOW_FILES:
            item.add_marker(pytest.mark.slow)


def shared(built: BuiltWorkspace) -> BuiltWorkspace:
    """The workspace, remembered as one that many tests look at."""
    SHARED.append(built)
    return built


@pytest.fixture(autouse=True)
def nothing_was_shown() -> Iterator[None]:
    """What a test shows of a workspace that others share must not hide anything from the next one."""
    yield
    for built in SHARED:
        shutil.rmtree(built.home / disclosures.FOLDER, ignore_errors=True)


@pytest.fixture(scope="module")
def one_thread() -> Iterator[None]:
    """For models this small a second thread only waits."""
    n_threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(n_threads)


@pytest.fixture(scope="session")
def kept_shop(tmp_path_factory: pytest.TempPathFactory) -> BuiltWorkspace:
    """A small shop with three models, built once; nothing may be changed in it."""
    home, files = tmp_path_factory.mktemp("shop") / "home", tmp_path_factory.mktemp("files")
    return shared(build_workspace(home, files))


@pytest.fixture(scope="session")
def kept_hostile(tmp_path_factory: pytest.TempPathFactory) -> BuiltWorkspace:
    """A workspace full of hostile names, built once; nothing may be changed in it."""
    home, files = tmp_path_factory.mktemp("hostile") / "home", tmp_path_factory.mktemp("hostile_files")
    return shared(build_hostile_workspace(home, files))


@pytest.fixture(scope="session")
def kept_wider_shop(tmp_path_factory: pytest.TempPathFactory) -> BuiltWorkspace:
    """A shop with more people and two models, built once; nothing may be changed in it."""
    home, files = tmp_path_factory.mktemp("wider") / "home", tmp_path_factory.mktemp("wider_files")
    return shared(build_wider_shop(home, files))


@pytest.fixture
def own_wider_shop(
    kept_wider_shop: BuiltWorkspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> BuiltWorkspace:
    """A copy of the wider shop, for tests that change it."""
    shutil.copytree(kept_wider_shop.home, tmp_path / "home")
    monkeypatch.setenv("RECLENS_HOME", str(tmp_path / "home"))
    return replace(kept_wider_shop, home=tmp_path / "home")


@pytest.fixture
def shop(kept_shop: BuiltWorkspace, monkeypatch: pytest.MonkeyPatch) -> BuiltWorkspace:
    """The dashboard's workspace is the small shop; for tests that only look."""
    monkeypatch.setenv("RECLENS_HOME", str(kept_shop.home))
    return kept_shop


@pytest.fixture
def own_shop(kept_shop: BuiltWorkspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> BuiltWorkspace:
    """A copy of the small shop, for tests that change it."""
    home = tmp_path / "home"
    shutil.copytree(kept_shop.home, home)
    monkeypatch.setenv("RECLENS_HOME", str(home))
    return BuiltWorkspace(
        home, kept_shop.dataset, kept_shop.popularity, kept_shop.item_knn, kept_shop.transformer
    )


@pytest.fixture
def hostile(kept_hostile: BuiltWorkspace, monkeypatch: pytest.MonkeyPatch) -> BuiltWorkspace:
    """The dashboard's workspace is full of hostile names."""
    monkeypatch.setenv("RECLENS_HOME", str(kept_hostile.home))
    return kept_hostile


@pytest.fixture(scope="session")
def kept_clubs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """240 people, one club of seven, lists of two systems, and a model; nothing may be changed in it."""
    folder = tmp_path_factory.mktemp("clubs")
    workspace, dataset, _ = build_small_groups(folder / "home", folder / "files")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(pipeline, "verify_method", partial(pipeline.verify_method, n_people=5))
        train(workspace, dataset, "item-knn", "knn", "quick")
    return folder / "home"


@pytest.fixture
def clubs(kept_clubs: Path, tmp_path: Path) -> Command:
    """The command on a copy of that workspace."""
    shutil.copytree(kept_clubs, tmp_path / "home")
    return Command(tmp_path / "home")


@pytest.fixture
def empty_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The dashboard's workspace is new."""
    monkeypatch.setenv("RECLENS_HOME", str(tmp_path / "home"))
    return tmp_path / "home"
