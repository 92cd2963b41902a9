"""RecBole's SASRec with full softmax (loss_type CE): training speed through its own trainer.

RecBole learns from one target a sample: the item after each prefix of a history. Importing its sequential
models turns autograd's anomaly detection on; it is turned off here, which makes RecBole faster.

.venv-peers/bin/python benchmarks/peers/recbole_sasrec.py ml-1m.txt.gz --max-length 200 --seconds 60
"""

import logging
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import torch
from peer_run import StepClock, arguments, print_result, read_sequences

NAME = "sequences"


class Timed:
    """A RecBole data loader that ends when the time is up."""

    def __init__(self, loader: object, clock: StepClock) -> None:
        self.loader, self.clock = loader, clock
        self.shuffle = loader.shuffle

    def __len__(self) -> int:
        return len(self.loader)

    def __iter__(self) -> Iterator:
        for batch in self.loader:
            yield batch  # the trainer's step happens here
            if self.clock.step_done(len(batch)):
                return


def main() -> None:
    options = arguments(__doc__).parse_args()
    sys.argv = sys.argv[:1]  # RecBole reads the command line as well
    from recbole.config import Config
    from recbole.data import create_dataset, data_preparation
    from recbole.model.sequential_recommender import SASRec
    from recbole.trainer import Trainer
    from recbole.utils import init_seed

    torch.autograd.set_detect_anomaly(False)
    torch.set_num_threads(options.threads)
    logging.disable(logging.CRITICAL)
    with tempfile.TemporaryDirectory() as folder:
        write_interactions(read_sequences(options.sequences, options.people), Path(folder))
        config = Config(model="SASRec", dataset=NAME, config_dict=settings(options, folder))
        init_seed(options.seed, reproducibility=False)
        train_data, _, _ = data_preparation(config, create_dataset(config))
        model = SASRec(config, train_data.dataset)
        clock = StepClock(options.seconds)
        trainer = Trainer(config, model)
        while clock.elapsed_s < options.seconds:  # small data: as many epochs as fit
            trainer._train_epoch(Timed(train_data, clock), 0)
    figures = {
        "library": "RecBole",
        "model": "SASRec, full softmax, anomaly detection off",
        **clock.figures(),
    }
    print_result(["recbole", "torch"], figures)


def settings(options: object, folder: str) -> dict[str, object]:
    return {
        "data_path": folder,
        "checkpoint_dir": folder,
        "USER_ID_FIELD": "user_id",
        "ITEM_ID_FIELD": "item_id",
        "TIME_FIELD": "timestamp",
        "load_col": {"inter": ["user_id", "item_id", "timestamp"]},
        "MAX_ITEM_LIST_LENGTH": options.max_length,
        "train_batch_size": options.batch_size,
        "hidden_size": 64,
        "inner_size": 256,
        "n_layers": 2,
        "n_heads": 2,
        "hidden_dropout_prob": 0.1,
        "attn_dropout_prob": 0.1,
        "loss_type": "CE",
        "train_neg_sample_args": None,
        "eval_args": {"split": {"LS": "valid_and_test"}, "order": "TO", "mode": "full"},
        "seed": options.seed,
        "use_gpu": False,
        "show_progress": False,
    }


def write_interactions(sequences: dict[int, list[int]], folder: Path) -> None:
    """RecBole's atomic file; a history's places stand for its times."""
    (folder / NAME).mkdir()
    with (folder / NAME / f"{NAME}.inter").open("w") as file:
        file.write("user_id:token\titem_id:token\ttimestamp:float\n")
        for user, items in sequences.items():
            file.writelines(f"{user}\t{item}\t{place}\n" for place, item in enumerate(items))


if __name__ == "__main__":
    main()
