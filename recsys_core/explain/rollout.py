"""Where a transformer looks: attention multiplied through its blocks. It is shown, and is no attribution."""

import time
from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor, nn
from torch.utils.hooks import RemovableHandle

from recsys_core.data.dataset import IntArray
from recsys_core.explain.attributions import Attributions, Cost, Options
from recsys_core.explain.looked_up import Asked
from recsys_core.explain.scoring import Question
from recsys_core.ranker.blocks import AttentionBlock
from recsys_core.ranker.neural import NeuralRanker

WARNING = (
    "attention roll-out shows where the model looks, not what adds to the score: it is no attribution, it is "
    "the same for every item, and it leaves out what convolutions carry"
)


def attends(ranker: object) -> bool:
    """Whether a ranker has softmax attention, whose weights could be multiplied."""
    return isinstance(ranker, nn.Module) and any(
        isinstance(part, AttentionBlock) for part in ranker.modules()
    )


def attention_rollout(
    ranker: NeuralRanker, questions: Sequence[Question], items: IntArray, _: Options
) -> list[tuple[Attributions, ...]]:
    """The share of the last place's attention that reaches each item, the same for each explained item.

    Π over the blocks of ½ (attention, mean over heads) + ½ I (Abnar & Zuidema, ACL 2020). With what
    reaches nothing of the history, as the mask behind it, the shares sum to 1.
    """
    return [
        _of_one(Asked.of(ranker, [question], own[None]), question)
        for question, own in zip(questions, items, strict=True)
    ]


def _of_one(asked: Asked, question: Question) -> tuple[Attributions, ...]:
    start, reach = time.perf_counter(), None
    people = torch.zeros(1, dtype=torch.long, device=asked.items.device)
    normed, state = _normed(asked, people)
    with torch.no_grad():
        scores = asked.scores(people, state)[0].tolist()
        for block, x in normed:
            attention = block.attention(x).mean(1)[0]  # [L, L], or [L + 1, L + 1] with a mask behind
            mixed = (attention + torch.eye(len(attention), device=x.device)) / 2
            reach = mixed if reach is None else mixed @ reach
    assert reach is not None
    shares = reach[-1, : asked.looked_up.shape[1]].double().cpu().numpy()
    values = np.concatenate([np.zeros(len(question.history) - len(shares)), shares])
    cost = Cost(forward=1, seconds=time.perf_counter() - start)
    return tuple(
        Attributions(
            values, "attention-rollout", "none", score, np.nan, np.nan, 0, cost=cost, warnings=(WARNING,)
        )
        for score in scores
    )


def _normed(asked: Asked, people: Tensor) -> tuple[list[tuple[AttentionBlock, Tensor]], Tensor]:
    """What each block's attention reads [1, L, d], the lowest block first, and the state at the end."""
    found = list[tuple[AttentionBlock, Tensor]]()
    handles = list[RemovableHandle]()
    for block in asked.ranker.modules():
        if isinstance(block, AttentionBlock):
            handles.append(
                block.attention_norm.register_forward_hook(
                    lambda *call, block=block: found.append((block, call[2]))
                )
            )
    try:
        with torch.no_grad():
            state = asked.states(people, asked.looked_up)
    finally:
        for handle in handles:
            handle.remove()
    return found, state
