"""The choice of which attribute's groups a part of Fairness shows."""

from collections.abc import Sequence

import streamlit as st

from ui.audit_names import attribute_name
from ui.text import safe, t


def choose_attribute(by: Sequence[str], key: str, labelled: bool = True) -> str:
    """Draws the choice among an audit's attributes, where there are several, and gives the chosen one."""
    if len(by) == 1:
        return by[0]
    return st.segmented_control(
        t("fairness.attribute"),
        by,
        default=by[0],
        required=True,
        format_func=lambda name: safe(attribute_name(name)),
        key=key,
        label_visibility="visible" if labelled else "collapsed",
    )
