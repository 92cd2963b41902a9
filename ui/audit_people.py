"""The people behind a bar, for those who may see people: who is served worst in a group, and on to Explore.

Nothing of this is in a report, an export or a table that can be saved: it is on the screen alone.
"""

import numpy as np
import pandas as pd
import streamlit as st

from recsys_core.actions.audit_questions import audited_values
from recsys_core.actions.models import LoadedModel
from recsys_core.data.split import histories
from recsys_core.fairness.groups import group_labels
from recsys_core.fairness.result import AuditResult
from ui import answers, state
from ui.access import may_see_people
from ui.audit_answers import once
from ui.audit_names import attribute_name, group_name
from ui.components import EXPLORE, metric_name
from ui.text import plain, safe, t

LISTED = 10
ORDERS = ("worst", "best")


def draw_people(model: LoadedModel, result: AuditResult, attribute: str) -> None:
    """The worst- and best-served people of one group that may be shown, and the way to one of them.

    Args:
        model: whose lists they get.
        result: the audit, by the metric that is looked at.
        attribute: whose groups are on the screen.
    """
    groups = [row.group for row in result.by_group if row.attribute == attribute and not row.suppressed]
    if not groups:
        return
    with st.expander(t("causes.people"), key="people_expander", type="compact"):
        if not may_see_people():
            st.caption(t("causes.people_not_for_viewers"))
            return
        st.caption(t("causes.people_means"))
        left, right = st.columns(2)
        group = left.selectbox(
            attribute_name(attribute), groups, format_func=group_name, key=f"people_group_{attribute}"
        )
        order = right.segmented_control(
            t("causes.people_order"),
            list(ORDERS),
            default=ORDERS[0],
            required=True,
            format_func=lambda name: t(f"causes.people_{name}"),
            key="people_order",
        )
        people = people_of(model, result, attribute, group)
        _draw_some(people.iloc[::-1] if order == "best" else people, result.settings.metric)


def people_of(model: LoadedModel, result: AuditResult, attribute: str, group: str) -> pd.DataFrame:
    """[people of a group, worst served first] `user_id`, `value`, `length` (items in the history).

    No rows for a group that the audit doesn't show.
    """
    may_be_shown = {row.group for row in result.by_group if row.attribute == attribute and not row.suppressed}
    if group not in may_be_shown:
        return pd.DataFrame(columns=["user_id", "value", "length"])
    people = once(
        ("people", model.record.id, result.settings.metric), lambda: _all(model, result.settings.metric)
    )
    labels = group_labels(people.drop(columns=["value", "length"]), attribute).astype(str).to_numpy()
    own = people.loc[labels == group, ["user_id", "value", "length"]]
    return own.sort_values(["value", "user_id"], ignore_index=True)


def _all(model: LoadedModel, metric: str) -> pd.DataFrame:
    """Everybody who is audited: the columns of the people's table, `value` and `length`."""
    data = model.data
    values = audited_values(model, [metric])[metric]
    lengths = histories(data.dataset, data.split, "test").lengths
    people = answers.audited_people(data).assign(
        value=values.reindex(data.dataset.users["user_id"]).to_numpy(dtype=np.float64), length=lengths
    )
    return people.dropna(subset="value").reset_index(drop=True)


def _draw_some(people: pd.DataFrame, metric: str) -> None:
    first = people.head(LISTED)
    st.table(
        pd.DataFrame(
            {
                t("causes.person"): [safe(user_id) for user_id in first["user_id"]],
                safe(metric_name(metric)): [f"{value:.4f}" for value in first["value"]],
                t("causes.length"): [f"{length:,}" for length in first["length"]],
            }
        ).set_index(t("causes.person"))
    )
    if len(people) > LISTED:
        st.caption(t("causes.people_more", shown=LISTED, n=len(people)))
    chosen = st.selectbox(t("causes.person"), first["user_id"].tolist(), format_func=plain, key="people_one")
    if chosen is not None and st.button(t("causes.see_list"), key="people_open", icon=":material/person:"):
        state.update(user=chosen)
        st.switch_page(EXPLORE)
