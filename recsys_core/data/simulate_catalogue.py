"""The goods of the simulated shop: books and films, who provides them, and which leads to which.

Items come in families (a series, a book with its film) or alone. Within a family one item leads to the
next; besides, some items lead to one of another category that no text would suggest (a companion).
"""

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
import pandas as pd

from recsys_core.data.schema import CATEGORY_SEPARATOR
from recsys_core.data.simulate_fiction import FICTION
from recsys_core.data.simulate_light_fiction import LIGHT_FICTION
from recsys_core.data.simulate_nonfiction import NONFICTION
from recsys_core.data.simulate_texts import (
    Category,
    Story,
    Theme,
    draw_ending,
    draw_hook,
    draw_story,
    draw_title,
    film_ending,
    hero_title,
    search_queries,
    sequel_ending,
    vary_story,
)

CATEGORIES = (*FICTION, *LIGHT_FICTION, *NONFICTION)
THEMES: tuple[tuple[Category, Theme], ...] = tuple((c, theme) for c in CATEGORIES for theme in c.themes)
PUBLISHERS = (
    "Umberquill Press", "Tindlewick Books", "Saltgrove Editions", "Paper Heron House", "Ninefold Reading",
    "Copperlatch Publishing", "Mossgate & Daughters", "Inkwhistle", "Velvet Anvil Books", "Long Ladle Press",
    "Thimblehaven", "Brackenlore Books", "Two Owls Publishing", "Dustjacket Row",
)  # fmt: skip
STUDIOS = (
    "Wobbly Lantern Films", "Periwinkle Reel", "Moth & Marrow Pictures", "Glasskite Studio",
    "Tall Tide Cinema", "Ember Orchard Films", "Quiet Engine Pictures", "Northpaw Motion",
    "Clatterbridge Studio", "Plum Comet Films", "Sixpence Screen",
)  # fmt: skip
LESS_EXPOSED_PROVIDER = "Saltgrove Editions"
RELATIVE_EXPOSURE = 0.35
BOOSTED_PROVIDER = "Glasskite Studio"  # the one whose goods the fraudulent accounts buy

FAMILY_SHAPES = ("single", "series", "adaptation", "franchise")
FAMILY_SIZES = {"single": 1, "series": 3, "adaptation": 2, "franchise": 3}
FAMILY_SHARES = (0.82, 0.085, 0.07, 0.025)
EFFECT_SHARE = 1 / 3  # of all items; companions fill up what families leave open
RULE_PROBABILITIES = (0.7, 0.95)
POPULARITY_SPREAD = 1.1  # sigma of the log-normal appeal: a long tail
CAUSE_APPEAL = 10  # what leads somewhere is well known: without it, too few choices would have a cause
EFFECT_APPEAL = 0.1  # few people begin with part two

TITLE_TRIES = 20

Links = list[tuple[int, int, str]]  # (cause, effect, kind)


@dataclass(frozen=True, slots=True)
class Catalogue:
    """The item table and what only the simulator knows about it; rows in the table's order.

    Attributes:
        items: item_id, title, text, category, provider.
        theme: [n_items], the row in `THEMES`.
        appeal: [n_items], how readily people choose an item of the theme they are in the mood for.
        shown: [n_items], share of the people whom it is shown to: 1 but for the less exposed provider.
        queries: [n_items, 3], search texts.
        causes, effects: [n_rules], item rows; an effect has one cause, a cause up to two effects.
        probabilities: [n_rules]. kinds: [n_rules], "sequel", "film of the book" or "companion".
    """

    items: pd.DataFrame
    theme: npt.NDArray[np.int64]
    appeal: npt.NDArray[np.float64]
    shown: npt.NDArray[np.float64]
    queries: npt.NDArray[np.object_]
    causes: npt.NDArray[np.int64]
    effects: npt.NDArray[np.int64]
    probabilities: npt.NDArray[np.float64]
    kinds: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Draft:
    """One item before it has its id."""

    title: str
    text: str
    kind: str
    theme: int
    provider: str
    queries: tuple[str, str, str]


