"""A workspace in which a model of one data set can be asked to work with one of another."""

from collections.abc import Generator
from contextlib import contextmanager
from functools import partial

import pytest

from recsys_core import pipeline
from recsys_core.actions.data import ingest_shop
from recsys_core.data.simulate import ShopSize, simulate_shop, write_shop
from recsys_core.store.workspace import Workspace


@contextmanager
def two_data_sets(folders: pytest.TempPathFactory) -> Generator[Workspace]:
    """The same small shop as `shop` and as `other`; badges are tested on three people while it is open."""
    files = folders.mktemp("files")
    write_shop(simulate_shop(0, ShopSize(n_users=100, n_items=120, n_events=3_000)), files)
    workspace = Workspace.open(folders.mktemp("home"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(pipeline, "verify_method", partial(pipeline.verify_method, n_people=3))
        for name in ("shop", "other"):
            ingest_shop(workspace, name, files)
        yield workspace
