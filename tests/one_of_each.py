"""One small ranker of each kind that is trained by gradients, all of its weights random."""

from collections.abc import Callable

import numpy as np
import torch
from hand_made import shaken, small_transformer

from recsys_core.data.profiles import ItemTraits, ProfileLayout
from recsys_core.ranker.bert4rec import Bert4RecRanker
from recsys_core.ranker.fusion import FusionRanker
from recsys_core.ranker.hybrid import HybridRanker
from recsys_core.ranker.lstm import RecurrentRanker
from recsys_core.ranker.neural import NeuralRanker
from recsys_core.ranker.profile import ProfileColumns

N_ITEMS, MAX_LENGTH = 15, 12


def bert4rec() -> Bert4RecRanker:
    torch.manual_seed(0)
    return shaken(Bert4RecRanker(N_ITEMS, 8, 2, 2, MAX_LENGTH, 0.1, mask_share=0.3))


def recurrent() -> RecurrentRanker:
    torch.manual_seed(0)
    return shaken(RecurrentRanker(N_ITEMS, 8, 1, MAX_LENGTH, 0.1, "gru"))


def of_profiles(kind: type[FusionRanker] | type[HybridRanker]) -> FusionRanker | HybridRanker:
    torch.manual_seed(0)
    generator = np.random.default_rng(3)
    traits = ItemTraits(("popularity taste", "category: a"), generator.normal(size=(N_ITEMS + 1, 2)))
    layout = ProfileLayout(traits.names, (), (), (), has_times=False, has_dwell=False, has_strengths=False)
    texts = torch.from_numpy(generator.normal(size=(N_ITEMS + 1, 5)).astype(np.float16))
    profile = ProfileColumns.of(layout, traits)
    return shaken(kind(N_ITEMS, 8, MAX_LENGTH, 0.1, profile, texts, use_id=True), 0.3)


NEURAL: dict[str, Callable[[], NeuralRanker]] = {
    "transformer": lambda: small_transformer(N_ITEMS),
    "ligr": lambda: small_transformer(N_ITEMS, block="ligr"),
    "hstu": lambda: small_transformer(N_ITEMS, block="hstu"),
    "bert4rec": bert4rec,
    "gru": recurrent,
    "fusion": lambda: of_profiles(FusionRanker),
    "hybrid": lambda: of_profiles(HybridRanker),
}
