"""An explanation in words and tables: nothing is said that its numbers don't carry."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import isnan
from typing import Literal

import pandas as pd

from recsys_core.actions.models import LoadedModel
from recsys_core.explain.explanation import Explanation
from recsys_core.explain.faithfulness import CEILING, MIN_COHORT, RIVALS, Faithfulness, Removal, Verification
from recsys_core.explain.history import MAX_RELATIVE_DELTA, Method, default_method, methods_of
from recsys_core.ranker.cross_encoder import CrossEncoderRanker
from recsys_core.ranker.popularity import PopularityRanker
from ui import answers
from ui.people import categories
from ui.state import AsOf
from ui.text import has, plain, safe, t

Figure = Literal["comprehensiveness", "sufficiency", "deletion"]

MOST_NAMED = 3  # reasons that a sentence names
SMALLEST_NAMED = 0.15  # share of all that speaks for the item


@dataclass(frozen=True, slots=True)
class Evidence:
    """An explanation and, beside it, leave-one-out of the same list, the ceiling that it is held against."""

    explanation: Explanation
    ceiling: Explanation

    def figures(self, removal: Removal) -> dict[str, Faithfulness]:
        """By order: the explanation itself, its rivals, and leave-one-out."""
        own = self.explanation.faithfulness[removal]
        return own | {CEILING: self.ceiling.faithfulness[removal][CEILING]}


def ask(
    model: LoadedModel, user_id: str, item_id: str, method: str, as_of: AsOf, baseline: str | None = None
) -> Evidence:
    """The evidence for one item of one list; raises what `explain_item` raises."""
    return Evidence(
        answers.explanation(model, user_id, item_id, method, as_of, baseline),
        answers.explanation(model, user_id, item_id, CEILING, as_of),
    )


def fitting_methods(model: LoadedModel) -> list[Method]:
    """The methods that a model's ranker can carry, the one that fits it best first.

    A cross-encoder reads texts for every history that it is asked about, so that it is asked least.
    """
    if isinstance(model.ranker, CrossEncoderRanker):
        return [default_method(model.ranker)]
    return list(methods_of(model.ranker))


def is_the_same_for_all(model: LoadedModel) -> bool:
    """Whether no history changes what the model recommends."""
    return isinstance(model.ranker, PopularityRanker)


def contributions(model: LoadedModel, explanation: Explanation) -> pd.DataFrame:
    """What each history item adds, oldest first.

    Columns: `position` (1 = oldest), `title`, `category`, `attribution`, `item_id`; `standard_error` as well
    where the method has drawn.
    """
    dataset, items = model.data.dataset, explanation.history
    errors = explanation.attributions.standard_errors
    drawn = {} if errors is None else {"standard_error": errors}
    return pd.DataFrame(
        {
            "position": range(1, len(items) + 1),
            "title": [plain(title) for title in dataset.titles[items]],
            "category": categories(model.data, items),
            "attribution": explanation.attributions.values,
            "item_id": dataset.item_ids[items],
            **drawn,
        }
    )


def by_item(table: pd.DataFrame) -> pd.DataFrame:
    """The same with the repeats of an item in one row, furthest from 0 first.

    Columns: `title`, `attribution` (the sum over its events), `times`, `category`.
    """
    sums = table.groupby("item_id", sort=False).agg(
        title=("title", "first"),
        attribution=("attribution", "sum"),
        times=("attribution", "size"),
        category=("category", "first"),
    )
    return sums.sort_values("attribution", key=abs, ascending=False, kind="stable").reset_index(drop=True)


def main_reasons(table: pd.DataFrame) -> list[str]:
    """Titles of the items that speak most for the explained one: at most 3, each with a real share of it.

    Nothing speaks for it where no item's sum is above 0.
    """
    items = by_item(table)
    speaking = items[items["attribution"] > 0]
    named = speaking[speaking["attribution"] >= SMALLEST_NAMED * speaking["attribution"].sum()]
    return [str(title) for title in (named if len(named) else speaking.head(1))["title"].head(MOST_NAMED)]


def customer_sentence(model: LoadedModel, explanation: Explanation, table: pd.DataFrame) -> str:
    """Why the item is on the list, as markdown that a customer could read; honest where it isn't sure."""
    item = f"**{safe(model.data.dataset.titles[explanation.item_number])}**"
    if is_the_same_for_all(model):
        count = int(answers.popularity(model.data)[explanation.item_number])
        return t("explain.because_popular", item=item, n=count)
    named = main_reasons(table)
    if not named:
        return t("explain.because_nothing", item=item)
    reasons = listed([f"*{safe(title)}*" for title in named])
    return t(
        "explain.because" if explanation.verified else "explain.because_unsure", item=item, reasons=reasons
    )


