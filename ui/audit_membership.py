"""Whose training data show through a model? A membership attack by group, on Fairness."""

import streamlit as st

from recsys_core.actions.membership import Membership, attack_membership
from recsys_core.actions.models import LoadedModel
from recsys_core.fairness.result import AuditResult
from ui import cache
from ui.audit_answers import is_for_the_command, measured_alike, on_request
from ui.audit_attribute import choose_attribute
from ui.audit_small import draw_small_audit
from ui.text import t

MOST_PEOPLE = 10_000  # more take too long to be waited for on a page


def draw_membership(model: LoadedModel, result: AuditResult) -> None:
    """How well an attack tells training items from held-out ones, by group."""
    st.subheader(t("checks.membership"), anchor=False, help=t("checks.membership_help"))
    asked = measured_alike(result.settings)
    command = [word for by in asked.by for word in ("--by", by)]
    command = ["membership", *command, "--seed", str(asked.seed)]
    if is_for_the_command(model, model.data.dataset.n_users, MOST_PEOPLE, *command):
        return
    words = t("checks.membership_run"), t("checks.membership_not_run"), t("checks.membership_running")
    found = on_request(
        "membership",
        (model.record.id, asked),
        words,
        ":material/policy:",
        lambda: attack_membership(model, asked, cache.workspace()),
    )
    if found is not None:
        _draw_membership(found)


def membership_sentence(found: Membership) -> str:
    """The attack's success beside that on popularity, which remembers nobody."""
    overall = found.result.overall
    interval = (
        f"{overall.ci_low:.3f}–{overall.ci_high:.3f}"
        if overall.ci_low is not None and overall.ci_high is not None
        else "–"
    )
    beyond = overall.ci_low is not None and overall.ci_low > max(found.popularity, 0.5)
    key = "membership_beyond" if beyond else "membership_not_beyond"
    value, popularity = f"{overall.value:.3f}", f"{found.popularity:.3f}"
    return t(f"checks.{key}", value=value, interval=interval, popularity=popularity)


def _draw_membership(found: Membership) -> None:
    st.markdown(membership_sentence(found))
    attribute = choose_attribute(found.result.settings.by, "membership_attribute")
    draw_small_audit(found.result, attribute, "membership")
