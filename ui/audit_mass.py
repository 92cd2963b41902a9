"""How much of what moves people's lists lies on the attribute and on the inputs that tell it, on Fairness."""

import pandas as pd
import streamlit as st

from recsys_core.actions.attribution_mass import MOST_PEOPLE, TOO_SLOW, AttributeMass, Proxy, find_mass_of
from recsys_core.actions.models import LoadedModel
from recsys_core.actions.preferences import minimum_group
from recsys_core.ranker.cross_encoder import CrossEncoderRanker
from ui import cache
from ui.audit_answers import is_for_the_command, on_request
from ui.audit_names import group_name
from ui.charts_checks import mass_plot
from ui.components import chart
from ui.text import plain, safe, t

MOST_NAMED = 5
MOST_SCORED = 20_000_000  # people × items, each nine times; more take too long to be waited for on a page


def draw_mass(model: LoadedModel, by: str) -> None:
    """The button, then the shares by group with intervals, everybody first, and the strongest proxies."""
    least = minimum_group(cache.workspace())
    st.subheader(t("leakage.mass"), anchor=False, help=t("leakage.mass_help", least=least))
    data = model.data.dataset
    effort = min(data.n_users, MOST_PEOPLE) * data.n_items
    is_told_at_once = isinstance(model.ranker, CrossEncoderRanker)  # that it would take too long
    if not is_told_at_once and is_for_the_command(model, effort, MOST_SCORED, "leakage", "--by", by):
        return
    words = t("leakage.mass_run"), t("leakage.mass_not_run"), t("leakage.mass_running")
    mass = on_request(
        "mass",
        (model.record.id, by),
        words,
        ":material/balance:",
        lambda: find_mass_of(model, by, cache.workspace()),
    )
    if mass is not None:
        items = data.items
        _draw(mass, dict(zip(items["item_id"], items["title"], strict=True)))


def _draw(mass: AttributeMass, titles: dict[str, str]) -> None:
    if mass.reason:
        st.markdown(t("leakage.mass_too_slow" if mass.reason == TOO_SLOW else "leakage.mass_nothing_moves"))
        return
    numbers = mass_table(mass)
    st.markdown(mass_sentence(mass))
    names = t("leakage.mass_attribute"), t("leakage.mass_proxies"), t("leakage.mass_even")
    figure = mass_plot(numbers, t("leakage.mass_share"), names)
    if mass.reads or mass.proxies:
        chart(figure, "leakage_mass", t("leakage.mass_alt"), numbers, "mass")
    st.caption(proxies_sentence(mass.proxies, titles))


def mass_table(mass: AttributeMass) -> pd.DataFrame:
    """One row a group: the shares on the attribute and on its proxies, 0 to 1, each with its interval.

    Where nothing is a proxy there are no columns of proxies.
    """
    numbers = pd.DataFrame(
        [
            {
                "group": group_name(row.group) if row.group else t("fairness.everybody"),
                "n": row.n,
                "attribute_share": row.attribute.value,
                "attribute_low": row.attribute.ci_low,
                "attribute_high": row.attribute.ci_high,
                "proxies_share": row.proxies.value,
                "proxies_low": row.proxies.ci_low,
                "proxies_high": row.proxies.ci_high,
                "even": row.even,
            }
            for row in mass.groups
        ]
    )
    of_proxies = ["proxies_share", "proxies_low", "proxies_high", "even"]
    return numbers if mass.proxies else numbers.drop(columns=of_proxies)


def mass_sentence(mass: AttributeMass) -> str:
    """What everybody's shares say, as markdown."""
    everybody = mass.groups[0]
    values = {
        name: f"{value:.0%}"
        for part, own in (("attribute", everybody.attribute), ("proxies", everybody.proxies))
        for name, value in ((part, own.value), (f"{part}_low", own.ci_low), (f"{part}_high", own.ci_high))
    }
    if not mass.proxies:
        key = "says_mass_alone" if mass.reads else "says_no_mass"
    else:
        key = "says_mass" if mass.reads else "says_mass_blind"
    return t(f"leakage.{key}", n=f"{everybody.n:,}", **values)


def proxies_sentence(proxies: tuple[Proxy, ...], titles: dict[str, str]) -> str:
    """The strongest proxies, or that there is none beyond chance."""
    if not proxies:
        return t("leakage.no_proxies")
    named = [f"{safe(_name(own, titles))} ({own.strength:.2f})" for own in proxies[:MOST_NAMED]]
    return t("leakage.proxies", n=len(proxies), names="; ".join(named))


def _name(own: Proxy, titles: dict[str, str]) -> str:
    return plain(titles.get(own.name, own.name) if own.kind == "item" else own.name)
