"""Components, contrast and the smallest change: in words and in tables."""

import pandas as pd

from recsys_core.actions.models import LoadedModel
from recsys_core.explain.components import Components
from recsys_core.explain.contrast import Contrast
from recsys_core.explain.standing import Change
from ui.reasons import listed, main_reasons
from ui.text import plain, safe, t

MOST_NAMED = 5  # items of a change in one sentence


def components_table(found: Components) -> pd.DataFrame:
    """From the baseline to the score: `name`, `value`, `is_total`, `absent` (what stands for the part)."""
    rows = [(t("reasons.nothing_known"), found.baseline_score, True, "")]
    rows += [
        (t(f"reasons.part_{part}"), float(value), False, t(f"reasons.absent_{part}"))
        for part, value in zip(found.parts, found.contributions, strict=True)
    ]
    rows.append((t("reasons.score"), found.score, True, ""))
    return pd.DataFrame(rows, columns=["name", "value", "is_total", "absent"])


def components_sentence(item: str, found: Components) -> str:
    """Which parts lift the item most, and which hold it down."""
    parts = sorted(zip(found.contributions.tolist(), found.parts, strict=True), reverse=True)
    lifting = [t(f"reasons.said_{part}") for value, part in parts if value >= 0.05]
    lowering = [t(f"reasons.said_{part}") for value, part in reversed(parts) if value <= -0.05]
    if not lifting and not lowering:
        return t("reasons.parts_even", item=item)
    words = [t("reasons.parts_lift", item=item, parts=listed(lifting))] if lifting else []
    words += [t("reasons.parts_lower", item=item, parts=listed(lowering))] if lowering else []
    return _one_after_the_other(words)


def contrast_table(model: LoadedModel, found: Contrast) -> pd.DataFrame:
    """What each event adds to the margin: `position`, `title`, `attribution`, `own`, `other`, `item_id`."""
    dataset, items = model.data.dataset, found.question.history
    return pd.DataFrame(
        {
            "position": range(1, len(items) + 1),
            "title": [plain(title) for title in dataset.titles[items]],
            "attribution": found.values,
            "own": found.own.values,
            "other": found.other.values,
            "item_id": dataset.item_ids[items],
            "category": "",
        }
    )


def contrast_sentence(model: LoadedModel, found: Contrast, table: pd.DataFrame, verified: bool) -> str:
    """Why one item stands above the other, as far as the history says so; honest where it isn't sure."""
    titles = model.data.dataset.titles
    pair = (titles[found.question.item_number], titles[found.other_number])
    above, below = (f"**{safe(title)}**" for title in (pair if found.margin >= 0 else pair[::-1]))
    sign = 1.0 if found.margin >= 0 else -1.0
    signed = table.assign(attribution=sign * table["attribution"])
    for_it = main_reasons(signed)
    against = main_reasons(signed.assign(attribution=-signed["attribution"]))
    if not for_it:
        return t("reasons.over_nothing", item=above, other=below)
    key = "reasons.over" if verified else "reasons.over_unsure"
    words = [t(key, item=above, other=below, reasons=_named(for_it))]
    words += [t("reasons.over_against", other=below, reasons=_named(against))] if against else []
    return _one_after_the_other(words)


def change_sentence(model: LoadedModel, change: Change) -> str:
    """What the smallest change is and what becomes of the item, with no more certainty than was proven."""
    titles, goal = model.data.dataset.titles, change.goal
    values = {
        "item": f"**{safe(titles[change.item_number])}**",
        "k": goal.k,
        "rival": f"**{safe(titles[goal.rival])}**",
        "before": f"{change.rank_before:,}",
        "after": f"{change.rank_after:,}",
    }
    if len(change.items) == 0:
        return t(f"reasons.{goal.kind}_none", **values)
    names = [f"*{safe(title)}*" for title in titles[change.items[:MOST_NAMED]]]
    more = len(change.items) - len(names)
    items = (
        listed(names) if more <= 0 else t("reasons.and_more", items=t("explain.comma").join(names), more=more)
    )
    words = [t(f"reasons.{goal.kind}_found", items=items, **values)]
    if len(change.items) > 1 and change.minimal:
        words.append(t("reasons.smallest" if change.smallest else "reasons.minimal"))
    elif len(change.items) > 1:
        words.append(t("reasons.not_minimal"))
    return _one_after_the_other(words)


def _named(titles: list[str]) -> str:
    return listed([f"*{safe(title)}*" for title in titles])


def _one_after_the_other(sentences: list[str]) -> str:
    """Two sentences, or one."""
    first, *others = sentences
    return t("reasons.two_sentences", first=first, second=others[0]) if others else first
