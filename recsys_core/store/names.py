"""Names that people give, and the opaque ids that stand in for them wherever a path is needed."""

import re
import secrets
import unicodedata

from recsys_core.errors import DataError

MAX_NAME_LENGTH = 100
ID_PATTERN = re.compile(r"(ds|md|au|jb)_[0-9a-f]{12}")
# Control characters, halves of surrogate pairs, line and paragraph separators.
_REFUSED_CATEGORIES = ("Cc", "Cs", "Zl", "Zp")


def new_id(prefix: str) -> str:
    """An id that nobody has: the prefix and 12 random hexadecimal digits."""
    return f"{prefix}_{secrets.token_hex(6)}"


def checked_name(name: str) -> str:
    """The name without the space around it; any text goes, for no path is made of it.

    Raises:
        DataError: it is empty, too long, has control characters, or could be taken for an id.
    """
    stripped = name.strip()
    if not 1 <= len(stripped) <= MAX_NAME_LENGTH:
        raise DataError(f"the name has {len(stripped)} characters; 1 to {MAX_NAME_LENGTH} are allowed")
    for place, character in enumerate(stripped, start=1):
        if unicodedata.category(character) in _REFUSED_CATEGORIES:
            raise DataError(
                f"the name has the control character U+{ord(character):04X} at place {place}; "
                "letters, digits, signs and spaces are allowed"
            )
    if ID_PATTERN.fullmatch(stripped):
        raise DataError(f"the name '{stripped}' looks like an id; choose another")
    return stripped
