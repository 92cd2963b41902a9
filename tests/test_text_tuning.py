"""Fine-tuning a text encoder on histories: what comes nearer, what may change, and what is kept."""

import sys
from pathlib import Path
from typing import cast

import numpy as np
import pytest
import torch
from hand_made import dataset_of
from numpy.typing import NDArray
from tiny_bert import tiny_encoder
from transformers import PreTrainedModel

from recsys_core.config import TransformerSettings
from recsys_core.data.dataset import Histories
from recsys_core.data.split import leave_one_out
from recsys_core.encoder.cache import encode_texts
from recsys_core.encoder.loading import load_encoder
from recsys_core.encoder.text import TextEncoder
from recsys_core.errors import CancelledError, ConfigError, DataError, RecsysError
from recsys_core.trainer.text_tuning import (
    Tuning,
    TuningRecipe,
    neighbouring_pairs,
    pair_loss,
    save_tuned,
    tune_encoder,
    tuned_encoder,
    with_adapters,
)

pytestmark = pytest.mark.usefixtures("one_thread")

CPU = torch.device("cpu")
WORDS = [f"{letter}{number}" for letter in "abcd" for number in range(5)]
GROUP = np.repeat(np.arange(4), 5)  # which items are touched together; no word is shared


def group_histories(n: int = 60) -> Histories:
    """People who touch items of one group only: 1 to 5, 6 to 10, 11 to 15 or 16 to 20."""
    generator = np.random.default_rng(0)
    return Histories.of([generator.permutation(5)[:4] + 1 + 5 * (person % 4) for person in range(n)])


def recipe(tuning: Tuning, steps: int = 120) -> TuningRecipe:
    rates: dict[Tuning, float] = {"lora": 1e-2, "full": 3e-3}
    return TuningRecipe(tuning, steps, batch_size=16, seed=0, learning_rate=rates[tuning])


def model_of(encoder: TextEncoder) -> PreTrainedModel:
    """The encoder's model, which is torch's and not the int8 one."""
    return cast(PreTrainedModel, encoder.model)


def ignore(share: float, message: str) -> None:
    """Nobody follows."""


def nearness_within_and_between(vectors: NDArray[np.float32]) -> tuple[float, float]:
    """Mean cosine of items of one group, and of different ones."""
    cosines = vectors @ vectors.T
    same = GROUP[:, None] == GROUP
    return float(cosines[same & ~np.eye(20, dtype=bool)].mean()), float(cosines[~same].mean())


@pytest.mark.parametrize("tuning", ["lora", "full"])
def test_items_that_are_touched_together_come_nearer(tuning: Tuning):
    encoder = tiny_encoder(WORDS)
    before = encoder.encode(WORDS)
    tuned = tune_encoder(encoder, WORDS, group_histories(), recipe(tuning), ignore)
    within, between = nearness_within_and_between(before)
    assert within < between + 0.1  # nothing in the words says who is touched together
    within, between = nearness_within_and_between(tuned.encode(WORDS))
    assert within > between + 0.4
    assert np.array_equal(encoder.encode(WORDS), before)  # the encoder that was given is as it was


def test_lora_changes_adapters_alone():
    encoder = tiny_encoder(WORDS)
    adapted = with_adapters(model_of(tiny_encoder(WORDS)), seed=0)
    learning = {name for name, weight in adapted.named_parameters() if weight.requires_grad}
    assert learning
    assert all("lora_" in name for name in learning)
    frozen = {
        name.replace("base_model.model.", "").replace(".base_layer", ""): weight
        for name, weight in adapted.named_parameters()
        if name not in learning
    }
    given = dict(model_of(encoder).named_parameters())
    assert frozen.keys() == given.keys()
    assert all(torch.equal(weight, given[name]) for name, weight in frozen.items())


def test_lora_leaves_what_has_no_adapter_bitwise_as_it_was():
    encoder = tiny_encoder(WORDS)
    tuned = model_of(tune_encoder(encoder, WORDS, group_histories(), recipe("lora", 5), ignore)).state_dict()
    before = model_of(encoder).state_dict()
    changed = {name for name, weight in before.items() if not torch.equal(weight, tuned[name])}
    assert changed
    assert tuned.keys() == before.keys()
    assert all(name.endswith("weight") for name in changed)
    assert not any("embedding" in name or "LayerNorm" in name for name in changed)


def test_full_tuning_changes_embeddings_too():
    encoder = tiny_encoder(WORDS)
    tuned = model_of(tune_encoder(encoder, WORDS, group_histories(), recipe("full", 5), ignore)).state_dict()
    name = "embeddings.word_embeddings.weight"
    assert not torch.equal(tuned[name], model_of(encoder).state_dict()[name])


@pytest.mark.parametrize("tuning", ["lora", "full"])
def test_the_same_seed_gives_the_same_weights(tuning: Tuning, tmp_path: Path):
    first, second = (
        tune_encoder(tiny_encoder(WORDS), WORDS, group_histories(), recipe(tuning, 3), ignore)
        for _ in range(2)
    )
    assert save_tuned(first, tmp_path) == save_tuned(second, tmp_path)


def kept(encoder: TextEncoder, cache: Path) -> NDArray[np.float16]:
    """The vectors of the words by an encoder that was saved and read again, through the cache."""
    return np.array(encode_texts(WORDS, str(save_tuned(encoder, cache)), CPU, cache).vectors)


