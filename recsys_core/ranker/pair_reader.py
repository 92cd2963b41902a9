"""A BERT-like encoder that reads a history and a candidate together and says how well they fit."""

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

import torch
from torch import Tensor, nn

from recsys_core.errors import ConfigError
from recsys_core.ranker.inner import text_of, text_tensor
from recsys_core.ranker.pair_rows import PairRows

if TYPE_CHECKING:  # it takes seconds to import
    from transformers import PreTrainedModel

FIRST_POSITION = {"bert": 0, "roberta": 2, "xlm-roberta": 2}  # by type of encoder


@dataclass(frozen=True, slots=True)
class ReaderLimits:
    """What an encoder can read: how many positions, and how many kinds of text it tells apart."""

    first_position: int
    n_positions: int
    n_types: int


class PairReader(nn.Module):
    """The encoder, and one weight a feature of the candidate's mean state."""

    def __init__(self, encoder: "PreTrainedModel") -> None:
        super().__init__()
        self.encoder = encoder
        self.limits = reader_limits(encoder.config)
        self.head = nn.Linear(encoder.config.hidden_size, 1)
        nn.init.normal_(self.head.weight, std=0.02)
        nn.init.zeros_(self.head.bias)

    def forward(self, rows: PairRows) -> Tensor:
        """[n_pairs in the rows] the logit of each candidate, in the order of `rows.pairs`."""
        device = self.head.weight.device
        segments = rows.segments.to(device)
        hidden = self.encoder(
            input_ids=rows.tokens.to(device),
            attention_mask=rows.may_look().to(device),
            token_type_ids=(segments > 0).long().clamp(max=self.limits.n_types - 1),
            position_ids=rows.positions.to(device) + self.limits.first_position,
        ).last_hidden_state.float()  # [R, T, d]
        of_candidate = segments > 0
        line = torch.arange(len(segments), device=device)[:, None] * (int(segments.max()) + 1)
        place = (line + segments)[of_candidate]  # candidates in the order of row and segment
        numbers, index = place.unique(return_inverse=True)
        sums = hidden.new_zeros(len(numbers), hidden.shape[-1]).index_add(0, index, hidden[of_candidate])
        counts = torch.bincount(index, minlength=len(numbers))
        with torch.autocast(device.type, enabled=False):
            return self.head(sums / counts[:, None])[:, 0]

    def tensors(self) -> dict[str, Tensor]:
        """Its weights under `reader.`, and the encoder's shape."""
        weights = {f"reader.{name}": weight.detach().cpu() for name, weight in self.state_dict().items()}
        config = json.dumps(self.encoder.config.to_dict(), default=str)
        return {name: weight.contiguous().clone() for name, weight in weights.items()} | {
            "encoder_config": text_tensor(config)
        }


def load_reader(tensors: dict[str, Tensor]) -> PairReader:
    """The reader from what `tensors` gave.

    Raises:
        KeyError, ValueError, RuntimeError: the tensors hold none.
        ConfigError: an encoder of a type that can't be read.
    """
    from transformers import AutoConfig, AutoModel

    values: dict[str, Any] = json.loads(text_of(tensors["encoder_config"]))
    values.pop("dtype", None)
    config = AutoConfig.for_model(str(values.pop("model_type")), **values)
    reader = PairReader(cast("PreTrainedModel", AutoModel.from_config(config)))
    own = {
        name.removeprefix("reader."): tensor for name, tensor in tensors.items() if name.startswith("reader.")
    }
    reader.load_state_dict(own)
    return reader.eval()


def reader_limits(config: Any) -> ReaderLimits:
    """What an encoder of this configuration can read.

    Raises:
        ConfigError: it is of a type whose positions aren't known here.
    """
    if config.model_type not in FIRST_POSITION:
        raise ConfigError(
            f"a cross-encoder reads with encoders of type {', '.join(FIRST_POSITION)}, "
            f"and this one is of type '{config.model_type}'"
        )
    first = FIRST_POSITION[config.model_type]
    return ReaderLimits(first, config.max_position_embeddings - first, config.type_vocab_size)
