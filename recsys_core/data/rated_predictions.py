"""Ratings with a model's predictions of them, from a file that another system wrote, read safely."""

from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pandas as pd

from recsys_core.data.mapping import Mapping
from recsys_core.data.readers import import_files, load_tables, preview
from recsys_core.data.schema import CONTEXT_PREFIX, Role
from recsys_core.errors import DataError

PREDICTION_NAMES = ("prediction", "predicted", "predicted_rating", "estimate", "est")


@dataclass(frozen=True, slots=True)
class RatedPredictions:
    """Rows with a person, an item, a rating and a prediction.

    Attributes:
        rows: `user_id`, `item_id`, `rating`, `prediction`; all known and finite.
        n_set_aside: rows of the file that lack one of the four, or couldn't be read.
    """

    rows: pd.DataFrame
    n_set_aside: int


def read_predictions(path: Path, mapping: Mapping | None = None) -> RatedPredictions:
    """The ratings and predictions of a file with user_id, item_id, rating and prediction.

    Args:
        path: CSV, TSV, JSON lines or Parquet.
        mapping: which columns are the ids and the rating; None = they are guessed.

    Raises:
        DataError: the file can't be read, has no ratings or no predictions, or no row has all four.
    """
    columns = {column.lower().strip(): column for column in reversed(preview(path).columns)}
    predicted = next((columns[name] for name in PREDICTION_NAMES if name in columns), None)
    if predicted is None:
        raise DataError(
            f"{path.name} has no column 'prediction'; its columns are {', '.join(reversed(columns.values()))}"
        )
    said = Mapping((*(mapping or Mapping()).pairs, (Role.CONTEXT, predicted)))
    with TemporaryDirectory(prefix="reclens-ratings-") as folder:
        report = import_files(path, None, None, said, None, Path(folder))
        read = load_tables(Path(folder)).interactions
    if Role.RATING not in read:
        raise DataError(f"{path.name} has no column of ratings; name it with rating=COLUMN")
    rows = pd.DataFrame(
        {
            "user_id": read["user_id"],
            "item_id": read["item_id"],
            "rating": read[Role.RATING].to_numpy(dtype=np.float64),
            "prediction": pd.to_numeric(read[CONTEXT_PREFIX + predicted], errors="coerce"),
        }
    )
    known = [np.isfinite(rows[name].to_numpy(dtype=np.float64)) for name in ("rating", "prediction")]
    usable = known[0] & known[1]
    n_set_aside = len(report.rejected) + int((~usable).sum())
    if not usable.any():
        raise DataError(f"{path.name}: none of its rows has both a rating and a prediction that are numbers")
    return RatedPredictions(rows.loc[usable].reset_index(drop=True), n_set_aside)
