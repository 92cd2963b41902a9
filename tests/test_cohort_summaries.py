"""What the reasons of many people have in common; and explaining them from the page, as a job."""

from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from app_workspace import BuiltWorkspace, open_page, texts
from streamlit.testing.v1 import AppTest

from recsys_core.actions.cohort_summaries import (
    CommonReason,
    cohort_groups,
    reasons_file,
    summarise_reasons,
)
from recsys_core.actions.cohorts import (
    EXPLAIN,
    SCHEMA,
    CohortPlan,
    people_where,
    run_explaining,
    submit_explaining,
)
from recsys_core.actions.models import LoadedModel, open_model
from recsys_core.errors import DataError, StoreError
from recsys_core.store import jobs
from recsys_core.store.reporter import run_job
from recsys_core.store.workspace import Workspace

Row = tuple[str, int, str, float, float]


@pytest.fixture
def workspace(own_shop: BuiltWorkspace, monkeypatch: pytest.MonkeyPatch) -> Workspace:
    """A workspace of one's own, in which jobs wait until the test does their work."""
    monkeypatch.setattr(jobs, "_start", lambda *_: None)
    monkeypatch.setattr(jobs, "START_S", float("inf"))  # however long the test's own work takes
    return Workspace.open(own_shop.home)


@pytest.fixture
def model(own_shop: BuiltWorkspace, workspace: Workspace) -> LoadedModel:
    return open_model(workspace, own_shop.item_knn)


def work(workspace: Workspace, job_id: str) -> None:
    """Does a job's work here."""
    run_job(workspace, job_id, {EXPLAIN: lambda spec, reporter: run_explaining(workspace, spec, reporter)})


def written(path: Path, rows: list[Row]) -> Path:
    """A file of reasons: person, rank, history item, contribution, δ."""
    table = pd.DataFrame(rows, columns=["user_id", "rank", "history_item_id", "attribution", "delta"])
    full = table.assign(item_id="x", score=0.0, position=1, method="counts")
    pq.write_table(pa.Table.from_pandas(full[SCHEMA.names], SCHEMA, preserve_index=False), path)
    return path


def people_because_of(item: str, numbers: range) -> list[Row]:
    return [(f"u{n}", 1, own, value, 0.01) for n in numbers for own, value in ((item, 0.9), ("weak", 0.5))]


def test_the_strongest_reason_of_eleven_people_is_named_and_that_of_ten_is_not(tmp_path: Path) -> None:
    rows = people_because_of("a", range(11)) + people_because_of("b", range(11, 21))
    found = summarise_reasons(written(tmp_path / "reasons.parquet", rows))
    assert found.reasons == (CommonReason("a", 11),)
    assert found.n_people == 21
    assert summarise_reasons(tmp_path / "reasons.parquet", least=12).reasons == ()


def test_events_of_an_item_count_together_and_other_ranks_do_not_count(tmp_path: Path) -> None:
    rows: list[Row] = []
    for number in range(12):
        rows += [(f"u{number}", 1, item, value, 0.0) for item, value in (("a", 0.4), ("b", 0.6), ("a", 0.4))]
        rows += [(f"u{number}", 2, "c", 9.0, -0.5)]
    found = summarise_reasons(written(tmp_path / "reasons.parquet", rows))
    assert found.reasons == (CommonReason("a", 12),)
    assert found.largest_delta == 0.5


@pytest.mark.parametrize(("n", "shown"), [(0, 0), (10, None), (11, 11)])
def test_how_many_have_no_reason_is_told_of_eleven_people_or_none(
    tmp_path: Path, n: int, shown: int | None
) -> None:
    rows = people_because_of("a", range(20)) + [(f"v{own}", 1, "a", -1.0, 0.0) for own in range(n)]
    assert summarise_reasons(written(tmp_path / "reasons.parquet", rows)).n_without_reason == shown


def test_a_method_without_a_sum_has_no_largest_delta(tmp_path: Path) -> None:
    rows: list[Row] = [(f"u{number}", 1, "a", 1.0, float("nan")) for number in range(12)]
    assert np.isnan(summarise_reasons(written(tmp_path / "reasons.parquet", rows)).largest_delta)


