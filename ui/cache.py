"""What is kept in memory between runs: the workspace, and opened data sets and models by id.

The key is always a record's id: records never change, and hashing what is in them would cost more than
opening them again.
"""

from collections.abc import Callable
from pathlib import Path

import streamlit as st

from recsys_core.actions.data import LoadedDataset, open_dataset, open_report
from recsys_core.actions.models import LoadedModel, open_model
from recsys_core.config import Environment
from recsys_core.data.mapping import Kind
from recsys_core.data.readers import Preview
from recsys_core.data.validate import ValidationReport
from recsys_core.store.workspace import Workspace

KEPT_DATASETS = 4
KEPT_MODELS = 8
KEPT_PREVIEWS = 24
KEPT_CHECKS = 8


def workspace() -> Workspace:
    """The workspace of this server, opened once.

    Raises:
        StoreError: it can't be used.
    """
    environment = Environment()
    return _open_workspace(str(environment.home), environment.database_url)


def dataset(dataset_id: str) -> LoadedDataset:
    """A data set with its split.

    Raises:
        NotFoundError: there is none of that id.
        StoreError: a file of it is damaged.
    """
    opened = workspace()
    return _open_dataset(opened, opened.resolve("dataset", dataset_id).id, str(opened.home))


def model(model_id: str) -> LoadedModel:
    """A model, ready to rank; its data set is shared with the other models that learnt from it.

    Raises:
        NotFoundError: there is none of that id.
        StoreError: a file of it is damaged.
    """
    opened = workspace()
    return _open_model(opened, opened.resolve("model", model_id).id, str(opened.home))


def report(dataset_id: str) -> ValidationReport:
    """The account of the import of a data set.

    Raises:
        StoreError: a file of it is damaged.
    """
    opened = workspace()
    return _open_report(opened, opened.resolve("dataset", dataset_id).id, str(opened.home))


def forget() -> None:
    """Lets go of everything that is kept in memory, of all sessions; it is opened or worked out again."""
    st.cache_resource.clear()


@st.cache_resource(show_spinner=False, max_entries=KEPT_PREVIEWS)
def preview_of(mark: str, kind: Kind, _look: Callable[[], Preview]) -> Preview:
    """The first rows of a file; `mark` is the same as long as it is the same file."""
    return _look()


@st.cache_resource(show_spinner=False, max_entries=KEPT_CHECKS)
def check_of(mark: str, _check: Callable[[], ValidationReport]) -> ValidationReport:
    """What would come of files; `mark` stands for the files and for all that was said about them."""
    return _check()


@st.cache_resource(show_spinner=False)
def _open_workspace(home: str, database_url: str | None) -> Workspace:
    return Workspace.open(Path(home), database_url)


@st.cache_resource(show_spinner=False, max_entries=KEPT_DATASETS)
def _open_dataset(_workspace: Workspace, dataset_id: str, home: str) -> LoadedDataset:
    return open_dataset(_workspace, dataset_id)


@st.cache_resource(show_spinner=False, max_entries=KEPT_MODELS)
def _open_model(_workspace: Workspace, model_id: str, home: str) -> LoadedModel:
    record = _workspace.resolve("model", model_id)
    return open_model(_workspace, model_id, _open_dataset(_workspace, record.dataset_id, home))


@st.cache_resource(show_spinner=False, max_entries=KEPT_DATASETS)
def _open_report(_workspace: Workspace, dataset_id: str, home: str) -> ValidationReport:
    return open_report(_workspace, _workspace.resolve("dataset", dataset_id))
