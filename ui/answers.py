"""Answers that take more than a moment to work out, kept in memory by what was asked.

Kept are frozen values that nobody changes, so that nothing has to be copied; an id stands for a model or a
data set, because records never change.
"""

from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path
from typing import ParamSpec, TypeVar

import numpy as np
import pandas as pd
import streamlit as st

from recsys_core.actions.audit_questions import audited_users, plan_model
from recsys_core.actions.audits import audit_model
from recsys_core.actions.causes import GapParts, decompose_gaps
from recsys_core.actions.cohort_summaries import CohortSummary, summarise_reasons
from recsys_core.actions.comparisons import Comparison
from recsys_core.actions.concepts import find_concepts
from recsys_core.actions.counterfactuals import what_would_drop, what_would_lift
from recsys_core.actions.data import LoadedDataset
from recsys_core.actions.descriptions import describe_model
from recsys_core.actions.group_comparisons import compare_opened, group_gains
from recsys_core.actions.group_sizes import hidden_sizes as hidden_sizes_of
from recsys_core.actions.influences import TaughtBy, trace_influence
from recsys_core.actions.mitigation import Chosen, Mitigation, mitigate
from recsys_core.actions.models import LoadedModel, list_for_wish
from recsys_core.actions.preferences import minimum_group
from recsys_core.actions.reason_parts import attributions_of, components_of, contrast_items
from recsys_core.actions.reasons import explain_item
from recsys_core.actions.surrogates import surrogate_of
from recsys_core.actions.words import words_of_item
from recsys_core.data.dataset import FloatArray
from recsys_core.data.split import histories
from recsys_core.explain.components import Components
from recsys_core.explain.concepts import ConceptReport
from recsys_core.explain.contrast import Contrast
from recsys_core.explain.explanation import Explanation
from recsys_core.explain.history import Attributions
from recsys_core.explain.model_report import ModelReport
from recsys_core.explain.standing import Change
from recsys_core.explain.surrogate import Surrogate
from recsys_core.explain.words import WordChain
from recsys_core.fairness.findings import AuditPlan
from recsys_core.fairness.paired_groups import GroupGain
from recsys_core.fairness.result import AuditResult, AuditSettings
from recsys_core.store.workspace import Workspace
from ui.state import AsOf

Asked = ParamSpec("Asked")
Answer = TypeVar("Answer")

KEPT_EXPLANATIONS = 200
KEPT_AUDITS = 50
KEPT_WISHES = 50
KEPT_SUMMARIES = 20
KEPT_COUNTS = 8
KEPT_COMPARISONS = 100


def _of_model(model: LoadedModel) -> str:
    return model.record.id


def _of_data(data: LoadedDataset) -> tuple[str, int]:
    return data.record.id, data.n_added


def _of_workspace(_: Workspace) -> None:
    return None  # whatever is asked has an id of its own


def _kept(most: int) -> Callable[[Callable[Asked, Answer]], Callable[Asked, Answer]]:
    """Keeps the latest answers of a function by all that it was asked but the workspace."""
    return st.cache_resource(
        show_spinner=False,
        max_entries=most,
        hash_funcs={LoadedModel: _of_model, LoadedDataset: _of_data, Workspace: _of_workspace},
    )


@_kept(KEPT_EXPLANATIONS)
def explanation(
    model: LoadedModel, user_id: str, item_id: str, method: str, as_of: AsOf, baseline: str | None = None
) -> Explanation:
    """Why an item is where it is on a person's list; raises what `explain_item` raises."""
    return explain_item(model, user_id, item_id, method, as_of, baseline)


@_kept(KEPT_EXPLANATIONS)
def attributions(
    model: LoadedModel, user_id: str, item_id: str, method: str, as_of: AsOf, baseline: str | None = None
) -> Attributions:
    """What one method says, untested; raises what `attributions_of` raises."""
    return attributions_of(model, user_id, item_id, method, as_of, baseline)


@_kept(KEPT_EXPLANATIONS)
def components(model: LoadedModel, user_id: str, item_id: str, as_of: AsOf) -> Components:
    """What the parts of a model add to an item's score; raises what `components_of` raises."""
    return components_of(model, user_id, item_id, as_of)


@_kept(KEPT_EXPLANATIONS)
def contrast(
    model: LoadedModel, user_id: str, item_id: str, other_id: str, method: str, as_of: AsOf, baseline: str
) -> Contrast:
    """Why one item rather than another one; raises what `contrast_items` raises."""
    return contrast_items(model, user_id, item_id, other_id, method, as_of, baseline)


@_kept(KEPT_EXPLANATIONS)
def removal(
    model: LoadedModel, user_id: str, item_id: str, k: int, overtaken_by: str | None, as_of: AsOf
) -> Change:
    """The smallest removal that drops an item, or lets another one pass; raises as `what_would_drop`."""
    return what_would_drop(model, user_id, item_id, k, overtaken_by, as_of)


@_kept(KEPT_EXPLANATIONS)
def addition(model: LoadedModel, user_id: str, item_id: str, k: int, as_of: AsOf) -> Change:
    """The smallest addition that lifts an item; raises what `what_would_lift` raises."""
    return what_would_lift(model, user_id, item_id, k, as_of)


@_kept(KEPT_EXPLANATIONS)
def words(model: LoadedModel, user_id: str, item_id: str, place: int, as_of: AsOf) -> WordChain:
    """The words of an item and of what stands at a place of the history; raises as `words_of_item`."""
    return words_of_item(model, user_id, item_id, as_of=as_of, places=[place])


