"""A model's main parameters in a paragraph of plain language; it says only what the figures carry."""

from recsys_core.explain.model_report import AGES, CATEGORY, LIST_POPULARITY, ModelReport, Parameter

PARTS = {
    "popularity": "how popular an item is in general",
    "id": "which items people touch together or after each other",
    "text": "what the items' texts say",
    "event type": "of what kind a person's events were",
    "strength": "how strong those events were",
    "time": "when they happened",
    "profile": "the person's profile",
}


def describe(report: ModelReport) -> str:
    """The paragraph, in English."""
    found = {parameter.name: parameter for parameter in report.parameters}
    sentences = [
        *_of_parts([own for name, own in found.items() if name.startswith("part: ")]),
        *_of_ages(found),
        *_of_category(found.get(CATEGORY)),
        *_of_popularity(found.get(LIST_POPULARITY)),
        *_of_cohorts(report),
    ]
    basis = (
        f"Measured on the first recommendation of {report.n_people:,} people; "
        "intervals hold with 95 % confidence."
    )
    return " ".join([*sentences, basis])


def _of_parts(parts: list[Parameter]) -> list[str]:
    if not parts:
        return ["This model ranks by counts of who touched what; it has no parts that could be told apart."]
    ordered = sorted(parts, key=lambda own: -own.value)
    named = [f"{PARTS[own.name.removeprefix('part: ')]} ({_percent(own)})" for own in ordered]
    return [f"A recommendation is decided, in order of weight, by {_listed(named)}."]


def _of_ages(found: dict[str, Parameter]) -> list[str]:
    last, older = found.get(AGES[0]), found.get(AGES[2])
    if last is None or older is None:
        return ["What a person did before changes nothing."] if AGES[0] not in found else []
    more = _against_even(last, "more than an average one", "less than an average one", "like any other")
    return [
        f"Of what the history contributes, the latest item carries {_percent(last)}, {more}; "
        f"everything before the last five carries {_percent(older)}."
    ]


def _of_category(shared: Parameter | None) -> list[str]:
    if shared is None:
        return []
    more = _against_even(
        shared, "so categories weigh more than by chance", "so categories weigh less than by chance", ""
    )
    tail = f", {more}" if more else "; that is no clear difference"
    return [
        f"Items of the same category give {_percent(shared)} of what speaks for a recommendation and make up "
        f"{shared.even:.0%} of the history{tail}."
    ]


def _of_popularity(list_popularity: Parameter | None) -> list[str]:
    if list_popularity is None:
        return []
    more = _against_even(list_popularity, "more popular than", "less popular than", "about as popular as")
    return [
        f"Recommended items are {more} what people touched before: on average {_percent(list_popularity)} of "
        f"all items are less popular than a recommended one, {list_popularity.even:.0%} than a touched one."
    ]


def _of_cohorts(report: ModelReport) -> list[str]:
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
    if not differing:
        return ["No cohort was found for which these weights surely differ."]
    return [f"The weights are other ones for {_listed(differing)} (see the figures per cohort)."]


def _against_even(own: Parameter, more: str, less: str, same: str) -> str:
    if own.ci_low > own.even:
        return more
    return less if own.ci_high < own.even else same


def _percent(own: Parameter) -> str:
    return f"{own.value:.0%} [{own.ci_low:.0%}, {own.ci_high:.0%}]"


def _listed(names: list[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"
