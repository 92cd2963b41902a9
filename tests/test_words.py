"""From items to words: sums at each level, merging of tokens, n-grams exactly, and what has no words."""

from functools import partial

import numpy as np
import pandas as pd
import pytest
import torch
from captum.attr import LayerIntegratedGradients
from command import Command
from hand_made import small_transformer
from one_of_each import NEURAL
from tiny_bert import tiny_encoder

from recsys_core import pipeline
from recsys_core.actions.data import ingest
from recsys_core.actions.models import train
from recsys_core.encoder.ngrams import fit_ngrams
from recsys_core.encoder.text import TextEncoder
from recsys_core.errors import ConfigError
from recsys_core.explain.attributions import Options
from recsys_core.explain.scoring import Question, item_scores
from recsys_core.explain.text_words import merged, words_by_encoder, words_by_ngrams
from recsys_core.explain.words import explain_words
from recsys_core.ranker.popularity import PopularityRanker
from recsys_core.ranker.transformer import TransformerRanker
from recsys_core.store.workspace import Workspace

pytestmark = pytest.mark.usefixtures("one_thread")

TITLES = [
    "red wine and cheese",
    "blue cheese",
    "a guide to red wine",
    "cooking for two",
    "two blue birds",
    "birds of the north",
    "a red north",
    "wine",
]
WORDS = sorted({word for title in TITLES for word in title.split()})
TINY = ("epochs=1", "max_length=5", "embedding_size=8", "n_blocks=1", "n_heads=1")
HISTORY = np.array([3, 1, 2])
QUESTION = Question(HISTORY, 7, HISTORY)


@pytest.fixture(scope="module")
def encoder() -> TextEncoder:
    return tiny_encoder(WORDS)


def of_texts(vectors: np.ndarray) -> TransformerRanker:
    return small_transformer(len(TITLES), text_vectors=np.pad(vectors, ((1, 0), (0, 0))).astype(np.float16))


def test_words_add_up_to_the_direction_times_the_vector(encoder: TextEncoder):
    direction = np.random.default_rng(0).standard_normal(encoder.size)
    for title in TITLES:
        found = words_by_encoder(encoder, title, direction)
        assert [word.text for word in found.words] == title.split()
        assert found.value == pytest.approx(float(encoder.encode([title])[0] @ direction), abs=1e-4)
        difference = found.value - found.without_words
        assert sum(word.value for word in found.words) == pytest.approx(difference, rel=0.01, abs=1e-5)
        assert abs(found.delta) <= 0.01 * abs(difference) + 1e-5


def test_words_are_captums_at_many_points(encoder: TextEncoder):
    direction = np.random.default_rng(0).standard_normal(encoder.size)
    along, text = torch.from_numpy(direction).float(), TITLES[0]
    ids = torch.tensor(encoder.tokenizer(text)["input_ids"])[None]

    def read(ids: torch.Tensor) -> torch.Tensor:
        mask = torch.ones_like(ids)
        return encoder.head(encoder.model(input_ids=ids, attention_mask=mask).last_hidden_state, mask) @ along  # pyright: ignore

    masked = torch.full_like(ids, int(encoder.tokenizer.mask_token_id or 0))  # pyright: ignore
    layer = encoder.model.embeddings.word_embeddings  # pyright: ignore
    captum = LayerIntegratedGradients(read, layer)  # pyright: ignore
    values = captum.attribute(ids, masked, n_steps=200, method="gausslegendre")
    assert isinstance(values, torch.Tensor)
    expected = values.sum(-1)[0].detach().numpy()
    found = [word.value for word in words_by_encoder(encoder, text, direction).words]
    np.testing.assert_allclose(found, expected, rtol=0.02, atol=0.02 * np.abs(expected).max())