def make_catalogue(n_items: int, rng: np.random.Generator) -> Catalogue:
    """`n_items` items with unique titles, about a third of them the effect of another one."""
    drafts, links = _draw_families(n_items, rng)
    drafts = _with_planted_providers(drafts, links)
    links += _draw_companions(drafts, links, rng)
    order = rng.permutation(n_items)  # or the ids would give the families away
    place = np.argsort(order)
    causes = place[np.array([cause for cause, _, _ in links], dtype=np.int64)]
    effects = place[np.array([effect for _, effect, _ in links], dtype=np.int64)]
    drafts = [drafts[i] for i in order]
    appeal = rng.lognormal(0.0, POPULARITY_SPREAD, n_items)
    appeal[np.unique(causes)] *= CAUSE_APPEAL
    appeal[effects] *= EFFECT_APPEAL
    return Catalogue(
        items=_item_table(drafts),
        theme=np.array([draft.theme for draft in drafts], dtype=np.int64),
        appeal=appeal,
        shown=np.array([_shown(draft) for draft in drafts]),
        queries=np.array([draft.queries for draft in drafts], dtype=np.object_),
        causes=causes,
        effects=effects,
        probabilities=rng.uniform(*RULE_PROBABILITIES, len(links)).round(2),
        kinds=tuple(kind for _, _, kind in links),
    )


def _shown(draft: _Draft) -> float:
    return RELATIVE_EXPOSURE if draft.provider == LESS_EXPOSED_PROVIDER else 1.0


def _item_table(drafts: list[_Draft]) -> pd.DataFrame:
    width = len(str(len(drafts)))
    return pd.DataFrame(
        {
            "item_id": [f"i{number:0{width}d}" for number in range(1, len(drafts) + 1)],
            "title": [draft.title for draft in drafts],
            "text": [draft.text for draft in drafts],
            "category": [_category(draft) for draft in drafts],
            "provider": [draft.provider for draft in drafts],
        }
    )


def _category(draft: _Draft) -> str:
    category, theme = THEMES[draft.theme]
    names = (draft.kind, category.name, theme.kin) if theme.kin else (draft.kind, category.name)
    return CATEGORY_SEPARATOR.join(names)


def _draw_families(n_items: int, rng: np.random.Generator) -> tuple[list[_Draft], Links]:
    weights = rng.uniform(0.7, 1.3, len(THEMES))
    drafts: list[_Draft] = []
    links: Links = []
    titles: set[str] = set()
    for theme, n_wanted in enumerate(rng.multinomial(n_items, weights / weights.sum())):
        n_before = len(drafts)
        while (n_left := n_before + n_wanted - len(drafts)) > 0:
            shape = str(rng.choice(FAMILY_SHAPES, p=FAMILY_SHARES))
            if FAMILY_SIZES[shape] > n_left or (shape != "series" and THEMES[theme][0].book_share == 0):
                shape = "single"
            family, family_links = _draw_family(theme, shape, titles, rng)
            links += [
                (len(drafts) + cause, len(drafts) + effect, kind) for cause, effect, kind in family_links
            ]
            drafts += family
    return drafts, links


def _draw_family(
    theme: int, shape: str, titles: set[str], rng: np.random.Generator
) -> tuple[list[_Draft], Links]:
    """A family's items, the first one first, and its links by place within the family."""
    story, head = _draw_head(theme, shape, titles, rng)
    if shape == "series":
        parts = [_draw_sequel(story, head, part, titles, rng) for part in (2, 3)]
        return [head, *parts], [(0, 1, "sequel"), (1, 2, "sequel")]
    if shape == "adaptation":
        return [head, _draw_film(story, head, titles, rng)], [(0, 1, "film of the book")]
    if shape == "franchise":
        sequel = _draw_sequel(story, head, 2, titles, rng)
        film = _draw_film(story, head, titles, rng)
        return [head, sequel, film], [(0, 1, "sequel"), (0, 2, "film of the book")]
    return [head], []


