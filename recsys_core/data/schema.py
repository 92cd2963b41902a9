"""The columns that RecLens knows, whatever a file calls them, and the tables made of them."""

from dataclasses import dataclass
from enum import StrEnum

import pandas as pd


class Role(StrEnum):
    """What a column means. `--map role=column` names it where our guess is wrong."""

    USER_ID = "user_id"
    ITEM_ID = "item_id"
    TIMESTAMP_S = "timestamp_s"
    ORDER = "order"
    RATING = "rating"
    EVENT = "event"
    DWELL_S = "dwell_s"
    QUANTITY = "quantity"
    SEARCH_TEXT = "search_text"
    REVIEW_TEXT = "review_text"
    CONTEXT = "context"
    TITLE = "title"
    TEXT = "text"
    CATEGORY = "category"
    PROVIDER = "provider"
    IMAGE = "image"


INTERACTION_ROLES = (
    Role.USER_ID,
    Role.ITEM_ID,
    Role.TIMESTAMP_S,
    Role.ORDER,
    Role.RATING,
    Role.EVENT,
    Role.DWELL_S,
    Role.QUANTITY,
    Role.SEARCH_TEXT,
    Role.REVIEW_TEXT,
    Role.CONTEXT,
)
ITEM_ROLES = (Role.ITEM_ID, Role.TITLE, Role.TEXT, Role.CATEGORY, Role.PROVIDER, Role.IMAGE)
NUMBER_ROLES = (Role.TIMESTAMP_S, Role.ORDER, Role.RATING, Role.DWELL_S, Role.QUANTITY)

CONTEXT_PREFIX = "context_"  # several columns may be context: each keeps its own name behind this
CATEGORY_SEPARATOR = "|"  # an item of several categories: "Books|Crime"


@dataclass(frozen=True, slots=True)
class Tables:
    """What was read from the files of one data set, under our names, nothing numbered yet.

    Attributes:
        interactions: one row an interaction, in the file's order; always `user_id` and `item_id` (text),
            and those of the other interaction roles that the file had: `timestamp_s`, `order`, `rating`,
            `dwell_s`, `quantity` are float64 (NaN = not given), the rest text ("" = not given).
        items: one row an item, `item_id` unique; `title`, `text`, `category`, `provider`, `image` are text,
            "" where nothing is known. Items that only the interactions name are there too.
        users: one row a person, `user_id` unique; every other column is an attribute, text, "" = missing.
            People that only the interactions name are there too.
    """

    interactions: pd.DataFrame
    items: pd.DataFrame
    users: pd.DataFrame
