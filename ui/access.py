"""Who may see people on pages about groups: what whoever runs the server says."""

from recsys_core.config import Environment


def may_see_people() -> bool:
    """Whether an audit may lead on to single people; where not, it shows large enough groups alone."""
    return Environment().audit_people
