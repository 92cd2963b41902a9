"""Ratings: what `squared-error` teaches, and how far from people's ratings a score ends up."""

from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from command import Command
from hand_made import small_transformer, tables

from recsys_core import pipeline
from recsys_core.config import make_settings
from recsys_core.data.dataset import Dataset, Histories, build_dataset
from recsys_core.data.split import histories, leave_one_out
from recsys_core.errors import ConfigError
from recsys_core.ranker.neural import Prediction
from recsys_core.ranker.protocol import ScoreArray
from recsys_core.ranker.ratings import mean_rating, rating_errors
from recsys_core.trainer.objective import LossChoice, Objective
from recsys_core.trainer.windows import batches, cut_windows

pytestmark = pytest.mark.usefixtures("one_thread")


def rated(ratings: dict[str, list[float]]) -> Dataset:
    """`{"ann": [4, 2, 5]}` rated the items i0, i1, i2 in that order."""
    pairs = [(user, f"i{item}") for user, own in ratings.items() for item in range(len(own))]
    made = tables(pairs, range(len(pairs)))
    given = [rating for own in ratings.values() for rating in own]
    return build_dataset(replace(made, interactions=made.interactions.assign(rating=given)))


class Constant:
    """A ranker that foresees one rating for everything."""

    n_items, max_length, score_kind = 4, 10, "similarity"

    def __init__(self, rating: float) -> None:
        self.rating = rating

    def score(self, histories: Histories) -> ScoreArray:
        return np.full((len(histories), self.n_items + 1), self.rating, dtype=np.float32)


def test_errors_by_hand():
    """Of the last items, one has no rating: errors of 4 are 1 and 3; the training mean is 3."""
    dataset = rated({"ann": [2, 4, 4, 5], "bob": [1, 5, 2, 1], "cid": [3, 3, 3, np.nan]})
    split = leave_one_out(dataset)
    found = rating_errors(Constant(4.0), dataset, split, "test")  # pyright: ignore[reportArgumentType]
    assert found.n == 2
    assert found.rmse == pytest.approx(np.sqrt((1**2 + 3**2) / 2))
    assert mean_rating(dataset, histories(dataset, split, "valid")) == pytest.approx(18 / 6)
    assert found.rmse_of_mean == pytest.approx(2.0)


def test_where_nothing_held_out_is_rated_the_error_is_unknown():
    dataset = rated({"ann": [2, 4, 4, np.nan], "bob": [1, 5, 2, np.nan]})
    found = rating_errors(Constant(4.0), dataset, leave_one_out(dataset), "test")  # pyright: ignore[reportArgumentType]
    assert found.n == 0 and np.isnan(found.rmse)


def test_data_without_ratings_are_refused():
    dataset = build_dataset(tables([("ann", item) for item in "abcd"], range(4)))
    with pytest.raises(ConfigError, match="learns ratings, and its events have none and no rating"):
        mean_rating(dataset, dataset.events)


def test_a_batch_tells_the_rating_of_each_next_item():
    dataset = rated({"ann": [2, 4, 1, 5]})
    (batch,) = batches(cut_windows(dataset.events, 3), 1, np.random.default_rng(0))
    assert batch.strengths is not None
    np.testing.assert_array_equal(batch.strengths[batch.targets > 0], [4, 1, 5])


def test_the_loss_is_the_mean_squared_error_of_the_targets_scores():
    ranker = small_transformer(4)
    ranker.item_bias.data = torch.tensor([0.0, 1, 2, 3, 4])
    states = torch.zeros(3, 8)
    asked = Prediction(states, torch.tensor([0, 0, 1]), torch.tensor([1, 2, 1]), torch.tensor([1, 2, 4]))
    objective = Objective.of(LossChoice("squared-error"), np.zeros(5))
    ratings = torch.tensor([3.0, torch.nan, 5.0])
    seen = Histories.of([[], [], []])
    loss = objective.loss(ranker, asked, ranker.item_vectors(), seen, ratings=ratings)
    assert float(loss.detach()) == pytest.approx((2**2 + 1**2) / 2)
    assert float(objective.loss(ranker, asked, ranker.item_vectors(), seen).detach()) == 0


def test_bert4rec_has_no_next_item_to_rate():
    with pytest.raises(ConfigError, match="bert4rec hides items"):
        make_settings("bert4rec", "quick", ["loss=squared-error"])


@pytest.fixture(scope="module")
def reclens(tmp_path_factory: pytest.TempPathFactory) -> Command:
    """Sixty people; items i0 to i4 are rated 5, i5 to i9 rated 1, whoever rates them."""
    folder = tmp_path_factory.mktemp("rated")
    generator = np.random.default_rng(0)
    rows = [
        (f"u{person}", f"i{item}", 5.0 if item < 5 else 1.0, 1_700_000_000 + place)
        for person in range(60)
        for place, item in enumerate(generator.permutation(10)[:8])
    ]
    columns = ["user_id", "item_id", "rating", "timestamp"]
    pd.DataFrame(rows, columns=columns).to_csv(folder / "events.csv", index=False)
    command = Command(folder / "home")
    command.json("ingest", "rated", "--interactions", str(folder / "events.csv"))
    return command


@pytest.mark.slow
@pytest.mark.parametrize("ranker", ["transformer", "lstm", "hybrid"])
def test_planted_ratings_are_learned_and_the_error_is_shown(
    reclens: Command, ranker: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
):
    monkeypatch.setattr(pipeline, "verify_method", partial(pipeline.verify_method, n_people=3))
    changes = ["loss=squared-error", "encoder=none", "embedding_size=8", "epochs=30", "patience=30"]
    changes += ["batch_size=8", "dropout=0", "learning_rate=0.02"]
    words = [word for change in changes for word in ("--set", change)]
    made = reclens.json("train", "rated", "--ranker", ranker, "--name", ranker, *words)
    errors = made["ratings"]
    assert errors["n"] == 60
    assert errors["rmse_of_mean"] == pytest.approx(2, abs=0.05)
    assert errors["rmse"] < 0.5 * errors["rmse_of_mean"]
    assert "ndcg@10" in made["test"]
    rows = reclens.json("recommend", ranker, "--history", "i0,i5", "--k", "8")["recommendations"]
    assert {row["item_id"] for row in rows[:4]} == {"i1", "i2", "i3", "i4"}
