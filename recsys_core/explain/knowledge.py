"""What can be known of items without the model that is explained: popularity, and what is near to what."""

import numpy as np

from recsys_core.data.dataset import Dataset, FloatArray, Histories
from recsys_core.data.split import Split, histories
from recsys_core.explain.orders import ItemKnowledge
from recsys_core.ranker.neighbours import interaction_matrix
from recsys_core.ranker.neural import NeuralRanker
from recsys_core.ranker.popularity import item_counts
from recsys_core.ranker.protocol import Ranker


def item_knowledge(ranker: Ranker, dataset: Dataset, split: Split) -> ItemKnowledge:
    """Popularity in training, and what is near to what: by text if the ranker has any, else by people."""
    known = histories(dataset, split, "valid")
    text = ranker.item_vectors.text if isinstance(ranker, NeuralRanker) else None
    vectors = _people_vectors(known, dataset.n_items) if text is None else text.double().cpu().numpy()
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    return ItemKnowledge(item_counts(known, dataset.n_items), vectors / np.maximum(lengths, 1e-12))


def _people_vectors(known: Histories, n_items: int) -> FloatArray:
    """[n_items + 1, 64] a fixed random projection of who touched each item.

    Its cosines are close to those of the sets of people (Johnson & Lindenstrauss).
    """
    directions = np.random.default_rng(0).standard_normal((len(known), 64))
    return interaction_matrix(known, n_items).T @ directions
