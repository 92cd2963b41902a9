"""Does what a model knows of a person tell which group the person belongs to?

A probe: a logistic regression that reads the person's vector and guesses the group, judged on people it
hasn't seen. AUC ½ means that it guesses; the null shuffles the groups and learns anew each time, so that
nothing of the probe's own luck is taken for a leak. A model that leaks doesn't thereby treat people
differently; one whose vectors are silent may still do so in other ways.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.stats import rankdata
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedKFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from recsys_core.errors import ConfigError, DataError

FloatArray = NDArray[np.float64]
BoolArray = NDArray[np.bool_]

N_FOLDS = 5
N_PERMUTATIONS = 99
FEWEST_PEOPLE = 50  # in the group, and outside of it: ten for each fold's test
MOST_PEOPLE = 20_000  # more are drawn from
NORMAL_95 = 1.959963984540054


@dataclass(frozen=True, slots=True)
class Probe:
    """How well a group can be told from people's vectors.

    Attributes:
        n: people of the group that were used.
        n_others: people outside of it that were used.
        auc: mean over the folds, 0 to 1; ½ = a guess.
        ci_low: low end of its 95 % interval (DeLong, Biometrics 1988, folds added up).
        ci_high: high end of it.
        null_mean: mean AUC under shuffled groups.
        null_high: 95th percentile of it.
        p_value: how often shuffled groups are told as well, (1 + as well) / (1 + shuffles).
    """

    n: int
    n_others: int
    auc: float
    ci_low: float
    ci_high: float
    null_mean: float
    null_high: float
    p_value: float


def probe_group(
    vectors: FloatArray, in_group: BoolArray, n_permutations: int = N_PERMUTATIONS, seed: int = 0
) -> Probe:
    """How well a cross-validated logistic regression tells the group from people's vectors.

    Args:
        vectors: [n, d] one row a person, finite.
        in_group: [n] who is in the group.
        n_permutations: shuffles of the group, at least 19: the smallest p-value is 1 / (1 + shuffles).
        seed: of folds and shuffles.

    Raises:
        ConfigError: too few shuffles.
        DataError: fewer than 50 people inside or outside, or vectors that aren't finite.
    """
    _check(vectors, in_group, n_permutations)
    generator = np.random.default_rng(seed)
    if len(vectors) > MOST_PEOPLE:
        some = np.sort(generator.permutation(len(vectors))[:MOST_PEOPLE])
        vectors, in_group = vectors[some], in_group[some]
    value, variance = _cross_validated(vectors, in_group, seed)
    null = np.array(
        [_cross_validated(vectors, generator.permutation(in_group), seed)[0] for _ in range(n_permutations)]
    )
    reach = NORMAL_95 * np.sqrt(variance)
    return Probe(
        n=int(in_group.sum()),
        n_others=int((~in_group).sum()),
        auc=value,
        ci_low=max(0.0, value - reach),
        ci_high=min(1.0, value + reach),
        null_mean=float(null.mean()),
        null_high=float(np.quantile(null, 0.95)),
        p_value=float((1 + (null >= value).sum()) / (1 + n_permutations)),
    )


def auc_and_variance(inside: FloatArray, outside: FloatArray) -> tuple[float, float]:
    """How often somebody of the group scores above somebody else, ties half, and its variance.

    Source: DeLong, DeLong & Clarke-Pearson, Biometrics 1988, by midranks (Sun & Xu, IEEE SPL 2014).
    """
    n, m = len(inside), len(outside)
    together = rankdata(np.concatenate([inside, outside]))
    of_inside = (together[:n] - rankdata(inside)) / m  # [n] share of others below each of the group
    of_outside = 1 - (together[n:] - rankdata(outside)) / n
    variance = of_inside.var(ddof=1) / n + of_outside.var(ddof=1) / m if min(n, m) > 1 else np.nan
    return float(of_inside.mean()), float(variance)


def check_permutations(n_permutations: int) -> None:
    """Refuses a number of shuffles with which nothing could be significant.

    Raises:
        ConfigError: fewer than 19.
    """
    if n_permutations < 19:
        raise ConfigError(f"{n_permutations} shuffles were asked for; a p-value of .05 needs at least 19")


def _check(vectors: FloatArray, in_group: BoolArray, n_permutations: int) -> None:
    check_permutations(n_permutations)
    if len(vectors) != len(in_group):
        raise DataError(f"{len(vectors)} vectors and {len(in_group)} people; there must be one each")
    inside = int(in_group.sum())
    if min(inside, len(in_group) - inside) < FEWEST_PEOPLE:
        raise DataError(
            f"insufficient data: a probe needs {FEWEST_PEOPLE} people in the group and as many outside of it"
        )
    if not np.isfinite(vectors).all():
        raise DataError("a person's vector holds a number that isn't finite, so nothing can be read from it")


def _cross_validated(vectors: FloatArray, in_group: BoolArray, seed: int) -> tuple[float, float]:
    """Mean AUC over the folds and its variance; each fold's people are unknown to the probe."""
    folds = StratifiedKFold(N_FOLDS, shuffle=True, random_state=seed)
    found = list[tuple[float, float]]()
    for learns, tests in folds.split(vectors, in_group):
        reader = make_pipeline(StandardScaler(), LogisticRegression(solver="newton-cholesky"))
        reader.fit(vectors[learns], in_group[learns])
        scores = np.asarray(reader.decision_function(vectors[tests]), dtype=np.float64)
        found.append(auc_and_variance(scores[in_group[tests]], scores[~in_group[tests]]))
    values, variances = np.array(found).T
    return float(values.mean()), float(variances.sum() / N_FOLDS**2)
