"""Small workspaces for the tests of the dashboard, and how a page is opened in them."""

from dataclasses import dataclass
from functools import partial
from pathlib import Path

import pandas as pd
import pytest
import torch
from streamlit.testing.v1 import AppTest

from recsys_core import pipeline
from recsys_core.actions.data import ingest, ingest_shop
from recsys_core.actions.models import train
from recsys_core.data.simulate import ShopSize, simulate_shop, write_shop
from recsys_core.store.workspace import Workspace

APP = Path(__file__).resolve().parents[1] / "app.py"
TIMEOUT_S = 60
VERIFIED_PEOPLE = 20
SIZE = ShopSize(n_users=150, n_items=120, n_events=4_500)
TINY = (
    "epochs=2",
    "patience=2",
    "max_length=10",
    "embedding_size=8",
    "n_blocks=1",
    "n_heads=1",
    "encoder=none",
)
HOSTILE = (
    "<script>alert(1)</script>",
    "![x](http://evil.example/a.png)",
    "[x](http://evil.example)",
    "http://evil.example",
    ":material/delete:",
    ":red[x]",
    "**b** _i_ `c` $x$",
    "\N{RIGHT-TO-LEFT OVERRIDE}evil",
    "=HYPERLINK(1)",
)


@dataclass(frozen=True, slots=True)
class BuiltWorkspace:
    """A workspace and the ids of what is in it."""

    home: Path
    dataset: str
    popularity: str
    item_knn: str
    transformer: str


def build_workspace(home: Path, scratch: Path) -> BuiltWorkspace:
    """A small simulated shop, and three models that learnt from it, their badges from 20 people."""
    write_shop(simulate_shop(0, SIZE), scratch)
    workspace = Workspace.open(home)
    dataset = ingest_shop(workspace, "Test shop", scratch).record.id
    n_threads = torch.get_num_threads()
    torch.set_num_threads(1)  # tiny tensors: more threads would only wait for each other
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(pipeline, "verify_method", partial(pipeline.verify_method, n_people=VERIFIED_PEOPLE))
        popularity, item_knn, transformer = (
            train(workspace, dataset, ranker, f"Test {ranker}", "quick", 0, changes).id
            for ranker, changes in (("popularity", ()), ("item-knn", ()), ("transformer", TINY))
        )
    torch.set_num_threads(n_threads)
    return BuiltWorkspace(home, dataset, popularity, item_knn, transformer)


def build_hostile_workspace(home: Path, scratch: Path) -> BuiltWorkspace:
    """A data set in which every name is hostile, with a model."""
    n = len(HOSTILE)
    rows = [
        (f"{HOSTILE[u % n]} {u}", f"{HOSTILE[i % n]} {i}", 1_700_000_000 + 100 * u + i)
        for u in range(24)
        for i in range(u % 5, 14, 1 + u % 3)
    ]
    scratch.mkdir(parents=True, exist_ok=True)
    paths = [scratch / f"{name}.csv" for name in ("interactions", "items", "users")]
    pd.DataFrame(rows, columns=["user_id", "item_id", "timestamp"]).to_csv(paths[0], index=False)
    items = sorted({row[1] for row in rows})
    pd.DataFrame({"item_id": items, "title": items, "category": items}).to_csv(paths[1], index=False)
    users = sorted({row[0] for row in rows})
    groups = [HOSTILE[number % 2] for number in range(len(users))]
    pd.DataFrame({"user_id": users, HOSTILE[0]: groups}).to_csv(paths[2], index=False)
    workspace = Workspace.open(home)
    dataset = ingest(workspace, HOSTILE[0], *paths).record.id
    models = [
        train(workspace, dataset, "popularity", f"{HOSTILE[number]}", "quick").id for number in (1, 4, 5)
    ]
    return BuiltWorkspace(home, dataset, *models)


def open_page(page: str, /, **query: str) -> AppTest:
    """A page of the dashboard, run once; `page` is "home", "data" and so on, `query` is the URL's."""
    app = AppTest.from_file(str(APP), default_timeout=TIMEOUT_S)
    for name, value in {"lang": "en", **query}.items():
        app.query_params[name] = value
    app.run()
    return app if page == "home" else app.switch_page(f"pages/{page}.py").run()


def in_chinese(app: AppTest, page: str, *kept: str) -> AppTest:
    """A page in another session, in Chinese, with the parts of the first one's state that are named."""
    again = AppTest.from_file(str(APP), default_timeout=TIMEOUT_S)
    for name in kept:
        again.session_state[name] = app.session_state[name]
    for name, value in {**app.query_params, "lang": "zh"}.items():
        again.query_params[name] = value
    again.run()
    return again.switch_page(f"pages/{page}.py").run()


def texts(app: AppTest) -> str:
    """Everything that is written on a page, widgets apart, in its order of kinds."""
    kinds = (app.title, app.subheader, app.markdown, app.caption, app.error, app.warning)
    return "\n".join(str(element.value) for elements in kinds for element in elements)