def test_a_chain_adds_up_at_every_level(encoder: TextEncoder):
    ranker = of_texts(encoder.encode(TITLES))
    chain = explain_words(ranker, QUESTION, encoder, TITLES)
    assert chain.attributions.relative_delta <= 1e-3
    assert len(chain.history) == 3
    for reasons in (chain.explained, *chain.history):
        parts = reasons.by_id + reasons.by_text + reasons.by_rest
        assert parts == pytest.approx(reasons.value, abs=1e-6)
        words = sum(word.value for word in reasons.text.words)
        assert words + reasons.by_any_text - reasons.text_delta == pytest.approx(reasons.by_text, abs=1e-6)
        assert abs(reasons.text_delta) <= 0.02 * (abs(reasons.by_text) + abs(reasons.by_any_text)) + 1e-3
        assert abs(reasons.by_rest) <= 2e-3 * max(1.0, abs(reasons.value))  # id and text are all there is
    strengths = [abs(reasons.value) for reasons in chain.history]
    assert strengths == sorted(strengths, reverse=True)
    by_place = {reasons.position: reasons.value for reasons in chain.history}
    assert [by_place[place] for place in range(3)] == chain.attributions.values.tolist()


def test_the_explained_item_adds_to_its_logit_what_its_vector_says(encoder: TextEncoder):
    """For a product: state · (its vector − the average vector)."""
    ranker = of_texts(encoder.encode(TITLES))
    chain = explain_words(ranker, QUESTION, encoder, TITLES, n_history=0)
    with torch.no_grad():
        vectors = ranker.item_vectors().double()
        logits = ranker.score(QUESTION.known)[0].astype(np.float64) - ranker.item_bias.double().numpy()
    average = logits[1:].mean()  # the logit of the mean vector is the mean of the logits
    assert chain.explained.value == pytest.approx(logits[7] - average, abs=1e-4)
    assert chain.history == ()
    assert vectors.shape[0] == 9


def test_a_word_that_decides_stands_first(encoder: TextEncoder):
    """The direction is what "cheese" does to a vector."""
    with_it, without = encoder.encode(["red wine and cheese", "red wine and north"])
    found = words_by_encoder(encoder, "red wine and cheese", (with_it - without).astype(np.float64))
    assert max(found.words, key=lambda word: word.value).text == "cheese"


def test_ngrams_add_up_exactly_in_any_script():
    texts = [*TITLES, "红楼梦 第一回", "三国演义", "红 wine", "", "Ünïcode  WÖRDS\tand more"]
    encoder = fit_ngrams(texts, 6)
    direction = np.random.default_rng(0).standard_normal(len(encoder.components))
    for text in texts:
        found = words_by_ngrams(encoder, text, direction)
        assert found.value == pytest.approx(float(encoder.encode([text])[0] @ direction), abs=1e-5)
        if text:
            assert found.delta == pytest.approx(0, abs=1e-5)
            assert sum(word.value for word in found.words) == pytest.approx(found.value, abs=1e-5)
            assert "".join(word.text for word in found.words) == "".join(text.split())


def test_each_chinese_character_is_a_word_of_its_own_in_ngrams():
    encoder = fit_ngrams(["红楼梦", "三国演义", "red wine"], 3)
    direction = np.ones(len(encoder.components))
    assert [word.text for word in words_by_ngrams(encoder, "红楼梦 red", direction).words] == [
        "红",
        "楼",
        "梦",
        "red",
    ]


@pytest.mark.parametrize(
    ("text", "spans", "expected"),
    [
        ("playing chess", [(0, 0), (0, 4), (4, 7), (8, 13), (0, 0)], [("playing", 3), ("chess", 3)]),
        ("playing chess", [(0, 4), (4, 7), (7, 13)], [("playing", 3), ("chess", 3)]),
        ("红楼梦", [(0, 1), (1, 2), (2, 3)], [("红", 1), ("楼", 2), ("梦", 3)]),
        ("红楼梦", [(0, 2), (2, 3)], [("红楼", 1), ("梦", 2)]),
        ("红楼", [(0, 1), (0, 1), (1, 2)], [("红", 3), ("楼", 3)]),
        ("red红", [(0, 3), (3, 4)], [("red", 1), ("红", 2)]),
        ("it's", [(0, 2), (2, 3), (3, 4)], [("it", 1), ("'", 2), ("s", 3)]),
        ("", [(0, 0)], []),
    ],
    ids=["pieces", "space in front", "signs", "two signs", "bytes of a sign", "mixed", "apostrophe", "empty"],
)
def test_tokens_become_words(text: str, spans: list[tuple[int, int]], expected: list[tuple[str, int]]):
    """Values are 1, 2, 3, …, of tokens that stand somewhere; 0 for others."""
    real = [stop > start for start, stop in spans]
    values = np.where(real, np.cumsum(real), 0).astype(np.float64)
    assert [(word.text, word.value) for word in merged(text, spans, values)] == expected


