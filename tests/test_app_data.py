"""Data: what is found in files before anything is kept, what is kept, and what wrong files are told."""

from pathlib import Path

import pytest
from app_workspace import HOSTILE, BuiltWorkspace, open_page, texts
from streamlit.testing.v1 import AppTest

from recsys_core.actions.data import open_dataset
from recsys_core.store.workspace import Workspace
from ui.text import safe

pytestmark = pytest.mark.slow  # many processes are started

INTERACTIONS = "who,what,at,stars\n" + "".join(
    f"u{user},i{item},{1_700_000_000 + 60 * (10 * user + item)},{1 + (user + item) % 5}\n"
    for user in range(12)
    for item in range(6)
)
USERS = "who,band\n" + "".join(f"u{user},{'young' if user % 2 else 'old'}\n" for user in range(12))
ROLES = {"role_user_id": "who", "role_item_id": "what", "role_timestamp_s": "at", "role_rating": "stars"}


def handed_in(content: str | bytes, name: str = "log.csv", **others: str) -> AppTest:
    app = open_page("data")
    if app.get("button_group") and "data_view" in app.session_state:
        app.segmented_control(key="data_view").set_value("import").run()
    files = {"interactions": content, **others}
    for kind, text in files.items():
        raw = text if isinstance(text, bytes) else text.encode()
        app.file_uploader(key=f"upload_{kind}").upload(name if kind == "interactions" else f"{kind}.csv", raw)
    return app.run()


def checked(app: AppTest, name: str = "Mine", **roles: str) -> AppTest:
    for key, column in roles.items():
        app.selectbox(key=key).set_value(column)
    app.run()
    app.text_input(key="data_name").set_value(name)
    return app.button(key="check_files").click().run()


def words(app: AppTest) -> str:
    return texts(app).replace("\\", "").replace("\u2060", "")


def kept_names(home: Path) -> list[str]:
    return [record.name for record in Workspace.open(home).datasets()]


def test_empty_page_says_what_to_begin_with(empty_home: Path) -> None:
    app = open_page("data")
    assert "Begin with the interactions" in texts(app)
    assert [uploader.key for uploader in app.file_uploader] == [
        "upload_interactions", "upload_items", "upload_users"
    ]  # fmt: skip


def test_columns_and_name_are_guessed_and_shown(empty_home: Path) -> None:
    app = handed_in("user_id,movie_id,rating,timestamp\n1,2,5,1700000000\n", "My films.csv")
    assert app.text_input(key="data_name").value == "My films"
    guessed = {key: app.selectbox(key=key).value for key in ROLES}
    assert list(guessed.values()) == ["user_id", "movie_id", "timestamp", "rating"]
    assert app.dataframe[0].value.iloc[0].tolist() == ["1", "2", "5", "1700000000"]


def test_unguessed_columns_are_chosen_checked_and_kept(empty_home: Path) -> None:
    app = checked(handed_in(INTERACTIONS), **ROLES)
    assert not app.error
    assert [metric.value for metric in app.metric] == ["72", "12", "6", "0.00%", "0"]
    assert kept_names(empty_home) == []
    app.button(key="keep_files").click().run()
    assert kept_names(empty_home) == ["Mine"]
    assert app.segmented_control(key="data_view").value == "sets"
    assert [metric.value for metric in app.metric] == ["72", "12", "6", "0.00%", "0"]


def test_nothing_can_be_kept_before_the_check(empty_home: Path) -> None:
    app = handed_in(INTERACTIONS)
    assert app.button(key="keep_files").disabled


def test_another_choice_asks_for_another_check(empty_home: Path) -> None:
    app = checked(handed_in(INTERACTIONS), **ROLES)
    assert not app.button(key="keep_files").disabled
    app.selectbox(key="role_rating").set_value(None).run()
    assert app.button(key="keep_files").disabled


def test_rating_that_was_taken_away_is_not_guessed_again(empty_home: Path) -> None:
    app = handed_in("user_id,movie_id,rating,timestamp\n1,2,5,1700000000\n1,3,1,1700000001\n")
    app.number_input(key="min_rating").set_value(4.0).run()
    app = checked(app)
    assert app.metric[0].value == "1"
    app = checked(app, role_rating=None)
    assert app.metric[0].value == "2"


def test_rows_set_aside_are_shown_with_their_reasons(empty_home: Path) -> None:
    app = checked(handed_in(INTERACTIONS + "u1,,1700000000,3\nu1,i1,tomorrow,3\n"), **ROLES)
    assert app.metric[4].value == "2"
    rejected = app.dataframe[-1].value
    assert rejected["Row"].tolist() == [74, 75]
    assert "no item id" in rejected["Reason"][0]
    assert "'tomorrow'" in rejected["Reason"][1]
    assert app.download_button(key="check_rejected_csv")


def test_people_are_described_by_their_other_columns(empty_home: Path) -> None:
    app = handed_in(INTERACTIONS, users=USERS)
    app.selectbox(key="role_users_user_id").set_value("who").run()
    assert "Attributes that an audit can compare by: band" in words(app)


