"""How a cross-encoder learns: clicks (`clicks.py`) against items that the first ranker would have listed."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import cast

import numpy as np
import torch
import torch.nn.functional as F
from tokenizers import Tokenizer
from transformers import PreTrainedModel

from recsys_core.config import CrossEncoderSettings, make_settings
from recsys_core.data.dataset import Dataset, FloatArray, Histories, IntArray
from recsys_core.data.reviews import item_texts
from recsys_core.data.split import Split, histories, targets
from recsys_core.encoder.cache import MAX_UNKNOWN_SHARE, TextVectors
from recsys_core.encoder.loading import load_encoder
from recsys_core.encoder.text import TextEncoder
from recsys_core.errors import ConfigError, RecsysError
from recsys_core.metrics.ranking import ndcg_at_k
from recsys_core.metrics.ranks import one_each
from recsys_core.ranker.cross_encoder import CrossEncoderRanker, Texts
from recsys_core.ranker.inner import Inner
from recsys_core.ranker.pair_reader import PairReader, reader_limits
from recsys_core.ranker.pair_rows import ItemTokens, PairRows, pair_rows
from recsys_core.ranker.popularity import PopularityRanker, fit_popularity
from recsys_core.ranker.registry import fit_counting_ranker
from recsys_core.ranker.threads import Spread, one_thread_a_piece
from recsys_core.trainer.clicks import Clicks, draw_clicks
from recsys_core.trainer.device import working_precision
from recsys_core.trainer.schedule import rate_at

MAX_GRADIENT_NORM = 5.0

OnStep = Callable[[float, str], None]

SHORTLIST = 100
WISH_SHARE = 0.15
MAX_WISH_TOKENS = 5
HEAD_RATE = 20  # times the learning rate: it starts at nothing, the encoder from years of reading
MAX_WEIGHING_PEOPLE = 300
WEIGHTS = (0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.7, 1.0, 1.5)


@dataclass(frozen=True, slots=True)
class ReadingRecipe:
    """How to train.

    Attributes:
        steps: how many.
        batch_size: clicks a step.
        n_negatives: items beside each click.
        learning_rate: its peak, after 5 % of the steps.
        seed: decides clicks, negatives, wishes and dropout.
        precision: of matrix products.
    """

    steps: int
    batch_size: int
    n_negatives: int
    learning_rate: float
    seed: int
    precision: torch.dtype


def learn_cross_encoder(
    dataset: Dataset,
    split: Split,
    settings: CrossEncoderSettings,
    text: TextVectors | None,
    seed: int,
    device: torch.device,
    on_step: OnStep,
) -> CrossEncoderRanker:
    """A cross-encoder of these settings, learned from the training part; validation chooses its weight.

    Raises:
        ConfigError: no text, or an encoder that can't read it.
        DataError: there is no click to learn from.
        RecsysError: the loss became NaN or infinite.
    """
    if text is None:
        raise ConfigError("a cross-encoder reads texts; name another encoder than 'none'")
    known = histories(dataset, split, "valid")
    kind, first = settings.first_stage, make_settings(settings.first_stage)
    precision = working_precision(settings.precision, device)
    untrained = new_cross_encoder(
        load_encoder(settings.encoder, device),
        item_texts(dataset, split),
        torch.from_numpy(np.pad(text.vectors, ((1, 0), (0, 0)))),
        Inner(kind, kind, first, fit_counting_ranker(first, known, dataset.n_items, seed)),
        fit_popularity(known, dataset.n_items),
        item_tokens=settings.item_tokens,
        depth=settings.depth,
        window=settings.max_length,
        precision=precision,
    )
    recipe = ReadingRecipe(
        settings.steps, settings.batch_size, settings.negatives, settings.learning_rate, seed, precision
    )
    return train_cross_encoder(untrained, known, targets(dataset, split, "valid"), recipe, on_step)


def read_texts(encoder: TextEncoder, texts: list[str], vectors: torch.Tensor, item_tokens: int) -> Texts:
    """The items' texts as tokens, cut at `item_tokens`.

    Raises:
        ConfigError: the encoder can't read them, or it isn't of a type that a cross-encoder can use.
    """
    reader_limits(cast(PreTrainedModel, encoder.model).config)
    unknown = encoder.unknown_share(texts)
    if unknown > MAX_UNKNOWN_SHARE:
        raise ConfigError(
            f"the encoder '{encoder.name}' can't read {unknown:.0%} of the items' text; name a multilingual "
            "encoder by its folder or Hugging Face id"
        )
    tokenizer = Tokenizer.from_str(cast(Tokenizer, encoder.tokenizer.backend_tokenizer).to_str())
    tokenizer.no_truncation()
    tokenizer.no_padding()
    start, stop = encoder.tokenizer.cls_token_id, encoder.tokenizer.sep_token_id
    if not isinstance(start, int) or not isinstance(stop, int):
        raise ConfigError(f"the encoder '{encoder.name}' has no tokens for the start and the end of a text")
    read = [text.ids[:item_tokens] for text in tokenizer.encode_batch(texts, add_special_tokens=False)]
    return Texts(ItemTokens(Histories.of([[], *read]), start, stop), vectors, tokenizer.to_str())


def new_cross_encoder(
    encoder: TextEncoder,
    texts: list[str],
    vectors: torch.Tensor,
    first: Inner,
    popularity: PopularityRanker,
    *,
    item_tokens: int,
    depth: int,
    window: int,
    precision: torch.dtype,
) -> CrossEncoderRanker:
    """An untrained cross-encoder on a first ranker; the encoder's own weights will be trained.

    Args:
        encoder: of BERT's family.
        texts: [n_items] of the items.
        vectors: [n_items + 1, t] of the items' texts, for wishes.
        first: makes the shortlists.
        popularity: serves those without a history.
        item_tokens: an item's text is cut there.
        depth: length of a shortlist.
        window: how many of a history's last items are read.
        precision: of matrix products.

    Raises:
        ConfigError: the encoder can't read the texts, isn't of BERT's family, or has too few positions.
    """
    read = read_texts(encoder, texts, vectors, item_tokens)
    reader = PairReader(cast(PreTrainedModel, encoder.model)).to(encoder.device)
    longest = int(read.items.texts.lengths.max()) + 1  # the token behind it included
    if 1 + (window + 1) * longest > reader.limits.n_positions:
        raise ConfigError(
            f"max_length ({window}) texts of up to {longest} tokens and a candidate's don't fit into the "
            f"{reader.limits.n_positions} tokens that '{encoder.name}' reads; lower max_length or item_tokens"
        )
    return CrossEncoderRanker(
        first, popularity, reader, read, depth=depth, window=window, precision=precision
    )


def learn_to_read(
    ranker: CrossEncoderRanker, clicks: Clicks, recipe: ReadingRecipe, on_step: OnStep
) -> list[float]:
    """Trains the reader in place; the loss of each step.

    The embeddings of words stay as they are: a few hundred steps meet few of them, and their gradient
    would be half of the work.

    Raises:
        RecsysError: the loss became NaN or infinite.
    """
    generator = np.random.default_rng(recipe.seed)
    reader = ranker.reader.eval()  # no dropout: its noise would depend on the order of threads
    reader.encoder.get_input_embeddings().requires_grad_(False)
    weights = [weight for weight in reader.parameters() if weight.requires_grad]
    optimizer = _optimizer(ranker, recipe)
    with torch.no_grad():
        reader.head.bias.fill_(-math.log(max(1, clicks.candidates.shape[1] - 1)))  # the share of clicks
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: rate_at(step, recipe.steps))
    losses = list[float]()
    with one_thread_a_piece(reader.head.weight.device) as spread:
        for step in range(recipe.steps):
            own = generator.choice(len(clicks), min(recipe.batch_size, len(clicks)), replace=False)
            loss, gradients = _gradients(ranker, weights, clicks, own, recipe.precision, generator, spread)
            if not math.isfinite(loss):
                raise RecsysError(
                    f"the loss became {loss} at step {step + 1}; lower learning_rate "
                    f"(it is {recipe.learning_rate:g})"
                )
            for weight, gradient in zip(weights, gradients, strict=True):
                weight.grad = gradient
            torch.nn.utils.clip_grad_norm_(weights, MAX_GRADIENT_NORM)
            optimizer.step()
            schedule.step()
            losses.append(loss)
            on_step((step + 1) / recipe.steps, f"Learning to read (loss {np.mean(losses[-20:]):.3f})")
    return losses


def best_weight(ranker: CrossEncoderRanker, known: Histories, wanted: IntArray, seed: int) -> float:
    """The weight of the logits with the highest NDCG@10 on held-out items, among nine; 1 without any.

    Only people whose item is on the shortlist can tell them apart; at most 300 of those are asked.
    """
    people = np.flatnonzero((wanted > 0) & (known.lengths > 0))
    if len(people) == 0:
        return 1.0
    first = ranker.first_scores(known.take(people))
    shortlists = ranker.shortlists(first, known.take(people))
    listed = np.flatnonzero((shortlists == wanted[people][:, None]).any(axis=1))
    asked = np.sort(np.random.default_rng(seed).permutation(listed)[:MAX_WEIGHING_PEOPLE])
    if len(asked) == 0:
        return 1.0
    lists, targets = shortlists[asked], wanted[people[asked]]
    rows, columns = np.nonzero(lists)
    logits = np.full(lists.shape, -np.inf)
    heads = ranker.heads(known.take(people[asked]))
    logits[rows, columns] = ranker.read(heads, rows, lists[rows, columns])
    base = first[asked[:, None], lists]
    quality = [_quality(base + weight * logits, lists == targets[:, None]) for weight in WEIGHTS]
    return WEIGHTS[int(np.argmax(quality))]


def train_cross_encoder(
    ranker: CrossEncoderRanker,
    known: Histories,
    wanted: IntArray,
    recipe: ReadingRecipe,
    on_step: OnStep,
) -> CrossEncoderRanker:
    """The ranker with its reader trained and the weight of what it says chosen.

    Args:
        ranker: untrained; its reader is trained in place.
        known: training histories.
        wanted: [n] validation items of the same people, 0 where there is none: they choose the weight.
        recipe: how.
        on_step: told the share of the steps that are done, and the loss; it may raise to stop.

    Raises:
        DataError: there is no click to learn from.
        RecsysError: the loss became NaN or infinite.
    """
    generator = np.random.default_rng(recipe.seed)
    n = recipe.steps * recipe.batch_size
    listing = ranker.with_weight(1.0, depth=SHORTLIST)
    clicks = draw_clicks(listing, known, n, recipe.n_negatives, generator)
    learn_to_read(ranker, clicks, recipe, on_step)
    trained = ranker.with_weight(1.0)
    return trained.with_weight(best_weight(trained, known, wanted, recipe.seed))


def _optimizer(ranker: CrossEncoderRanker, recipe: ReadingRecipe) -> torch.optim.Optimizer:
    encoder = [weight for weight in ranker.reader.encoder.parameters() if weight.requires_grad]
    head = list(ranker.reader.head.parameters())
    groups = [
        {"params": encoder, "lr": recipe.learning_rate},
        {"params": head, "lr": HEAD_RATE * recipe.learning_rate},
    ]
    return torch.optim.AdamW(groups, weight_decay=0.01)


def _gradients(
    ranker: CrossEncoderRanker,
    weights: list[torch.nn.Parameter],
    clicks: Clicks,
    own: IntArray,
    precision: torch.dtype,
    generator: np.random.Generator,
    spread: Spread,
) -> tuple[float, list[torch.Tensor]]:
    """The mean loss of a batch of clicks, and its gradient by each weight."""
    heads = ranker.heads(clicks.histories.take(own))
    for row in np.flatnonzero(generator.random(len(own)) < WISH_SHARE):
        heads[row] = _as_wish(ranker.texts.items, int(clicks.candidates[own[row], 0]), generator)
    candidates = clicks.candidates[own]
    is_clicked = torch.zeros(candidates.shape)
    is_clicked[:, 0] = 1
    wanted = is_clicked.flatten()
    device = ranker.reader.head.weight.device

    def of_rows(rows: PairRows) -> tuple[float, tuple[torch.Tensor, ...]]:
        with torch.autocast(device.type, precision, enabled=precision != torch.float32):
            logits = ranker.reader(rows)
        target = wanted[torch.from_numpy(rows.pairs)].to(device)
        loss = F.binary_cross_entropy_with_logits(logits, target, reduction="sum") / len(wanted)
        found = torch.autograd.grad(loss, weights, allow_unused=True, materialize_grads=True)
        return float(loss.detach()), found

    head_of_pair = np.repeat(np.arange(len(own)), candidates.shape[1])
    batches = pair_rows(ranker.texts.items, heads, head_of_pair, candidates.ravel())
    losses, gradients = zip(*spread(of_rows, batches), strict=True)
    return sum(losses), [torch.stack(parts).sum(0) for parts in zip(*gradients, strict=True)]


def _as_wish(items: ItemTokens, clicked: int, generator: np.random.Generator) -> IntArray:
    """A few words in a row from the clicked item's text: what somebody might have typed."""
    text = items.texts[clicked]
    start = int(generator.integers(max(1, len(text))))
    return items.of_wish(text[start : start + int(generator.integers(1, MAX_WISH_TOKENS + 1))].tolist())


def _quality(scores: FloatArray, is_wanted: np.ndarray[tuple[int, int], np.dtype[np.bool_]]) -> float:
    ahead = (scores > scores[is_wanted][:, None]).sum(axis=1)
    return float(ndcg_at_k(one_each(1 + ahead), 10).mean())
