"""A widget for every setting of a ranker, made from its settings class: bounds there are limits here."""

import math
from typing import Literal, get_args, get_origin

import streamlit as st
from pydantic.fields import FieldInfo

from recsys_core.config import SETTINGS, limits, make_settings
from ui import state
from ui.text import has, t

Value = int | float | bool | str


def draw_parameters(ranker: str, preset: str) -> list[str]:
    """Draws the widgets, the preset's values in them; what was changed, as `key=value`."""
    fields = SETTINGS[ranker].model_fields
    if not fields:
        st.caption(t("train.no_parameters"))
        return []
    preset_values = make_settings(ranker, preset).model_dump()
    changes: list[str] = []
    with st.grid(4, min_column_width=170, key=f"parameters_{ranker}"):
        for name, field in fields.items():
            key = f"set_{ranker}_{name}"
            state.begin_anew(key, preset, preset_values[name])
            value = _widget(name, field, key)
            if value is not None and value != preset_values[name]:
                changes.append(f"{name}={value}")
    return changes


def _widget(name: str, field: FieldInfo, key: str) -> Value | None:
    label = t(f"train.set_{name}") if has(f"train.set_{name}") else name
    about = t(f"train.set_{name}_help") if has(f"train.set_{name}_help") else None
    low, high = limits(field)
    if get_origin(field.annotation) is Literal:
        return st.selectbox(label, get_args(field.annotation), key=key, help=about)
    if field.annotation is bool:
        return st.toggle(label, key=key, help=about)
    if field.annotation is int:
        whole = [None if bound is None else int(bound) for bound in (low, high)]
        return st.number_input(label, whole[0], whole[1], step=1, key=key, help=about)
    if field.annotation is float:
        number = [None if bound is None else float(bound) for bound in (low, high)]
        step = _step(st.session_state[key])
        return st.number_input(label, number[0], number[1], step=step, format="%g", key=key, help=about)
    return st.text_input(label, key=key, help=about, max_chars=400)


def _step(value: float) -> float:
    """A step that changes the leading digit: 0.001 for 0.003, 100 for 500."""
    return 10.0 ** math.floor(math.log10(abs(value))) if value else 0.01
