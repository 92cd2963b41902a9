"""How fast explanations are: python -m benchmarks.explanation_speed ml-1m.txt.gz [--parts …].

items: ten items of one person by integrated gradients, beside Captum item by item, in one run; Captum
once at its own 50 steps and once at the fewest that leave no larger δ than ours.
removal: leave-one-out and sampled Shapley values of the first ten items.
cohort: people a second, top 10 of each, drawn as they are, then by length of the history and width.

The transformer (d=64, 2 blocks, 2 heads, L=200) is trained on the file for `--epochs` epochs: how many points
a path needs depends on what was learned. Histories are real ones, cut to the last 50 or 200 items.
"""

import argparse
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Generic, TypeVar

import numpy as np
import torch
from captum.attr import LayerIntegratedGradients
from torch import Tensor

from benchmarks.children import machine, print_table, spread
from benchmarks.ml1m import read_in_order
from recsys_core.data.dataset import Dataset, Histories, IntArray
from recsys_core.data.split import histories, leave_one_out
from recsys_core.explain.attributions import SMALLEST_DIFFERENCE, Attributions, Method, Options
from recsys_core.explain.cohort import Wanted, explain_lists, parts_by_length
from recsys_core.explain.history import attribute_many
from recsys_core.explain.scoring import Question
from recsys_core.ranker.lists import ListRequest
from recsys_core.ranker.neural import HistoryBatch
from recsys_core.ranker.popularity import item_counts
from recsys_core.ranker.top_k import mask_seen, top_k
from recsys_core.ranker.transformer import TransformerRanker
from recsys_core.trainer.checkpoints import load_tensors, save_ranker
from recsys_core.trainer.loop import train
from recsys_core.trainer.recipe import Callbacks, Recipe

K, LENGTH = 10, 200
STEPS = (4, 6, 8, 10, 12, 16, 20, 24, 32, 40, 50, 64, 96, 128)
PARTS = ("items", "removal", "cohort")
T = TypeVar("T")


def transformer(n_items: int, size: int = 64) -> TransformerRanker:
    torch.manual_seed(0)
    return TransformerRanker(n_items, size, 2, 2, LENGTH, 0.1).eval()


def trained(dataset: Dataset, known: Histories, epochs: int, kept: Path | None) -> TransformerRanker:
    """The transformer after some epochs, or as an earlier run kept it."""
    ranker = transformer(dataset.n_items)
    if kept is not None and kept.exists():
        ranker.load_state_dict(load_tensors(kept))
        return ranker
    ranker.start_at_popularity(torch.from_numpy(item_counts(known, dataset.n_items)).float())
    rising = iter(range(epochs))
    recipe = Recipe(epochs, epochs, batch_size=32, learning_rate=8e-3, weight_decay=0.0, seed=0)
    callbacks = Callbacks(step=lambda _: None, epoch=lambda _: None)
    train(ranker, known, lambda: next(rising), recipe, torch.device("cpu"), callbacks)
    if kept is not None:
        save_ranker(ranker, kept)
    return ranker


