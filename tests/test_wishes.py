"""A Chinese shop from its files to a typed wish: the model that is kept knows its n-grams."""

from functools import partial
from pathlib import Path

import pytest
import torch
from app_workspace import TINY

from recsys_core import pipeline
from recsys_core.actions.data import ingest
from recsys_core.actions.kept_models import NGRAMS_FILE
from recsys_core.actions.models import list_for_wish, open_model, train
from recsys_core.encoder.cache import encode_more
from recsys_core.store.workspace import Workspace

TITLES = ["红楼梦 第一卷", "红楼梦 第二卷", "三国演义 上", "三国演义 下", "西游记", "聊斋志异", "水浒传"]


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    """A workspace with a transformer that learnt from Chinese titles, asked to read them by MiniLM."""
    folder = tmp_path_factory.mktemp("files")
    rows = [f"u{u},i{(u + n * (1 + u % 2)) % 7},{100 * u + n}" for u in range(12) for n in range(5)]
    (folder / "events.csv").write_text("\n".join(["user_id,item_id,timestamp", *rows]))
    items = [f"i{number},{title}" for number, title in enumerate(TITLES)]
    (folder / "items.csv").write_text("\n".join(["item_id,title", *items]), encoding="utf-8")
    workspace = Workspace.open(tmp_path_factory.mktemp("home"))
    ingest(workspace, "shop", folder / "events.csv", folder / "items.csv")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(pipeline, "verify_method", partial(pipeline.verify_method, n_people=3))
        train(workspace, "shop", "transformer", "reader", "quick", 0, (*TINY[:-1], "encoder=minilm"))
    return workspace


def test_a_wish_in_chinese_finds_what_it_names(shop: Workspace):
    found = list_for_wish(shop, open_model(shop, "reader"), "三国演义", 2)
    assert set(found["title"]) == {"三国演义 上", "三国演义 下"}


def test_the_model_says_why_its_texts_were_read_letter_by_letter(shop: Workspace):
    text = open_model(shop, "reader").text
    assert text is not None
    assert text.encoder == "character-ngrams"
    assert "the encoder 'minilm' can't read" in text.warning


def test_the_ngrams_are_kept_with_the_model_and_not_only_in_the_cache(shop: Workspace, tmp_path: Path):
    model = open_model(shop, "reader")
    assert NGRAMS_FILE in model.record.folder_sha256
    assert model.text is not None
    again = encode_more(model.text, ["红楼梦 第二卷"], torch.device("cpu"), tmp_path)
    cosines = model.text.vectors.astype(float) @ again.vectors[0].astype(float)
    title_of = dict(zip(model.data.dataset.item_ids[1:], cosines, strict=True))
    assert title_of["i1"] == pytest.approx(1, abs=1e-3)
    assert max(title_of, key=title_of.__getitem__) == "i1"
