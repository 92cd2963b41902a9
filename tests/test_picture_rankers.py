"""Rankers that know items by their pictures: drawn discs, a tiny vision encoder, from a file to a reason."""

from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from command import Command
from hand_made import random_histories
from tiny_encoders import drawn, vit

from recsys_core import pipeline
from recsys_core.actions.models import open_model
from recsys_core.config import (
    HybridSettings,
    LstmSettings,
    NeuralSettings,
    TransformerSettings,
    make_settings,
)
from recsys_core.data.dataset import Histories
from recsys_core.data.profiles import ItemTraits, ProfileLayout
from recsys_core.errors import ConfigError
from recsys_core.explain.components import explain_components, parts_of
from recsys_core.explain.scoring import Question
from recsys_core.ranker.cold import add_items, know_untouched_by_content
from recsys_core.ranker.neural import NeuralRanker
from recsys_core.ranker.profile import ProfileColumns
from recsys_core.ranker.registry import new_neural_ranker, ranker_of
from recsys_core.store.workspace import Workspace
from recsys_core.trainer.loop import Callbacks, Recipe, train

pytestmark = pytest.mark.usefixtures("one_thread")

CPU = torch.device("cpu")
N_ITEMS = 20  # 1 to 10 have pictures of one kind, 11 to 20 of another
SIZES = {"embedding_size": 8, "max_length": 8, "dropout": 0}
SETTINGS = {
    "transformer": TransformerSettings(n_blocks=1, **SIZES),
    "hybrid": HybridSettings(**SIZES),
    "lstm": LstmSettings(**SIZES),
}


def pictures() -> torch.Tensor:
    """[21, 5] unit vectors, nearly alike within a kind; 0 for the padding."""
    generator = np.random.default_rng(0)
    centres = np.eye(5)[np.repeat([0, 1], 10)]
    vectors = centres + 0.1 * generator.normal(size=centres.shape)
    return torch.from_numpy(np.pad(vectors, ((1, 0), (0, 0)))).half()


def new_ranker(settings: NeuralSettings, images: torch.Tensor | None) -> NeuralRanker:
    torch.manual_seed(0)
    traits = ItemTraits(("popularity taste",), np.zeros((N_ITEMS + 1, 1)))
    layout = ProfileLayout(traits.names, (), (), (), has_times=False, has_dwell=False, has_strengths=False)
    return new_neural_ranker(
        settings, N_ITEMS, None, profile=ProfileColumns.of(layout, traits), image_vectors=images
    )


@pytest.mark.parametrize("kind", ["transformer", "hybrid"])
def test_an_item_that_nobody_touched_is_ranked_by_its_picture(kind: str):
    """People stay with one kind of picture; items 10 and 20 are never touched."""
    generator = np.random.default_rng(0)
    sequences = [generator.permutation(9)[:7] + 1 + 10 * (person % 2) for person in range(150)]
    ranker = new_ranker(SETTINGS[kind], pictures())
    recipe, rising = (
        Recipe(8, 8, batch_size=32, learning_rate=0.02, weight_decay=0.01, seed=0),
        iter(range(8)),
    )
    callbacks = Callbacks(step=lambda _: None, epoch=lambda _: None)
    known = Histories.of(sequences)
    train(ranker, known, lambda: next(rising), recipe, CPU, callbacks)
    know_untouched_by_content(ranker, np.bincount(known.items, minlength=N_ITEMS + 1).astype(float))
    scores = ranker.eval().score(Histories.of([[1, 2, 3], [11, 12, 13]]))
    assert scores[0, 10] > scores[0, 20] + 1
    assert scores[1, 20] > scores[1, 10] + 1


@pytest.mark.parametrize("kind", SETTINGS)
def test_a_ranker_with_pictures_comes_back_to_the_bit(kind: str):
    ranker = new_ranker(SETTINGS[kind], pictures()).eval()
    again, known = ranker_of(SETTINGS[kind], ranker.tensors(), CPU), random_histories(1, 5, N_ITEMS, 8)
    np.testing.assert_array_equal(again.score(known), ranker.score(known))


def test_without_pictures_nothing_is_drawn_or_kept_for_them():
    bare = new_ranker(SETTINGS["transformer"], None)
    assert not [name for name in bare.tensors() if "image" in name]
    with_pictures = new_ranker(SETTINGS["transformer"], pictures())
    for name, tensor in bare.tensors().items():
        torch.testing.assert_close(with_pictures.tensors()[name], tensor, rtol=0, atol=0)


def test_a_picture_of_zeros_adds_nothing():
    bare, blind = (new_ranker(SETTINGS["transformer"], own) for own in (None, torch.zeros(N_ITEMS + 1, 5)))
    known = random_histories(2, 4, N_ITEMS, 8, shortest=1)
    np.testing.assert_allclose(blind.score(known)[:, 1:], bare.score(known)[:, 1:], rtol=0, atol=1e-6)


def test_the_picture_is_a_part_of_the_score():
    ranker = new_ranker(SETTINGS["transformer"], pictures()).eval()
    assert parts_of(ranker) == ("popularity", "id", "image")
    question = Question(np.array([1, 12]), 3, np.array([1, 12]))
    (found,) = explain_components(ranker, [question])
    assert found.contributions[2] != 0
    assert found.contributions.sum() == pytest.approx(found.score - found.baseline_score, abs=1e-9)
    alike = pictures()
    alike[1:] = alike[1]
    (found,) = explain_components(new_ranker(SETTINGS["transformer"], alike).eval(), [question])
    assert found.contributions[2] == pytest.approx(0, abs=1e-5)


