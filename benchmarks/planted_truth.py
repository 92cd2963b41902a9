"""Do explanations find what was planted, and do those of a randomised copy lose the badge?

python -m benchmarks.planted_truth causes              in the sample shop, by method and by made-up order
python -m benchmarks.planted_truth copies              of the sample model, 200 with random weights
python -m benchmarks.planted_truth copies --home FOLDER --name MODEL    of a model that a workspace keeps

A cause is planted where the simulator chose an item because of an earlier one; the question is whether
that one comes first among all history items.

Copies are tested on the real model. The rule, set before any was: over the first 50 people and by the first
kind of removal, a copy whose gain over some made-up order has its whole 95 % interval below 0 has lost; any
other copy goes through the badge's own test, all 200 people and both kinds. So a copy keeps the badge only by
the badge's own test, and most are decided by a quarter of the people.
"""

import argparse
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import get_args

import numpy as np

from recsys_core.actions.models import LoadedModel, open_model
from recsys_core.actions.samples import SAMPLE_FOLDER, SHOP_FOLDER, open_sample
from recsys_core.data.dataset import FloatArray
from recsys_core.data.simulate_truth import read_truth
from recsys_core.data.split import histories, targets
from recsys_core.explain.answers import answers, items_of
from recsys_core.explain.attributions import Method
from recsys_core.explain.explanation import questions_to_verify
from recsys_core.explain.faithfulness import REMOVALS, Figures, Removal, Verification, measure_many, verdicts
from recsys_core.explain.history import quick_methods_of
from recsys_core.explain.knowledge import item_knowledge
from recsys_core.explain.orders import importances, orders_without_method, place_in_order
from recsys_core.explain.randomisation import randomised_copy
from recsys_core.explain.scoring import Question
from recsys_core.ranker.neighbours import fit_transitions
from recsys_core.ranker.neural import NeuralRanker
from recsys_core.store.workspace import Workspace

METHOD: Method = "integrated-gradients"
K = 10
FIRST_PEOPLE = 50


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("part", nargs="?", default="causes", choices=("causes", "copies"))
    parser.add_argument("--copies", type=int, default=200)
    parser.add_argument("--method", default=METHOD, choices=get_args(Method))
    parser.add_argument("--first", type=int, default=0, help="seed of the first copy")
    parser.add_argument("--home", type=Path, help="workspace of the model; the sample's by default")
    parser.add_argument("--name", default="", help="of the model in it")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="reclens-planted-") as home:
        workspace = Workspace.open(options.home or Path(home))
        name = options.name if options.home is not None else open_sample(workspace)[1].id
        model = open_model(workspace, name)
        if options.part == "causes":
            causes(model)
        else:
            copies(model, options.method, options.copies, options.first)


def causes(model: LoadedModel) -> None:
    """Prints how often the planted cause is the strongest item, and among the strongest three."""
    dataset, split = model.data.dataset, model.data.split
    known = histories(dataset, split, "valid")
    transitions = fit_transitions(known, dataset.n_items, 20, 0.7)
    print("| ranker | cases | order | first | among the first three | cases on the list | first |")
    print("|---|---|---|---|---|---|---|")
    for name, ranker in (("transformer", model.ranker), ("transitions", transitions)):
        questions, planted = cases(model)
        orders = orders_without_method(
            ranker, questions, item_knowledge(ranker, dataset, split), np.random.default_rng(0)
        )
        for method in quick_methods_of(ranker):
            if method in orders[0]:
                continue
            for own, values in zip(orders, importances(ranker, questions, method), strict=True):
                own[method] = values
        gone = [np.zeros((1, len(items_of(question.history)[0])), dtype=bool) for question in questions]
        found = answers(ranker, questions, gone, in_place=False, with_ranks=True)
        listed = np.array([answer.ranks[0] <= K for answer in found])
        for order in orders[0]:
            ranks = np.array(
                [
                    place(q, own[order], cause)
                    for q, own, cause in zip(questions, orders, planted, strict=True)
                ]
            )
            print(
                f"| {name} | {len(ranks)} | {order} | {(ranks == 0).mean():.3f} | {(ranks < 3).mean():.3f} "
                f"| {listed.sum()} | {(ranks[listed] == 0).mean():.3f} |",
                flush=True,
            )


