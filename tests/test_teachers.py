"""Learning from trained rankers: the loss against torch's, what is learned, and who can't teach."""

import itertools
import math

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from recsys_core.config import TransformerSettings, make_settings
from recsys_core.data.dataset import Histories
from recsys_core.errors import ConfigError
from recsys_core.ranker.bert4rec import Bert4RecRanker
from recsys_core.ranker.lstm import RecurrentRanker
from recsys_core.ranker.popularity import PopularityRanker
from recsys_core.ranker.protocol import Ranker
from recsys_core.ranker.transformer import TransformerRanker
from recsys_core.trainer import losses
from recsys_core.trainer.loop import Callbacks, Recipe, train
from recsys_core.trainer.losses import softmax_over_candidates
from recsys_core.trainer.teachers import Taught, Teacher, Teaching

CPU = torch.device("cpu")
N_ITEMS, CHUNK = 11, 4


@pytest.mark.parametrize("share", [0.3, 1.0])
@pytest.mark.parametrize("n", [1, CHUNK, 2 * CHUNK + 1])
def test_loss_and_gradients_equal_those_of_soft_targets(
    n: int, share: float, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(losses, "MIN_CHUNK_ROWS", CHUNK)
    monkeypatch.setattr(losses, "MAX_CHUNK_ROWS", CHUNK)
    draw = torch.Generator().manual_seed(n)
    own = [drawn(draw, n, 5), drawn(draw, N_ITEMS + 1, 5), drawn(draw, N_ITEMS + 1)]
    taught = [
        Taught(drawn(draw, n, size).detach(), drawn(draw, 12, size).detach(), drawn(draw, 12).detach())
        for size in (3, 7)
    ]
    targets = torch.randint(1, N_ITEMS + 1, (n,), generator=draw)
    seen = torch.randint(0, N_ITEMS + 1, (n, 4), generator=draw)
    seen = seen.masked_fill(seen == targets[:, None], 0)
    hidden = torch.zeros(n, N_ITEMS + 1, dtype=torch.bool).scatter(1, seen, True)
    hidden[:, 0] = True

    def logits(states: Tensor, vectors: Tensor, bias: Tensor) -> Tensor:
        return (states @ vectors.T + bias).masked_fill(hidden, -math.inf)

    told = torch.stack([logits(one.states, one.vectors, one.bias).softmax(1) for one in taught]).mean(0)
    soft = (1 - share) * F.one_hot(targets, N_ITEMS + 1).double() + share * told
    log_shares = logits(*own).log_softmax(1).masked_fill(hidden, 0)
    expected = -(soft * log_shares).sum(1).mean()
    found = softmax_over_candidates(*own, targets, Histories.of(list(seen.numpy())), taught, share)
    torch.testing.assert_close(found, expected, rtol=1e-12, atol=1e-12)
    wanted = torch.autograd.grad(expected, own)
    for gradient, other in zip(torch.autograd.grad(found, own), wanted, strict=True):
        torch.testing.assert_close(gradient, other, rtol=1e-10, atol=1e-12)


def drawn(generator: torch.Generator, *shape: int) -> Tensor:
    return torch.randn(*shape, generator=generator, dtype=torch.float64, requires_grad=True)


def ranker(seed: int, max_length: int = 6) -> TransformerRanker:
    torch.manual_seed(seed)
    return TransformerRanker(N_ITEMS, 8, 1, 1, max_length, 0.0)


def test_what_only_the_teacher_knows_is_learned():
    """The data say what comes next at random; the teacher says that item 7 is likelier than all others."""
    random = np.random.default_rng(0)
    known = Histories.of([random.permutation(6)[:5] + 1 for _ in range(64)])
    teacher, pupil = ranker(1), ranker(2)
    with torch.no_grad():
        teacher.item_bias[7] = 6.5
    teaching = Teaching([Teacher.of(teacher, "teacher", 6, CPU)], share=1.0)
    before = teacher.tensors()
    better = itertools.count()
    recipe = Recipe(20, 20, 16, 2e-2, 0.0, seed=0, precision="fp32")
    callbacks = Callbacks(lambda _share: None, lambda _epoch: None)
    train(pupil, known, lambda: float(next(better)), recipe, CPU, callbacks, teaching=teaching)
    told, learned = (torch.from_numpy(one.score(known)[:, 1:]).softmax(1) for one in (teacher, pupil))
    assert told[:, 6].min() > 0.5
    assert learned[:, 6].min() > 0.5
    assert all(torch.equal(tensor, before[name]) for name, tensor in teacher.tensors().items())


def test_recurrent_ranker_teaches_a_transformer():
    torch.manual_seed(0)
    teacher = RecurrentRanker(N_ITEMS, 8, 1, 6, 0.0, "gru")
    assert Teacher.of(teacher, "gru", 6, CPU).ranker is teacher


@pytest.mark.parametrize(
    ("teacher", "said"),
    [
        (Bert4RecRanker(N_ITEMS, 8, 1, 1, 6, 0.0, 0.2), "m can't teach; teachers are models of transformer"),
        (PopularityRanker(np.ones(N_ITEMS + 1, dtype=np.float32)), "m can't teach"),
        (ranker(0, max_length=5), "m reads 5 items of a history, so it can't teach one that reads 6"),
    ],
)
def test_who_cannot_teach_is_named(teacher: Ranker, said: str):
    with pytest.raises(ConfigError, match=said):
        Teacher.of(teacher, "m", 6, CPU)


def test_teachers_with_another_loss_are_a_contradiction():
    with pytest.raises(ConfigError, match="teachers teach the loss softmax alone, and loss is bce"):
        make_settings("transformer", changes=["teachers=a", "loss=bce"])


def test_names_of_teachers_are_read():
    settings = make_settings("transformer", changes=["teachers=a, b"])
    assert isinstance(settings, TransformerSettings)
    assert settings.teacher_names == ("a", "b")
