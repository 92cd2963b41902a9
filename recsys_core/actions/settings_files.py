"""Settings that a search has written to a file, for training to read."""

import json
from pathlib import Path

from recsys_core.config import read_settings
from recsys_core.errors import ConfigError

SETTINGS_VERSION = 1


def changes_in(path: Path, ranker: str) -> list[str]:
    """The settings in a file of `searches.write_settings`, as `key=value`.

    Raises:
        ConfigError: the file can't be read, is no such file, or is of another ranker.
    """
    try:
        kept = json.loads(path.read_text(encoding="utf-8"))
        version, of_ranker, settings = kept["version"], kept["ranker"], dict(kept["settings"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ConfigError(f"{path.name} is no file of settings that 'reclens search' wrote") from error
    if version != SETTINGS_VERSION:
        raise ConfigError(
            f"{path.name} is of version {version}, this RecLens reads version {SETTINGS_VERSION}"
        )
    if of_ranker != ranker:
        raise ConfigError(f"{path.name} holds settings of {of_ranker}, not of {ranker}")
    meant = read_settings(ranker, settings).model_dump(mode="json")  # what came later is as it was then
    return [f"{name}={value}" for name, value in meant.items()]
