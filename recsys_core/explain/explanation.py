"""One item of one list, explained and checked; and the badge that a method earns over many people."""

from dataclasses import dataclass, replace

import numpy as np

from recsys_core.data.dataset import Dataset, Histories, IntArray
from recsys_core.data.split import Split, histories
from recsys_core.errors import DataError
from recsys_core.explain.answers import SCORES_AT_ONCE
from recsys_core.explain.attributions import DEFAULT, Attributions, Baseline, Method, Options
from recsys_core.explain.faithfulness import REMOVALS, Faithfulness, Removal, Verification, verify
from recsys_core.explain.history import METHODS, attribute, default_method
from recsys_core.explain.knowledge import item_knowledge
from recsys_core.explain.measures import MeasuredOrder, measure_orders
from recsys_core.explain.orders import by_item, rival_orders
from recsys_core.explain.scoring import Explained, Question
from recsys_core.ranker.cross_encoder import CrossEncoderRanker
from recsys_core.ranker.lists import ListRequest, rank_of
from recsys_core.ranker.protocol import Ranker
from recsys_core.ranker.top_k import mask_seen, top_k

VERIFIED_PEOPLE = 200


@dataclass(frozen=True, slots=True)
class Explanation:
    """Why one item is where it is on one list, and how far that answer can be trusted.

    Attributes:
        baseline: what the method compared with, by name; `attributions` has it in words.
        measured: by kind of removal and by order, the method itself among its rivals: every measure, and the
            curves of the score while items leave and enter.
        verification: what the method has shown on this model over many people; None = never tested.
        explained: which score the attributions are of; faithfulness and badge are of the log-probability.
    """

    user_id: str
    item_number: int
    history: IntArray
    rank: int
    baseline: Baseline
    attributions: Attributions
    measured: dict[Removal, dict[str, MeasuredOrder]]
    verification: Verification | None
    explained: Explained = "log-probability"

    @property
    def faithfulness(self) -> dict[Removal, dict[str, Faithfulness]]:
        """By kind of removal and by order, what the badge asks."""
        return {
            removal: {name: found.faithfulness for name, found in orders.items()}
            for removal, orders in self.measured.items()
        }

    @property
    def verified(self) -> bool:
        """Whether the method has earned the badge on this model."""
        return self.verification is not None and self.verification.verified

    @property
    def reason(self) -> str:
        """Why the badge is given or withheld, in a sentence."""
        if self.explained != "log-probability":
            return f"{self.attributions.method} is tested on the log-probability, not on the {self.explained}"
        if self.verification is None and self.baseline != METHODS[self.attributions.method].baselines[0]:
            return (
                f"{self.attributions.method} was not tested on this model with the baseline {self.baseline}"
            )
        if self.verification is None:
            return f"{self.attributions.method} was not tested on this model yet"
        return self.verification.reason


def explain(
    ranker: Ranker,
    dataset: Dataset,
    split: Split,
    request: ListRequest,
    item_number: int,
    method: Method | None,
    verification: Verification | None,
    options: Options = DEFAULT,
    explained: Explained = "log-probability",
) -> Explanation:
    """Why an item is on a list: what each history item adds, and what happens when they go.

    A badge is of a method with its own baseline and of the log-probability; otherwise nothing is verified.

    Raises:
        DataError: the item is no candidate, because the person has touched it.
        ConfigError: the method or its baseline doesn't fit the ranker, or there is no history.
    """
    if item_number in request.seen:
        raise DataError(
            f"'{dataset.titles[item_number]}' is in this person's history, so it is no candidate for the list"
        )
    question = Question(request.history, item_number, request.seen, request.context, request.askers)
    chosen = method or default_method(ranker)
    attributions = attribute(ranker, replace(question, explained=explained), chosen, options)
    own = METHODS[chosen].baselines[0]
    baseline = options.baseline or own
    orders = {chosen: by_item(request.history, attributions.values)} | rival_orders(
        question, item_knowledge(ranker, dataset, split), np.random.default_rng(0)
    )
    with_ranks = not isinstance(ranker, CrossEncoderRanker)
    measured: dict[Removal, dict[str, MeasuredOrder]] = {
        removal: measure_orders(ranker, [question], [orders], removal, with_ranks=with_ranks)[0]
        for removal in REMOVALS
    }
    as_tested = baseline == own and explained == "log-probability"
    fitting = verification if verification and verification.method == chosen and as_tested else None
    rank = rank_of(ranker, request, item_number)
    return Explanation(
        request.user_id,
        item_number,
        request.history,
        rank,
        baseline,
        attributions,
        measured,
        fitting,
        explained,
    )


def verify_method(
    ranker: Ranker, dataset: Dataset, split: Split, method: Method, seed: int, n_people: int = VERIFIED_PEOPLE
) -> Verification | None:
    """The badge of a method, tested on the first list item of people drawn by the seed.

    None where nobody has two items of history, and for a cross-encoder: it would have to read some
    hundred thousand pairs of texts, which takes longer than its training.
    """
    if isinstance(ranker, CrossEncoderRanker):
        return None
    questions = questions_to_verify(ranker, dataset, split, seed, n_people)
    if not questions:
        return None
    return verify(ranker, questions, method, item_knowledge(ranker, dataset, split), seed)


def questions_to_verify(
    ranker: Ranker,
    dataset: Dataset,
    split: Split,
    seed: int,
    n_people: int = VERIFIED_PEOPLE,
    people: IntArray | None = None,
) -> list[Question]:
    """Why is the first item first, on the lists of up to `n_people` drawn by the seed.

    Args:
        ranker: whose lists.
        dataset: whose people.
        split: the moment is that of the test targets.
        seed: decides who is drawn.
        n_people: how many at most.
        people: their numbers, if not everybody is asked for; who has under two items of history isn't drawn.
    """
    return asked_to_verify(ranker, dataset, split, seed, n_people, people)[1]


def asked_to_verify(
    ranker: Ranker, dataset: Dataset, split: Split, seed: int, n_people: int, people: IntArray | None
) -> tuple[IntArray, list[Question]]:
    """The numbers of the people who `questions_to_verify` asks about, and the questions."""
    known = histories(dataset, split, "test")
    fitting = np.flatnonzero(known.lengths >= 2)
    if people is not None:
        fitting = np.intersect1d(fitting, people)
    drawn = np.sort(np.random.default_rng(seed).permutation(fitting)[:n_people])
    if len(drawn) == 0:
        return drawn, []
    listed, questions = about_first_items(ranker, known.take(drawn))
    return drawn[listed], questions


def about_first_items(ranker: Ranker, known: Histories) -> tuple[IntArray, list[Question]]:
    """Who has a list, and why its first item is there; `known` says what people have touched."""
    at_once = max(1, SCORES_AT_ONCE // (ranker.n_items + 1))
    some = [known.take(rows) for rows in _in_turn(len(known), at_once)]
    firsts = [top_k(mask_seen(ranker.score(own), own), 1)[:, 0] for own in some]
    first = np.concatenate([np.zeros(0, dtype=np.int64), *firsts])
    listed = np.flatnonzero(first > 0)
    people = [known.take(np.array([row])) for row in listed]
    return listed, [
        Question(own.items, int(item), own.items, own.context, own.askers)
        for own, item in zip(people, first[listed], strict=True)
    ]


def _in_turn(n: int, at_once: int) -> list[IntArray]:
    return [np.arange(start, min(start + at_once, n)) for start in range(0, n, at_once)]