def cases(model: LoadedModel) -> tuple[list[Question], list[int]]:
    """Test targets that the simulator chose because of an item of the history, and that item."""
    dataset, split = model.data.dataset, model.data.split
    truth = read_truth(SAMPLE_FOLDER / SHOP_FOLDER / "truth.json")
    known, wanted = histories(dataset, split, "test"), targets(dataset, split, "test")
    questions, planted = list[Question](), list[int]()
    for user_id, pairs in truth.realised_causes.items():
        row = dataset.user_number(user_id)
        causes_of = dict(pairs)
        effect = str(dataset.item_ids[wanted[row]])
        if effect not in causes_of:
            continue
        own, cause = known.take(np.array([row])), dataset.item_number(causes_of[effect])
        if cause in own.items and len(np.unique(own.items)) >= 5:
            questions.append(Question(own.items, int(wanted[row]), own.items, own.context, own.askers))
            planted.append(cause)
    return questions, planted


def place(question: Question, importance: FloatArray, cause: int) -> int:
    """The cause's place in an order of the history's items, from 0."""
    items, _ = items_of(question.history)
    return int(place_in_order(importance)[np.searchsorted(items, cause)])


def copies(model: LoadedModel, method: Method, n: int, first: int) -> None:
    """Prints whether a method has the badge on the real model, and how many randomised copies have it not."""
    dataset, split, ranker = model.data.dataset, model.data.split, model.ranker
    assert isinstance(ranker, NeuralRanker)
    questions = questions_to_verify(ranker, dataset, split, 0)
    knowledge = item_knowledge(ranker, dataset, split)
    rivals = orders_without_method(ranker, questions, knowledge, np.random.default_rng(0))
    measured: Figures = {removal: measure_many(ranker, questions, rivals, removal) for removal in REMOVALS}
    own = Trial(ranker, ranker, method, questions, measured, 0)
    print(f"the real model: {own.verdict(len(questions), REMOVALS).reason}", flush=True)
    lost, by_the_first, start = 0, 0, time.process_time()
    for number, seed in enumerate(range(first, first + n), start=1):
        tested = Trial(ranker, randomised_copy(ranker, seed), method, questions, measured, seed)
        is_behind = tested.is_behind(FIRST_PEOPLE)
        by_the_first += is_behind
        lost += is_behind or not tested.verdict(len(questions), REMOVALS).verified
        seconds = time.process_time() - start
        if number % 20 == 0 or number == n:
            print(
                f"{lost} of {number} copies (seeds {first} to {seed}) lose the badge, {by_the_first} of them "
                f"decided by the first {FIRST_PEOPLE} of {len(questions)} people; {seconds:.0f} CPU seconds",
                flush=True,
            )


class Trial:
    """A copy's explanations, tested on the real model with as many people as it takes to decide."""

    def __init__(
        self,
        ranker: NeuralRanker,
        copied: NeuralRanker,
        method: Method,
        questions: list[Question],
        rivals: Figures,
        seed: int,
    ) -> None:
        self.ranker, self.copied, self.questions = ranker, copied, questions
        self.method: Method = method
        self.rivals, self.seed = rivals, seed
        self.orders = list[dict[str, FloatArray]]()

    def is_behind(self, n_people: int) -> bool:
        """Whether some gain is surely negative over the first people, by the first kind of removal."""
        return any(gain.ci_high < 0 for gain in self.verdict(n_people, REMOVALS[:1]).gains)

    def verdict(self, n_people: int, removals: Sequence[Removal]) -> Verification:
        """The badge's test over the first people; explanations of people asked about before are kept."""
        asked = self.questions[:n_people]
        new = asked[len(self.orders) :]
        if new:
            self.orders += [{self.method: values} for values in importances(self.copied, new, self.method)]
        figures: Figures = {
            removal: [
                rival | own
                for rival, own in zip(
                    self.rivals[removal],
                    measure_many(self.ranker, asked, self.orders[:n_people], removal),
                    strict=False,
                )
            ]
            for removal in removals
        }
        (verdict,) = verdicts(figures, (self.method,), "", np.random.default_rng(self.seed))
        return verdict


if __name__ == "__main__":
    main()
