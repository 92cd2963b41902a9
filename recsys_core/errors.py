"""Everything that RecLens raises on purpose: one tree, so that one place can turn it into a sentence.

A message says what is wrong, the value found, what is allowed, and where. The command prints it on
one line of stderr; the dashboard shows it above the thing that failed.
"""


class RecsysError(Exception):
    """Root of the tree: a failure that a person can understand and act on."""

    exit_code = 1


class DataError(RecsysError):
    """The data that was handed in can't be used as it is."""

    exit_code = 2


class DifferenceError(DataError):
    """An answer that would tell of a few people by its difference from an earlier one."""


class ConfigError(RecsysError):
    """A setting doesn't exist, is out of bounds, or contradicts another one."""

    exit_code = 2


class NotFoundError(RecsysError):
    """A person, item, data set, model, job or audit of that id or name isn't there."""

    exit_code = 2


class NotTrainedError(RecsysError):
    """Something was asked of a model that has no weights yet."""

    exit_code = 2


class StoreError(RecsysError):
    """The workspace can't be read or written: full, damaged, locked or of another version."""


class CancelledError(RecsysError):
    """A person stopped the work; no result was kept."""
