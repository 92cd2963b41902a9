"""Group figures of any command: what one answer showed, the next may not turn into a small group's figure."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from command import Command
from small_groups import NOT_LISTED, people

from recsys_core.actions.disclosures import keep_shown, shown_before
from recsys_core.actions.group_answers import disclose, members_of
from recsys_core.actions.models import open_model
from recsys_core.errors import DataError
from recsys_core.fairness.audit import audit
from recsys_core.fairness.disclosure import Shown, hidden_beside, packed
from recsys_core.fairness.result import AuditSettings
from recsys_core.store.workspace import Workspace

FIRST, SECOND = "First system", "Second system"


def suppressed(found: list[dict[str, object]], attribute: str) -> set[str]:
    return {str(row["group"]) for row in found if row["attribute"] == attribute and row["suppressed"]}


def table(n: int = 60) -> pd.DataFrame:
    """Half F, half M; the first five of either live in town x."""
    towns = np.where(np.arange(n) % (n // 2) < 5, "x", "y")
    return pd.DataFrame(
        {"user_id": [str(i) for i in range(n)], "gender": ["F"] * (n // 2) + ["M"] * (n // 2), "town": towns}
    )


def shown_of(users: pd.DataFrame, members: np.ndarray, by: str, hidden: tuple[str, ...] = ()) -> Shown:
    return Shown(by, (), hidden, packed(members), len(users))


def test_a_group_that_loses_a_few_people_is_refused_though_all_lose_many():
    users = table()
    everybody = np.ones(60, dtype=bool)
    fewer = everybody.copy()
    fewer[[0, *range(30, 45)]] = False  # one F, and fifteen M
    with pytest.raises(DataError, match="could be told apart by the difference"):
        hidden_beside([shown_of(users, everybody, "gender")], users, fewer, ["gender"], 11)


def test_people_who_differ_by_many_in_every_group_are_answered():
    users = table()
    everybody = np.ones(60, dtype=bool)
    fewer = everybody.copy()
    fewer[[*range(12), *range(30, 45)]] = False
    found = hidden_beside([shown_of(users, everybody, "gender")], users, fewer, ["gender"], 11)
    assert found == {"gender": frozenset()}


def test_a_group_that_was_hidden_before_stays_hidden():
    users = table()
    everybody = np.ones(60, dtype=bool)
    found = hidden_beside(
        [shown_of(users, everybody, "gender", ("F", "M"))], users, everybody, ["gender"], 11
    )
    assert found == {"gender": frozenset({"F", "M"})}


def test_an_audit_of_people_of_whom_a_group_lost_one_is_refused():
    users = table(400).assign(town="z")
    values = pd.Series(np.tile([0.0, 1.0], 200), index=users["user_id"])
    settings = AuditSettings(("gender",), draws=200)
    first = audit(values, users, settings)
    fewer = values.drop([*map(str, range(200, 240)), "0"])
    with pytest.raises(DataError, match="could be told apart"):
        audit(fewer, users, settings, first.shown)


def test_a_comparison_by_groups_hides_what_audits_hide_and_is_recorded(clubs: Command):
    found = clubs.json("compare", FIRST, SECOND, "--by", "club", "--by", "gender")
    assert suppressed(found["by_group"], "club") == {"rare", "little"}
    (record,) = (clubs.workspace / "shown").iterdir()
    assert {row["by"] for row in json.loads(record.read_text())} == {"club", "gender"}


def test_what_one_command_hides_the_next_hides_too(clubs: Command):
    alone = clubs.json("audit", FIRST, "--by", "gender*club", "--draws", "200")
    after = clubs.json("compare", FIRST, SECOND, "--by", "club")
    assert {"rare", "little"} <= suppressed(after["by_group"], "club")
    again = clubs.json("audit", FIRST, "--by", "gender*club", "--draws", "200")
    assert again["by_group"] == alone["by_group"]


def shown_of_lists(clubs: Command) -> list[dict[str, str]]:
    """The record of figures of lists, whatever other records there are."""
    (record,) = [path for path in (clubs.workspace / "shown").iterdir() if "." not in path.stem]
    return json.loads(record.read_text())


def test_leakage_and_feedback_are_about_the_people_of_audits_and_are_recorded(clubs: Command):
    clubs.json("audit", FIRST, "--by", "gender", "--draws", "200")
    found = clubs.json("leakage", "knn", "--by", "club", "--permutations", "19")
    assert {row["group"] for row in found["groups"]} == {"north"}  # of two shown groups one says it all
    rows = shown_of_lists(clubs)
    assert {row["by"]: set(row["hidden"]) for row in rows}["club"] == {"rare", "little"}
    clubs.json("feedback", "knn", "--by", "town", "--rounds", "1", "--seeds", "1")
    rows = shown_of_lists(clubs)
    assert len({row["people"] for row in rows}) == 1 and "town" in {row["by"] for row in rows}


def test_attack_and_explanations_have_records_of_their_own(clubs: Command):
    clubs.json("membership", "knn", "--by", "gender", "--draws", "200")
    clubs.json("explanation-parity", "knn", "--by", "gender", "--people", "60", "--draws", "200")
    names = {path.name.partition(".")[2] for path in (clubs.workspace / "shown").iterdir()}
    assert names == {"membership.json", "explanations.json"}
    told = clubs.refusal("explanation-parity", "knn", "--by", "gender", "--people", "61", "--draws", "200")
    assert "fewer than 11 people could be told apart" in told and "about far fewer people" in told


def test_a_description_of_one_person_more_is_refused(clubs: Command):
    found = clubs.json("describe", "knn", "--people", "100")
    assert clubs.json("describe", "knn", "--people", "100") == found
    shown = {row["group"] for row in found["cohorts"] if row["attribute"] == "club"}
    assert shown <= {"north", "south"}
    assert "could be told apart" in clubs.refusal("describe", "knn", "--people", "101")


def test_an_answer_about_all_people_but_a_few_is_refused_and_not_recorded(clubs: Command):
    workspace = Workspace.open(clubs.workspace)
    data = open_model(workspace, FIRST).data
    disclose(workspace, data, members_of(data, range(240)), ["gender"])
    before = shown_before(workspace, data.record.id)
    with pytest.raises(DataError, match="could be told apart"):
        disclose(workspace, data, members_of(data, range(239)), ["gender"])
    assert shown_before(workspace, data.record.id) == before
    keep_shown(workspace, data.record.id, before)
    assert shown_before(workspace, data.record.id) == before


def test_a_raised_threshold_hides_more_in_audits_plans_and_comparisons(clubs: Command):
    assert clubs.json("settings")["minimum_group"] == 11
    assert clubs.json("settings", "--minimum-group", "50")["minimum_group"] == 50
    found = clubs.json("audit", FIRST, "--by", "club", "--draws", "200")
    assert suppressed(found["by_group"], "club") >= {"rare", "little"}
    shown = [row["n"] for row in found["by_group"] if not row["suppressed"]]
    assert shown and min(shown) >= 50
    gains = clubs.json("compare", FIRST, SECOND, "--by", "club")["by_group"]
    assert {row["group"] for row in gains if not row["suppressed"]} <= {"north", "south"}


@pytest.mark.parametrize("wanted", ["10", "0", "1001"])
def test_a_threshold_under_eleven_or_beyond_reason_is_refused(clubs: Command, wanted: str):
    told = clubs.refusal("settings", "--minimum-group", wanted)
    assert f"the privacy threshold is {wanted}; 11 to 1,000 are allowed" in told
    assert clubs.json("settings")["minimum_group"] == 11


def test_the_command_of_an_audit_under_its_own_threshold_names_it(clubs: Command, tmp_path: Path):
    words = ("--by", "club", "--draws", "200", "--minimum-group", "40")
    kept = clubs.json("audit", FIRST, *words)["audit"]
    clubs.json("report", kept, "--out", str(tmp_path / "new" / "report.html"))
    assert "--minimum-group 40" in (tmp_path / "new" / "report.html").read_text()
    assert "minimum_group is 5; it must be 11 or more" in clubs.refusal(
        "audit", FIRST, "--by", "club", "--minimum-group", "5"
    )


def test_caches_go_and_nothing_else(clubs: Command):
    cache = clubs.workspace / "cache"
    (cache / "encoder").mkdir(parents=True, exist_ok=True)
    (cache / "encoder" / "vectors.npy").write_bytes(b"x" * 1_000)
    before = clubs.json("list", "models")
    found = clubs.json("settings", "--clear-caches")
    assert found["freed_bytes"] == 1_000
    storage = {row["folder"]: row for row in found["storage"]}
    assert storage["cache"] == {"folder": "cache", "files": 0, "bytes": 0}
    assert storage["datasets"]["bytes"] > 1_000 and storage["models"]["files"] >= 2
    assert clubs.json("list", "models") == before
    assert {"python", "torch", "reclens"} <= set(found["versions"]) and found["device"]


def test_a_damaged_threshold_shows_nothing_until_it_is_mended(clubs: Command):
    (clubs.workspace / "preferences.json").write_text('{"minimum_group": 3}')
    done = clubs.run("audit", FIRST, "--by", "gender", "--draws", "200")
    assert done.code == 1 and "preferences.json of the workspace can't be used" in done.stderr


def test_lists_are_written_into_a_folder_that_is_made(clubs: Command, tmp_path: Path):
    out = tmp_path / "new" / "folder" / "lists.parquet"
    clubs.json("recommend", FIRST, "--all", "--k", "3", "--out", str(out))
    assert len(pd.read_parquet(out)) == 3 * len(people()) and NOT_LISTED > 3
    (tmp_path / "file").write_text("")
    told = clubs.refusal("recommend", FIRST, "--all", "--out", str(tmp_path / "file" / "lists.parquet"))
    assert "can't be made" in told
    assert "is a folder; name a file in it" in clubs.refusal(
        "recommend", FIRST, "--all", "--out", str(tmp_path)
    )
