"""Do a model's explanations know of its weights, and do they stay where little changes?"""

from collections.abc import Callable
from dataclasses import asdict, dataclass
from math import isfinite
from typing import Any

from recsys_core.actions.models import LoadedModel
from recsys_core.actions.verifications import checked_methods, questions_of
from recsys_core.errors import ConfigError
from recsys_core.explain.agreement import Agreement
from recsys_core.explain.faithfulness import EVERYONE
from recsys_core.explain.history import Method, default_method
from recsys_core.explain.randomisation import RandomisedLayer, randomisation_check
from recsys_core.explain.stability import agreement_of_models, agreement_under_edits
from recsys_core.ranker.neural import NeuralRanker

CHECKED_PEOPLE = 50


@dataclass(frozen=True, slots=True)
class Robustness:
    """What becomes of a model's explanations when weights, history or seed change.

    Attributes:
        method: whose attributions.
        randomised: layer by layer from the top; empty for rankers that have no layers.
        edited: by kind of edit of the history.
        other_model: with another model's explanations of the same items; None if there was none.
    """

    method: Method
    randomised: tuple[RandomisedLayer, ...]
    edited: dict[str, Agreement]
    other_model: Agreement | None


def check_robustness(
    model: LoadedModel,
    method: str | None = None,
    other: LoadedModel | None = None,
    people: int = CHECKED_PEOPLE,
    seed: int = 0,
    progress: Callable[[float, str], None] = lambda share, message: None,
) -> Robustness:
    """Explanations before and after: weights drawn anew, one item more or less, another model.

    Args:
        model: an opened model.
        method: of the explanations; None = the one that fits the ranker best.
        other: the same ranker trained on the same data with another seed, say.
        people: how many, drawn by the seed.
        seed: also draws weights and edits.
        progress: told the share that is done, and with what it is busy.

    Raises:
        ConfigError: there is no such method, it doesn't fit, or the other model learned from other data.
        DataError: nobody has two items of history.
    """
    if other is not None and other.record.dataset_id != model.record.dataset_id:
        raise ConfigError(f"'{other.record.name}' learned from another data set than '{model.record.name}'")
    chosen = checked_methods([method])[0] if method else default_method(model.ranker)
    questions = questions_of(model, EVERYONE, people, seed)
    layers = list[RandomisedLayer]()
    if isinstance(model.ranker, NeuralRanker):
        layers = randomisation_check(
            model.ranker, questions, chosen, seed, lambda share: progress(0.6 * share, "Drawing weights anew")
        )
    edited = agreement_under_edits(
        model.ranker, questions, chosen, seed, lambda share: progress(0.6 + 0.3 * share, "Editing histories")
    )
    beside = None if other is None else agreement_of_models(model.ranker, other.ranker, questions, chosen)
    progress(1.0, "Done")
    return Robustness(chosen, tuple(layers), edited, beside)


def robustness_json(found: Robustness) -> dict[str, Any]:
    """The contract of `reclens robustness --json`."""
    return {
        "method": found.method,
        "randomised": [{"layer": own.layer, **_json(own.agreement)} for own in found.randomised],
        "edited": [{"edit": name, **_json(own)} for name, own in found.edited.items()],
        "other_model": None if found.other_model is None else _json(found.other_model),
    }


def _json(own: Agreement) -> dict[str, Any]:
    return {name: value if isfinite(value) else None for name, value in asdict(own).items()}
