"""All methods, or all baselines of one, side by side: what each says, and how far to believe it."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import isnan

import pandas as pd
import streamlit as st

from recsys_core.actions.counterfactuals import question_about
from recsys_core.actions.models import LoadedModel
from recsys_core.actions.reasons import badge_of
from recsys_core.errors import ConfigError
from recsys_core.explain.attributions import Attributions, Baseline, Method
from recsys_core.explain.history import METHODS, baselines_for
from ui import answers
from ui.components import sentence, table
from ui.reason_refusals import method_refused
from ui.reasons import badge_reason, baseline_name, fitting_methods, is_the_same_for_all, order_name
from ui.state import AsOf
from ui.text import plain, safe, t

MOST_ITEMS = 12  # of the history, those that any method finds strongest


@dataclass(frozen=True, slots=True)
class Way:
    """A method with a baseline, None = its own, and what the two are called."""

    name: str
    method: Method
    baseline: Baseline | None

    @property
    def strange_baseline(self) -> Baseline | None:
        """The baseline, where it isn't the one that the method is tested with."""
        return None if self.baseline in (None, METHODS[self.method].baselines[0]) else self.baseline


@dataclass(frozen=True, slots=True)
class SideBySide:
    """What several ways say of one item.

    Attributes:
        contributions: `title`, then one column a way, in units of the score.
        trust: `way`, `relative_delta` (NaN = no sum is promised), `badge` and `reason`, one row a way.
        refused: what kept a way from answering, by its name.
    """

    contributions: pd.DataFrame
    trust: pd.DataFrame
    refused: dict[str, str]


def draw_side_by_side(model: LoadedModel, user_id: str, item_id: str, method: Method, as_of: AsOf) -> None:
    """What all methods that the model can carry say of the same item; or one of them with all baselines."""
    if len(fitting_methods(model)) < 2 or is_the_same_for_all(model):
        return
    with st.expander(t("reasons.side_by_side"), key="explain_side_by_side"):
        st.caption(t("reasons.side_by_side_means"))
        if not st.toggle(t("reasons.side_by_side_run"), key="explain_all_methods"):
            return
        ways = ways_to_ask(model, method, _by_baseline(model, method))
        with st.spinner(t("explain.asking")):
            found = side_by_side(model, user_id, item_id, as_of, ways)
        _draw_contributions(found.contributions)
        _draw_trust(found.trust)
        for way, why in found.refused.items():
            st.caption(f"{way}: {safe(sentence(why))}")


def ways_to_ask(model: LoadedModel, method: Method, by_baseline: bool) -> list[Way]:
    """All methods that fit the model, or one method with each of its baselines."""
    if by_baseline:
        return [Way(baseline_name(own), method, own) for own in baselines_for(model.ranker, method)]
    return [Way(order_name(own), own, None) for own in fitting_methods(model)]


def side_by_side(
    model: LoadedModel, user_id: str, item_id: str, as_of: AsOf, ways: Sequence[Way]
) -> SideBySide:
    """What each way says of an item, what speaks for believing it, and what kept one from answering.

    The items are those that have the largest share of any way's strongest contribution.
    """
    found, refused = dict[Way, Attributions](), dict[str, str]()
    history = question_about(model, user_id, item_id, as_of).history
    for way in ways:
        why = method_refused(model, history, way.method)
        if why is not None:
            refused[way.name] = why
            continue
        try:
            found[way] = answers.attributions(model, user_id, item_id, way.method, as_of, way.baseline)
        except ConfigError as error:
            refused[way.name] = str(error)
    columns = {way.name: pd.Series(own.values).groupby(history).sum() for way, own in found.items()}
    trust = [_trust(model, user_id, way, own) for way, own in found.items()]
    return SideBySide(
        _strongest(model, pd.DataFrame(columns)),
        pd.DataFrame(trust, columns=["way", "relative_delta", "badge", "reason"]),
        refused,
    )


def _strongest(model: LoadedModel, table: pd.DataFrame) -> pd.DataFrame:
    """The rows (items) that any column finds strong, strongest first, with their titles."""
    weight = (table.abs() / table.abs().max().replace(0, 1)).max(axis=1)
    strongest = table.loc[weight.sort_values(ascending=False, kind="stable").index[:MOST_ITEMS]]
    strongest.insert(0, "title", [plain(model.data.dataset.titles[item]) for item in strongest.index])
    return strongest.reset_index(drop=True)


def _trust(model: LoadedModel, user_id: str, way: Way, own: Attributions) -> tuple[str, float, str, str]:
    """A row of `SideBySide.trust`; a baseline that isn't the method's own was never tested."""
    badge = None if way.strange_baseline else badge_of(model, user_id, way.method)
    is_verified = badge is not None and badge.verified
    why = badge_reason(badge, way.method, way.strange_baseline)
    return way.name, own.relative_delta, t(f"explain.{'' if is_verified else 'not_'}verified"), why


def _draw_contributions(numbers: pd.DataFrame) -> None:
    config = st.column_config
    columns = {name: config.NumberColumn(name, format="%+.4f") for name in numbers.columns[1:]}
    table(
        numbers,
        "explain_methods",
        "methods.csv",
        alt=t("reasons.side_by_side"),
        column_config={"title": config.TextColumn(t("explain.title"), width="medium"), **columns},
    )


def _draw_trust(trust: pd.DataFrame) -> None:
    config = st.column_config
    shown = trust.assign(
        relative_delta=["–" if isnan(value) else f"{value:.2%}" for value in trust["relative_delta"]]
    )
    st.caption(t("reasons.trust"))
    table(
        shown,
        "explain_trust",
        "badges.csv",
        alt=t("reasons.trust_alt"),
        column_config={
            "way": config.TextColumn(t("reasons.way"), width=150),
            "relative_delta": config.TextColumn(
                t("explain.relative_delta"), width=85, help=t("explain.relative_delta_help")
            ),
            "badge": config.TextColumn(t("reasons.badge"), width=90),
            "reason": config.TextColumn(t("reasons.badge_reason"), width=640),
        },
        download=trust,
    )


def _by_baseline(model: LoadedModel, method: Method) -> bool:
    """Draws the choice between all methods and all baselines of one; whether it is the baselines."""
    if len(baselines_for(model.ranker, method)) < 2:
        return False
    chosen = st.segmented_control(
        t("reasons.side_by_side"),
        ("methods", "baselines"),
        default="methods",
        required=True,
        format_func=lambda name: t(f"reasons.side_by_side_{name}", method=order_name(method)),
        key="explain_side_by_side_of",
        label_visibility="collapsed",
    )
    return chosen == "baselines"