def badge_reason(verification: Verification | None, method: str, baseline: str | None = None) -> str:
    """Why the badge is given or withheld, in the person's language; `baseline`: one not the method's own."""
    if verification is None and baseline is not None:
        return t("explain.badge_other_baseline", method=order_name(method), baseline=baseline_name(baseline))
    if verification is None:
        return t("explain.badge_untested", method=order_name(method))
    name, n = t(f"explain.said_{method}"), f"{verification.n_people:,}"
    if verification.verified:
        return t("explain.badge_earned", method=name, people=n, rivals=_rivals_named(RIVALS))
    if verification.n_people < MIN_COHORT:
        return t("explain.badge_too_few", people=n, least=MIN_COHORT)
    lost = [name for name in RIVALS if any(g.rival == name and g.ci_low <= 0 for g in verification.gains)]
    return t("explain.badge_lost", method=name, people=n, rivals=_rivals_named(lost))


def adds_up(explanation: Explanation) -> str:
    """Whether the contributions add up to the score, in words."""
    found = explanation.attributions
    if isnan(found.delta):
        return t("explain.no_sum", method=order_name(found.method))
    if found.relative_delta <= MAX_RELATIVE_DELTA:
        return t("explain.adds_up")
    return t("explain.does_not_add_up")


def faithfulness_table(evidence: Evidence, figure: Figure) -> pd.DataFrame:
    """One figure of every order and kind of removal: `key`, `order` (in words), `removal`, `value`, `own`."""
    method = evidence.explanation.attributions.method
    rows = [
        (order, order_name(order), t(f"explain.removal_{removal}"), getattr(figures, figure), order == method)
        for removal in evidence.explanation.faithfulness
        for order, figures in evidence.figures(removal).items()
    ]
    return pd.DataFrame(rows, columns=["key", "order", "removal", "value", "own"])


def best_rival(table: pd.DataFrame, figure: Figure) -> "pd.Series[float]":
    """The row of a `faithfulness_table` with the made-up order that did best, gaps closed.

    It is the first of equals; leave-one-out asks the model and is no made-up order.
    """
    made_up = table[table["key"].isin(RIVALS)]
    rows = made_up[made_up["removal"] == table["removal"].iloc[0]]
    return rows.loc[rows["value"].idxmin() if figure == "sufficiency" else rows["value"].idxmax()]


def gains_table(verification: Verification) -> pd.DataFrame:
    """How the badge was decided: each gain over a rival with its 95 % interval."""
    rows = [
        (
            order_name(gain.rival),
            t(f"explain.figure_{gain.figure}"),
            t(f"explain.removal_{gain.removal}"),
            verification.n_people,
            gain.mean,
            gain.ci_low,
            gain.ci_high,
        )
        for gain in verification.gains
    ]
    return pd.DataFrame(rows, columns=["rival", "figure", "removal", "n", "gain", "ci_low", "ci_high"])


def order_name(order: str) -> str:
    """What an order of removal is called."""
    return t(f"explain.method_{order}" if has(f"explain.method_{order}") else f"explain.order_{order}")


def baseline_name(baseline: str) -> str:
    """What a baseline is called."""
    return t(f"explain.against_{baseline}")


def compared_with(method: str, baseline: str) -> str:
    """What a method has compared with, in a sentence."""
    for key in (f"explain.baseline_{method}_{baseline}", f"explain.compared_{baseline}"):
        if has(key):
            return t(key)
    return t(f"explain.baseline_{method}")


def _rivals_named(orders: Sequence[str]) -> str:
    """Orders as part of a sentence."""
    return listed([t(f"explain.said_{order}") for order in orders])


def listed(names: list[str]) -> str:
    """Names as part of a sentence: "a, b and c"."""
    if len(names) < 2:
        return "".join(names)
    return t("explain.listed", first=t("explain.comma").join(names[:-1]), last=names[-1])