def test_a_damaged_file_is_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "reasons.parquet").write_bytes(b"PAR1")
    with pytest.raises(StoreError, match=r"reasons.parquet can't be read; explain the cohort again"):
        summarise_reasons(tmp_path / "reasons.parquet")


def test_small_groups_and_their_neighbours_make_no_cohort(model: LoadedModel) -> None:
    users = model.data.dataset.users
    n = len(users)
    sizes = {"many": n - 17, "few": 5, "some": 12}
    users["colour"] = np.repeat(list(sizes), list(sizes.values()))
    assert cohort_groups(model, "colour") == ["many"]
    with pytest.raises(DataError, match="no attribute 'shoes'; attributes are"):
        cohort_groups(model, "shoes")


def test_a_job_for_fewer_than_eleven_people_is_refused(workspace: Workspace, model: LoadedModel) -> None:
    users = model.data.dataset.users
    where = tuple(f"{name}={users[name].iloc[0]}" for name in model.data.attributes)
    assert len(people_where(model, where)) < 11
    with pytest.raises(DataError, match="fewer than 11 people are in the cohort"):
        submit_explaining(workspace, model.record.id, CohortPlan(where=where))
    assert jobs.list_jobs(workspace) == []


def test_only_a_finished_job_of_explaining_has_a_file(workspace: Workspace, model: LoadedModel) -> None:
    job = submit_explaining(workspace, model.record.id, CohortPlan(k=1))
    with pytest.raises(DataError, match=r"\(explain\) is queued"):
        reasons_file(workspace, job)
    work(workspace, job.id)
    done = jobs.show(workspace, job.id)
    path = reasons_file(workspace, done)
    assert pq.read_metadata(path).num_rows == (done.result or {})["n_rows"]
    path.unlink()
    with pytest.raises(StoreError, match="is gone; explain the cohort again"):
        reasons_file(workspace, done)


def shown(app: AppTest, alt: str) -> pd.DataFrame:
    return next(table.value for table in app.dataframe if table.proto.alt == alt)


@pytest.mark.slow
def test_the_page_starts_a_job_stops_it_and_shows_what_came_of_the_next(
    workspace: Workspace, model: LoadedModel
) -> None:
    app = open_page("explain", model=model.record.id, k="3")
    app.button(key="cohort_start").click().run()
    (job,) = jobs.list_jobs(workspace)
    assert job.spec["plan"]["k"] == 3
    assert app.button(key="cohort_start").disabled
    app.button(key="cohort_cancel").click().run()
    assert jobs.show(workspace, job.id).state == "cancelled"
    assert "resuming goes on behind the people who were done" in texts(app)
    app.button(key="cohort_start").click().run()
    work(workspace, jobs.list_jobs(workspace)[0].id)
    app.run()
    done = jobs.list_jobs(workspace)[0]
    figures = {metric.label: metric.value for metric in app.metric}
    assert figures["People"] == str((done.result or {})["n_people"])
    common = summarise_reasons(reasons_file(workspace, done)).reasons
    if common:
        table = shown(app, "Items that are the strongest reason for the first recommendation of most people")
        assert table["n"].tolist() == [own.n_people for own in common]
    assert not app.exception and not app.error


@pytest.mark.slow
def test_the_page_offers_groups_and_explains_one(workspace: Workspace, model: LoadedModel) -> None:
    attribute = model.data.attributes[0]
    app = open_page("explain", model=model.record.id)
    app.selectbox(key="cohort_attribute").set_value(attribute).run()
    assert app.selectbox(key=f"cohort_group_{attribute}").options == cohort_groups(model, attribute)
    app.button(key="cohort_start").click().run()
    (job,) = jobs.list_jobs(workspace)
    assert job.spec["plan"]["where"] == [f"{attribute}={cohort_groups(model, attribute)[0]}"]
    assert app.button(key="cohort_cancel").label == "Cancel"
    assert not app.exception and not app.error


@pytest.mark.slow
def test_jobs_names_the_work_and_leads_to_explain(workspace: Workspace, model: LoadedModel) -> None:
    job = submit_explaining(workspace, model.record.id, CohortPlan(k=1))
    work(workspace, job.id)
    app = open_page("jobs")
    assert "Explain everybody's lists by “Test item\\-knn”" in texts(app)
    app.button(key="open_job_model").click().run()
    assert app.title[0].value == "Explain"
    assert not app.exception and not app.error
