"""From settings to a ranker: one place that knows every kind."""

import torch
from torch import Tensor

from recsys_core.config import (
    AlsSettings,
    Bert4RecSettings,
    CrossEncoderSettings,
    EaseSettings,
    EnsembleSettings,
    FusionSettings,
    HybridSettings,
    ItemKnnSettings,
    LstmSettings,
    PopularitySettings,
    RerankedSettings,
    Settings,
    TransformerSettings,
    TransitionsSettings,
    read_settings,
)
from recsys_core.data.dataset import Dataset, Histories
from recsys_core.errors import ConfigError
from recsys_core.ranker.als import fit_als, load_als
from recsys_core.ranker.bert4rec import Bert4RecRanker
from recsys_core.ranker.cross_encoder import load_cross_encoder
from recsys_core.ranker.ensemble import new_ensemble
from recsys_core.ranker.events import ITEMS_ALONE, EventKinds
from recsys_core.ranker.fusion import FusionRanker
from recsys_core.ranker.hybrid import HybridRanker
from recsys_core.ranker.inner import Inner, unpack
from recsys_core.ranker.lstm import RecurrentRanker
from recsys_core.ranker.neighbours import fit_ease, fit_item_knn, fit_transitions, load_neighbours
from recsys_core.ranker.neural import PARTS, NeuralRanker
from recsys_core.ranker.popularity import fit_popularity, load_popularity
from recsys_core.ranker.profile import ProfileColumns
from recsys_core.ranker.protocol import Ranker
from recsys_core.ranker.reranked import load_reranked
from recsys_core.ranker.transformer import TransformerRanker


def fit_counting_ranker(settings: Settings, known: Histories, n_items: int, seed: int = 0) -> Ranker:
    """A ranker that counts or factorises, fitted to histories; the seed matters where it starts at random.

    Raises:
        ConfigError: these settings aren't those of a counting ranker, or its library isn't installed.
    """
    match settings:
        case PopularitySettings():
            return fit_popularity(known, n_items)
        case ItemKnnSettings():
            return fit_item_knn(known, n_items, settings.n_neighbours, settings.shrinkage)
        case EaseSettings():
            return fit_ease(known, n_items, settings.l2)
        case TransitionsSettings():
            return fit_transitions(known, n_items, settings.window, settings.decay)
        case AlsSettings():
            return fit_als(known, n_items, seed=seed, **settings.model_dump())
        case _:
            raise ConfigError(f"no counting ranker takes {type(settings).__name__}")


def new_neural_ranker(
    settings: Settings,
    n_items: int,
    text_vectors: Tensor | None,
    events: EventKinds = ITEMS_ALONE,
    profile: ProfileColumns | None = None,
    image_vectors: Tensor | None = None,
    written: Tensor | None = None,
) -> NeuralRanker:
    """A neural ranker as its training finds it, drawn by torch's generator.

    Args:
        settings: of the kind of ranker that is wanted.
        n_items: how many items it ranks.
        text_vectors: [n_items + 1, t] frozen vectors of the items' texts; None without text.
        events: which features of events the data have and the settings ask for (see `event_kinds`).
        profile: for rankers that read people's profiles.
        image_vectors: [n_items + 1, p] frozen vectors of the items' pictures; None without pictures.
        written: [n_texts + 1, w] what was written at events; None where it isn't read.

    Raises:
        ConfigError: these settings aren't those of a neural ranker, or they contradict each other.
    """
    ranker = _of_items(settings, n_items, text_vectors, events, profile)
    if written is not None:
        ranker.read_written(written)
    if image_vectors is not None:
        ranker.item_vectors.look_at(image_vectors)
    return ranker


