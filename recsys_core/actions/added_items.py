"""Items that a model has never seen, given to it by their texts: a model of its own that knows them too."""

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch

from recsys_core.actions.data import with_added_items
from recsys_core.actions.kept_models import keep_model, open_model
from recsys_core.actions.loaded import LoadedModel
from recsys_core.config import NeuralSettings
from recsys_core.data.dataset import Dataset
from recsys_core.data.mapping import Mapping
from recsys_core.data.readers import read_items
from recsys_core.encoder.cache import TextVectors, encode_more
from recsys_core.encoder.images import ImageVectors
from recsys_core.errors import ConfigError, DataError
from recsys_core.pipeline import Progress, TrainedModel, encode_pictures, examine
from recsys_core.ranker.cold import add_items
from recsys_core.ranker.neural import NeuralRanker
from recsys_core.store.records import ModelRecord
from recsys_core.store.workspace import Workspace
from recsys_core.trainer.device import choose_device
from recsys_core.trainer.memory import peak_bytes

NAMED = 5  # items that a sentence names before it says "…"


@dataclass(frozen=True, slots=True)
class AddedItems:
    """A model that knows more items than the one that it was made of.

    Attributes:
        record: of the new model.
        item_ids: those that were added, in the file's order.
        n_items: how many it ranks now.
        warning: what of the new texts couldn't be read, or "".
    """

    record: ModelRecord
    item_ids: tuple[str, ...]
    n_items: int
    warning: str


def add_items_to_model(
    workspace: Workspace,
    model: str,
    file: Path,
    name: str,
    mapping: Mapping | None = None,
    progress: Progress = lambda share, message: None,
) -> AddedItems:
    """Keeps a model that ranks the items of a file as well, by their texts; the one it is made of stays.

    The scores of all items that were there are the same to the bit. Its figures are its own, with the new
    items among the candidates.

    Args:
        workspace: where the model is, and where the new one is kept.
        model: one that reads texts, by id or name.
        file: a catalogue as in an import: item_id and any of title, category, provider and text.
        name: of the new model.
        mapping: which column is what; what it leaves open is guessed.
        progress: told the share that is done, and with what it is busy.

    Raises:
        ConfigError: the model can't score an item by its text, or its encoder isn't there any more.
        DataError: the name is taken, or a row of the file can't be used; nothing is kept then.
        NotFoundError: there is no such model.
    """
    start = time.perf_counter()
    workspace.check_free("model", name)
    opened = open_model(workspace, model)
    ranker, text = _reader_of_texts(opened)
    items = _checked(file, mapping, opened.data.dataset)
    progress(0.0, "Reading the new items' texts")
    texts = replace(opened.data.dataset, items=items).item_texts()
    vectors = encode_more(text, texts, choose_device(), workspace.cache)
    data = with_added_items(opened.data, items)
    images = _pictures(workspace, opened, replace(opened.data.dataset, items=items))
    seen = None if images is None else torch.from_numpy(np.array(images.vectors))
    grown = add_items(ranker, torch.from_numpy(vectors.vectors), image_vectors=seen)
    found = examine(grown, data.dataset, data.split, opened.seed, lambda s, m: progress(0.1 + 0.9 * s, m))
    warning = vectors.warning or _unread(vectors, items)
    trained = TrainedModel(
        opened.ranker_name,
        opened.settings,
        opened.seed,
        grown,
        replace(text, vectors=np.concatenate([text.vectors, vectors.vectors]), warning=warning),
        opened.log,
        valid=found.valid,
        test=found.test,
        verification=found.verification,
        seconds=time.perf_counter() - start,
        peak_memory_bytes=peak_bytes(),
        n_without_picture=_without_picture(opened, len(items) if images is None else images.n_without),
    )
    keep_model(workspace, name, data, trained, opened.record.details["preset"])
    ids = tuple(items["item_id"].astype(str))
    return AddedItems(workspace.resolve("model", name), ids, data.dataset.n_items, warning)


def added_json(done: AddedItems) -> dict[str, Any]:
    """The contract of `reclens add-items --json`."""
    details = done.record.details
    return {
        "model": done.record.id,
        "name": done.record.name,
        "n_added": len(done.item_ids),
        "n_items": done.n_items,
        "item_ids": list(done.item_ids),
        "valid": details["valid"],
        "test": details["test"],
        "verified": details["verified"],
        "warning": done.warning,
    }


def _reader_of_texts(model: LoadedModel) -> tuple[NeuralRanker, TextVectors]:
    if isinstance(model.ranker, NeuralRanker) and model.text is not None:
        return model.ranker, model.text
    raise ConfigError(
        f"'{model.record.name}' ({model.ranker_name}) can't score an item by its text alone; add items to a "
        "transformer, bert4rec, lstm, fusion or hybrid that was trained with an encoder"
    )


def _checked(file: Path, mapping: Mapping | None, dataset: Dataset) -> pd.DataFrame:
    """The items of a file, all of which can be used."""
    read = read_items(file, mapping)
    if len(read.rejected):
        first = read.rejected.iloc[0]
        raise DataError(
            f"{file.name}: {len(read.rejected):,} rows can't be used; the first, row {first['row']}: "
            f"{first['reason']}; nothing was added"
        )
    ids = read.items["item_id"]
    if there := ids[ids.isin(dataset.items["item_id"])].tolist():
        raise DataError(f"{file.name}: in the catalogue already: {_named(there)}; leave them out")
    texts = replace(dataset, items=read.items).item_texts()
    if silent := [item for item, text in zip(ids, texts, strict=True) if not any(map(str.isalnum, text))]:
        raise DataError(
            f"{file.name}: without a text: {_named(silent)}; a new item is known by its title, category, "
            "provider or text alone, so it needs one of them"
        )
    return read.items


def _pictures(workspace: Workspace, model: LoadedModel, new: Dataset) -> ImageVectors | None:
    """The vectors of the new items' pictures; None where the model reads none, or none is named."""
    settings = model.settings
    if not isinstance(settings, NeuralSettings) or not (new.items["image"] != "").any():
        return None
    return encode_pictures(new, settings, choose_device(), workspace.cache, lambda share, message: None)


def _without_picture(model: LoadedModel, n_more: int) -> int | None:
    before = model.record.details.get("n_without_picture")
    return None if before is None else int(before) + n_more


def _unread(vectors: TextVectors, items: pd.DataFrame) -> str:
    """The warning for texts of which the encoder knows nothing."""
    known = np.abs(vectors.vectors).max(axis=1, initial=0) > 0
    unread = [str(item) for item, is_known in zip(items["item_id"], known, strict=True) if not is_known]
    return f"nothing in the text of {_named(unread)} is known to the model's n-grams" if unread else ""


def _named(items: Sequence[str]) -> str:
    return ", ".join(items[:NAMED]) + (", …" if len(items) > NAMED else "")
