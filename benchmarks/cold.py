"""What texts are worth, and where: python -m benchmarks.cold FOLDER [--seeds 0 1 2] [--home HOME].

Each ranker is trained on MovieLens-100K with ids alone, with texts alone (title, year and genres), and with
both. Protocol: leave one out, last item test, last but one validation, all items ranked, seen items left out,
no time of the request. Figures are of all people, and of those whose test item is among the rarest in
training: the half of the catalogue that has the fewest interactions, and items with at most five. With
--home the models are kept in that workspace, and a run that was cut off goes on. Prints Markdown.
"""

import argparse
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
from recsys_core.metrics.ranks import RelevantRanks
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


def main() -> None:
    """Trains every variant on every seed and prints means over seeds, and what texts add with intervals."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path, help="of MovieLens-100K")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0])
    parser.add_argument("--rankers", nargs="+", default=["transformer"], choices=list(SETTINGS))
    parser.add_argument("--set", nargs="*", default=[], help="key=value")
    parser.add_argument("--home", type=Path, help="of the workspace that keeps the models")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        workspace = Workspace.open(options.home or Path(folder))
        if not workspace.datasets():
            ingest_sample(workspace, "ml", "movielens-100k", options.folder)
        compare(workspace, options.seeds, options.rankers, options.set)


def compare(workspace: Workspace, seeds: list[int], rankers: list[str], changes: list[str]) -> None:
    """Prints the figures of the only data set of a workspace, training what isn't there yet."""
    data = open_dataset(workspace, workspace.datasets()[0].id)
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
            print_figures(ranker, group, ranks)
        for group in groups:
            print_gain(ranker, group, ranks["both"], ranks["id"])


def _ranks(
    workspace: Workspace, ranker: str, variant: str, seeds: list[int], changes: list[str]
) -> list[RelevantRanks]:
    """The ranks of everybody's test item, one a seed."""
    found = list[RelevantRanks]()
    for seed in seeds:
        name = " ".join([ranker, variant, str(seed), *changes])
        kept = [model for model in workspace.models() if model.name == name]
        dataset_id = workspace.datasets()[0].id
        record = kept[0] if kept else train(workspace, dataset_id, ranker, name, seed=seed, changes=changes)
        found.append(open_model(workspace, record.id).test.held_out)
    return found


def print_figures(ranker: str, group: Cohort, ranks: dict[str, list[RelevantRanks]]) -> None:
    for variant, of_seeds in ranks.items():
        figures = np.array(
            [[np.nanmean(per_person(metric, own)[group.members]) for metric in METRICS] for own in of_seeds]
        )
        middle = np.mean([np.median(own.first[group.members]) for own in of_seeds])
        cells = [f"{mean:.4f} ± {sd:.4f}" for mean, sd in zip(figures.mean(0), figures.std(0), strict=True)]
        _print_row(ranker, variant, group, [*cells, f"{middle:.0f}"])


def print_gain(ranker: str, group: Cohort, both: list[RelevantRanks], ids: list[RelevantRanks]) -> None:
    """What texts add to ids: each person's mean over seeds, paired, with a 95 % bootstrap interval."""
    cells = list[str]()
    for metric in METRICS:
        gains = np.mean(
            [
                (per_person(metric, own) - per_person(metric, other))[group.members]
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
    main()
