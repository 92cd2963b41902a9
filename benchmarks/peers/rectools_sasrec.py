"""RecTools' SASRec with full softmax: training speed, then the time to recommend to everybody.

.venv-peers/bin/python benchmarks/peers/rectools_sasrec.py ml-1m.txt.gz --max-length 200 --recommend
"""

import time
import warnings

import pandas as pd
import torch
from peer_run import StepClock, arguments, print_result, read_sequences
from pytorch_lightning import Callback, LightningModule, Trainer, seed_everything
from rectools import Columns
from rectools.dataset import Dataset
from rectools.models import SASRecModel


class Stopwatch(Callback):
    """Counts the targets that aren't padding and ends the training when the time is up."""

    def __init__(self, clock: StepClock) -> None:
        self.clock = clock

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: object, batch: dict, batch_idx: int
    ) -> None:
        if self.clock.step_done(int((batch["y"] != 0).sum())):
            trainer.should_stop = True


def main() -> None:
    parser = arguments(__doc__)
    parser.add_argument("--recommend", action="store_true", help="also time lists of 10 for everybody")
    options = parser.parse_args()
    warnings.filterwarnings("ignore")
    torch.set_num_threads(options.threads)
    seed_everything(options.seed, verbose=False)
    sequences = read_sequences(options.sequences, options.people)

    def trainer() -> Trainer:
        quiet = {"logger": False, "enable_progress_bar": False, "enable_model_summary": False}
        return Trainer(
            accelerator="cpu",
            max_epochs=1000,
            min_epochs=0,
            min_steps=0,
            enable_checkpointing=False,
            callbacks=[Stopwatch(StepClock(options.seconds))],
            **quiet,
        )

    model = SASRecModel(
        n_factors=64,
        n_blocks=2,
        n_heads=2,
        dropout_rate=0.1,
        session_max_len=options.max_length,
        loss="softmax",
        batch_size=options.batch_size,
        get_trainer_func=trainer,
    )
    model.fit(dataset({user: items[:-2] for user, items in sequences.items()}))
    (clock,) = (call.clock for call in model.fit_trainer.callbacks if isinstance(call, Stopwatch))  # a copy
    figures: dict[str, object] = {"library": "RecTools", "model": "SASRec, full softmax", **clock.figures()}
    if options.recommend:
        figures["recommend_s"] = recommend(model, {user: items[:-1] for user, items in sequences.items()})
    print_result(["rectools", "torch", "pytorch-lightning"], figures)


def dataset(sequences: dict[int, list[int]]) -> Dataset:
    rows = [(user, item, place) for user, items in sequences.items() for place, item in enumerate(items)]
    table = pd.DataFrame(rows, columns=[Columns.User, Columns.Item, "place"])
    table[Columns.Weight] = 1.0
    table[Columns.Datetime] = pd.Timestamp("2000-01-01") + pd.to_timedelta(table.pop("place"), unit="s")
    return Dataset.construct(table)


def recommend(model: SASRecModel, sequences: dict[int, list[int]]) -> list[float]:
    """Seconds of three calls: lists of 10 without seen items, everybody's history given."""
    known, seconds = dataset(sequences), []
    for _ in range(3):
        start = time.perf_counter()
        model.recommend(users=list(sequences), dataset=known, k=10, filter_viewed=True)
        seconds.append(time.perf_counter() - start)
    return seconds


if __name__ == "__main__":
    main()