@_kept(KEPT_COUNTS)
def influence(model: LoadedModel, user_id: str, item_id: str, as_of: AsOf) -> TaughtBy:
    """Which training examples taught a score; raises what `trace_influence` raises."""
    return trace_influence(model, user_id, item_id, as_of)


@_kept(KEPT_AUDITS)
def concepts(
    workspace: Workspace,
    model: LoadedModel,
    words: tuple[str, ...],
    by: str | None,
    item_id: str | None,
    n_people: int,
) -> ConceptReport:
    """Which categories and typed concepts move scores; raises what `find_concepts` raises."""
    return find_concepts(model, words, by, item_id, n_people, workspace=workspace)


@_kept(KEPT_AUDITS)
def model_report(workspace: Workspace, model: LoadedModel, n_people: int) -> ModelReport:
    """What a whole model goes by; raises what `describe_model` raises."""
    return describe_model(model, n_people, workspace=workspace)


@_kept(KEPT_COUNTS)
def surrogate(lists: LoadedModel, k: int) -> Surrogate:
    """A ranker that was taught lists made elsewhere; raises what `surrogate_of` raises."""
    return surrogate_of(lists, k)


def wish_list(workspace: Workspace, model: LoadedModel, wish: str, k: int) -> pd.DataFrame:
    """The list of somebody of whom a wish is known; raises what `list_for_wish` raises.

    Opening an encoder for a few words takes longer than ranking, and a page runs again at every touch.
    """
    return _wish_list(workspace, model, wish.strip(), k).copy()


def kept_audit(model: LoadedModel, settings: AuditSettings) -> AuditResult | None:
    """The audit of a model by exactly these settings, if it was run before."""
    return _audits().get((model.record.id, settings))


def run_audit(workspace: Workspace, model: LoadedModel, settings: AuditSettings) -> AuditResult:
    """Runs an audit and keeps it; raises what `audit_model` raises."""
    result = audit_model(model, settings, workspace)
    kept = _audits()
    kept[(model.record.id, settings)] = result
    while len(kept) > KEPT_AUDITS:
        kept.popitem(last=False)
    return result


@_kept(KEPT_COMPARISONS)
def comparison(own: LoadedModel, other: LoadedModel, metric: str) -> Comparison:
    """Two models by a paired test; raises what `compare_opened` raises."""
    return compare_opened(own, other, metric)


@_kept(KEPT_COMPARISONS)
def gains(
    workspace: Workspace, own: LoadedModel, other: LoadedModel, metric: str, by: tuple[str, ...]
) -> tuple[GroupGain, ...]:
    """Which groups gain with the first model; raises what `group_gains` raises."""
    return group_gains(own, other, metric, by, workspace=workspace)


@_kept(KEPT_AUDITS)
def audit_plan(workspace: Workspace, model: LoadedModel, settings: AuditSettings) -> tuple[AuditPlan, ...]:
    """What an audit could find, of each metric, before it is run; raises what `plan_model` raises."""
    return plan_model(model, settings, workspace)


@_kept(KEPT_AUDITS)
def gap_parts(workspace: Workspace, model: LoadedModel, settings: AuditSettings) -> tuple[GapParts, ...]:
    """Every gap of an audit, split over factors of people's histories; raises as `decompose_gaps`."""
    return decompose_gaps(model, settings, workspace=workspace)


@_kept(KEPT_COUNTS)
def mitigated(
    workspace: Workspace, model: LoadedModel, by: str, metric: str, seed: int
) -> tuple[Mitigation, Chosen]:
    """The frontier of an attribute's gap and the ranker of its chosen point; raises as `mitigate`."""
    return mitigate(model, by, metric=metric, seed=seed, workspace=workspace)


@_kept(KEPT_SUMMARIES)
def cohort_summary(job_id: str, path: str, most: int, least: int) -> CohortSummary:
    """What the reasons in a job's file have in common; raises what `summarise_reasons` raises."""
    return summarise_reasons(Path(path), most, least)


def hidden_sizes(workspace: Workspace, data: LoadedDataset) -> dict[str, frozenset[str]]:
    """The groups of a data set whose sizes may not be shown."""
    return _hidden_sizes(workspace, data, minimum_group(workspace))


@_kept(KEPT_COUNTS)
def audited_people(data: LoadedDataset) -> pd.DataFrame:
    """The people with their attributes and what follows from their histories; nobody may change it."""
    return audited_users(data)


@_kept(KEPT_COUNTS)
def popularity(data: LoadedDataset) -> FloatArray:
    """[n_items + 1] how often each item was chosen in training."""
    known = histories(data.dataset, data.split, "valid")
    return np.bincount(known.items, minlength=data.dataset.n_items + 1).astype(np.float64)


@_kept(KEPT_COUNTS)
def _hidden_sizes(workspace: Workspace, data: LoadedDataset, minimum: int) -> dict[str, frozenset[str]]:
    """As `hidden_sizes`, of the threshold that holds now."""
    return hidden_sizes_of(workspace, data)


@_kept(KEPT_WISHES)
def _wish_list(workspace: Workspace, model: LoadedModel, wish: str, k: int) -> pd.DataFrame:
    return list_for_wish(workspace, model, wish, k)


@st.cache_resource(show_spinner=False)
def _audits() -> OrderedDict[tuple[str, AuditSettings], AuditResult]:
    return OrderedDict()
