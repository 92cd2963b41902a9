"""An audit by a measure beside the ranking ones, drawn in little: what was found, the groups, the gaps."""

import streamlit as st

from recsys_core.fairness.result import AuditResult
from ui import charts
from ui.audit_names import group_name, verdict_name
from ui.audit_words import gap_sentence, gaps_table, groups_table, headline, n_hidden, not_computed_table
from ui.components import chart, metric_name, table
from ui.text import safe, t


def draw_small_audit(result: AuditResult, attribute: str, key: str) -> None:
    """The headline, the groups of an attribute with intervals, and each gap in words.

    Args:
        result: the audit.
        attribute: one of those that it compared by.
        key: what the keys of charts and tables begin with.
    """
    metric = metric_name(result.settings.metric)
    st.markdown(f"**{safe(headline(result))}**")
    groups, gaps = groups_table(result, attribute), gaps_table(result, attribute)
    if groups.empty:
        st.caption(t("fairness.all_hidden"))
    else:
        figure = charts.interval_plot(groups, metric, result.overall.value, t("fairness.everybody"))
        chart(figure, f"{key}_groups", t("fairness.groups_alt", metric=metric), groups, f"{key}_groups")
    hidden = n_hidden(result, attribute)
    if hidden:
        st.caption(t("fairness.n_hidden", n=hidden, least=result.settings.minimum_group))
    rows = [gap for gap in result.gaps if gap.attribute == attribute]
    if rows:
        sentences = [
            f"- **{safe(verdict_name(gap.verdict))}** · {safe(group_name(gap.group))}: "
            f"{safe(gap_sentence(gap, result))}"
            for gap in rows
        ]
        st.markdown("\n".join(sentences))
        with st.expander(t("fairness.gaps"), key=f"{key}_gaps_expander", type="compact"):
            shown = gaps.drop(columns=["group", "reference", "verdict", "sentence", "family"])
            table(shown, f"{key}_gaps", f"{key}_gaps.csv", alt=t("fairness.gaps"), download=gaps)
    else:
        reasons = not_computed_table(result)["reason"].drop_duplicates()
        st.markdown("\n".join(f"- {safe(reason)}" for reason in reasons) or t("fairness.no_gaps"))
