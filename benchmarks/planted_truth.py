"""Do explanations find what was planted, and do those of a randomised copy lose the badge?

python -m benchmarks.planted_truth causes              in the sample shop, by method and by made-up order
python -m benchmarks.planted_truth copies [N] [FIRST]   N randomised copies of the sample model

A cause is planted where the simulator chose an item because of an earlier one; the question is whether
that one comes first among all history items. Copies are tested on the real model, with 200 people each.
"""

import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from recsys_core.actions.models import LoadedModel, open_model
from recsys_core.actions.samples import SAMPLE_FOLDER, SHOP_FOLDER, open_sample
from recsys_core.data.dataset import FloatArray
from recsys_core.data.simulate_truth import read_truth
from recsys_core.data.split import histories, targets
from recsys_core.explain.answers import answers, items_of
from recsys_core.explain.explanation import questions_to_verify
from recsys_core.explain.faithfulness import (
    REMOVALS,
    Figures,
    importances,
    measure_many,
    orders_without_method,
    place_in_order,
    verdicts,
)
from recsys_core.explain.history import quick_methods_of
from recsys_core.explain.knowledge import item_knowledge
from recsys_core.explain.randomisation import randomised_copy
from recsys_core.explain.scoring import Question
from recsys_core.ranker.neighbours import fit_transitions
from recsys_core.ranker.neural import NeuralRanker
from recsys_core.store.workspace import Workspace

METHOD = "integrated-gradients"
K = 10


def main() -> None:
    part, *numbers = sys.argv[1:] or ["causes"]
    with tempfile.TemporaryDirectory(prefix="reclens-planted-") as home:
        workspace = Workspace.open(Path(home))
        _, record = open_sample(workspace)
        model = open_model(workspace, record.id)
        if part == "copies":
            copies(model, *(int(number) for number in numbers))
        else:
            causes(model)


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


def copies(model: LoadedModel, n: int = 200, first: int = 0) -> None:
    """Prints how many randomised copies lose the badge on the real model."""
    dataset, split, ranker = model.data.dataset, model.data.split, model.ranker
    assert isinstance(ranker, NeuralRanker)
    questions = questions_to_verify(ranker, dataset, split, 0)
    knowledge = item_knowledge(ranker, dataset, split)
    rivals = orders_without_method(ranker, questions, knowledge, np.random.default_rng(0))
    measured: Figures = {removal: measure_many(ranker, questions, rivals, removal) for removal in REMOVALS}
    lost, start = 0, time.process_time()
    for seed in range(first, first + n):
        copied = randomised_copy(ranker, seed)
        orders: list[dict[str, FloatArray]] = [
            {METHOD: values} for values in importances(copied, questions, METHOD)
        ]
        figures: Figures = {
            removal: [
                own | other
                for own, other in zip(
                    measured[removal], measure_many(ranker, questions, orders, removal), strict=True
                )
            ]
            for removal in REMOVALS
        }
        (verdict,) = verdicts(figures, (METHOD,), "", np.random.default_rng(seed))
        lost += not verdict.verified
    seconds = time.process_time() - start
    print(
        f"{lost} of {n} copies (seeds {first} to {first + n - 1}) lose the badge; {seconds:.0f} CPU seconds"
    )


if __name__ == "__main__":
    main()
