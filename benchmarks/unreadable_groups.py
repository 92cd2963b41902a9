"""How well adversarial removal hides a group, and what it costs: python -m benchmarks.unreadable_groups

A world in which a group can be read from a history and helps to foretell it: items come in pairs, everybody
goes from pair to pair in the same order, and takes the half of the pair that their group likes in four of
five cases. Whoever knows the group foretells four of five next items at best, whoever doesn't half of them.
Judged on people that the ranker hasn't seen, by the probe of `reclens leakage` and by a support vector
machine with a radial kernel, which isn't linear. Prints Markdown: means over seeds, smallest and largest.
"""

import argparse
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import cross_val_predict
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC

from recsys_core.data.dataset import Histories, IntArray
from recsys_core.data.events import Askers
from recsys_core.fairness.leakage import Probe, probe_group
from recsys_core.ranker.transformer import TransformerRanker
from recsys_core.ranker.user_vectors import user_vectors
from recsys_core.trainer.groups import AS_IT_IS, GroupChoice, PeopleGroups
from recsys_core.trainer.loop import train
from recsys_core.trainer.recipe import Callbacks, Recipe

N_PAIRS, LENGTH, LIKED = 10, 10, 0.8
N_PEOPLE, N_EPOCHS = 600, 8
GROUPS = PeopleGroups(("one", "other"), (0,), ((1,), (2,)), (0, 1))
CHOICES = (AS_IT_IS, *(GroupChoice("adversarial", strength) for strength in (0.3, 1.0, 3.0, 10.0)))


@dataclass(frozen=True, slots=True)
class World:
    """People of two groups and what they touched.

    Attributes:
        items: [n, LENGTH] item numbers.
        groups: [n] 0 or 1.
    """

    items: IntArray
    groups: IntArray

    def known(self, length: int) -> Histories:
        """[n] the first so many items of everybody, with their groups as their one attribute."""
        bare = Histories.of(self.items[:, :length].tolist())
        nothing = np.full(len(self.items), np.nan)
        return Histories(bare.items, bare.offsets, None, Askers(self.groups[:, None] + 1, nothing))


@dataclass(frozen=True, slots=True)
class Hidden:
    """What a training left to read, and what it is worth to people it hasn't seen.

    Attributes:
        probe: of `reclens leakage`.
        curved: AUC of a support vector machine with a radial kernel, cross-validated.
        hit_rate: share of people whose next item comes first.
    """

    probe: Probe
    curved: float
    hit_rate: float


def world(seed: int, n: int = N_PEOPLE) -> World:
    """People drawn by a seed."""
    rng = np.random.default_rng(seed)
    groups = rng.integers(0, 2, n)
    pairs = (rng.integers(0, N_PAIRS, n)[:, None] + np.arange(LENGTH)) % N_PAIRS
    likes = rng.random((n, LENGTH)) < LIKED
    halves = np.where(likes, groups[:, None], 1 - groups[:, None])
    return World(1 + 2 * pairs + halves, groups)


def trained(choice: GroupChoice, seed: int) -> TransformerRanker:
    """A small transformer that learned from one world."""
    torch.manual_seed(seed)
    ranker = TransformerRanker(2 * N_PAIRS, 16, 1, 2, max_length=LENGTH, dropout=0.0)
    recipe = Recipe(N_EPOCHS, N_EPOCHS, 32, 0.01, 0.0, seed, groups=choice)
    rising = iter(range(N_EPOCHS))
    callbacks = Callbacks(lambda _: None, lambda _: None)
    known = world(seed).known(LENGTH)
    train(ranker, known, lambda: next(rising), recipe, torch.device("cpu"), callbacks, groups=GROUPS)
    return ranker


def judged(ranker: TransformerRanker, seed: int, n_permutations: int = 19) -> Hidden:
    """What is left to read of people of another world."""
    others = world(1_000 + seed)
    known, wanted = others.known(LENGTH - 1), others.items[:, -1]
    vectors = user_vectors(ranker, known)
    curved = make_pipeline(StandardScaler(), SVC())
    read = cross_val_predict(curved, vectors, others.groups, cv=5, method="decision_function")
    return Hidden(
        probe=probe_group(vectors, others.groups == 1, n_permutations, seed),
        curved=float(roc_auc_score(others.groups, read)),
        hit_rate=float((1 + ranker.score(known)[:, 1:].argmax(axis=1) == wanted).mean()),
    )


def main() -> None:
    """Prints one row a training."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=3)
    seeds = range(parser.parse_args().seeds)
    print("| training | AUC of the probe | 95 % of shuffled are under | AUC of a curved reader | HR@1 |")
    print("|---|---|---|---|---|")
    for choice in CHOICES:
        found = [judged(trained(choice, seed), seed) for seed in seeds]
        name = "plain" if choice == AS_IT_IS else f"{choice.method}:{choice.strength:g}"
        cells = (
            spread([own.probe.auc for own in found]),
            spread([own.probe.null_high for own in found]),
            spread([own.curved for own in found]),
            spread([own.hit_rate for own in found]),
        )
        print(f"| {name} | {' | '.join(cells)} |", flush=True)


def spread(values: Sequence[float]) -> str:
    """The mean, with the smallest and the largest."""
    return f"{np.mean(values):.3f} ({min(values):.3f}–{max(values):.3f})"


if __name__ == "__main__":
    main()
