"""The Report page: a kept audit, its parts, notes, preview and downloads."""

import json

import pytest
from app_workspace import HOSTILE, BuiltWorkspace, open_page, texts
from streamlit.testing.v1 import AppTest

from recsys_core.actions.audits import audit_model, keep_audit, open_audit
from recsys_core.actions.item_audits import audit_with
from recsys_core.actions.models import open_model
from recsys_core.fairness.result import AuditSettings
from recsys_core.store.workspace import Workspace


@pytest.fixture
def audited(own_shop: BuiltWorkspace) -> str:
    """The id of the only audit of the small shop."""
    workspace = Workspace.open(own_shop.home)
    model = open_model(workspace, own_shop.item_knn)
    settings = AuditSettings(("gender",), draws=200)
    items = audit_with(model, settings, ("provider",))
    return keep_audit(workspace, model, audit_model(model, settings), items).id


def preview(app: AppTest) -> str:
    """The HTML that the page shows in its frame."""
    (frame,) = app.get("iframe")
    return str(frame.proto.srcdoc)


def test_without_an_audit_the_page_leads_to_one(shop: BuiltWorkspace) -> None:
    app = open_page("report")
    assert "No audit has been kept yet" in texts(app)
    app.button(key="empty_audits").click().run()
    assert app.title[0].value == "Fairness"


def test_an_audit_is_named_by_model_attributes_metric_and_minute(audited: str) -> None:
    (label,) = open_page("report").selectbox(key="report_audit").options
    model, by, metric, moment = label.split(" · ")
    assert (model, by, metric) == ("Test item-knn", "gender", "NDCG@10")
    assert len(moment) == len("2026-01-31 12:00")


def test_a_kept_audit_is_shown_with_all_that_it_has(audited: str) -> None:
    app = open_page("report")
    assert not app.exception and not app.error
    html = preview(app)
    for words in ("By <bdi>gender</bdi>", "Items by <bdi>provider</bdi>", "Without profiles", "Article 38"):
        assert words in html
    assert "reclens audit" in app.code[0].value and "--items-by provider" in app.code[0].value


def test_parts_that_are_not_chosen_and_notes_show_in_the_preview_at_once(audited: str) -> None:
    app = open_page("report")
    app.pills[0].set_value(["rules"]).run()
    app.text_area(key="report_notes").set_value("Asked by the board\n<script>").run()
    html = preview(app)
    assert "By <bdi>gender</bdi>" not in html and "Article 38" in html
    assert "Asked by the board" in html and "&lt;script&gt;" in html and "<script" not in html


def test_the_page_speaks_chinese(audited: str) -> None:
    assert open_page("report", lang="zh").title[0].value == "报告"


def test_the_report_speaks_the_language_of_the_page_or_another_one(audited: str) -> None:
    app = open_page("report", lang="zh")
    assert '<html lang="zh">' in preview(app) and "按<bdi>性别</bdi>" in preview(app)
    app.segmented_control(key="report_language").set_value("en").run()
    assert '<html lang="en">' in preview(app) and app.title[0].value == "报告"


def test_hostile_names_stay_text_in_the_report(
    hostile: BuiltWorkspace, tmp_path_factory: pytest.TempPathFactory
) -> None:
    import shutil

    home = tmp_path_factory.mktemp("hostile report") / "home"
    shutil.copytree(hostile.home, home)
    workspace = Workspace.open(home)
    model = open_model(workspace, hostile.popularity)
    record = keep_audit(workspace, model, audit_model(model, AuditSettings((HOSTILE[0],), draws=200)))
    kept = open_audit(workspace, record.id)
    assert HOSTILE[0] in kept.evidence.extras.question
    assert json.loads(json.dumps(kept.evidence.to_record()))
