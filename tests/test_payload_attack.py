"""Nothing of a group under eleven people, and no raw id, is in anything that a page sends."""

import json
import re
import shutil
from dataclasses import dataclass
from itertools import product
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import streamlit as st
from app_workspace import open_page
from payload import Payload, record
from small_groups import build_small_groups, people, person_id, values
from streamlit.testing.v1 import AppTest

from recsys_core.actions.data import LoadedDataset
from recsys_core.store.workspace import Workspace

SHIELD = "little"  # the group beside the rare club, whose size or mean would tell it


@dataclass(frozen=True, slots=True)
class Clubs:
    """The workspace with the small groups."""

    home: Path
    first: str
    second: str


@pytest.fixture(scope="module")
def kept_clubs(tmp_path_factory: pytest.TempPathFactory) -> Clubs:
    folder = tmp_path_factory.mktemp("clubs")
    _, _, models = build_small_groups(folder / "home", folder / "files")
    return Clubs(folder / "home", *models)


@pytest.fixture
def clubs(kept_clubs: Clubs, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Clubs:
    """A copy of the workspace, in which audits may be kept."""
    st.cache_resource.clear()
    shutil.copytree(kept_clubs.home, tmp_path / "home")
    monkeypatch.setenv("RECLENS_HOME", str(tmp_path / "home"))
    return Clubs(tmp_path / "home", kept_clubs.first, kept_clubs.second)


@pytest.fixture
def sent(clubs: Clubs, monkeypatch: pytest.MonkeyPatch) -> Payload:
    return record(monkeypatch)


def secret_groups() -> dict[str, pd.Index]:
    """Who is in every group of under 11 people, by label, and in the one that would tell the rare club."""
    users = people().set_index("user_id")
    crossed = users["gender"] + " × " + users["club"]
    labels = [*users.items(), ("both", crossed)]
    small = {
        str(group): own.index for _, column in labels for group, own in users.groupby(column) if len(own) < 11
    }
    return small | {SHIELD: users.index[users["club"] == SHIELD]}


def secret_figures(systems: tuple[int, ...] = (0, 1)) -> dict[str, float]:
    """Means, sums and gaps of the secret groups under the systems: what must not be found anywhere."""
    found = dict[str, float]()
    for (name, own), shift in product(secret_groups().items(), systems):
        of_all = values(shift)
        inside, outside = of_all[own], of_all.drop(own)
        found |= {
            f"{name} mean {shift}": inside.mean(),
            f"{name} sum {shift}": inside.sum(),
            f"{name} gap {shift}": inside.mean() - outside.mean(),
            f"{name} rest {shift}": outside.mean(),
        }
    for name, own in secret_groups().items():
        found[f"{name} gain"] = (values(0) - values(1))[own].mean()
    # one with few decimals, such as a half, would be found wherever something else is one
    return {name: figure for name, figure in found.items() if abs(figure - round(figure, 2)) > 1e-4}


def is_secret_row(cells: list[str]) -> bool:
    """Whether a row is of a secret group, which is named in it alone or after its attribute."""
    ends = {cell.rpartition(": ")[2] for cell in cells}
    return not ends.isdisjoint(secret_groups())


def assert_nothing_given_away(sent: Payload, systems: tuple[int, ...] = (0, 1)) -> None:
    assert sent.messages
    numbers = sent.numbers[np.abs(sent.numbers) < 1e9]
    for name, figure in secret_figures(systems).items():
        assert np.abs(numbers - figure).min() > 1e-9, name
        if " mean " in name:  # of all figures at four decimals, some would be found by chance
            written = [round(figure, digits) for digits in (4, 5, 6)]
            written += [round(100 * figure, digits) for digits in (2, 3)]
            assert not np.isin(np.round(numbers, 9), written).any(), name
    for table in sent.tables:
        for _, row in table.iterrows():
            cells = [str(cell) for cell in row if isinstance(cell, str)]
            told = [cell for cell in row if isinstance(cell, int | float) and not pd.isna(cell)]
            assert not (is_secret_row(cells) and told), row.to_dict()
    for spec in sent.specs:
        drawn = re.findall(r'"([^"]*)"', json.dumps(spec, ensure_ascii=False))
        assert not is_secret_row(drawn)


def assert_no_raw_ids(texts: list[str]) -> None:
    everything = "\n".join(texts)
    assert "person~" not in everything and "item~" not in everything


def assert_files_hide(files: dict[str, bytes]) -> None:
    """Rows of secret groups have no figure in any file."""
    for name, content in files.items():
        if not name.endswith((".html", ".json", ".csv")):
            continue  # the logo, and other pictures
        text = content.decode("utf-8-sig")
        rows = re.findall(r"<tr>.*?</tr>", text, re.DOTALL) if name.endswith(".html") else text.splitlines()
        rows = [] if name.endswith(".json") else rows
        for row in rows:
            cells = [cell.strip(' "') for cell in re.split(r"<[^>]*>|,", row) if cell.strip()]
            if is_secret_row(cells):
                reasons = re.sub(r"(fewer than|under|少于) ?\d+", "", row)
                assert not re.search(
                    r"\d+\.\d|(?<![\w.\"@-])\d+(?![\w.%-])", re.sub(r"<[^>]*>", " ", reasons)
                ), row
        for row in _json_rows(json.loads(text) if name.endswith(".json") else None):
            if is_secret_row([str(row.get("group"))]):
                told = [
                    value
                    for key, value in row.items()
                    if isinstance(value, int | float) and value is not True
                ]
                assert not [value for value in told if value is not False], (name, row)


def _json_rows(found: object) -> list[dict[str, object]]:
    if isinstance(found, dict):
        inside = [row for value in found.values() for row in _json_rows(value)]
        return [found, *inside] if "group" in found else inside
    return [row for value in found for row in _json_rows(value)] if isinstance(found, list) else []


def fairness(clubs: Clubs, lang: str = "en") -> AppTest:
    """The page after an audit by everything that there is, all its parts asked for."""
    app = open_page("fairness", model=clubs.first, lang=lang)
    app.multiselect(key="fairness_by").set_value(["gender", "club", "town"]).run()
    app.multiselect(key="fairness_crossed").set_value(["gender*club"]).run()
    app.multiselect(key="fairness_more").set_value(["hr@10"]).run()
    app.button(key="fairness_run").click().run()
    for key in ("why_run", "mitigation_run"):
        if key in [button.key for button in app.button]:
            app.button(key=key).click().run()
    for attribute in ("club", "gender*club"):
        app.segmented_control(key="fairness_attribute").set_value(attribute).run()
        assert not app.exception and not app.error
    return app


def test_the_search_finds_what_a_page_would_give_away(
    clubs: Clubs, sent: Payload, monkeypatch: pytest.MonkeyPatch
) -> None:
    from ui import answers

    def hide_nothing(workspace: Workspace, data: LoadedDataset) -> dict[str, frozenset[str]]:
        return {name: frozenset() for name in data.attributes}

    monkeypatch.setattr(answers, "hidden_sizes", hide_nothing)
    open_page("data")
    with pytest.raises(AssertionError, match=r"little|rare"):
        assert_nothing_given_away(sent)


def test_fairness_tells_nothing_of_small_groups_in_page_tooltips_charts_tables_and_files(
    clubs: Clubs, sent: Payload, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RECLENS_AUDIT_PEOPLE", "false")  # else people are on the screen, by their ids
    fairness(clubs)
    assert {"audit.html", "audit.json"} <= set(sent.files) and len(sent.tables) > 5 and len(sent.specs) > 2
    assert_nothing_given_away(sent, (0,))
    assert_files_hide(sent.files)
    assert_no_raw_ids(sent.texts)


def test_files_of_an_audit_name_nobody_even_where_the_screen_does(clubs: Clubs, sent: Payload) -> None:
    fairness(clubs)
    assert any("person~" in text for text in sent.texts)
    written = {name: content for name, content in sent.files.items() if name.startswith("audit.")}
    assert written
    assert_no_raw_ids([content.decode("utf-8-sig") for content in written.values()])


def test_report_tells_nothing_of_small_groups_in_preview_and_in_any_format(
    clubs: Clubs, sent: Payload
) -> None:
    fairness(clubs)
    sent.messages.clear()
    sent.offered.clear()
    app = open_page("report")
    assert not app.exception and not app.error
    assert {"report.html", "report.json", "report.csv"} <= set(sent.files)
    assert_nothing_given_away(sent, (0,))
    assert_files_hide(sent.files)
    assert_no_raw_ids(sent.texts)


def test_compare_tells_nothing_of_small_groups(clubs: Clubs, sent: Payload) -> None:
    app = open_page("compare", model=clubs.first, other=clubs.second)
    app.multiselect(key="compare_by").set_value(["gender", "club", "town"]).run()
    assert not app.exception and not app.error
    assert_nothing_given_away(sent)
    assert_files_hide({name: own for name, own in sent.files.items() if "group" in name})
    assert "person~" not in "\n".join(own.decode("utf-8", "replace") for own in sent.files.values())


@pytest.mark.parametrize("page", ["home", "data", "train", "jobs"])
def test_pages_without_people_tell_nothing_of_small_groups_and_name_nobody(
    clubs: Clubs, sent: Payload, page: str
) -> None:
    app = open_page(page)
    assert not app.exception and not app.error
    assert_nothing_given_away(sent)
    assert_no_raw_ids(sent.texts)


@pytest.mark.parametrize("page", ["explore", "compare"])
def test_where_people_may_not_be_seen_no_page_leads_to_one_by_any_way(
    clubs: Clubs, sent: Payload, monkeypatch: pytest.MonkeyPatch, page: str
) -> None:
    other = {"other": clubs.second} if page == "compare" else {}
    open_page(page, model=clubs.first, user=person_id(3), **other)
    allowed = list(sent.texts)
    monkeypatch.setenv("RECLENS_AUDIT_PEOPLE", "false")
    sent.messages.clear()
    sent.offered.clear()
    app = open_page(page, model=clubs.first, user=person_id(3), **other)
    assert not app.exception and not app.error
    assert any(person_id(4) in text for text in allowed)
    assert any("This server shows groups only" in text for text in sent.texts)
    assert_no_raw_ids([text.replace(person_id(3), "") for text in sent.texts])  # the link's own comes back


def test_the_made_people_are_as_the_search_believes(clubs: Clubs) -> None:
    from recsys_core.actions.models import open_model

    model = open_model(Workspace.open(clubs.home), clubs.first)
    found = pd.Series(model.test.per_person("ndcg@10"), index=pd.Index(model.data.dataset.users["user_id"]))
    assert found.to_dict() == pytest.approx(values(0).to_dict())
    assert set(secret_groups()) == {"rare", "F × rare", "M × rare", SHIELD}
    assert {"rare mean 0", f"{SHIELD} mean 1", "F × rare sum 0", "rare gain"} <= set(secret_figures())
    assert person_id(0) in found.index
