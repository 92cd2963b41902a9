"""The item side of an audit in words and tables."""

from typing import Any

import numpy as np
import pandas as pd

from recsys_core.actions.data import LoadedDataset
from recsys_core.errors import DataError
from recsys_core.fairness.exposure_groups import item_attributes, item_groups
from recsys_core.fairness.exposure_result import ATTRIBUTE_MEASURES, GROUP_MEASURES, ItemAudit
from recsys_core.fairness.exposure_verdicts import Due, ExposureVerdict, exposure_verdicts
from recsys_core.fairness.groups import UNKNOWN
from ui.audit_answers import once
from ui.audit_names import verdict_name
from ui.text import has, plain, safe, t

TOLD = 3  # groups of each verdict that are told in sentences; the table has all
DRAWN = 20  # groups in a chart; more can't be read
FIRST = ("provider", "category", "popularity")


def usable_item_attributes(data: LoadedDataset) -> list[str]:
    """What the items can be grouped by, what is asked about most at the front."""
    return once(("item attributes", data.record.id), lambda: _usable(data))


def item_attribute_name(by: str) -> str:
    """An attribute of items as people read it, as plain text."""
    return t(f"items.attribute_{by}") if has(f"items.attribute_{by}") else plain(by)


def item_group_name(by: str, group: str) -> str:
    """A group of items as people read it, as plain text."""
    if group == UNKNOWN:
        return t("fairness.unknown")
    return t(f"items.group_{group}") if by == "popularity" and has(f"items.group_{group}") else plain(group)


def items_headline(verdicts: tuple[ExposureVerdict, ...], due: Due) -> str:
    """What was found of all groups, in one sentence that claims no more than the data can."""
    if not verdicts:
        return t("items.headline_none")
    n = sum(own.verdict == "disparity" for own in verdicts)
    if n:
        return t(f"items.headline_disparity_{due}", n=n)
    if all(own.verdict == "equivalent" for own in verdicts):
        return t(f"items.headline_equivalent_{due}")
    return t("items.headline_open")


def item_groups_table(audit: ItemAudit, by: str, due: Due) -> pd.DataFrame:
    """One row a group, the least exposed first: ratio to its due with verdict, shares, rates, sizes."""
    verdicts = {own.group: own for own in exposure_verdicts(audit, by, due)}
    rows = [row for row in audit.groups if row.attribute == by]
    table = pd.DataFrame(
        [
            {
                "group": item_group_name(by, row.group),
                "verdict_name": verdict_name(own.verdict) if (own := verdicts.get(row.group)) else "",
                "ratio": own.value if own else _plain_ratio(audit, by, row.group, row.catalogue_share, due),
                "ci_low": own.ci_low if own else None,
                "ci_high": own.ci_high if own else None,
                "p_adjusted": own.p_adjusted if own else None,
                "catalogue_share": row.catalogue_share,
                **{measure: _value(audit, by, row.group, measure) for measure in GROUP_MEASURES},
                "n_items": row.n_items,
                "n_reached": row.n_reached,
                "n_merited": row.n_merited,
                "verdict": own.verdict if own else "",
            }
            for row in rows
        ]
    )
    numbers = [name for name in table.columns if name not in ("group", "verdict", "verdict_name")]
    table = table.astype(dict.fromkeys(numbers, "float64")).drop(columns="exposure_per_merit")
    return table.sort_values("ratio", kind="stable", ignore_index=True)


def item_measures_table(audit: ItemAudit, by: str) -> pd.DataFrame:
    """What is said of all groups together: `measure`, `value`, `ci_low`, `ci_high`, `meaning`."""
    figures = [audit.figure(by, "", measure) for measure in ATTRIBUTE_MEASURES]
    rows = [
        (
            t(f"items.measure_{own.measure}"),
            own.value,
            own.ci_low,
            own.ci_high,
            t(f"items.meaning_{own.measure}"),
        )
        for own in figures
        if own is not None
    ]
    table = pd.DataFrame(rows, columns=["measure", "value", "ci_low", "ci_high", "meaning"])
    return table.astype(dict.fromkeys(["value", "ci_low", "ci_high"], "float64"))


def item_sentences(groups: pd.DataFrame, due: Due) -> list[str]:
    """The groups that are told in words, as items of a markdown list: the least and the most exposed first.

    Args:
        groups: as `item_groups_table`.
        due: what the ratio is of.
    """
    told = list[str]()
    for verdict in ("disparity", "equivalent", "inconclusive"):
        rows = groups[groups["verdict"] == verdict]
        if len(rows) > TOLD:  # both ends of the order, since the middle says least
            rows = pd.concat([rows.head(TOLD - 1), rows.tail(1)])
        for row in rows.itertuples():
            said = t(f"items.says_{verdict}", **_figures(row), due=t(f"items.due_{due}"))
            told.append(f"- **{safe(row.verdict_name)}** · {safe(row.group)}: {said}")
    return told


def drawn_first(groups: pd.DataFrame) -> pd.DataFrame:
    """The groups that a chart has room for: with many, the least and the most exposed."""
    known = groups[groups["ci_low"].notna()]
    if len(known) <= DRAWN:
        return known
    return pd.concat([known.head(DRAWN // 2), known.tail(DRAWN // 2)])


def _figures(row: Any) -> dict[str, str]:
    """The figures of one row of a table of groups, as sentences have them."""
    return {
        "ratio": f"{row.ratio:.2f}",
        "low": f"{row.ci_low:.2f}",
        "high": f"{row.ci_high:.2f}",
        "exposure": f"{row.exposure_share:.1%}",
        "merit": "–" if np.isnan(row.merit_share) else f"{row.merit_share:.1%}",
        "catalogue": f"{row.catalogue_share:.1%}",
    }


def _value(audit: ItemAudit, by: str, group: str, measure: str) -> float | None:
    figure = audit.figure(by, group, measure)
    return None if figure is None else figure.value


def _plain_ratio(audit: ItemAudit, by: str, group: str, catalogue: float, due: Due) -> float | None:
    """The ratio of a group without an interval."""
    if due == "merit":
        return _value(audit, by, group, "exposure_per_merit")
    share = _value(audit, by, group, "exposure_share")
    return None if share is None else share / catalogue


def _usable(data: LoadedDataset) -> list[str]:
    items = data.dataset.items
    existing = item_attributes(items)
    named = [name for name in FIRST if name in existing]
    named += [name for name in existing if name not in FIRST]
    return [by for by in named if _forms_groups(items, by)]


def _forms_groups(items: pd.DataFrame, by: str) -> bool:
    try:
        item_groups(items, by, np.zeros(len(items) + 1, dtype=np.int64))
    except DataError:
        return False
    return True