@pytest.mark.parametrize(
    ("content", "name", "told"),
    [
        ("", "empty.csv", "empty"),
        (b"\x89PNG\r\n\x1a\n" + bytes(range(256)) * 8, "picture.csv", "picture.csv"),
        (b"PK\x03\x04 no zip at all", "data.zip", "zip"),
    ],
)
def test_unreadable_file_is_a_sentence_and_nothing_is_kept(
    content: str | bytes, name: str, told: str, empty_home: Path
) -> None:
    app = handed_in(content, name)
    assert not app.exception
    assert len(app.error) == 1
    assert told in words(app)
    assert "Nothing was kept." in words(app)
    assert kept_names(empty_home) == []


@pytest.mark.parametrize(
    ("content", "told"),
    [
        ("colour,item_id,timestamp\nred,i1,1700000000\n", "no column looks like the person's id"),
        (
            "user_id,item_id,timestamp\nu1,i1,soon\nu2,i2,later\n",
            "no time can be read in the column 'timestamp'",
        ),
        ("user_id,item_id\n,i1\nu1,\n", "none of its 2 rows can be used"),
    ],
)
def test_unusable_rows_are_a_sentence_and_nothing_can_be_kept(
    content: str, told: str, empty_home: Path
) -> None:
    app = checked(handed_in(content))
    assert not app.exception
    assert told in app.error[0].value.replace("\\", "")
    assert app.button(key="keep_files").disabled
    assert "Nothing was kept." in words(app)
    assert kept_names(empty_home) == []


def test_taken_name_is_a_sentence(own_shop: BuiltWorkspace) -> None:
    app = checked(handed_in(INTERACTIONS), name="Test shop", **ROLES)
    app.button(key="keep_files").click().run()
    assert "Test shop" in words(app)
    assert app.error
    assert kept_names(own_shop.home) == ["Test shop"]


def test_path_on_the_server_is_read(empty_home: Path, tmp_path: Path) -> None:
    file = tmp_path / "log.csv"
    file.write_text("user_id,item_id,timestamp\nu1,i1,1700000000\n")
    app = open_page("data")
    app.segmented_control(key="import_way").set_value("path").run()
    app.text_input(key="path_interactions").set_value(str(file)).run()
    assert app.selectbox(key="role_user_id").value == "user_id"


def test_path_that_is_not_there_is_a_sentence(empty_home: Path, tmp_path: Path) -> None:
    app = open_page("data")
    app.segmented_control(key="import_way").set_value("path").run()
    app.text_input(key="path_interactions").set_value(str(tmp_path / "gone.csv")).run()
    assert "There is no file or folder" in words(app)


def test_served_to_others_only_the_import_folder_is_read(
    empty_home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("streamlit.get_option", lambda name: "0.0.0.0")
    app = open_page("data")
    app.segmented_control(key="import_way").set_value("path").run()
    app.text_input(key="path_interactions").set_value("/etc/passwd").run()
    assert "files are read from" in words(app).lower()
    assert not app.dataframe


def test_kept_data_set_shows_its_figures_and_groups(shop: BuiltWorkspace) -> None:
    app = open_page("data")
    counts = Workspace.open(shop.home).resolve("dataset", shop.dataset).details
    assert app.metric[0].value == f"{counts['n_interactions']:,}"
    assert app.metric[1].value == "150"
    sizes = next(table.value for table in app.dataframe if "group" in table.value)
    assert {"age_band", "gender", "region"} == set(sizes["attribute"])
    assert sizes["n"].dropna().min() >= 11
    assert len(app.get("plotly_chart")) == 2


def test_data_set_with_models_is_not_deleted(own_shop: BuiltWorkspace) -> None:
    app = open_page("data")
    app.button(key="delete_dataset").click().run()
    assert "models were learnt from it" in words(app)
    assert kept_names(own_shop.home) == ["Test shop"]


def test_data_set_without_models_is_deleted(empty_home: Path) -> None:
    app = checked(handed_in(INTERACTIONS), **ROLES)
    app.button(key="keep_files").click().run()
    app.button(key="delete_dataset").click().run()
    assert kept_names(empty_home) == []
    assert "Begin with the interactions" in texts(app)


def test_hostile_columns_and_cells_are_literal(empty_home: Path) -> None:
    header = ",".join(f'"{name}"' for name in HOSTILE[:4])
    app = handed_in(f"user_id,item_id,{header}\nu1,i1,{header}\n", name="<b>.csv")
    assert not app.exception
    assert app.dataframe[0].value.columns.tolist()[2:] == list(HOSTILE[:4])
    for element in [*app.markdown, *app.caption, *app.error]:
        assert all(name not in element.value or safe(name) in element.value for name in HOSTILE)


def test_data_are_split_by_time_where_that_is_chosen(empty_home: Path) -> None:
    lines = [f"u{n % 12},i{n % 7 + n // 12},{1_700_000_000 + 60 * n}" for n in range(120)]
    app = checked(handed_in("\n".join(["user_id,item_id,timestamp", *lines, ""])))
    app.selectbox(key="split_kind").set_value("time").run()
    app.button(key="keep_files").click().run()
    assert not app.error
    kept = open_dataset(Workspace.open(empty_home), "Mine")
    minutes = (kept.dataset.timestamp_s - 1_700_000_000) / 60  # the 120 events came a minute apart
    test, valid = (minutes[rows.items] for rows in (kept.split.test_rows, kept.split.valid_rows))
    assert test.min() >= 108
    assert 96 <= valid.min() <= valid.max() < 108