def test_vectors_come_from_the_tuned_encoder_and_are_kept_under_its_weights(tmp_path: Path):
    encoder = tiny_encoder(WORDS)
    tuned = tune_encoder(encoder, WORDS, group_histories(), recipe("lora", 10), ignore)
    assert save_tuned(encoder, tmp_path) != save_tuned(tuned, tmp_path)
    np.testing.assert_allclose(kept(tuned, tmp_path), tuned.encode(WORDS), atol=2e-3)
    np.testing.assert_allclose(kept(encoder, tmp_path), encoder.encode(WORDS), atol=2e-3)
    assert np.array_equal(kept(tuned, tmp_path), kept(tuned, tmp_path))


def test_an_untouched_encoder_saved_and_loaded_gives_bitwise_the_same_vectors(tmp_path: Path):
    encoder = tiny_encoder(WORDS)
    folder = save_tuned(encoder, tmp_path)
    state = {path.name: path.stat().st_mtime_ns for path in folder.iterdir()}
    assert np.array_equal(load_encoder(str(folder), CPU).encode(WORDS), encoder.encode(WORDS))
    assert save_tuned(encoder, tmp_path) == folder
    assert {path.name: path.stat().st_mtime_ns for path in folder.iterdir()} == state
    assert {path.suffix for path in folder.iterdir()} <= {".json", ".safetensors"}


def test_pairs_are_different_items_at_most_three_places_apart():
    pairs = neighbouring_pairs(Histories.of([[1, 2, 2, 3, 4], [5], [6, 7]]))
    found = sorted(map(tuple, pairs.tolist()))
    assert found == sorted([(1, 2), (2, 3), (3, 4), (6, 7), (1, 2), (2, 3), (2, 4), (1, 3), (2, 4)])


@pytest.mark.parametrize("histories", [[], [[]], [[1], [2]], [[3, 3]]])
def test_histories_without_two_different_items_are_an_error(histories: list[list[int]]):
    with pytest.raises(DataError, match="no history has two different items"):
        tune_encoder(tiny_encoder(WORDS), WORDS, Histories.of(histories), recipe("full"), ignore)


def test_the_loss_by_hand():
    """Two pairs, the right cosine 1 and the wrong one .9, temperature .05: log(1 + e^-2) each way."""
    vectors = torch.tensor([[1.0, 0.0], [0.9, 0.19**0.5]])
    loss = pair_loss(vectors, vectors, np.array([[1, 2], [3, 4]]))
    assert float(loss) == pytest.approx(np.log1p(np.exp(-2)), rel=1e-4)


def test_what_is_no_wrong_answer_is_left_out_of_the_loss():
    """Three pairs of which the second asks for the first's answer, and the third for the first's item."""
    generator = torch.Generator().manual_seed(0)
    first, second = (
        torch.nn.functional.normalize(torch.randn(3, 4, generator=generator), dim=1) for _ in range(2)
    )
    items = np.array([[1, 2], [3, 2], [4, 1]])
    cosines = (first @ second.T / 0.05).double()
    answers = [[0], [1, 2], [0, 1, 2]]  # of each item the partners that count
    questions = [[0, 2], [1, 2], [1, 2]]
    forward = [cosines[row, own].logsumexp(0) - cosines[row, row] for row, own in enumerate(answers)]
    backward = [cosines[own, row].logsumexp(0) - cosines[row, row] for row, own in enumerate(questions)]
    expected = (sum(forward) + sum(backward)) / 6
    assert float(pair_loss(first, second, items)) == pytest.approx(float(expected), rel=1e-4)


def test_a_person_can_stop_it():
    def stop(share: float, message: str) -> None:
        raise CancelledError("stopped")

    with pytest.raises(CancelledError):
        tune_encoder(tiny_encoder(WORDS), WORDS, group_histories(), recipe("full"), stop)


def test_a_loss_that_becomes_nan_stops_the_tuning():
    encoder = tiny_encoder(WORDS)
    with torch.no_grad():
        next(iter(model_of(encoder).parameters())).fill_(torch.nan)
    with pytest.raises(RecsysError, match="became nan at step 1; write fine_tune=none"):
        tune_encoder(encoder, WORDS, group_histories(), recipe("full"), ignore)


def test_without_peft_the_command_to_install_it_is_named(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(sys.modules, "peft", None)
    with pytest.raises(ConfigError, match=r"pip install 'reclens\[finetune\]', or write fine_tune=full"):
        tune_encoder(tiny_encoder(WORDS), WORDS, group_histories(), recipe("lora"), ignore)


@pytest.mark.slow
def test_a_tuned_minilm_is_an_encoder_as_any_other(tmp_path: Path):
    """Its pooling comes along; without tuning the name is what the settings say."""
    shop = dataset_of({f"u{n}": "abcd" if n % 2 else "efgh" for n in range(8)})
    shop.items["title"] = [f"book {letter}" for letter in shop.items["item_id"]]
    split = leave_one_out(shop)
    none, lora = (
        tuned_encoder(shop, split, settings, 0, CPU, tmp_path, ignore)
        for settings in (TransformerSettings(), TransformerSettings(fine_tune="lora", fine_tune_steps=2))
    )
    assert none == "minilm"
    assert Path(lora).parent == tmp_path / "tuned"
    before, after = (load_encoder(name, CPU) for name in (none, lora))
    assert (after.head.pooling, after.max_tokens, after.size) == ("mean", before.max_tokens, 384)
    cosine = (before.encode(["book a"]) * after.encode(["book a"])).sum()
    assert 0.5 < cosine < 1 - 1e-6