def test_added_items_have_no_picture_unless_they_are_given_one():
    torch.manual_seed(0)
    texts = torch.rand(N_ITEMS + 1, 4).half()
    ranker = new_neural_ranker(SETTINGS["transformer"], N_ITEMS, texts, image_vectors=pictures()).eval()
    known = random_histories(3, 4, N_ITEMS, 8)
    grown = add_items(ranker, torch.rand(2, 4))
    np.testing.assert_array_equal(grown.score(known)[:, 1 : N_ITEMS + 1], ranker.score(known)[:, 1:])
    assert grown.item_vectors.image is not None and not grown.item_vectors.image[-2:].any()


def test_an_added_item_with_the_text_and_picture_of_another_has_its_content():
    """What it lacks is the other one's id and popularity, which all added items have alike."""
    torch.manual_seed(0)
    texts = torch.rand(N_ITEMS + 1, 4).half()
    ranker = new_neural_ranker(SETTINGS["transformer"], N_ITEMS, texts, image_vectors=pictures()).eval()
    grown = add_items(ranker, texts[[3, 3]], image_vectors=torch.stack([pictures()[3], pictures()[13]]))
    vectors, own = grown.item_vectors().detach(), grown.item_vectors
    assert own.id is not None and own.image_projection is not None
    ids = own.id.weight.detach()
    torch.testing.assert_close(vectors[21] - ids[21], vectors[3] - ids[3])
    between = own.image_projection(pictures()[13].float() - pictures()[3].float()).detach()
    torch.testing.assert_close(vectors[22] - vectors[21], between, atol=1e-5, rtol=1e-3)


@pytest.mark.parametrize("change", ["image_encoder=vit", "image_folder=there"])
def test_an_encoder_and_a_folder_go_together(change: str):
    with pytest.raises(ConfigError, match="pictures need both an encoder and the folder"):
        make_settings("transformer", "quick", [change])


@dataclass(frozen=True, slots=True)
class Gallery:
    """A workspace with a data set of pictures, and the words that train a tiny ranker on it."""

    command: Command
    folder: Path
    words: tuple[str, ...]


@pytest.fixture(scope="module")
def gallery(tmp_path_factory: pytest.TempPathFactory) -> Gallery:
    """Thirty people with six of nine items; item 9 has no picture, 8 one whose file isn't there."""
    folder = tmp_path_factory.mktemp("gallery")
    colours = ["red", "blue", "green", "yellow", "black", "orange", "purple"]
    for colour in colours:
        drawn(folder / "pictures", colour)
    files = [*(f"{colour}.png" for colour in colours), "gone.png", ""]
    items = pd.DataFrame({"item_id": [f"i{number}" for number in range(1, 10)], "image": files})
    items.assign(title=items["item_id"]).to_csv(folder / "items.csv", index=False)
    generator = np.random.default_rng(0)
    rows = [
        (f"u{person}", f"i{item + 1}", 1_700_000_000 + 10 * place)
        for person in range(30)
        for place, item in enumerate(generator.permutation(9)[:6])
    ]
    pd.DataFrame(rows, columns=["user_id", "item_id", "timestamp"]).to_csv(folder / "events.csv", index=False)
    vit(folder / "vit")
    command = Command(folder / "home")
    command.json(
        *("ingest", "gallery", "--interactions", str(folder / "events.csv")),
        *("--items", str(folder / "items.csv")),
    )
    changes = ["epochs=2", "embedding_size=8", "n_blocks=1", "n_heads=1", "encoder=none"]
    changes += [f"image_encoder={folder / 'vit'}", f"image_folder={folder / 'pictures'}"]
    return Gallery(command, folder, tuple(word for change in changes for word in ("--set", change)))


@pytest.fixture(autouse=True)
def few_people_test_explanations(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pipeline, "verify_method", partial(pipeline.verify_method, n_people=3))


@pytest.mark.slow
def test_pictures_go_from_the_catalogue_to_the_list_and_its_reasons(gallery: Gallery):
    made = gallery.command.json(
        "train", "gallery", "--ranker", "transformer", "--name", "seen", *gallery.words
    )
    assert made["n_without_picture"] == 2
    tensors = open_model(Workspace.open(gallery.command.workspace), "seen").ranker.tensors()
    lengths = tensors["item_vectors.image"].float().norm(dim=1)
    torch.testing.assert_close(lengths, torch.tensor([0.0, *[1.0] * 7, 0, 0]), rtol=0, atol=1e-3)
    found = gallery.command.json("explain", "seen", "--user", "u1", "--components")
    assert "image" in [row["part"] for row in found["components"]["parts"]]


@pytest.mark.slow
def test_a_damaged_picture_is_one_sentence_and_no_model(gallery: Gallery, tmp_path: Path):
    (tmp_path / "red.png").write_bytes(b"no picture")
    words = [*gallery.words, "--set", f"image_folder={tmp_path}"]
    refusal = gallery.command.refusal("train", "gallery", "--ranker", "transformer", "--name", "bad", *words)
    assert "pictures that can't be read: 1, namely red.png" in refusal


@pytest.mark.slow
@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ("image_folder=nowhere", "there is no such folder"),
        ("image_folder=.", "none of 9 items has a picture in"),
        ("image_encoder=no/such-model", "no/such-model"),
    ],
)
def test_what_pictures_lack_is_one_sentence(
    gallery: Gallery, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, change: str, sentence: str
):
    monkeypatch.chdir(tmp_path)
    words = [*gallery.words, "--set", change]
    train_words = ("train", "gallery", "--ranker", "transformer", "--name", "bad", *words)
    assert sentence in gallery.command.refusal(*train_words)
