"""People with attributes and values for audits whose truth is known."""

import numpy as np
import pandas as pd

from recsys_core.fairness.result import AuditResult, GapRow

GAINS = 1 / np.log2(np.arange(1, 11) + 1)
GENDER = {"F": 0.3, "M": 0.7}
AGE = {"18": 0.3, "25": 0.5, "35": 0.2}


def people(n: int, seed: int, **shares: dict[str, float]) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    drawn = {name: rng.choice(list(share), n, p=list(share.values())) for name, share in shares.items()}
    return pd.DataFrame({"user_id": [str(number) for number in range(n)], **drawn})


def ndcg(users: pd.DataFrame, hit_rate: float | pd.Series, seed: int) -> pd.Series:
    """NDCG@10 of one held-out item a person, found with the given probability at a random rank."""
    rng = np.random.default_rng([seed, 1])
    hit = rng.random(len(users)) < np.asarray(hit_rate)
    return pd.Series(np.where(hit, rng.choice(GAINS, len(users)), 0.0), index=users["user_id"])


def gap_of(result: AuditResult, group: str) -> GapRow:
    return next(gap for gap in result.gaps if gap.group == group)


def reason_of(result: AuditResult, group: str) -> str:
    return next(row.reason for row in result.not_computed if row.group == group)


def with_sizes(**sizes: int) -> pd.DataFrame:
    labels = [group for group, n in sizes.items() for _ in range(n)]
    return pd.DataFrame(
        {
            "user_id": [str(number) for number in range(len(labels))],
            "job": ["" if g == "unknown" else g for g in labels],
        }
    )
