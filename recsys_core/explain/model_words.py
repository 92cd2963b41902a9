"""A model's main parameters in a paragraph of plain language; it says only what the figures carry."""

from recsys_core.errors import ConfigError
from recsys_core.explain.model_phrases import CHINESE, ENGLISH, Phrases
from recsys_core.explain.model_report import AGES, CATEGORY, LIST_POPULARITY, ModelReport, Parameter

PHRASES: dict[str, Phrases] = {"en": ENGLISH, "zh": CHINESE}
PART = "part: "


def describe(report: ModelReport, language: str = "en") -> str:
    """The paragraph, in English ("en") or Chinese ("zh").

    Raises:
        ConfigError: another language is asked for.
    """
    if language not in PHRASES:
        raise ConfigError(f"there is no language '{language}'; languages are {', '.join(PHRASES)}")
    say = PHRASES[language]
    found = {parameter.name: parameter for parameter in report.parameters}
    sentences = [
        *_of_parts([own for name, own in found.items() if name.startswith(PART)], say),
        *_of_ages(found, say),
        *_of_category(found.get(CATEGORY), say),
        *_of_popularity(found.get(LIST_POPULARITY), say),
        *_of_cohorts(report, say),
        say.basis.format(n=f"{report.n_people:,}"),
    ]
    return say.between.join(sentences)


def _of_parts(parts: list[Parameter], say: Phrases) -> list[str]:
    if not parts:
        return [say.no_parts]
    ordered = sorted(parts, key=lambda own: -own.value)
    named = [
        say.weighed.format(name=say.parts[own.name.removeprefix(PART)], share=_share(own)) for own in ordered
    ]
    return [say.by_parts.format(parts=_listed(named, say))]


def _of_ages(found: dict[str, Parameter], say: Phrases) -> list[str]:
    last, older = found.get(AGES[0]), found.get(AGES[2])
    if last is None or older is None:
        return [] if AGES[0] in found else [say.no_history]
    return [
        say.ages.format(
            last=_share(last),
            older=_share(older),
            compared=_against_even(last, say.more_than_even, say.less_than_even, say.like_any_other),
        )
    ]


def _of_category(shared: Parameter | None, say: Phrases) -> list[str]:
    if shared is None:
        return []
    compared = _against_even(shared, say.category_more, say.category_less, say.category_same)
    return [say.category.format(share=_share(shared), even=f"{shared.even:.0%}", compared=compared)]


def _of_popularity(own: Parameter | None, say: Phrases) -> list[str]:
    if own is None:
        return []
    compared = _against_even(own, say.more_popular, say.less_popular, say.as_popular)
    return [say.popularity.format(share=_share(own), even=f"{own.even:.0%}", compared=compared)]


def _of_cohorts(report: ModelReport, say: Phrases) -> list[str]:
    """Where the heaviest parameter differs surely between a cohort and everybody: intervals apart."""
    found = {own.name: own for own in report.parameters}
    differing = [
        f"{cohort.attribute} {cohort.group}"
        for cohort in report.cohorts
        if any(
            own.ci_low > found[own.name].ci_high or own.ci_high < found[own.name].ci_low
            for own in cohort.parameters
            if own.name in found
        )
    ]
    if not report.cohorts:
        return []
    return [say.cohorts.format(cohorts=_listed(differing, say)) if differing else say.no_cohort]


def _against_even(own: Parameter, more: str, less: str, same: str) -> str:
    if own.ci_low > own.even:
        return more
    return less if own.ci_high < own.even else same


def _share(own: Parameter) -> str:
    return f"{own.value:.0%} [{own.ci_low:.0%}, {own.ci_high:.0%}]"


def _listed(names: list[str], say: Phrases) -> str:
    return names[0] if len(names) == 1 else f"{say.comma.join(names[:-1])}{say.last_of_list}{names[-1]}"
