"""How much of what moves people's lists lies on the attribute and on the inputs that tell it, on Fairness."""

import pandas as pd
import streamlit as st

from recsys_core.actions.attribution_mass import TOO_SLOW, AttributeMass, Proxy
from ui.audit_names import group_name
from ui.charts_checks import mass_plot
from ui.components import chart
from ui.text import plain, safe, t

MOST_NAMED = 5


def draw_mass(mass: AttributeMass, titles: dict[str, str]) -> None:
    """The shares by group with intervals, everybody first, and the strongest proxies by name.

    Args:
        mass: what was found.
        titles: of items, by id.
    """
    st.markdown(f"**{t('leakage.mass')}**", help=t("leakage.mass_help"))
    if mass.reason:
        st.markdown(t("leakage.mass_too_slow" if mass.reason == TOO_SLOW else "leakage.mass_nothing_moves"))
        return
    numbers = mass_table(mass)
    st.markdown(mass_sentence(mass))
    names = t("leakage.mass_attribute"), t("leakage.mass_proxies"), t("leakage.mass_even")
    figure = mass_plot(numbers, t("leakage.mass_share"), names)
    chart(figure, "leakage_mass", t("leakage.mass_alt"), numbers, "mass")
    st.caption(proxies_sentence(mass.proxies, titles))


def mass_table(mass: AttributeMass) -> pd.DataFrame:
    """One row a group: the shares on the attribute and on its proxies, 0 to 1, each with its interval."""
    return pd.DataFrame(
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


def mass_sentence(mass: AttributeMass) -> str:
    """What everybody's shares say, as markdown."""
    everybody = mass.groups[0]
    values = {
        name: f"{value:.0%}"
        for part, own in (("attribute", everybody.attribute), ("proxies", everybody.proxies))
        for name, value in ((part, own.value), (f"{part}_low", own.ci_low), (f"{part}_high", own.ci_high))
    }
    return t("leakage.says_mass" if mass.reads else "leakage.says_mass_blind", n=f"{everybody.n:,}", **values)


def proxies_sentence(proxies: tuple[Proxy, ...], titles: dict[str, str]) -> str:
    """The strongest proxies, or that there is none beyond chance."""
    if not proxies:
        return t("leakage.no_proxies")
    named = [f"{safe(_name(own, titles))} ({own.strength:.2f})" for own in proxies[:MOST_NAMED]]
    return t("leakage.proxies", n=len(proxies), names="; ".join(named))


def _name(own: Proxy, titles: dict[str, str]) -> str:
    return plain(titles.get(own.name, own.name) if own.kind == "item" else own.name)
