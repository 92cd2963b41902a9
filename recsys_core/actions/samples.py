"""The sample that opens in seconds: the simulated shop and the model that was trained on it.

Both lie in `sample_data/`: the shop as the files that anybody could bring in, the model as it was kept
by the workspace in which it was trained (`make sample` makes them again).
"""

import gzip
import shutil
import tempfile
from pathlib import Path

from recsys_core.actions.data import INTERACTIONS_CSV, ingest_shop
from recsys_core.actions.loaded import MODEL_FILE
from recsys_core.actions.models import train
from recsys_core.data.simulate import simulate_shop, write_shop
from recsys_core.errors import NotFoundError, StoreError
from recsys_core.files import check_sha256, read_json, write_json
from recsys_core.store.records import DatasetRecord, ModelRecord
from recsys_core.store.workspace import Workspace

SAMPLE_FOLDER = Path(__file__).resolve().parents[2] / "sample_data"
DATASET_NAME, MODEL_NAME = "Sample shop", "Sample transformer"
SHOP_FOLDER, MODEL_FOLDER, DETAILS_FILE = "shop", "model", "details.json"
SEED = 7  # its planted provider is liked as much as the others, to three digits


def open_sample(workspace: Workspace, source: Path = SAMPLE_FOLDER) -> tuple[DatasetRecord, ModelRecord]:
    """The sample's data set and model, brought into the workspace unless they are there already.

    Raises:
        StoreError: the sample's files are missing or damaged.
    """
    if not (source / MODEL_FOLDER / MODEL_FILE).is_file():
        raise StoreError(f"the sample is missing from {source.name}; `make sample` makes it again")
    dataset = _find_dataset(workspace) or ingest_shop(workspace, DATASET_NAME, source / SHOP_FOLDER).record
    return dataset, _find_model(workspace, dataset) or _add_model(workspace, dataset, source / MODEL_FOLDER)


def make_sample(source: Path = SAMPLE_FOLDER, seed: int = SEED) -> ModelRecord:
    """Simulates the shop, trains its model, and writes both to where `open_sample` looks for them.

    The interactions are packed without a time stamp, so that the same seed gives the same files.
    """
    shop = source / SHOP_FOLDER
    shutil.rmtree(shop, ignore_errors=True)
    write_shop(simulate_shop(seed), shop)
    rows = shop / INTERACTIONS_CSV
    rows.with_suffix(".csv.gz").write_bytes(gzip.compress(rows.read_bytes(), mtime=0))
    rows.unlink()
    with tempfile.TemporaryDirectory(prefix="reclens-sample-") as home:
        workspace = Workspace.open(Path(home))
        dataset = ingest_shop(workspace, DATASET_NAME, shop).record
        model = train(workspace, dataset.id, "transformer", MODEL_NAME, seed=seed)
        folder = source / MODEL_FOLDER
        shutil.rmtree(folder, ignore_errors=True)
        shutil.copytree(workspace.folder(model), folder)
    write_json(folder / DETAILS_FILE, {"details": model.details, "sha256": model.folder_sha256})
    return model


def _add_model(workspace: Workspace, dataset: DatasetRecord, folder: Path) -> ModelRecord:
    kept = read_json(folder / DETAILS_FILE)

    def write(into: Path) -> None:
        for name, digest in kept["sha256"].items():
            check_sha256(folder / name, digest)
            shutil.copyfile(folder / name, into / name)

    return workspace.add_model(MODEL_NAME, dataset.id, kept["details"], write)


def _find_dataset(workspace: Workspace) -> DatasetRecord | None:
    try:
        return workspace.resolve("dataset", DATASET_NAME)
    except NotFoundError:
        return None


def _find_model(workspace: Workspace, dataset: DatasetRecord) -> ModelRecord | None:
    try:
        found = workspace.resolve("model", MODEL_NAME)
    except NotFoundError:
        return None
    return found if found.dataset_id == dataset.id else None


if __name__ == "__main__":
    make_sample()