def _draw_head(theme: int, shape: str, titles: set[str], rng: np.random.Generator) -> tuple[Story, _Draft]:
    category, words = THEMES[theme]
    kind = "Books" if shape in ("adaptation", "franchise") or rng.random() < category.book_share else "Films"
    named_by_hero = shape in ("series", "franchise") and category.series_hero
    story = draw_story(category, words, rng)
    title = hero_title(story) if named_by_hero else draw_title(story, rng)
    for _ in range(TITLE_TRIES):
        if title not in titles:
            break
        story = draw_story(category, words, rng)
        title = hero_title(story) if named_by_hero else draw_title(story, rng)
    title = _claim(title, titles)
    text = f"{draw_hook(story, rng)} {draw_ending(story, rng)}"
    return story, _Draft(title, text, kind, theme, _provider(kind, rng), search_queries(story, title, kind))


def _draw_sequel(story: Story, head: _Draft, part: int, titles: set[str], rng: np.random.Generator) -> _Draft:
    if story.series_hero:
        story = vary_story(story, rng)
    title = _claim(hero_title(story) if story.series_hero else f"{head.title}, Part {part}", titles)
    text = f"{draw_hook(story, rng)} {sequel_ending(story, head.title, part)}"
    return replace(head, title=title, text=text, queries=search_queries(story, title, head.kind))


def _draw_film(story: Story, book: _Draft, titles: set[str], rng: np.random.Generator) -> _Draft:
    title = _claim(f"{book.title} (film)", titles)
    text = f"{book.text.split('. ')[0]}. {film_ending(book.title)}"
    queries = search_queries(story, title, "Films")
    return _Draft(title, text, "Films", book.theme, _provider("Films", rng), queries)


def _claim(title: str, titles: set[str]) -> str:
    """A title that nothing else has: where the grammar runs dry, a number in brackets tells them apart."""
    unique, edition = title, 2
    while unique in titles:
        unique, edition = f"{title} ({edition})", edition + 1
    titles.add(unique)
    return unique


def _provider(kind: str, rng: np.random.Generator) -> str:
    names = PUBLISHERS if kind == "Books" else STUDIOS
    weights = 1 / np.sqrt(np.arange(len(names)) + 3)  # some are larger than others
    return str(rng.choice(names, p=weights / weights.sum()))


def _with_planted_providers(drafts: list[_Draft], links: Links) -> list[_Draft]:
    """The same drafts; in a small shop, where chance left a planted provider with nothing, it gets one."""
    in_family = {place for cause, effect, _ in links for place in (cause, effect)}
    for provider, kind in ((LESS_EXPOSED_PROVIDER, "Books"), (BOOSTED_PROVIDER, "Films")):
        if not any(draft.provider == provider for draft in drafts):
            alone = (i for i, draft in enumerate(drafts) if draft.kind == kind and i not in in_family)
            chosen = next(alone)
            drafts = [
                replace(draft, provider=provider) if i == chosen else draft for i, draft in enumerate(drafts)
            ]
    return drafts


def _draw_companions(drafts: list[_Draft], links: Links, rng: np.random.Generator) -> Links:
    """Links from the ends of families, and from items that stand alone, into another category."""
    category = np.array([THEMES[draft.theme][0].name for draft in drafts])
    hidden = np.array([draft.provider == LESS_EXPOSED_PROVIDER for draft in drafts])
    leads_on, follows = np.zeros(len(drafts), bool), np.zeros(len(drafts), bool)
    leads_on[[cause for cause, _, _ in links]] = True
    follows[[effect for _, effect, _ in links]] = True
    # A rule would put the less exposed provider's item before people as often as any other: none does.
    alone = rng.permutation(np.flatnonzero(~leads_on & ~follows & ~hidden))
    n_wanted = min(max(0, round(len(drafts) * EFFECT_SHARE) - len(links)), len(alone) // 2)
    effects, others = alone[:n_wanted], alone[n_wanted:]
    ends = np.flatnonzero(follows & ~leads_on)
    causes = rng.permutation(np.concatenate([ends, others]))[:n_wanted]
    return [
        (int(cause), int(effect), "companion")
        for cause, effect in zip(causes, effects, strict=False)
        if category[cause] != category[effect]
    ]
