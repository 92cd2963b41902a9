"""What the benchmarks work out from what they measured."""

import argparse
import math
from pathlib import Path

import numpy as np
import pytest

from benchmarks.children import ChildFailed, run_own, spread
from benchmarks.cold import Cohort, print_figures, print_gain
from benchmarks.growth import exponent
from benchmarks.run import DATA, PARTS, chosen, listing, run
from benchmarks.scoring_speed import compare
from benchmarks.training_speed import Compared
from recsys_core.metrics.ranks import RelevantRanks


def test_the_exponent_of_quadratic_growth_is_two():
    assert exponent([1, 10, 100], [3.0, 300.0, 30_000.0]) == "2.00"


def test_the_exponent_leaves_failed_stages_out():
    assert exponent([1, 10, 100], [1.0, 10.0, math.nan]) == "1.00"
    assert exponent([1, 10], [1.0, math.nan]) == "–"


def test_a_peer_is_compared_with_the_mean_of_our_runs_around_it():
    figures = [{"targets_per_s": value} for value in (30.0, 10.0, 50.0)]
    assert Compared(*figures).ratio == 4.0


def test_a_spread_is_the_median_and_the_range():
    assert spread([3.0, 1.0, 2.0], "{:.0f}") == "2 (1–3)"
    assert spread([3.0], "{:.0f}") == "3"


def test_lists_are_compared_by_the_scores_where_items_differ(tmp_path):
    np.save(tmp_path / "vectors.npy", np.array([[1.0], [1.0], [2.0]], dtype=np.float32))
    np.save(tmp_path / "states.npy", np.array([[1.0], [1.0]], dtype=np.float32))
    np.save(tmp_path / "items_own.npy", np.array([[2, 0], [2, 0]]))
    np.save(tmp_path / "items.npy", np.array([[2, 1], [0, 2]]))  # a tie, then two real differences
    assert compare(tmp_path) == "3 of 4 places differ, by 1e+00 at most; 2 beyond rounding"


def test_what_texts_add_is_told_of_the_people_of_a_cohort(capsys: pytest.CaptureFixture[str]):
    """Their test items are first with texts and past the tenth place without; others don't count."""
    with_texts, without = (
        RelevantRanks(np.array(ranks), np.arange(4)) for ranks in ([300, 1, 1], [1, 30, 40])
    )
    rare = Cohort("rare", np.array([False, True, True]))
    print_figures("any", rare, {"id": [without], "both": [with_texts]})
    print_gain("any", rare, [with_texts], [without])
    assert capsys.readouterr().out.splitlines() == [
        "| any | id | rare | 2 | 0.0000 ± 0.0000 | 0.0000 ± 0.0000 | 1.0000 ± 0.0000 | 35 |",
        "| any | both | rare | 2 | 1.0000 ± 0.0000 | 1.0000 ± 0.0000 | 1.0000 ± 0.0000 | 1 |",
        "| any | both − id | rare | 2 | +1.0000 (+1.0000 to +1.0000) | +1.0000 (+1.0000 to +1.0000) "
        "| +0.0000 (+0.0000 to +0.0000) |  |",
    ]


def test_a_child_that_fails_says_how():
    with pytest.raises(ChildFailed, match="No module named"):
        run_own("missing")


def test_every_part_is_of_modules_that_are_there_and_is_listed_in_a_line():
    folder = Path(__file__).parents[1] / "benchmarks"
    for part in PARTS.values():
        for module, *_ in (*part.commands, *part.quick):
            assert (folder / f"{module}.py").exists(), module
    assert [line.split()[0] for line in listing().splitlines()] == list(PARTS)


def test_what_runs_by_default_needs_no_data():
    commands = [command for _, own in chosen([]) for command in own]
    assert commands
    assert not set(DATA) & {argument for command in commands for argument in command}


def test_all_is_every_part_and_a_name_is_that_part():
    assert [name for name, _ in chosen(["all"])] == list(PARTS)
    assert chosen(["growth"]) == [("growth", (("growth",),))]


def test_a_part_whose_data_are_missing_is_skipped_in_a_sentence(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    missing = tmp_path / "ml-1m.txt.gz"
    run("training_speed", ["{ml_1m}"], argparse.Namespace(ml_1m=missing))
    assert capsys.readouterr().out == f"Skipped: it needs --ml-1m, and {missing} isn't there.\n"
