"""Who may see single people on pages: what whoever runs the server says."""

from recsys_core.config import Environment


def may_see_people() -> bool:
    """Whether pages may show single people, their lists and reasons; where not, large enough groups alone."""
    return Environment().audit_people
