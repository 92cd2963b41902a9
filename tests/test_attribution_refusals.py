"""What can't be attributed is refused in a sentence that names what can."""

from dataclasses import replace

import numpy as np
import pytest
from hand_made import small_transformer
from one_of_each import N_ITEMS

from recsys_core.data.dataset import Histories
from recsys_core.errors import ConfigError
from recsys_core.explain.attributions import Options
from recsys_core.explain.history import attribute
from recsys_core.explain.scoring import Question

HISTORY = np.array([3, 1, 4, 1, 9], dtype=np.int64)
QUESTION = Question(HISTORY, 7, np.unique(HISTORY))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (Options(baseline="mask"), r"lacks the baseline 'mask'; it has padding, mean-item, other-people"),
        (Options(baseline="other-people"), "made of other people's histories; padding"),
        (Options(baseline="mean-item", others=Histories.of([[]])), "made of other people's histories"),
        (Options(baseline="removed"), "integrated-gradients has no baseline 'removed'; it has padding"),
        (Options(n_steps=50, budget=49), "50 histories, more than the budget of 49"),
    ],
)
def test_a_baseline_or_budget_that_does_not_fit_names_what_does(options: Options, message: str):
    with pytest.raises(ConfigError, match=message):
        attribute(small_transformer(N_ITEMS), QUESTION, "integrated-gradients", options)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"n_steps": 513}, "n_steps is 513; a path has 1 to 512 points"),
        ({"n_steps": 0}, "n_steps is 0"),
        ({"max_relative_delta": 0.0}, "max_relative_delta is 0"),
        ({"n_draws": 5}, "n_draws is 5; write an even number from 4"),
        ({"n_draws": 2}, "n_draws is 2"),
    ],
)
def test_options_out_of_bounds_are_refused(changes: dict[str, float], message: str):
    with pytest.raises(ConfigError, match=message):
        Options(**changes)  # pyright: ignore[reportArgumentType]


@pytest.mark.parametrize(
    ("question", "message"),
    [
        (replace(QUESTION, item_number=16), "item number 16 isn't in the catalogue, which has 1 to 15"),
        (replace(QUESTION, item_number=0), "item number 0 isn't in the catalogue"),
        (replace(QUESTION, explained="margin"), "a margin is over another item"),
        (replace(QUESTION, rival=2), "only a margin is"),
        (replace(QUESTION, explained="margin", rival=7), "no margin over itself"),
        (replace(QUESTION, explained="margin", rival=99), "item number 99 isn't"),
    ],
)
def test_a_question_that_makes_no_sense_is_refused(question: Question, message: str):
    with pytest.raises(ConfigError, match=message):
        attribute(small_transformer(N_ITEMS), question, "leave-one-out")


def test_thirteen_items_are_too_many_for_exact_shapley_values():
    long = Question(np.arange(1, 14), 15, np.arange(1, 14))
    ranker = small_transformer(N_ITEMS, max_length=13)
    with pytest.raises(ConfigError, match=r"13 different items.* at most 12; shapley-sampling"):
        attribute(ranker, long, "shapley-exact")


def test_draws_beyond_the_budget_are_refused_with_what_fits():
    """Four different items: 2 + 3 a draw, so 98 histories are enough for 32 draws."""
    ranker, options = small_transformer(N_ITEMS), Options(n_draws=64, budget=98)
    with pytest.raises(ConfigError, match=r"194 histories, more than the budget of 98; up to 32 draws fit"):
        attribute(ranker, QUESTION, "shapley-sampling", options)
    assert attribute(ranker, QUESTION, "shapley-sampling", replace(options, n_draws=32)).n_steps == 32
