"""An encoder in 8-bit integers on the CPU: exported to ONNX, its matrices quantised, run by ONNX Runtime.

Weights are quantised once, a scale for each output channel; activations as they come, with the scale of
their batch, so a text's vector depends a little on its neighbours in the batch. How far vectors move is
measured by whoever uses it (`mean_cosine`).
"""

import logging
import tempfile
import warnings
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor, nn

from recsys_core.encoder.sources import unusable
from recsys_core.encoder.text import FloatArray, TextEncoder
from recsys_core.errors import ConfigError, StoreError
from recsys_core.files import check_sha256, read_json, write_atomically, write_json

if TYPE_CHECKING:
    from onnxruntime import InferenceSession
    from transformers.modeling_outputs import BaseModelOutput

_PACKAGES = ("onnx", "onnxruntime", "onnxscript")
_INPUTS = ("input_ids", "attention_mask")


@dataclass(frozen=True, slots=True)
class OnnxModel:
    """An ONNX file that ONNX Runtime has opened; called as a transformers model is."""

    session: "InferenceSession"

    def __call__(self, input_ids: Tensor, attention_mask: Tensor) -> "BaseModelOutput":
        """States [B, L, h] of tokens [B, L]."""
        from transformers.modeling_outputs import BaseModelOutput

        feed = dict(zip(_INPUTS, (input_ids.numpy(), attention_mask.numpy()), strict=True))
        return BaseModelOutput(last_hidden_state=torch.from_numpy(self.session.run(None, feed)[0]))


def quantised(encoder: TextEncoder, path: Path) -> TextEncoder:
    """The same encoder in int8 on the CPU, its ONNX file at `path`: made now where it isn't there intact.

    Raises:
        ConfigError: ONNX Runtime isn't installed, or the encoder can't be exported.
        StoreError: the file can't be written.
    """
    check_installed()
    digest = path.with_suffix(".json")
    try:
        check_sha256(path, read_json(digest)["sha256"])
    except (StoreError, KeyError, TypeError):
        path.parent.mkdir(parents=True, exist_ok=True)
        write_json(digest, {"sha256": write_atomically(path, lambda target: _write(encoder, target))})
    model = OnnxModel(_session(path))
    return replace(encoder, model=model, device=torch.device("cpu"), precision="int8")


def check_installed() -> None:
    """Nothing, where ONNX Runtime and what exports to it are installed.

    Raises:
        ConfigError: something is missing.
    """
    missing = [package for package in _PACKAGES if find_spec(package) is None]
    if missing:
        raise ConfigError(
            f"int8 needs {', '.join(missing)}: pip install 'reclens[onnx]', or choose fp32 or bf16"
        )


def mean_cosine(vectors: FloatArray, others: FloatArray) -> float:
    """Mean over rows of the cosine of two sets of vectors, −1 to 1; 1 = the same directions.

    Rows in which either vector is 0 don't count; nan where none is left.
    """
    lengths = np.linalg.norm(vectors, axis=1) * np.linalg.norm(others, axis=1)
    told = lengths > 0
    products = (vectors[told].astype(np.float64) * others[told]).sum(1)
    return float(np.mean(products / lengths[told])) if told.any() else float("nan")


class _States(nn.Module):
    """A model that takes and gives plain tensors, as the export needs it."""

    def __init__(self, model: Any) -> None:
        super().__init__()
        self.model = model

    def forward(self, input_ids: Tensor, attention_mask: Tensor) -> Tensor:
        return self.model(input_ids=input_ids, attention_mask=attention_mask).last_hidden_state


def _write(encoder: TextEncoder, target: Path) -> None:
    """Exports with lengths left open, and quantises what multiplies with weights."""
    from onnxruntime.quantization import quantize_dynamic

    states = _States(encoder.model).cpu().eval()
    ids, mask = torch.ones((2, 3), dtype=torch.int64), torch.ones((2, 3), dtype=torch.int64)
    open_shape = {0: torch.export.Dim.DYNAMIC, 1: torch.export.Dim.DYNAMIC}
    with tempfile.TemporaryDirectory() as work, _quiet():
        exported = Path(work) / "fp32.onnx"
        try:
            torch.onnx.export(
                states,
                (ids, mask),
                str(exported),
                input_names=list(_INPUTS),
                output_names=["last_hidden_state"],
                dynamic_shapes=(open_shape, open_shape),
                dynamo=True,
                verbose=False,
            )
            quantize_dynamic(exported, target, op_types_to_quantize=["MatMul"], per_channel=True)
        except OSError:
            raise
        except Exception as error:  # torch's exporter and ONNX raise kinds of many roots
            raise unusable(encoder.name, "it can't be turned into int8; choose fp32 or bf16") from error


def _session(path: Path) -> "InferenceSession":
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = torch.get_num_threads()
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")  # as waiting threads do in torch
    return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])


@contextmanager
def _quiet() -> Generator[None]:
    """Keeps the exporter's remarks on its own work from the command's stderr."""
    before = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(before)
