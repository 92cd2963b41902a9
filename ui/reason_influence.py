"""The training examples that taught a model an item's score, on Explain."""

from collections.abc import Sequence

import pandas as pd
import streamlit as st

from recsys_core.actions.influences import TaughtBy
from recsys_core.actions.models import LoadedModel
from recsys_core.ranker.neural import NeuralRanker
from ui import answers
from ui.components import errors_as_sentences, table
from ui.state import AsOf
from ui.text import plain, safe, t

STRONGEST = 10


def draw_influence(model: LoadedModel, user_id: str, item_id: str, as_of: AsOf) -> None:
    """The examples that raised and that lowered the score most, once somebody asks for them."""
    with st.expander(t("taught.heading"), key="explain_influence"):
        st.caption(t("taught.means"))
        ranker = model.ranker
        if not isinstance(ranker, NeuralRanker) or not ranker.is_product:
            st.caption(t("taught.no_product" if isinstance(ranker, NeuralRanker) else "taught.counts"))
            return
        if not st.toggle(t("taught.run"), key="explain_influence_run"):
            return
        with errors_as_sentences():
            with st.spinner(t("taught.running")):
                found = answers.influence(model, user_id, item_id, as_of)
            _draw(model, found)


def examples_table(model: LoadedModel, found: TaughtBy, rows: Sequence[int]) -> pd.DataFrame:
    """One row an example: `user_id`, `after` and `came` (titles), `weight` (of the strongest's size)."""
    examples, values, titles = found.influence.examples, found.influence.values, model.data.dataset.titles
    strongest = max(abs(values.min(initial=0.0)), values.max(initial=0.0)) or 1.0
    users = model.data.dataset.users["user_id"]
    return pd.DataFrame(
        [
            {
                "user_id": plain(users.iloc[int(examples.person[row])]),
                "after": plain(titles[found.known[int(examples.person[row])][examples.place[row] - 1]]),
                "came": plain(titles[examples.target[row]]),
                "weight": float(values[row] / strongest),
            }
            for row in rows
        ],
        columns=["user_id", "after", "came", "weight"],
    )


def _draw(model: LoadedModel, found: TaughtBy) -> None:
    title = safe(model.data.dataset.titles[found.item_number])
    values = found.influence.values
    raised = int((values > 0).sum())
    st.markdown(t("taught.counted", item=f"**{title}**", examples=f"{len(values):,}", raised=f"{raised:,}"))
    config = st.column_config
    for name in ("raised", "lowered"):
        rows = found.influence.strongest(STRONGEST, raising=name == "raised").tolist()
        st.caption(t(f"taught.{name}"))
        table(
            examples_table(model, found, rows),
            f"explain_{name}",
            f"{name}.csv",
            alt=t(f"taught.{name}"),
            column_config={
                "user_id": config.TextColumn(t("taught.person"), width=80),
                "after": config.TextColumn(t("taught.after"), width="medium"),
                "came": config.TextColumn(t("taught.came"), width="medium"),
                "weight": config.NumberColumn(
                    t("taught.weight"), format="%+.3f", width=90, help=t("taught.weight_help")
                ),
            },
        )
    st.caption(t("taught.check"))
