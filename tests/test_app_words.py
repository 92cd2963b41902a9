"""Words on Explain: a text shaded word by word, what each level misses, and why there may be none."""

from functools import partial
from pathlib import Path

import pandas as pd
import pytest
from app_workspace import TINY, BuiltWorkspace, open_page, texts
from streamlit.testing.v1 import AppTest

from recsys_core import pipeline
from recsys_core.actions.data import ingest
from recsys_core.actions.models import LoadedModel, list_for_user, open_model, train
from recsys_core.actions.words import why_no_words, words_of_item
from recsys_core.errors import ConfigError
from recsys_core.explain.text_words import TextReasons, Word
from recsys_core.store.workspace import Workspace
from ui.reason_words import levels_table, shaded, words_table

pytestmark = pytest.mark.slow

CLASSICS = ("红楼梦", "三国演义", "水浒传", "西游记", "儒林外史", "聊斋志异", "金瓶梅", "封神演义", "镜花缘")
SHADED = "background-color: rgba({colour}, {depth:.2f})"


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A workspace of Chinese items, whose texts n-grams read, and a model of them."""
    folder = tmp_path_factory.mktemp("classics")
    rows = [(f"u{u}", f"i{(u + 2 * place) % 9}", 100 * u + place) for u in range(20) for place in range(5)]
    pd.DataFrame(rows, columns=["user_id", "item_id", "timestamp"]).to_csv(folder / "events.csv", index=False)
    items = pd.DataFrame({"item_id": [f"i{n}" for n in range(9)], "title": CLASSICS})
    items.to_csv(folder / "items.csv", index=False)
    workspace = Workspace.open(folder / "home")
    data = ingest(workspace, "classics", folder / "events.csv", folder / "items.csv", None)
    changes = (*(change for change in TINY if change != "encoder=none"), "encoder=character-ngrams")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(pipeline, "verify_method", partial(pipeline.verify_method, n_people=2))
        train(workspace, data.record.id, "transformer", "texts", "quick", 0, changes)
    return folder / "home"


@pytest.fixture
def model(home: Path, monkeypatch: pytest.MonkeyPatch) -> LoadedModel:
    monkeypatch.setenv("RECLENS_HOME", str(home))
    return open_model(Workspace.open(home), "texts")


def reasons(text: str, *words: Word) -> TextReasons:
    return TextReasons(text, words, 1.0, 0.0, 0.0)


def shown(app: AppTest, alt: str) -> pd.DataFrame:
    return next(table.value for table in app.dataframe if table.proto.alt == alt)


def test_deepest_shade_is_the_strongest_word_and_signs_differ_without_colour() -> None:
    found = shaded(reasons("war and peace", Word("war", 0, 3, -0.4), Word("peace", 8, 13, 0.2)))
    assert SHADED.format(colour="213, 94, 0", depth=0.45) in found
    assert SHADED.format(colour="0, 114, 178", depth=0.225) in found or "rgba(0, 114, 178, 0.23)" in found
    assert (
        found.index("dashed")
        < found.index("-0.400</sub>")
        < found.index("solid")
        < found.index("+0.200</sub>")
    )
    assert "</span> and <span" in found


def test_a_word_that_hardly_counts_is_not_shaded_and_a_weak_one_has_no_number() -> None:
    found = shaded(reasons("a b c", Word("a", 0, 1, 1.0), Word("b", 2, 3, 0.2), Word("c", 4, 5, 0.001)))
    assert found.count("<span") == 2
    assert found.count("<sub") == 1


def test_what_the_encoder_cut_off_is_pale() -> None:
    assert '<span style="opacity: 0.6"> and more</span>' in shaded(
        reasons("word and more", Word("word", 0, 4, 1.0))
    )


def test_tags_in_a_text_are_letters() -> None:
    text = '<img src=x onerror="alert(1)"> \N{RIGHT-TO-LEFT OVERRIDE}x'
    found = shaded(reasons(text, Word(text[:4], 0, 4, 1.0)))
    assert "<img" not in found and 'onerror="' not in found
    assert "U+202E" in found


def test_all_words_of_no_weight_are_a_plain_text() -> None:
    assert "<span" not in shaded(
        reasons("nothing here", Word("nothing", 0, 7, 0.0), Word("here", 8, 12, 0.0))
    )


def test_words_of_any_place_of_the_history_can_be_asked_for(model: LoadedModel) -> None:
    chain = words_of_item(model, "u1", places=[1, 0])
    assert [own.position for own in chain.history] == [1, 0]
    assert "".join(words_table(chain.history[0].text)["word"]) == str(
        model.data.dataset.titles[chain.history[0].item_number]
    )
    with pytest.raises(ConfigError, match=r"no place 5 that this ranker reads; it reads 1 to 4"):
        words_of_item(model, "u1", places=[4])


def test_every_level_says_what_it_misses(model: LoadedModel) -> None:
    chain = words_of_item(model, "u1", places=[2])
    table = levels_table(chain, model.data.dataset.titles)
    assert (table["sum"] - table["explained"]).tolist() == pytest.approx(table["delta"].tolist())
    own = chain.explained
    sums = [
        chain.attributions.values.sum(),
        sum(word.value for word in chain.history[0].text.words) + chain.history[0].by_any_text,
        sum(word.value for word in own.text.words) + own.by_any_text,
    ]
    assert table["sum"].tolist() == pytest.approx(sums, abs=1e-6)
    assert table["level"].tolist()[0] == "Score ← items of the history"


def test_page_shades_item_and_history_item_once_it_is_asked_to(model: LoadedModel) -> None:
    app = open_page("explain", model=model.record.id, user="u1")
    assert "Goes through the text encoder" in texts(app)
    app.toggle(key="explain_words_run").set_value(True).run()
    item = list_for_user(model, "u1", 1)["title"].iloc[0]
    assert "".join(shown(app, "The words of the item's text and what each adds")["word"]) == item
    places = app.selectbox(key=f"explain_words_of_u1_{model.data.dataset.titles.tolist().index(item)}")
    places.set_value(0).run()
    history = shown(app, "The words of the history item's text and what each adds")
    assert "".join(history["word"]) == CLASSICS[1]
    assert len(shown(app, "What each level explains, what its parts add up to, and the difference")) == 3
    assert not app.exception and not app.error


@pytest.mark.parametrize(("ranker", "says"), [("item_knn", "no-text"), ("transformer", "no-text")])
def test_a_model_that_reads_no_text_says_so(shop: BuiltWorkspace, ranker: str, says: str) -> None:
    own = getattr(shop, ranker)
    assert why_no_words(open_model(Workspace.open(shop.home), own)) == says
    app = open_page("explain", model=own)
    assert "This model reads no texts" in texts(app)
    assert not app.exception and not app.error