def people(known: Histories, length: int, n: int) -> list[IntArray]:
    """The last `length` items of n people who have as many, spread over all."""
    long = np.flatnonzero(known.lengths >= length)
    return [known[row][-length:] for row in long[:: max(1, len(long) // n)][:n]]


def first_items(ranker: TransformerRanker, history: IntArray) -> IntArray:
    known = Histories.of([history])
    return top_k(mask_seen(ranker.score(known), known), K)[0]


def captum(ranker: TransformerRanker, history: IntArray, items: Sequence[int], n_steps: int) -> float:
    """Captum, one item after the other, on the same score; the largest relative δ of the items."""
    with torch.no_grad():
        vectors = ranker.item_vectors()
    left_out = torch.from_numpy(np.append(np.unique(history), 0))
    inputs, worst = torch.from_numpy(history)[None], 0.0
    for item in items:

        def log_probability(batch: Tensor, item: int = item) -> Tensor:
            state = ranker.last_state(HistoryBatch(batch, torch.full((len(batch),), batch.shape[1])), vectors)
            logits = ranker.logits(state, vectors, ranker.item_bias)
            return logits.index_fill(1, left_out, -torch.inf).log_softmax(1)[:, item]

        layer = LayerIntegratedGradients(log_probability, ranker.history_embedding)
        values = layer.attribute(
            inputs, torch.zeros_like(inputs), n_steps=n_steps, method="gausslegendre", internal_batch_size=64
        )
        with torch.no_grad():
            end, base = log_probability(torch.cat([inputs, torch.zeros_like(inputs)])).double().tolist()
        assert isinstance(values, Tensor)
        missed = abs(float(values.sum()) - (end - base))
        worst = max(worst, missed / max(abs(end - base), SMALLEST_DIFFERENCE))
    return worst


def own(ranker: TransformerRanker, history: IntArray, items: Sequence[int]) -> tuple[Attributions, ...]:
    question = Question(history, int(items[0]), history)
    return attribute_many(ranker, question, items, "integrated-gradients", Options(max_relative_delta=1e-3))


def fewest_steps(ranker: TransformerRanker, history: IntArray, items: Sequence[int], delta: float) -> int:
    """The fewest of `STEPS` by which Captum leaves no larger δ."""
    return next((n for n in STEPS if captum(ranker, history, items, n) <= delta), STEPS[-1])


def items_part(ranker: TransformerRanker, known: Histories, n_people: int) -> list[list[str]]:
    """Ours before and after Captum, for each person."""
    rows = list[list[str]]()
    for length in (50, LENGTH):
        ours, at_fifty, at_delta = list[Timed[object]](), list[Timed[float]](), list[Timed[float]]()
        deltas, steps, points = list[float](), list[float](), list[float]()
        for history in people(known, length, n_people):
            items = first_items(ranker, history).tolist()
            answers = own(ranker, history, items)
            deltas.append(max(answer.relative_delta for answer in answers))
            points.append(max(answer.n_steps for answer in answers))
            fewest = fewest_steps(ranker, history, items, deltas[-1])
            steps.append(fewest)
            before = timed(lambda h=history, i=items: own(ranker, h, i))
            at_fifty.append(timed(lambda h=history, i=items: captum(ranker, h, i, 50)))
            at_delta.append(timed(lambda h=history, i=items, n=fewest: captum(ranker, h, i, n)))
            after = timed(lambda h=history, i=items: own(ranker, h, i))
            seconds, cpu_s = (before.seconds + after.seconds) / 2, (before.cpu_s + after.cpu_s) / 2
            ours.append(Timed(seconds, cpu_s, None))
        worst = max(run.result for run in at_fifty)
        rows += [
            [f"10 items, history {length}", "RecLens", *ms(ours), f"{max(deltas):.1e}", spread(points), ""],
            ["the same", "Captum, 50 steps", *ms(at_fifty), f"{worst:.1e}", "50", times(at_fifty, ours)],
            ["the same", "Captum, no larger δ", *ms(at_delta), "", spread(steps), times(at_delta, ours)],
        ]
    return rows


def removal_part(ranker: TransformerRanker, known: Histories, n_people: int) -> list[list[str]]:
    rows = list[list[str]]()
    asked: list[tuple[Method, int]] = [
        ("leave-one-out", 50),
        ("leave-one-out", LENGTH),
        ("shapley-sampling", 50),
    ]
    for method, length in asked:
        runs = list[Timed[object]]()
        for history in people(known, length, n_people):
            items = first_items(ranker, history).tolist()
            question = Question(history, items[0], history)
            runs.append(timed(lambda q=question, i=items, m=method: attribute_many(ranker, q, i, m)))
        rows.append([f"10 items, history {length}", method, *ms(runs), "", "", ""])
    return rows


def cohort_part(ranker: TransformerRanker, dataset: Dataset, known: Histories, n: int) -> list[list[str]]:
    """People a second; other widths have random weights, and 11 points on every path."""
    rows, generator = list[list[str]](), np.random.default_rng(0)
    as_they_are = [known[row][-LENGTH:] for row in generator.integers(len(known), size=n)]
    for size, length in ((64, 0), (64, 25), (64, 50), (64, 100), (64, 200), (32, 50), (128, 50)):
        model = ranker if size == 64 else transformer(dataset.n_items, size)
        options = Options() if size == 64 else Options(n_steps=11)
        own_items = people(known, length, min(n, 200)) if length else as_they_are
        requests = [ListRequest(history, history, f"u{number}") for number, history in enumerate(own_items)]
        wanted = Wanted(K, "integrated-gradients", options)
        explain_lists(model, dataset, requests[:8], wanted)
        run = timed(lambda m=model, r=requests, w=wanted: n_reasons(m, dataset, r, w))
        a_person: Timed[object] = Timed(run.seconds / len(requests), run.cpu_s / len(requests), None)
        per_s = f"{len(requests) / run.seconds:.1f} people/s, {run.result:,} rows"
        what = f"{len(requests):,} people × {K}, history {length or 'as it is'}, d={size}"
        print(
            f"{what}: {1000 * a_person.cpu_s:.0f} processor ms a person, {per_s}", file=sys.stderr, flush=True
        )
        rows.append([what, "integrated-gradients, a person", *ms([a_person]), "", "", per_s])
    return rows


def n_reasons(
    ranker: TransformerRanker, dataset: Dataset, requests: Sequence[ListRequest], wanted: Wanted
) -> int:
    """Rows of the table of reasons, made part by part as the job makes it, without writing it."""
    lengths = np.array([len(request.history) for request in requests])
    parts = parts_by_length(lengths, ranker.max_length)
    return sum(len(explain_lists(ranker, dataset, [requests[row] for row in part], wanted)) for part in parts)


@dataclass(frozen=True, slots=True)
class Timed(Generic[T]):
    """What a call took, by the clock and of the processor, and what it gave."""

    seconds: float
    cpu_s: float
    result: T


def timed(call: Callable[[], T]) -> Timed[T]:
    start, cpu_start = time.perf_counter(), time.process_time()
    result = call()
    return Timed(time.perf_counter() - start, time.process_time() - cpu_start, result)


def ms(runs: Sequence[Timed[object]] | Sequence[Timed[float]]) -> list[str]:
    """Milliseconds by the clock, and of the processor."""
    return [
        spread([1e3 * run.seconds for run in runs], "{:.0f}"),
        spread([1e3 * run.cpu_s for run in runs], "{:.0f}"),
    ]


def times(theirs: Sequence[Timed[float]], ours: Sequence[Timed[object]]) -> str:
    both = list(zip(theirs, ours, strict=True))
    by_clock = spread([their.seconds / own.seconds for their, own in both], "{:.1f}")
    by_processor = spread([their.cpu_s / own.cpu_s for their, own in both], "{:.1f}")
    return f"RecLens {by_clock} × as fast, {by_processor} × of the processor"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("sequences", type=Path)
    parser.add_argument("--parts", nargs="+", default=list(PARTS), choices=PARTS)
    parser.add_argument("--epochs", type=int, default=3)
    parser.add_argument("--people", type=int, default=8)
    parser.add_argument("--cohort", type=int, default=200)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--model", type=Path, help="safetensors file of an earlier run, or to be written")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    dataset = read_in_order(options.sequences)
    split = leave_one_out(dataset)
    ranker = trained(dataset, histories(dataset, split, "valid").bare(), options.epochs, options.model)
    known = histories(dataset, split, "test").bare()
    print(f"{machine()}; {options.threads} threads; seed 0; {dataset.n_items:,} items\n", flush=True)
    rows = list[list[str]]()
    if "items" in options.parts:
        rows += items_part(ranker, known, options.people)
    if "removal" in options.parts:
        rows += removal_part(ranker, known, options.people)
    if "cohort" in options.parts:
        rows += cohort_part(ranker, dataset, known, options.cohort)
    print_table(["what", "by", "ms", "processor ms", "largest relative δ", "points", ""], rows)


if __name__ == "__main__":
    main()
