"""How the simulated shop puts words together: titles, two-sentence descriptions and search queries.

A grammar belongs to a category, its hooks and nouns to a theme within it, so that a reader (or a text
encoder) can tell from the words alone what kind of thing an item is.
"""

import re
from dataclasses import dataclass, replace

import numpy as np

PLACES = (
    "Cold Harbour", "Marrakech", "Lisbon", "Kyoto", "Saltmarsh", "Edinburgh", "Valparaiso", "Trieste",
    "Harrow Lane", "Odessa", "Reykjavik", "Little Ashby", "Samarkand", "Bergen", "Zanzibar", "Galway",
    "Porto", "Ravenscar", "Tbilisi", "Naples", "Fern Hollow", "Havana", "Gdansk", "Salamanca",
    "Windle Bay", "Hanoi", "Granada", "Tallinn", "Otter Creek", "Cartagena", "Luang Prabang", "Bruges",
    "Stone Ferry", "Montevideo", "Jaipur", "Dunmore", "Lake Orta", "Kerala", "Foxglove Hill", "Tangier",
)  # fmt: skip
FIRST_NAMES = (
    "Ada", "Bruno", "Clara", "Dario", "Edith", "Felix", "Greta", "Hugo", "Ines", "Jonas", "Kira", "Leon",
    "Mira", "Nils", "Olga", "Pablo", "Rosa", "Samir", "Thea", "Viktor", "Wanda", "Yusuf", "Zora", "Amos",
)  # fmt: skip
LAST_NAMES = (
    "Vane", "Marlowe", "Okafor", "Lindqvist", "Tanaka", "Bellweather", "Castellan", "Drummond", "Ferreira",
    "Greyling", "Hartigan", "Ivanova", "Jessop", "Kowalski", "Larkin", "Mbeki", "Nightingale", "Osei",
    "Pemberton", "Quist", "Rosenthal", "Sandoval", "Thistle", "Umarov", "Verhoeven", "Whitlock", "Yilmaz",
    "Zeller", "Abernathy", "Corrigan",
)  # fmt: skip
ORDINALS = ("first", "second", "third", "fourth", "fifth")
KIND_WORDS = {"Books": "book", "Films": "film"}
MISSING_N = re.compile(r"\b([Aa])(?= (?:[aeiou]|heir|hour))", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Theme:
    """A narrow kind of item within a category: what a person's taste is really about.

    Attributes:
        label: what somebody would type to find one ("cold case").
        nouns: things that turn up in its titles and descriptions, lower case.
        hooks: first sentences, with the slots {hero}, {place} and {noun}.
        kin: the second category of its items, "" = none.
    """

    label: str
    nouns: tuple[str, ...]
    hooks: tuple[str, ...]
    kin: str = ""


@dataclass(frozen=True, slots=True)
class Category:
    """The grammar of one category.

    Attributes:
        name: as it stands in the item table.
        book_share: probability that an item is a book; the rest are films.
        titles: patterns with the slots {Noun}, {Adjective}, {place} and {last}.
        adjectives: lower case.
        endings: second sentences, with the slot {adjective}.
        themes: the kinds of items within it.
        series_hero: a recurring hero's name, with the slots {first} and {last}; "" = parts are numbered.
        places: where its items are set.
    """

    name: str
    book_share: float
    titles: tuple[str, ...]
    adjectives: tuple[str, ...]
    endings: tuple[str, ...]
    themes: tuple[Theme, ...]
    series_hero: str = ""
    places: tuple[str, ...] = PLACES


@dataclass(frozen=True, slots=True)
class Story:
    """The words that one item, or a whole series and its film, is built from."""

    category: Category
    theme: Theme
    place: str
    first: str
    last: str
    noun: str
    adjective: str

    @property
    def hero(self) -> str:
        """Who it is about, or who tells it."""
        return f"{self.first} {self.last}"

    @property
    def series_hero(self) -> str:
        """The hero as a series is named after them, "" where the category has none."""
        return self.category.series_hero.format(first=self.first, last=self.last)


def draw_story(category: Category, theme: Theme, rng: np.random.Generator) -> Story:
    """A story of one theme, with place, people and things drawn from its lists."""
    return Story(
        category=category,
        theme=theme,
        place=_one_of(category.places, rng),
        first=_one_of(FIRST_NAMES, rng),
        last=_one_of(LAST_NAMES, rng),
        noun=_one_of(theme.nouns, rng),
        adjective=_one_of(category.adjectives, rng),
    )


def vary_story(story: Story, rng: np.random.Generator) -> Story:
    """The same people, place and theme with another thing in the middle: what a sequel is about."""
    adjective = _one_of(story.category.adjectives, rng)
    return replace(story, noun=_one_of(story.theme.nouns, rng), adjective=adjective)


def draw_title(story: Story, rng: np.random.Generator) -> str:
    """A title that fits the story, not yet known to be unique."""
    title = _one_of(story.category.titles, rng).format(
        Noun=story.noun.title(), Adjective=story.adjective.title(), place=story.place, last=story.last
    )
    return _with_articles(title[0].upper() + title[1:])


def hero_title(story: Story) -> str:
    """A title of a series that is known by its hero: "Inspector Vane and the Drowned Witness"."""
    return f"{story.series_hero} and the {story.adjective.title()} {story.noun.title()}"


def draw_hook(story: Story, rng: np.random.Generator) -> str:
    """The first sentence of a description."""
    hook = _one_of(story.theme.hooks, rng).format(hero=story.hero, place=story.place, noun=story.noun)
    return _with_articles(hook[0].upper() + hook[1:])


def draw_ending(story: Story, rng: np.random.Generator) -> str:
    """The second sentence of a description of something that stands alone or opens a series."""
    return _with_articles(_one_of(story.category.endings, rng).format(adjective=story.adjective))


def sequel_ending(story: Story, first_title: str, part: int) -> str:
    """The second sentence of a sequel's description; `part` counts from 1."""
    if story.series_hero:
        return f"The {ORDINALS[part - 1]} story with {story.series_hero}, best enjoyed after the one before."
    return f"The {ORDINALS[part - 1]} part of {first_title}, picking up where the last one ended."


def film_ending(book_title: str) -> str:
    """The second sentence of the description of a film that was made from a book."""
    return f"The film of the book {book_title}, made for those who loved every page."


def search_queries(story: Story, title: str, kind: str) -> tuple[str, str, str]:
    """Three things that a person might type and find this item by: its title, its theme, a detail."""
    plain_title = title.lower().replace(",", "").replace(":", "").replace("(", "").replace(")", "")
    return (
        plain_title,
        f"{story.theme.label} {KIND_WORDS[kind]}",
        f"{story.theme.label} {story.noun} {story.place.lower()}",
    )


def _with_articles(sentence: str) -> str:
    return MISSING_N.sub(r"\1n", sentence)


def _one_of(words: tuple[str, ...], rng: np.random.Generator) -> str:
    return words[int(rng.integers(len(words)))]
