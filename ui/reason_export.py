"""The evidence of one explanation as a file: all its figures, and what they were asked of."""

import json

import streamlit as st

from recsys_core.actions.models import LoadedModel
from recsys_core.actions.reasons import explanation_json
from recsys_core.explain.explanation import Explanation
from ui.state import AsOf
from ui.text import t


def evidence_button(model: LoadedModel, explanation: Explanation, as_of: AsOf) -> None:
    """Offers the file; it is made when somebody asks for it."""
    st.download_button(
        t("explain.evidence"),
        lambda: evidence_json(model, explanation, as_of),
        file_name="explanation.json",
        mime="application/json",
        key="explain_evidence",
        icon=":material/download:",
        type="tertiary",
        on_click="ignore",
        help=t("explain.evidence_help"),
    )


def evidence_json(model: LoadedModel, explanation: Explanation, as_of: AsOf) -> bytes:
    """The answer of `reclens explain --json`, with the model, its data set and the moment in front."""
    asked = {"dataset": model.data.record.id, "model": model.record.id, "as_of": as_of}
    found = asked | explanation_json(model, explanation)
    return json.dumps(found, ensure_ascii=False, allow_nan=False, indent=2).encode()