def test_rankers_without_texts_say_so():
    for ranker in (small_transformer(8), PopularityRanker(np.ones(9))):
        with pytest.raises(ConfigError, match="reads no texts"):
            explain_words(ranker, QUESTION, fit_ngrams(TITLES), TITLES)


def test_words_start_from_an_average_item_alone(encoder: TextEncoder):
    ranker = of_texts(encoder.encode(TITLES))
    with pytest.raises(ConfigError, match="not from the baseline 'mean-item'"):
        explain_words(ranker, QUESTION, encoder, TITLES, options=Options(baseline="mean-item"))


@pytest.mark.parametrize("name", ["fusion", "hybrid"])
def test_what_is_neither_id_nor_text_has_a_place_of_its_own(name: str):
    """Profile rankers read traits beside the vectors; the sum stays whole."""
    ranker = NEURAL[name]()
    text = ranker.item_vectors.text
    assert text is not None
    titles = [f"{title} {number}" for number in range(2) for title in TITLES][: ranker.n_items]
    ngrams = fit_ngrams(titles, text.shape[1])
    vectors = np.pad(ngrams.encode(titles), ((1, 0), (0, 0)))
    ranker.item_vectors.text = torch.from_numpy(vectors.astype(np.float16))
    chain = explain_words(ranker, QUESTION, ngrams, titles)
    for reasons in chain.history:
        parts = reasons.by_id + reasons.by_text + reasons.by_rest
        assert parts == pytest.approx(reasons.value, abs=1e-6)
        assert abs(reasons.text_delta) < 1e-2
    assert item_scores(ranker, QUESTION, QUESTION.known)[0] == pytest.approx(
        chain.attributions.score, abs=1e-5
    )


@pytest.fixture(scope="module")
def shop_with_text(tmp_path_factory: pytest.TempPathFactory) -> Command:
    """A shop whose items are Chinese, so that n-grams read their texts, and a model of them."""
    folder = tmp_path_factory.mktemp("words")
    rows = [(f"u{u}", f"i{(u + 2 * place) % 9}", 100 * u + place) for u in range(20) for place in range(5)]
    pd.DataFrame(rows, columns=["user_id", "item_id", "timestamp"]).to_csv(folder / "events.csv", index=False)
    titles = [
        "红楼梦",
        "三国演义",
        "水浒传",
        "西游记",
        "儒林外史",
        "聊斋志异",
        "金瓶梅",
        "封神演义",
        "镜花缘",
    ]
    items = pd.DataFrame({"item_id": [f"i{n}" for n in range(9)], "title": titles})
    items.to_csv(folder / "items.csv", index=False)
    workspace = Workspace.open(folder / "home")
    data = ingest(workspace, "classics", folder / "events.csv", folder / "items.csv", None)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(pipeline, "verify_method", partial(pipeline.verify_method, n_people=2))
        train(workspace, data.record.id, "transformer", "with text", "quick", 0, TINY)
        changes = ("encoder=none", *TINY)
        train(workspace, data.record.id, "transformer", "without text", "quick", 0, changes)
    return Command(folder / "home")


def test_the_command_goes_down_to_chinese_characters(shop_with_text: Command):
    found = shop_with_text.json("explain-words", "with text", "--user", "u1", "--history", "2")
    assert len(found["history"]) == 2
    for item in (found["item"], *found["history"]):
        assert "".join(word["word"] for word in item["words"]) == item["title"]
        words = sum(word["attribution"] for word in item["words"])
        assert words + item["by_any_text"] == pytest.approx(item["by_text"] + item["words_delta"], abs=1e-6)
        assert abs(item["words_delta"]) < 1e-2
    text = shop_with_text.run("explain-words", "with text", "--user", "u1").stdout
    assert found["item"]["title"] in text


def test_the_command_refuses_what_has_no_words(shop_with_text: Command):
    assert "reads no texts" in shop_with_text.refusal("explain-words", "without text", "--user", "u1")
    assert "write 0 to 50" in shop_with_text.refusal(
        "explain-words", "with text", "--user", "u1", "--history", "51"
    )
    assert "no candidate" in shop_with_text.refusal(
        "explain-words", "with text", "--user", "u1", "--item", "i1"
    )
