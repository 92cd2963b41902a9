"""What closing a gap costs on MovieLens-1M: python -m benchmarks.mitigation_frontier FOLDER HOME [--by A …].

FOLDER is GroupLens' `ml-1m` (users.dat, movies.dat and the interactions). HOME is a workspace that is kept,
so that a run that was stopped goes on, and its models can be looked at in the dashboard. A small transformer
over items alone is trained, and for each attribute once more in each way that heeds its groups; they stand on
one frontier with re-rankings by group. The same as `reclens mitigate base --by A --train all --rerank …`.
Prints Markdown.
"""

import argparse
from collections.abc import Sequence
from pathlib import Path

from recsys_core.actions.data import ingest_sample
from recsys_core.actions.mitigation import Mitigation, mitigate
from recsys_core.actions.mitigation_training import METHODS, PREFIX, TrainedVariant
from recsys_core.actions.models import open_model, train
from recsys_core.fairness.mitigation import Change, FrontierPoint
from recsys_core.pipeline import Learned
from recsys_core.store.records import ModelRecord
from recsys_core.store.workspace import Workspace

DATASET, BASE, SEED, DRAWS = "ml1m", "base", 0, 1000
SETTINGS = ("encoder=none", "epochs=4", "max_length=50", "embedding_size=32", "n_blocks=1")
RERANKINGS = (
    *("calibration:0.1", "calibration:0.3", "mmr:0.1", "mmr:0.3", "popularity:0.1", "popularity:0.3"),
    *("share:0.2@popularity=middle", "exposure:0.2@popularity=middle"),
)
ITEM_FIGURES = ("coverage@10", "gini@10")
MOST_ROWS = 8  # of re-rankings by group, thinned out evenly


def main() -> None:
    """Trains what is missing, then prints a frontier and its side effects for each attribute."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path, help="of MovieLens-1M")
    parser.add_argument("home", type=Path, help="of the workspace")
    parser.add_argument("--by", nargs="+", default=["gender", "age"])
    parser.add_argument("--train", nargs="+", default=METHODS, choices=METHODS)
    options = parser.parse_args()
    workspace = Workspace.open(options.home)
    if not workspace.datasets():
        ingest_sample(workspace, DATASET, "movielens-1m", options.folder)
    model = open_model(workspace, trained(workspace, BASE, ()).id)
    for by in options.by:
        records = {
            f"{PREFIX}{method}:1": trained(
                workspace, f"{by} {method}", (f"group_attribute={by}", f"group_objective={method}")
            )
            for method in options.train
        }
        variants = [variant(workspace, name, record) for name, record in records.items()]
        found, _ = mitigate(model, by, RERANKINGS, draws=DRAWS, seed=SEED, variants=variants)
        print_frontier(found)
        print_trainings(found, {"as it is": model.record} | records)
        print_side_effects(found)


def trained(workspace: Workspace, name: str, changes: Sequence[str]) -> ModelRecord:
    """The model of this name, trained where it isn't kept yet."""
    for record in workspace.models():
        if record.name == name:
            return record
    return train(workspace, DATASET, "transformer", name, "quick", SEED, [*SETTINGS, *changes])


def variant(workspace: Workspace, name: str, record: ModelRecord) -> TrainedVariant:
    """A kept model as an option of a frontier."""
    opened = open_model(workspace, record.id)
    return TrainedVariant(
        name, opened.settings, Learned(opened.ranker, None, None), float(record.details["seconds"])
    )


def print_frontier(found: Mitigation) -> None:
    """The lists as they are, every training and some re-rankings by group: the gap and what it costs."""
    halves = f"{found.n_fitting:,} people chose, {found.n_showing:,} show"
    print(f"\n{halves}; {len(found.points)} points of {found.attribute}.")
    print(f"\n| point | gap seen by those who chose | gap | its change | {found.metric} | its change |")
    print("|---|---|---|---|---|---|")
    for point in told(found):
        print(
            f"| {'chosen: ' if point.chosen else ''}{words_of(found, point)} | {point.fit_gap:.4f} "
            f"| {point.gap.after:.4f} | {signed(point.gap)} | {point.utility.after:.4f} "
            f"| {signed(point.utility)} |"
        )
    tried = {spec for point in found.points for spec in found.rules(point).values()}
    unused = ", ".join(spec for spec in found.specs if spec not in tried)
    print(f"\nOn no point, for they cost a group more than it may lose or help none: {unused}.")


def told(found: Mitigation) -> list[FrontierPoint]:
    """The points that are printed, the widest gap first."""
    own = [point for point in found.points if is_told(found, point)]
    others = [point for point in found.points if not is_told(found, point)]
    step = max(1, -(-len(others) // MOST_ROWS))
    return [point for point in found.points if point in own or point in others[::step]]


def is_told(found: Mitigation, point: FrontierPoint) -> bool:
    """Whether a point is always printed: the lists as they are, a training, or what was chosen."""
    rules = set(found.rules(point).values())
    return point.chosen or rules == {""} or any(rule.startswith(PREFIX) for rule in rules)


def words_of(found: Mitigation, point: FrontierPoint) -> str:
    """What each group gets at a point, groups with the same together."""
    groups = dict[str, list[str]]()
    for group, spec in found.rules(point).items():
        groups.setdefault(spec, []).append(group)
    if len(groups) == 1:
        return f"`{next(iter(groups))}` for all" if "" not in groups else "the lists as they are"
    return "; ".join(
        f"{', '.join(own)}: {f'`{spec}`' if spec else 'as it is'}" for spec, own in groups.items()
    )


def print_trainings(found: Mitigation, records: dict[str, ModelRecord]) -> None:
    """What each training does to every group, and to the items."""
    points = {
        next(iter(found.rules(point).values())): point for point in found.points if is_told(found, point)
    }
    print(f"\n| training | {' | '.join(found.groups)} | {' | '.join(ITEM_FIGURES)} | seconds |")
    print("|---" * (len(found.groups) + len(ITEM_FIGURES) + 2) + "|")
    for name, record in records.items():
        point = points.get("" if name == "as it is" else name)
        cells = (
            ["costs too much"] * len(found.groups) if point is None else [signed(own) for own in point.groups]
        )
        if name == "as it is" and point is not None:
            cells = [f"{own.before:.4f}" for own in point.groups]
        figures = [f"{record.details['test'][figure]:.3f}" for figure in ITEM_FIGURES]
        print(f"| {name} | {' | '.join([*cells, *figures])} | {record.details['seconds']:.0f} |")


def print_side_effects(found: Mitigation) -> None:
    """What the chosen point does to every group of every attribute, to the items and to groups of items."""
    print("\n| at the chosen point | group | n | before | after | change |\n|---|---|---|---|---|---|")
    for row in found.side_effects:
        print(f"| {row.attribute} | {row.group} | {row.n:,} | {spread(row.change)} |")
    for item in found.items:
        print(f"| items | {item.name} | | {item.before:.4f} | {item.after:.4f} | |")
    for row in found.item_groups:
        print(f"| exposure of {row.attribute} | {row.group} | {row.n_items:,} | {spread(row.change)} |")


def spread(change: Change) -> str:
    """Before, after and the change, as cells of a table."""
    return f"{change.before:.4f} | {change.after:.4f} | {signed(change)}"


def signed(change: Change) -> str:
    """A change with its 95 % interval."""
    return f"{change.difference:+.4f} ({change.ci_low:+.4f} to {change.ci_high:+.4f})"


if __name__ == "__main__":
    main()
