"""What texts are worth, and where: python -m benchmarks.cold FOLDER [SEED …] [RANKER …] [KEY=VALUE …].

Each ranker is trained on MovieLens-100K with ids alone, with texts alone (title, year and genres), and with
both. Protocol: leave one out, last item test, last but one validation, all items ranked, seen items left out,
no time of the request. Figures are of all people, and of those whose test item is among the rarest in
training: the half of the catalogue that has the fewest interactions, and items with at most five. Prints
Markdown; RESULTS.md keeps what was measured, with the machine.
"""

import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from recsys_core.actions.data import ingest_sample, open_dataset
from recsys_core.actions.models import open_model, train
from recsys_core.config import SETTINGS
from recsys_core.data.dataset import FloatArray, IntArray
from recsys_core.data.events import BoolArray
from recsys_core.data.split import histories, targets
from recsys_core.metrics.ranking import per_person
from recsys_core.ranker.popularity import item_counts
from recsys_core.store.workspace import Workspace

VARIANTS = {
    "id": ("encoder=none", "item_id=true"),
    "text": ("item_id=false",),
    "both": ("item_id=true",),
}
METRICS = ("ndcg@10", "hr@10", "hr@100")
FEW, N_DRAWS = 5, 2_000


@dataclass(frozen=True, slots=True)
class Cohort:
    """People who are looked at together: [n_users] who belongs to it."""

    name: str
    members: BoolArray


def cohorts(counts: FloatArray, wanted: IntArray) -> tuple[Cohort, ...]:
    """All people with a test item, and those whose test item is rare.

    Args:
        counts: [n_items + 1] training interactions.
        wanted: [n_users] everybody's test item; 0 = none.
    """
    of_target, has_target = counts[wanted], wanted > 0
    rare = np.median(counts[1:])
    return (
        Cohort("all", has_target),
        Cohort(f"rarest half of items (≤ {rare:.0f})", has_target & (of_target <= rare)),
        Cohort(f"items with ≤ {FEW}", has_target & (of_target <= FEW)),
    )


def main(folder: Path, seeds: list[int], rankers: list[str], changes: list[str]) -> None:
    """Trains every variant on every seed and prints means over seeds, and what texts add with intervals."""
    with tempfile.TemporaryDirectory() as home:
        workspace = Workspace.open(Path(home))
        ingest_sample(workspace, "ml", "movielens-100k", folder)
        data = open_dataset(workspace, "ml")
        known = histories(data.dataset, data.split, "valid")
        groups = cohorts(item_counts(known, data.dataset.n_items), targets(data.dataset, data.split, "test"))
        print("| ranker | items known by | test items | people | NDCG@10 | HR@10 | HR@100 | median rank |")
        print("|---|---|---|---|---|---|---|---|")
        for ranker in rankers:
            ranks = {
                name: _ranks(workspace, ranker, name, seeds, [*variant, *changes])
                for name, variant in VARIANTS.items()
            }
            for group in groups:
                _print_figures(ranker, group, ranks)
            for group in groups:
                _print_gain(ranker, group, ranks["both"], ranks["id"])


def _ranks(
    workspace: Workspace, ranker: str, variant: str, seeds: list[int], changes: list[str]
) -> list[IntArray]:
    """[n_users] ranks of the test items, one array a seed."""
    records = [
        train(workspace, "ml", ranker, f"{ranker} {variant} {seed}", seed=seed, changes=changes)
        for seed in seeds
    ]
    return [open_model(workspace, record.id).test.ranks for record in records]


def _print_figures(ranker: str, group: Cohort, ranks: dict[str, list[IntArray]]) -> None:
    for variant, of_seeds in ranks.items():
        figures = np.array(
            [[np.nanmean(per_person(metric, own[group.members])) for metric in METRICS] for own in of_seeds]
        )
        middle = np.mean([np.median(own[group.members]) for own in of_seeds])
        cells = [f"{mean:.4f} ± {sd:.4f}" for mean, sd in zip(figures.mean(0), figures.std(0), strict=True)]
        _print_row(ranker, variant, group, [*cells, f"{middle:.0f}"])


def _print_gain(ranker: str, group: Cohort, both: list[IntArray], ids: list[IntArray]) -> None:
    """What texts add to ids: each person's mean over seeds, paired, with a 95 % bootstrap interval."""
    cells = list[str]()
    for metric in METRICS:
        gains = np.mean(
            [
                per_person(metric, own[group.members]) - per_person(metric, other[group.members])
                for own, other in zip(both, ids, strict=True)
            ],
            axis=0,
        )
        draws = np.random.default_rng(0).integers(len(gains), size=(N_DRAWS, len(gains)))
        low, high = np.quantile(gains[draws].mean(axis=1), [0.025, 0.975])
        cells.append(f"{gains.mean():+.4f} ({low:+.4f} to {high:+.4f})")
    _print_row(ranker, "both − id", group, [*cells, ""])


def _print_row(ranker: str, known_by: str, group: Cohort, cells: list[str]) -> None:
    words = [ranker, known_by, group.name, str(group.members.sum()), *cells]
    print(f"| {' | '.join(words)} |", flush=True)


if __name__ == "__main__":
    words = sys.argv[2:]
    own_rankers = [word for word in words if word in SETTINGS] or ["transformer"]
    main(
        Path(sys.argv[1]),
        [int(word) for word in words if word.isdigit()] or [0],
        own_rankers,
        [word for word in words if "=" in word],
    )
