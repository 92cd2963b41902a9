"""The item side on Fairness: who is shown how much, beside what people choose and what the catalogue has."""

from collections.abc import Callable
from dataclasses import dataclass

import pandas as pd
import streamlit as st

from recsys_core.actions.item_audits import audit_model_items
from recsys_core.actions.models import LoadedModel
from recsys_core.fairness.exposure_result import ItemAudit, ItemAuditSettings
from recsys_core.fairness.exposure_verdicts import LEAST_ALIKE, MOST_ALIKE, Due, exposure_verdicts
from ui import state
from ui.audit_answers import known, on_request
from ui.audit_items import (
    drawn_first,
    item_attribute_name,
    item_groups_table,
    item_measures_table,
    item_sentences,
    items_headline,
    usable_item_attributes,
)
from ui.charts_items import ratio_plot, shares_plot
from ui.components import chart, table
from ui.text import safe, t

ALIKE = (LEAST_ALIKE, MOST_ALIKE)
DUES: tuple[Due, ...] = ("merit", "catalogue")
SHARES = ("catalogue_share", "merit_share", "exposure_share")
RATES = ("recommendation_rate", "found_rate", "pairwise_inter", "pairwise_intra")
SIZES = ("n_items", "n_reached", "n_merited")


@dataclass(frozen=True, slots=True)
class ItemsAsked:
    """How the item side is counted: places of a list, resamples, their seed, the fewest people shown."""

    k: int
    draws: int
    seed: int
    minimum_group: int

    def by(self, attributes: tuple[str, ...]) -> ItemAuditSettings:
        """The same, of these attributes of items."""
        return ItemAuditSettings(attributes, self.k, self.draws, self.seed, self.minimum_group)


def draw_items(
    model: LoadedModel, asked: ItemsAsked, keep: Callable[[ItemAudit], None] = lambda found: None
) -> None:
    """The choice of groups, the button, and what came of it.

    Args:
        model: whose lists are looked at.
        asked: how.
        keep: called with what was found, once.
    """
    st.subheader(t("items.heading"), anchor=False, help=t("items.heading_help"))
    attributes = usable_item_attributes(model.data)
    chosen = st.multiselect(
        t("items.by"),
        attributes,
        default=attributes[:1],
        format_func=item_attribute_name,
        key="items_by",
        help=t("items.by_help"),
        placeholder=t("fairness.choose"),
        persist_state="session",
    )
    if not chosen:
        st.caption(t("items.choose_first" if attributes else "items.none"))
        return
    settings = asked.by(tuple(chosen))

    def look() -> ItemAudit:
        found = audit_model_items(model, settings)
        keep(found)
        return found

    words = t("items.run"), t("items.not_run"), t("items.running")
    found = on_request("items", (model.record.id, settings), words, ":material/inventory_2:", look)
    if found is not None:
        _draw(found)


def known_items(model: LoadedModel, asked: ItemsAsked) -> ItemAudit | None:
    """The item side by the attributes that are chosen now, if it was asked for."""
    chosen = state.chosen_in("items_by")
    found = known(("items", (model.record.id, asked.by(chosen)))) if chosen else None
    return found if isinstance(found, ItemAudit) else None


def _draw(found: ItemAudit) -> None:
    first, *_ = found.settings.by
    by = first
    with st.container(horizontal=True):
        if len(found.settings.by) > 1:
            by = st.segmented_control(
                t("items.attribute"),
                list(found.settings.by),
                default=by,
                required=True,
                format_func=lambda name: safe(item_attribute_name(name)),
                key="items_attribute",
            )
        chosen = st.segmented_control(
            t("items.due"),
            list(DUES),
            default=DUES[0],
            required=True,
            format_func=lambda name: t(f"items.due_{name}_short"),
            key="items_due",
            help=t("items.due_help"),
        )
    due: Due = "catalogue" if chosen == "catalogue" else "merit"
    by = by if by in found.settings.by else first
    groups = item_groups_table(found, by, due)
    st.markdown(f"**{safe(items_headline(exposure_verdicts(found, by, due), due))}**")
    _draw_charts(found, groups, due)
    st.markdown("\n".join(item_sentences(groups, due)))
    open_groups = int((groups["verdict"] == "").sum())
    if open_groups:
        st.caption(t("items.open", n=open_groups))
    _draw_table(groups)
    _draw_measures(found, by)


def _draw_charts(found: ItemAudit, groups: pd.DataFrame, due: Due) -> None:
    drawn = drawn_first(groups)
    if drawn.empty:
        return
    left, right = st.columns(2, gap="medium")
    with left:
        people = f"{found.n_people:,}"
        st.caption(t(f"items.means_{due}", people=people, k=found.settings.k))
        figure = ratio_plot(drawn, t(f"items.ratio_{due}"), ALIKE, t("items.alike"))
        chart(figure, "items_ratios", t("items.ratio_alt"), _without_key(drawn), "item_exposure")
    with right:
        st.caption(t("items.shares"))
        names = t("items.catalogue_share"), t("items.merit_share"), t("items.exposure_share")
        shares = shares_plot(drawn, names, t("items.share"))
        chart(shares, "items_shares", t("items.shares_alt"), drawn[["group", *SHARES]], "item_shares")
    if len(drawn) < len(groups):
        st.caption(t("items.only_some", shown=len(drawn), n=len(groups)))


def _draw_table(groups: pd.DataFrame) -> None:
    text, number = st.column_config.TextColumn, st.column_config.NumberColumn
    columns = {
        "group": text(t("fairness.group"), width=150),
        "verdict_name": text(t("fairness.verdict"), width=110, help=t("items.verdict_help")),
        "ratio": number(t("items.ratio"), format="%.2f", help=t("items.ratio_help")),
        "ci_low": number(t("fairness.ci_low"), format="%.2f"),
        "ci_high": number(t("fairness.ci_high"), format="%.2f"),
        "p_adjusted": number(t("fairness.p_adjusted"), format="%.4f", help=t("items.p_adjusted_help")),
    }
    for name in (*SHARES, *RATES):
        columns[name] = number(t(f"items.{name}"), format="percent", help=t(f"items.{name}_help"))
    for name in SIZES:
        hint = t(f"items.{name}_help") if name != "n_items" else None
        columns[name] = number(t(f"items.{name}"), format="localized", help=hint)
    table(
        _without_key(groups), "items_table", "item_groups.csv", alt=t("items.heading"), column_config=columns
    )


def _draw_measures(found: ItemAudit, by: str) -> None:
    text, number = st.column_config.TextColumn, st.column_config.NumberColumn
    with st.expander(t("items.all_groups"), key="items_all_groups", type="compact"):
        table(
            item_measures_table(found, by),
            "items_measures",
            "item_measures.csv",
            alt=t("items.all_groups"),
            column_config={
                "measure": text(t("items.measure"), width=220),
                "value": number(t("fairness.value"), format="%.4f"),
                "ci_low": number(t("fairness.ci_low"), format="%.4f"),
                "ci_high": number(t("fairness.ci_high"), format="%.4f"),
                "meaning": text(t("items.meaning"), width=320),
            },
        )


def _without_key(groups: pd.DataFrame) -> pd.DataFrame:
    return groups.drop(columns="verdict")