def _of_items(
    settings: Settings,
    n_items: int,
    text_vectors: Tensor | None,
    events: EventKinds,
    profile: ProfileColumns | None,
) -> NeuralRanker:
    match settings:
        case TransformerSettings():
            return TransformerRanker(
                n_items=n_items,
                embedding_size=settings.embedding_size,
                n_blocks=settings.n_blocks,
                n_heads=settings.n_heads,
                max_length=settings.max_length,
                dropout=settings.dropout,
                text_vectors=text_vectors,
                use_id=settings.item_id,
                block=settings.block,
                events=events,
            )
        case Bert4RecSettings():
            return Bert4RecRanker(
                n_items=n_items,
                embedding_size=settings.embedding_size,
                n_blocks=settings.n_blocks,
                n_heads=settings.n_heads,
                max_length=settings.max_length,
                dropout=settings.dropout,
                mask_share=settings.mask_share,
                text_vectors=text_vectors,
                use_id=settings.item_id,
            )
        case LstmSettings():
            return RecurrentRanker(
                n_items=n_items,
                embedding_size=settings.embedding_size,
                n_layers=settings.n_layers,
                max_length=settings.max_length,
                dropout=settings.dropout,
                cell=settings.cell,
                text_vectors=text_vectors,
                use_id=settings.item_id,
            )
        case FusionSettings() | HybridSettings() if profile is not None:
            kind = FusionRanker if isinstance(settings, FusionSettings) else HybridRanker
            return kind(
                n_items=n_items,
                embedding_size=settings.embedding_size,
                max_length=settings.max_length,
                dropout=settings.dropout,
                profile=profile,
                text_vectors=text_vectors,
                use_id=settings.item_id,
            )
        case _:
            raise ConfigError(f"no neural ranker takes {type(settings).__name__}")


def event_kinds(settings: Settings, dataset: Dataset) -> EventKinds:
    """What a ranker of these settings reads of the events of a data set."""
    if not isinstance(settings, TransformerSettings):
        return ITEMS_ALONE
    n_types, has_times = len(dataset.event_types.values), dataset.time_key == "timestamp_s"
    return EventKinds(
        n_types=n_types if settings.event_type and n_types > 1 else 0,  # one type tells nothing
        strength=settings.strength and dataset.strength != "",
        time=settings.time and has_times,
        request_time=settings.request_time and has_times,
        place=settings.place,
    )


def ranker_of(settings: Settings, tensors: dict[str, Tensor], device: torch.device) -> Ranker:
    """A ranker as it was kept, ready to score.

    Raises:
        KeyError, ValueError, TypeError, RuntimeError: the tensors aren't those of such a ranker.
    """
    match settings:
        case PopularitySettings():
            return load_popularity(tensors)
        case ItemKnnSettings() | EaseSettings() | TransitionsSettings():
            return load_neighbours(tensors)
        case AlsSettings():
            return load_als(tensors)
        case CrossEncoderSettings():
            (first,) = _inner_rankers(tensors, device)
            return load_cross_encoder(
                tensors, first, device, depth=settings.depth, window=settings.max_length
            )
        case EnsembleSettings():
            return new_ensemble(_inner_rankers(tensors, device), tensors["weights"].tolist(), settings.fusion)
        case RerankedSettings():
            (inner,) = _inner_rankers(tensors, device)
            return load_reranked(tensors, inner)
        case _:
            n_items = len(tensors["item_bias"]) - 1
            text, events = tensors.get("item_vectors.text"), EventKinds.kept_in(tensors)
            profile, image = ProfileColumns.kept_in(tensors), tensors.get("item_vectors.image")
            written = tensors.get("written.values")
            ranker = new_neural_ranker(settings, n_items, text, events, profile, image, written)
            ranker.load_state_dict({name: tensor for name, tensor in tensors.items() if name != PARTS})
            if PARTS in tensors:
                ranker.item_vectors.parts = tuple(tensors[PARTS].tolist())
            return ranker.to(device).eval()


def _inner_rankers(tensors: dict[str, Tensor], device: torch.device) -> list[Inner]:
    inner = list[Inner]()
    for packed in unpack(tensors):
        settings = read_settings(packed.kind, packed.settings)
        ranker = ranker_of(settings, packed.tensors, device)
        inner.append(Inner(packed.name, packed.kind, settings, ranker))
    return inner
