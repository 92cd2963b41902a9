"""The form that starts a training: ranker, preset, name, seed and every parameter."""

from typing import Any

import streamlit as st

from recsys_core.actions.data import split_kind_of
from recsys_core.actions.jobs import list_jobs, submit_training
from recsys_core.config import SETTINGS
from recsys_core.presets import PRESETS
from recsys_core.store.records import ModelRecord
from ui import cache, state
from ui.components import errors_as_sentences
from ui.parameters import draw_parameters
from ui.text import duration, t

MAX_SEED = 2**31 - 1


def draw_form(dataset_id: str, models: list[ModelRecord]) -> None:
    """Draws the form; its button starts a job."""
    with st.container(border=True, key="train_form"):
        with errors_as_sentences():
            kind = split_kind_of(cache.workspace(), dataset_id)
            st.caption(f"{t('data.split')}: {t(f'data.split_{kind}')}", help=t("data.split_help"))
        left, right = st.columns(2, gap="large")
        with left:
            ranker = st.radio(
                t("train.ranker"),
                list(SETTINGS),
                format_func=lambda name: t(f"rankers.{name}"),
                captions=[t(f"rankers.{name}_why") for name in SETTINGS],
                key="ranker",
            )
        with right:
            preset = st.segmented_control(
                t("train.preset"),
                PRESETS,
                default="balanced",
                required=True,
                format_func=lambda name: t(f"rankers.preset_{name}"),
                key="preset",
            )
            st.caption(t(f"rankers.preset_{preset}_why"))
            _suggest_name(ranker, dataset_id, models)
            name = st.text_input(t("train.name"), key="model_name", max_chars=100)
            seed = st.number_input(t("train.seed"), 0, MAX_SEED, key="seed", help=t("train.seed_help"))
            _estimate(ranker, preset, models)
        with st.expander(t("train.parameters"), key="every_parameter"):
            changes = draw_parameters(ranker, preset)
        if st.button(t("train.start"), key="start_training", type="primary", icon=":material/play_arrow:"):
            with errors_as_sentences():
                _start(dataset_id, ranker, name, preset, int(seed), changes)


def _suggest_name(ranker: str, dataset_id: str, models: list[ModelRecord]) -> None:
    taken = {model.name for model in cache.workspace().models()}
    same = sum(model.details["ranker"] == ranker for model in models)
    numbered = (f"{t(f'rankers.{ranker}')} {number}" for number in range(same + 1, same + 1_000))
    free = next((name for name in numbered if name not in taken), "")
    state.begin_anew("model_name", f"{ranker}/{dataset_id}/{same}", free)


def _estimate(ranker: str, preset: str, models: list[ModelRecord]) -> None:
    like = [m for m in models if (m.details["ranker"], m.details["preset"]) == (ranker, preset)]
    if like:
        seconds, gigabytes = like[0].details["seconds"], like[0].details["peak_memory_bytes"] / 2**30
        st.caption(t("train.estimate", duration=duration(seconds), memory=f"{gigabytes:.1f}"))


def _start(dataset: str, ranker: str, name: str, preset: str, seed: int, changes: list[str]) -> None:
    """Submits the job once, however often the button was hit before the page answered."""
    spec: dict[str, Any] = {
        "dataset": dataset,
        "ranker": ranker,
        "name": name,
        "preset": preset,
        "seed": seed,
        "changes": changes,
    }
    before = sum(job.spec == spec and not job.is_active for job in list_jobs(cache.workspace()))
    key = f"{sorted(spec.items())} for the {before + 1}. time"
    submit_training(cache.workspace(), **spec, submission_key=key)
    st.rerun()
