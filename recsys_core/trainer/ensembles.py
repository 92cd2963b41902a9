"""How an ensemble comes about: from trained models, with weights that the validation part chooses."""

from collections.abc import Sequence

from recsys_core.config import EnsembleSettings
from recsys_core.data.dataset import Dataset
from recsys_core.data.split import Split, histories, targets
from recsys_core.ranker.ensemble import EnsembleRanker, new_ensemble
from recsys_core.ranker.inner import Inner
from recsys_core.ranker.late_fusion import fit_weights


def fit_ensemble(
    dataset: Dataset, split: Split, settings: EnsembleSettings, members: Sequence[Inner]
) -> EnsembleRanker:
    """The ensemble of trained models; weights that weren't given are chosen on the validation part alone.

    Raises:
        ConfigError: too few members, or members and weights that don't fit together.
    """
    equal = new_ensemble(members, [1] * len(members), settings.fusion)
    weights = settings.weight_values or fit_weights(
        [member.ranker for member in equal.members],
        histories(dataset, split, "valid"),
        targets(dataset, split, "valid"),
        settings.fusion,
    )
    return new_ensemble(members, list(weights), settings.fusion)
