"""Why an item is on a person's list, down to the words of texts."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Literal

from recsys_core.actions.models import LoadedModel, request_for
from recsys_core.data.reviews import item_texts
from recsys_core.data.split import AsOf
from recsys_core.encoder.loading import load_encoder
from recsys_core.encoder.ngrams import NGRAMS, NgramEncoder
from recsys_core.encoder.text import TextEncoder
from recsys_core.errors import ConfigError, DataError
from recsys_core.explain.scoring import Question
from recsys_core.explain.words import NO_TEXT, ItemReasons, WordChain, explain_words
from recsys_core.ranker.cross_encoder import CrossEncoderRanker
from recsys_core.ranker.ensemble import EnsembleRanker
from recsys_core.ranker.lists import recommend
from recsys_core.ranker.neural import NeuralRanker
from recsys_core.ranker.reranked import RerankedRanker
from recsys_core.trainer.device import choose_device

MAX_HISTORY_TEXTS = 50

WhyNoWords = Literal["no-text", "composed", "no-ngrams"]


def words_of_item(
    model: LoadedModel,
    user_id: str,
    item_id: str | None = None,
    n_history: int = 3,
    as_of: AsOf = "test",
    places: Sequence[int] | None = None,
) -> WordChain:
    """Why an item (the first of the list, if none is named) is there: history items, then their words.

    Of the history these are the words of the `n_history` strongest items, or of those at `places`, from 0.

    Raises:
        NotFoundError: no such person or item.
        DataError: the person has touched the item, so it is no candidate; or there is no list.
        ConfigError: the model reads no texts, its encoder isn't there, there is no history, or no such place.
    """
    if not 0 <= n_history <= MAX_HISTORY_TEXTS:
        raise ConfigError(
            f"the words of {n_history} history items are asked for; write 0 to {MAX_HISTORY_TEXTS}"
        )
    data, request = model.data, request_for(model, user_id, as_of)
    if item_id is None:
        first = recommend(model.ranker, data.dataset, [request], 1)
        if first.empty:
            raise DataError(f"'{user_id}' has touched every item, so there is no list to explain")
        item_id = str(first["item_id"].iloc[0])
    number = data.dataset.item_number(item_id)
    if number in request.seen:
        raise DataError(
            f"'{data.dataset.titles[number]}' is in this person's history, so it is no candidate for the list"
        )
    question = Question(request.history, number, request.seen, request.context, request.askers)
    texts = item_texts(data.dataset, data.split)
    return explain_words(model.ranker, question, _encoder(model), texts, n_history, places=places)


def why_no_words(model: LoadedModel) -> WhyNoWords | None:
    """What keeps a model's score from being traced to words; None where nothing does.

    It is made of other models or reads texts in pairs, it reads no texts, or it was trained before
    n-grams were kept.
    """
    if isinstance(model.ranker, CrossEncoderRanker | EnsembleRanker | RerankedRanker):
        return "composed"
    if not isinstance(model.ranker, NeuralRanker) or model.text is None:
        return "no-text"
    return "no-ngrams" if model.text.encoder == NGRAMS and model.text.ngrams is None else None


def words_json(model: LoadedModel, chain: WordChain) -> dict[str, Any]:
    """The contract of `reclens explain-words --json`."""
    found = chain.attributions
    return {
        "method": found.method,
        "baseline": found.baseline,
        "score": found.score,
        "baseline_score": found.baseline_score,
        "delta": found.delta,
        "relative_delta": found.relative_delta,
        "item": _item_json(model, chain.explained),
        "history": [_item_json(model, reasons) for reasons in chain.history],
    }


def _item_json(model: LoadedModel, reasons: ItemReasons) -> dict[str, Any]:
    dataset = model.data.dataset
    return {
        "item_id": dataset.item_ids[reasons.item_number],
        "title": dataset.titles[reasons.item_number],
        "position": None if reasons.position is None else reasons.position + 1,
        "attribution": reasons.value,
        "by_id": reasons.by_id,
        "by_text": reasons.by_text,
        "by_rest": reasons.by_rest,
        "by_any_text": reasons.by_any_text,
        "words": [
            {"word": word.text, "start": word.start, "stop": word.stop, "attribution": word.value}
            for word in reasons.text.words
        ],
        "words_delta": reasons.text_delta,
    }


def _encoder(model: LoadedModel) -> TextEncoder | NgramEncoder:
    """What made the model's text vectors, in full precision."""
    text = model.text
    if text is None:
        raise ConfigError(NO_TEXT)
    if text.ngrams is not None:
        return text.ngrams
    if text.encoder == NGRAMS:
        raise ConfigError("the n-grams of this model were not kept with it; train it again to see its words")
    return load_encoder(text.encoder, choose_device(), replace(text.options, precision="fp32"))
