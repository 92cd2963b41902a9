"""Models that teach others, as a person meets them: by name, in a workspace."""

from collections.abc import Iterator

import numpy as np
import pytest
from two_data_sets import two_data_sets

from recsys_core.actions.jobs import submit_training
from recsys_core.actions.models import open_model, train
from recsys_core.data.dataset import Histories
from recsys_core.errors import ConfigError, NotFoundError
from recsys_core.store.workspace import Workspace

SMALL = ["encoder=none", "epochs=1", "max_length=8", "embedding_size=8", "n_blocks=1", "n_heads=1"]


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Workspace]:
    """Two data sets, a transformer of each, and popularity of the first."""
    with two_data_sets(tmp_path_factory) as workspace:
        train(workspace, "shop", "transformer", "teacher", changes=SMALL)
        train(workspace, "shop", "popularity", "popularity")
        train(workspace, "other", "transformer", "elsewhere", changes=SMALL)
        yield workspace


def test_pupil_differs_from_the_untaught_and_needs_its_teacher_no_longer(shop: Workspace):
    known = Histories.of([[1, 2, 3], []])
    train(shop, "shop", "transformer", "soon gone", changes=SMALL, seed=1)
    alone = open_model(shop, "teacher").ranker.score(known)
    for name, teachers in (("first", "teachers=teacher,soon gone"), ("second", "teachers=teacher")):
        train(shop, "shop", "transformer", name, changes=[*SMALL, teachers])
    first, second = (open_model(shop, name).ranker.score(known) for name in ("first", "second"))
    assert not np.array_equal(first, alone)
    assert not np.array_equal(first, second)
    shop.delete("model", "soon gone")
    opened = open_model(shop, "first")
    assert np.array_equal(opened.ranker.score(known), first)
    assert opened.settings.model_dump()["teachers"] == "teacher,soon gone"


@pytest.mark.parametrize(
    ("teachers", "kind", "words"),
    [
        ("nobody", NotFoundError, "there is no model 'nobody'; models here: "),
        ("elsewhere", ConfigError, "elsewhere learned from another data set than 'shop'"),
        ("popularity", ConfigError, "popularity can't teach; teachers are models of transformer and lstm"),
    ],
)
def test_teachers_that_do_not_fit_are_refused_before_anything_starts(
    shop: Workspace, teachers: str, kind: type[Exception], words: str
):
    for start in (train, submit_training):
        with pytest.raises(kind, match=words):
            start(shop, "shop", "transformer", "never", changes=[*SMALL, f"teachers={teachers}"])


def test_teacher_of_shorter_histories_is_refused(shop: Workspace):
    with pytest.raises(ConfigError, match="teacher reads 8 items of a history, so it can't teach one that"):
        train(shop, "shop", "transformer", "never", changes=[*SMALL, "max_length=9", "teachers=teacher"])
