"""A shop with people enough for halves that are compared by group."""

from functools import partial
from pathlib import Path

import pytest
from app_workspace import BuiltWorkspace

from recsys_core import pipeline
from recsys_core.actions.data import ingest_shop
from recsys_core.actions.models import train
from recsys_core.data.simulate import ShopSize, simulate_shop, write_shop
from recsys_core.store.workspace import Workspace

SIZE = ShopSize(n_users=420, n_items=130, n_events=12_600)


def build_wider_shop(home: Path, scratch: Path) -> BuiltWorkspace:
    """420 people and two models, their badges from five people; the third is the second again."""
    write_shop(simulate_shop(2, SIZE), scratch)
    workspace = Workspace.open(home)
    dataset = ingest_shop(workspace, "Wider shop", scratch).record.id
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(pipeline, "verify_method", partial(pipeline.verify_method, n_people=5))
        popularity, item_knn = (
            train(workspace, dataset, ranker, f"Test {ranker}", "quick").id
            for ranker in ("popularity", "item-knn")
        )
    return BuiltWorkspace(home, dataset, popularity, item_knn, item_knn)
