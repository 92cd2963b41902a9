"""Why this item and not that one: what each history item adds to the distance between two scores."""

from dataclasses import dataclass

from recsys_core.data.dataset import FloatArray
from recsys_core.errors import ConfigError, DataError
from recsys_core.explain.attributions import DEFAULT, Options
from recsys_core.explain.history import Attributions, Method, attribute_many, default_method
from recsys_core.explain.scoring import Question
from recsys_core.ranker.protocol import Ranker


@dataclass(frozen=True, slots=True)
class Contrast:
    """Two items of one list, explained side by side.

    Attributions of one method are linear in the score that is explained (Sundararajan et al., ICML 2017),
    so those of the margin are the difference of the two items' own.

    Attributes:
        question: about the item that is contrasted.
        other_number: the item that it is held against.
        own: what the history adds to the item's score.
        other: what it adds to the other item's.
    """

    question: Question
    other_number: int
    own: Attributions
    other: Attributions

    @property
    def values(self) -> FloatArray:
        """[length] what each event adds to the margin; above 0 speaks for the item, below for the other."""
        return self.own.values - self.other.values

    @property
    def margin(self) -> float:
        """The item's score less the other's."""
        return self.own.score - self.other.score

    @property
    def baseline_margin(self) -> float:
        """The same at the baseline; NaN for a method that has none."""
        return self.own.baseline_score - self.other.baseline_score

    @property
    def delta(self) -> float:
        """Σ values − (margin − baseline_margin); 0 = they add up exactly, NaN where no sum is promised."""
        return self.own.delta - self.other.delta


def contrast(
    ranker: Ranker,
    question: Question,
    other_number: int,
    method: Method | None = None,
    options: Options = DEFAULT,
) -> Contrast:
    """What speaks for one item rather than another one, by a method that the ranker can carry.

    Raises:
        ConfigError: both are the same item, the method or its baseline doesn't fit the ranker, or there is
            no history.
        DataError: the other item is no candidate.
    """
    if other_number == question.item_number:
        raise ConfigError("an item can't be held against itself; name another one")
    if other_number in question.seen:
        raise DataError("the other item is in this person's history, so it is no candidate for the list")
    chosen = method or default_method(ranker)
    asked = [question.item_number, other_number]
    own, other = attribute_many(ranker, question, asked, chosen, options)  # on one path, with the same draws
    return Contrast(question, other_number, own, other)
