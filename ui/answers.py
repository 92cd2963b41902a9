"""Answers that take more than a moment to work out, kept in memory by what was asked.

Kept are frozen values that nobody changes, so that nothing has to be copied; the model's id stands for
the model, because records never change.
"""

from collections import OrderedDict

import numpy as np
import pandas as pd
import streamlit as st

from recsys_core.actions.audit_questions import audited_users, plan_model
from recsys_core.actions.audits import audit_model
from recsys_core.actions.comparisons import Comparison
from recsys_core.actions.concepts import find_concepts
from recsys_core.actions.counterfactuals import what_would_drop, what_would_lift
from recsys_core.actions.data import LoadedDataset
from recsys_core.actions.descriptions import describe_model
from recsys_core.actions.group_comparisons import compare_opened, group_gains
from recsys_core.actions.influences import TaughtBy, trace_influence
from recsys_core.actions.models import LoadedModel, list_for_wish
from recsys_core.actions.reason_parts import attributions_of, components_of, contrast_items
from recsys_core.actions.reasons import explain_item
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
from recsys_core.explain.words import WordChain
from recsys_core.fairness.findings import AuditPlan
from recsys_core.fairness.paired_groups import GroupGain
from recsys_core.fairness.result import AuditResult, AuditSettings
from recsys_core.store.workspace import Workspace
from ui import cache
from ui.state import AsOf

KEPT_EXPLANATIONS = 200
KEPT_AUDITS = 50
KEPT_WISHES = 50
KEPT_COUNTS = 8
KEPT_COMPARISONS = 100


def explanation(
    model: LoadedModel, user_id: str, item_id: str, method: str, as_of: AsOf, baseline: str | None = None
) -> Explanation:
    """Why an item is where it is on a person's list; raises what `explain_item` raises."""
    return _explanation(model, model.record.id, user_id, item_id, method, as_of, baseline)


def attributions(
    model: LoadedModel, user_id: str, item_id: str, method: str, as_of: AsOf, baseline: str | None = None
) -> Attributions:
    """What one method says, untested; raises what `attributions_of` raises."""
    return _attributions(model, model.record.id, user_id, item_id, method, as_of, baseline)


def components(model: LoadedModel, user_id: str, item_id: str, as_of: AsOf) -> Components:
    """What the parts of a model add to an item's score; raises what `components_of` raises."""
    return _components(model, model.record.id, user_id, item_id, as_of)


def contrast(
    model: LoadedModel, user_id: str, item_id: str, other_id: str, method: str, as_of: AsOf, baseline: str
) -> Contrast:
    """Why one item rather than another one; raises what `contrast_items` raises."""
    return _contrast(model, model.record.id, user_id, item_id, other_id, method, as_of, baseline)


def removal(
    model: LoadedModel, user_id: str, item_id: str, k: int, overtaken_by: str | None, as_of: AsOf
) -> Change:
    """The smallest removal that drops an item, or lets another one pass; raises as `what_would_drop`."""
    return _removal(model, model.record.id, user_id, item_id, k, overtaken_by, as_of)


def addition(model: LoadedModel, user_id: str, item_id: str, k: int, as_of: AsOf) -> Change:
    """The smallest addition that lifts an item; raises what `what_would_lift` raises."""
    return _addition(model, model.record.id, user_id, item_id, k, as_of)


def words(model: LoadedModel, user_id: str, item_id: str, place: int, as_of: AsOf) -> WordChain:
    """The words of an item and of what stands at a place of the history; raises as `words_of_item`."""
    return _words(model, model.record.id, user_id, item_id, place, as_of)


def influence(model: LoadedModel, user_id: str, item_id: str, as_of: AsOf) -> TaughtBy:
    """Which training examples taught a score; raises what `trace_influence` raises."""
    return _influence(model, model.record.id, user_id, item_id, as_of)


def concepts(
    model: LoadedModel, words: tuple[str, ...], by: str | None, item_id: str | None, n_people: int
) -> ConceptReport:
    """Which categories and typed concepts move scores; raises what `find_concepts` raises."""
    return _concepts(model, model.record.id, words, by, item_id, n_people)


def model_report(model: LoadedModel, n_people: int) -> ModelReport:
    """What a whole model goes by; raises what `describe_model` raises."""
    return _model_report(model, model.record.id, n_people)


def wish_list(workspace: Workspace, model: LoadedModel, wish: str, k: int) -> pd.DataFrame:
    """The list of somebody of whom a wish is known; raises what `list_for_wish` raises.

    Opening an encoder for a few words takes longer than ranking, and a page runs again at every touch.
    """
    return _wish_list(workspace, model, model.record.id, wish.strip(), k).copy()


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


def comparison(own: LoadedModel, other: LoadedModel, metric: str) -> Comparison:
    """Two models by a paired test; raises what `compare_opened` raises."""
    return _comparison(own, other, own.record.id, other.record.id, metric)


def gains(
    workspace: Workspace, own: LoadedModel, other: LoadedModel, metric: str, by: tuple[str, ...]
) -> tuple[GroupGain, ...]:
    """Which groups gain with the first model; raises what `group_gains` raises."""
    return _gains(workspace, own, other, own.record.id, other.record.id, metric, by)


def audit_plan(workspace: Workspace, model: LoadedModel, settings: AuditSettings) -> tuple[AuditPlan, ...]:
    """What an audit could find, of each metric, before it is run; raises what `plan_model` raises."""
    return _plan(workspace, model, model.record.id, settings)


