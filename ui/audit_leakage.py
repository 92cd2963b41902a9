"""Does the model know, or use, who belongs to which group? Probes, flipped lists, attribution mass."""

import pandas as pd
import streamlit as st

from recsys_core.actions.leakage import FlipEffect, Leakage, find_leakage_of
from recsys_core.actions.models import LoadedModel
from recsys_core.fairness.groups import UNKNOWN
from recsys_core.fairness.inference import holm
from recsys_core.fairness.result import AuditResult
from ui import cache
from ui.audit_answers import is_for_the_command, on_request
from ui.audit_mass import draw_mass
from ui.audit_names import attribute_name, group_name
from ui.charts_checks import probe_plot
from ui.components import chart, table
from ui.text import safe, t

SHUFFLES = (99, 199, 499, 999)
SIGNIFICANCE = 0.05
MOST_LEARNT = 500_000  # people × shuffles × probes; more take too long to be waited for on a page


def draw_leakage(model: LoadedModel, result: AuditResult, k: int) -> None:
    """The choice of an attribute, the button, and what probes and flipped lists say.

    Args:
        model: what may know or use the attribute.
        result: the audit beside it, for attributes, groups and seed.
        k: length of the lists that are compared.
    """
    st.subheader(t("leakage.heading"), anchor=False, help=t("leakage.heading_help"))
    left, right = st.columns(2)
    by = left.selectbox(
        t("fairness.attribute"), result.settings.by, format_func=attribute_name, key="leakage_by"
    )
    shuffles = right.select_slider(
        t("leakage.shuffles"),
        SHUFFLES,
        value=enough_shuffles(result, by),
        key=f"leakage_shuffles_{by}",
        help=t("leakage.shuffles_help"),
    )
    seed = result.settings.seed
    asked = {"--by": by, "--k": k, "--permutations": shuffles, "--seed": seed}
    command = [str(word) for pair in asked.items() for word in pair]
    effort = n_probes(result, by) * shuffles * model.data.dataset.n_users
    if not is_for_the_command(model, effort, MOST_LEARNT, "leakage", *command):
        _draw_leakage(model, by, k, shuffles, seed)
    draw_mass(model, by)


def _draw_leakage(model: LoadedModel, by: str, k: int, shuffles: int, seed: int) -> None:
    words = t("leakage.run"), t("leakage.not_run"), t("leakage.running")
    found = on_request(
        "leakage",
        (model.record.id, by, k, shuffles, seed),
        words,
        ":material/fingerprint:",
        lambda: find_leakage_of(model, by, k, shuffles, seed, cache.workspace()),
    )
    if found is not None:
        _draw_probes(found)
        _draw_flip(found.flip)


def enough_shuffles(result: AuditResult, by: str) -> int:
    """The fewest shuffles with which the adjusted p-value of one of the attribute's groups can reach .05."""
    n = n_probes(result, by)
    return next((own for own in SHUFFLES if n / (1 + own) <= SIGNIFICANCE), SHUFFLES[-1])


def n_probes(result: AuditResult, by: str) -> int:
    """How many groups of an attribute are probed: of two, telling one is telling the other."""
    groups = [row for row in result.by_group if row.attribute == by and not row.suppressed]
    n = sum(row.group != UNKNOWN for row in groups)
    return 1 if n == 2 else max(1, n)


def leaks_table(found: Leakage) -> pd.DataFrame:
    """One row a group: AUC of the model's vectors with interval, null and p-value; AUC of the histories."""
    probed = [(row.group, row.model, row.history) for row in found.groups if row.model and row.history]
    adjusted = holm([own.p_value for _, own, _ in probed])
    table = pd.DataFrame(
        [
            (
                group_name(group),
                own.n,
                own.auc,
                own.ci_low,
                own.ci_high,
                own.null_high,
                own.p_value,
                p_adjusted,
                history.auc,
            )
            for (group, own, history), p_adjusted in zip(probed, adjusted, strict=True)
        ],
        columns=["group", "n", "auc", "ci_low", "ci_high", "null_high", "p_value", "p_adjusted", "history"],
    )
    return table.astype({name: "float64" for name in table.columns if name != "group"})


def leak_sentences(leaks: pd.DataFrame) -> list[str]:
    """One item of a markdown list a group: whether it can be told, and what the histories tell anyway."""
    told = list[str]()
    for row in leaks.to_dict("records"):
        key = "says_told" if row["p_adjusted"] <= SIGNIFICANCE and row["auc"] > 0.5 else "says_not_told"
        values = {name: f"{row[name]:.3f}" for name in ("auc", "ci_low", "ci_high", "history")}
        told.append(
            f"- **{safe(row['group'])}**: " + t(f"leakage.{key}", p=f"{row['p_adjusted']:.3f}", **values)
        )
    return told


def _draw_probes(found: Leakage) -> None:
    leaks = leaks_table(found)
    left_out = [group_name(row.group) for row in found.groups if row.model is None]
    if not leaks.empty:
        st.caption(t("leakage.means"))
        names = t("leakage.of_model"), t("leakage.of_history"), t("leakage.null_high")
        figure = probe_plot(leaks, t("leakage.auc"), names)
        chart(figure, "leakage_probes", t("leakage.alt"), leaks, "leakage")
        st.markdown("\n".join(leak_sentences(leaks)))
        st.caption(t("leakage.not_use"))
    if left_out:
        st.caption(t("leakage.too_few", groups=safe(", ".join(left_out))))


def _draw_flip(flip: FlipEffect | None) -> None:
    st.markdown(f"**{t('leakage.flip')}**", help=t("leakage.flip_help"))
    if flip is None:
        st.markdown(t("leakage.not_an_input"))
        return
    values = {"overlap": f"{flip.overlap:.3f}", "changed": f"{flip.changed:.0%}", "k": flip.k}
    st.markdown(t("leakage.says_flip", withheld=f"{flip.overlap_withheld:.3f}", n=f"{flip.n:,}", **values))
    groups = pd.DataFrame(
        {
            "group": [group_name(group) for group in flip.overlap_by_group],
            "overlap": list(flip.overlap_by_group.values()),
        }
    )
    table(
        groups,
        "leakage_flip",
        "flip.csv",
        alt=t("leakage.flip"),
        column_config={"overlap": st.column_config.NumberColumn(t("leakage.overlap"), format="%.3f")},
    )
