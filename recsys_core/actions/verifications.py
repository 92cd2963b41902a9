"""Testing whether a model's explanations are true, over many people, and keeping what came of it."""

from collections.abc import Callable, Sequence
from dataclasses import asdict
from math import isfinite
from typing import Any

from recsys_core.actions.badges import keep_badges
from recsys_core.actions.group_answers import GroupAnswer, hidden_in, members_of, record_answer, refuse_few
from recsys_core.actions.models import LoadedModel, open_model
from recsys_core.data.dataset import IntArray
from recsys_core.errors import ConfigError, DataError
from recsys_core.explain.attributions import Method
from recsys_core.explain.badges import people_of
from recsys_core.explain.explanation import VERIFIED_PEOPLE, asked_to_verify
from recsys_core.explain.faithfulness import EVERYONE
from recsys_core.explain.history import METHODS, quick_methods_of
from recsys_core.explain.knowledge import item_knowledge
from recsys_core.explain.leaderboard import Leaderboard, leaderboard
from recsys_core.explain.measures import DEFAULT_K
from recsys_core.explain.scoring import Question
from recsys_core.ranker.cross_encoder import CrossEncoderRanker
from recsys_core.store import jobs
from recsys_core.store.records import JobRecord
from recsys_core.store.reporter import JobReporter
from recsys_core.store.workspace import Workspace

VERIFY = "verify"


def verify_model(
    workspace: Workspace,
    model: str,
    methods: Sequence[str] = (),
    cohort: str = EVERYONE,
    people: int = VERIFIED_PEOPLE,
    k: int = DEFAULT_K,
    seed: int = 0,
    progress: Callable[[float, str], None] = lambda share, message: None,
) -> Leaderboard:
    """The leaderboard of a model's explanation methods; their badges are kept with the model.

    Args:
        workspace: where the model is.
        model: its id or name.
        methods: to be tested; none = all that fit the ranker and take no Shapley values, which are slow.
        cohort: whom, as `attribute=value`; "" = a sample of everybody.
        people: how many at most; a badge needs 200.
        k: length of the lists that an item is on or not.
        seed: decides who is drawn, the random order and the bootstrap.
        progress: told the share that is done, and with what it is busy.

    Raises:
        NotFoundError: there is no such model.
        DataError: there is no such cohort, or fewer people in it than may be shown (11, or the workspace's
            privacy threshold) have two items of history, or a few could be told apart by what was shown of
            others before.
        ConfigError: there is no such method, or it doesn't fit the ranker.
    """
    opened = open_model(workspace, model)
    asked = checked_methods(methods)
    members, questions = asked_of(opened, cohort, people, seed)
    answer = _answer(workspace, opened, members)
    hidden = hidden_in(workspace, opened.data, answer)
    fitting = asked or quick_methods_of(opened.ranker)
    data = opened.data
    found = leaderboard(
        opened.ranker,
        questions,
        fitting,
        item_knowledge(opened.ranker, data.dataset, data.split),
        seed,
        k=k,
        cohort=cohort,
        progress=lambda share: progress(share, "Taking items away"),
    )
    badges = tuple(own.verification for own in found.standings if own.verification is not None)
    record_answer(workspace, opened.data, answer, hidden)
    keep_badges(workspace, opened.record.id, badges, leaderboard_json(found))
    return found


def questions_of(model: LoadedModel, cohort: str, people: int, seed: int) -> list[Question]:
    """Why is the first item first, for people of a cohort that the seed draws; at least one.

    Raises:
        DataError, ConfigError: as `asked_of`.
    """
    return asked_of(model, cohort, people, seed)[1]


def asked_of(model: LoadedModel, cohort: str, people: int, seed: int) -> tuple[IntArray, list[Question]]:
    """The numbers of people of a cohort that the seed draws, and why the first item is first for each.

    Raises:
        DataError: there is no such cohort, or nobody in it has two items of history.
        ConfigError: too few people are asked for, or the ranker reads texts, which takes hours.
    """
    if people < 1:
        raise ConfigError(f"people is {people}; it must be 1 or more, and a badge needs 200")
    if isinstance(model.ranker, CrossEncoderRanker):
        raise ConfigError(
            "to have its explanations tested, a cross-encoder would have to read some hundred thousand pairs "
            "of texts; test those of its first stage instead"
        )
    data = model.data
    members = people_of(data.dataset, cohort)
    asked, questions = asked_to_verify(model.ranker, data.dataset, data.split, seed, people, members)
    if not questions:
        raise DataError(
            "nobody there has two different items of history and a list, so nothing can be tested"
        )
    return asked, questions


def checked_methods(names: Sequence[str]) -> tuple[Method, ...]:
    """The methods of these names.

    Raises:
        ConfigError: there is none of a name.
    """
    unknown = [name for name in names if name not in METHODS]
    if unknown:
        raise ConfigError(f"there is no method '{unknown[0]}'; methods are {', '.join(METHODS)}")
    return tuple(method for method in METHODS if method in names)


def submit_verification(
    workspace: Workspace,
    model: str,
    methods: Sequence[str] = (),
    cohort: str = EVERYONE,
    people: int = VERIFIED_PEOPLE,
    k: int = DEFAULT_K,
    seed: int = 0,
    submission_key: str | None = None,
) -> JobRecord:
    """Starts the test as a job; whatever can be refused at once is refused here.

    Raises:
        ConfigError, DataError, NotFoundError: as `verify_model`.
    """
    record = workspace.resolve("model", model)
    asked = checked_methods(methods)
    opened = open_model(workspace, record.id)
    hidden_in(workspace, opened.data, _answer(workspace, opened, asked_of(opened, cohort, people, seed)[0]))
    spec = {
        "model": record.id,
        "methods": list(asked),
        "cohort": cohort,
        "people": people,
        "k": k,
        "seed": seed,
    }
    return jobs.submit(workspace, VERIFY, spec, submission_key)


def run_verification(workspace: Workspace, spec: dict[str, Any], reporter: JobReporter) -> dict[str, Any]:
    """What the worker does for such a job; its result is that of `reclens verify --json`."""

    def report(share: float, message: str) -> None:
        reporter.progress(share, message)
        reporter.check_cancelled()

    return leaderboard_json(verify_model(workspace, **spec, progress=report))


def leaderboard_json(found: Leaderboard) -> dict[str, Any]:
    """The contract of `reclens verify --json`."""
    return {
        "n_people": found.n_people,
        "cohort": found.cohort,
        "k": found.k,
        "standings": [
            {
                "name": own.name,
                "role": own.role,
                "verified": None if own.verification is None else own.verification.verified,
                "reason": None if own.verification is None else own.verification.reason,
                "measures": {removal: _known(asdict(figures)) for removal, figures in own.measures.items()},
                "infidelity": _known(own.infidelity),
                "relative_delta": _known(own.relative_delta),
                "seconds": _known(own.seconds),
            }
            for own in found.standings
        ],
    }


def _answer(workspace: Workspace, model: LoadedModel, people: IntArray) -> GroupAnswer:
    refuse_few(workspace, len(people))
    return GroupAnswer(members_of(model.data, people), about="verifications")


def _known(value: Any) -> Any:
    """The same with None for what isn't a number."""
    if isinstance(value, dict):
        return {name: _known(own) for name, own in value.items()}
    if isinstance(value, tuple | list):
        return [_known(own) for own in value]
    return value if not isinstance(value, float) or isfinite(value) else None