def audited_people(data: LoadedDataset) -> pd.DataFrame:
    """The people with their attributes and what follows from their histories; nobody may change it."""
    return _people(data, data.record.id)


def popularity(data: LoadedDataset) -> FloatArray:
    """[n_items + 1] how often each item was chosen in training."""
    return _popularity(data, data.record.id, data.n_added)


@st.cache_resource(show_spinner=False, max_entries=KEPT_EXPLANATIONS)
def _explanation(
    _model: LoadedModel,
    model_id: str,
    user_id: str,
    item_id: str,
    method: str,
    as_of: AsOf,
    baseline: str | None,
) -> Explanation:
    return explain_item(_model, user_id, item_id, method, as_of, baseline)


@st.cache_resource(show_spinner=False, max_entries=KEPT_EXPLANATIONS)
def _attributions(
    _model: LoadedModel,
    model_id: str,
    user_id: str,
    item_id: str,
    method: str,
    as_of: AsOf,
    baseline: str | None,
) -> Attributions:
    return attributions_of(_model, user_id, item_id, method, as_of, baseline)


@st.cache_resource(show_spinner=False, max_entries=KEPT_EXPLANATIONS)
def _components(_model: LoadedModel, model_id: str, user_id: str, item_id: str, as_of: AsOf) -> Components:
    return components_of(_model, user_id, item_id, as_of)


@st.cache_resource(show_spinner=False, max_entries=KEPT_EXPLANATIONS)
def _contrast(
    _model: LoadedModel,
    model_id: str,
    user_id: str,
    item_id: str,
    other_id: str,
    method: str,
    as_of: AsOf,
    baseline: str,
) -> Contrast:
    return contrast_items(_model, user_id, item_id, other_id, method, as_of, baseline)


@st.cache_resource(show_spinner=False, max_entries=KEPT_EXPLANATIONS)
def _removal(
    _model: LoadedModel,
    model_id: str,
    user_id: str,
    item_id: str,
    k: int,
    overtaken_by: str | None,
    as_of: AsOf,
) -> Change:
    return what_would_drop(_model, user_id, item_id, k, overtaken_by, as_of)


@st.cache_resource(show_spinner=False, max_entries=KEPT_EXPLANATIONS)
def _addition(_model: LoadedModel, model_id: str, user_id: str, item_id: str, k: int, as_of: AsOf) -> Change:
    return what_would_lift(_model, user_id, item_id, k, as_of)


@st.cache_resource(show_spinner=False, max_entries=KEPT_EXPLANATIONS)
def _words(
    _model: LoadedModel, model_id: str, user_id: str, item_id: str, place: int, as_of: AsOf
) -> WordChain:
    return words_of_item(_model, user_id, item_id, as_of=as_of, places=[place])


@st.cache_resource(show_spinner=False, max_entries=KEPT_COUNTS)
def _influence(_model: LoadedModel, model_id: str, user_id: str, item_id: str, as_of: AsOf) -> TaughtBy:
    return trace_influence(_model, user_id, item_id, as_of)


@st.cache_resource(show_spinner=False, max_entries=KEPT_AUDITS)
def _concepts(
    _model: LoadedModel,
    model_id: str,
    words: tuple[str, ...],
    by: str | None,
    item_id: str | None,
    n_people: int,
) -> ConceptReport:
    return find_concepts(_model, words, by, item_id, n_people)


@st.cache_resource(show_spinner=False, max_entries=KEPT_AUDITS)
def _model_report(_model: LoadedModel, model_id: str, n_people: int) -> ModelReport:
    return describe_model(_model, n_people, workspace=cache.workspace())


@st.cache_resource(show_spinner=False, max_entries=KEPT_WISHES)
def _wish_list(_workspace: Workspace, _model: LoadedModel, model_id: str, wish: str, k: int) -> pd.DataFrame:
    return list_for_wish(_workspace, _model, wish, k)


@st.cache_resource(show_spinner=False, max_entries=KEPT_COMPARISONS)
def _comparison(
    _own: LoadedModel, _other: LoadedModel, own_id: str, other_id: str, metric: str
) -> Comparison:
    return compare_opened(_own, _other, metric)


@st.cache_resource(show_spinner=False, max_entries=KEPT_COMPARISONS)
def _gains(
    _workspace: Workspace,
    _own: LoadedModel,
    _other: LoadedModel,
    own_id: str,
    other_id: str,
    metric: str,
    by: tuple[str, ...],
) -> tuple[GroupGain, ...]:
    return group_gains(_own, _other, metric, by, workspace=_workspace)


@st.cache_resource(show_spinner=False, max_entries=KEPT_AUDITS)
def _plan(
    _workspace: Workspace, _model: LoadedModel, model_id: str, settings: AuditSettings
) -> tuple[AuditPlan, ...]:
    return plan_model(_model, settings, _workspace)


@st.cache_resource(show_spinner=False, max_entries=KEPT_COUNTS)
def _people(_data: LoadedDataset, dataset_id: str) -> pd.DataFrame:
    return audited_users(_data)


@st.cache_resource(show_spinner=False)
def _audits() -> OrderedDict[tuple[str, AuditSettings], AuditResult]:
    return OrderedDict()


@st.cache_resource(show_spinner=False, max_entries=KEPT_COUNTS)
def _popularity(_data: LoadedDataset, dataset_id: str, n_added: int) -> FloatArray:
    known = histories(_data.dataset, _data.split, "valid")
    return np.bincount(known.items, minlength=_data.dataset.n_items + 1).astype(np.float64)
