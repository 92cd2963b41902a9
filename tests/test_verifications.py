"""The leaderboard of methods, cohorts, and badges that stay with a model and are shown with explanations."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
from app_workspace import BuiltWorkspace
from command import Command

from recsys_core.actions.models import open_model
from recsys_core.actions.verifications import checked_methods, run_verification, submit_verification
from recsys_core.data.dataset import Dataset, build_dataset
from recsys_core.errors import ConfigError, DataError
from recsys_core.explain.badges import badge_for, people_of
from recsys_core.explain.faithfulness import REMOVALS, Verification, verify
from recsys_core.explain.leaderboard import Leaderboard, leaderboard
from recsys_core.explain.orders import RIVALS, ItemKnowledge
from recsys_core.explain.scoring import Question
from recsys_core.ranker.neighbours import WHOLE_HISTORY, NeighbourRanker
from recsys_core.store.workspace import Workspace

N_ITEMS = 30


def random_sum(seed: int = 0) -> NeighbourRanker:
    """A ranker that sums random weights of both signs."""
    weights = np.random.default_rng(seed).normal(size=(N_ITEMS + 1, N_ITEMS + 1))
    weights[0] = weights[:, 0] = 0
    return NeighbourRanker(sp.csr_matrix(weights), 1.0, WHOLE_HISTORY)


def questions_of(n: int) -> list[Question]:
    generator = np.random.default_rng(4)
    orders = [generator.permutation(np.arange(1, N_ITEMS + 1)) for _ in range(n)]
    lengths = generator.integers(3, 16, n)
    return [
        Question(order[1 : 1 + length], int(order[0]), order[1 : 1 + length])
        for order, length in zip(orders, lengths, strict=True)
    ]


def knowledge() -> ItemKnowledge:
    generator = np.random.default_rng(9)
    vectors = generator.normal(size=(N_ITEMS + 1, 8))
    return ItemKnowledge(
        generator.random(N_ITEMS + 1), vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    )


@pytest.fixture(scope="module")
def found() -> Leaderboard:
    return leaderboard(random_sum(), questions_of(200), ("counts",), knowledge(), seed=3, k=5)


def test_the_terms_of_a_sum_stand_level_with_the_ceiling_and_above_all_rivals(found: Leaderboard):
    names = [standing.name for standing in found.standings]
    assert set(names[:2]) == {"counts", "leave-one-out"}
    assert set(names[2:]) == set(RIVALS)
    roles = {standing.name: standing.role for standing in found.standings}
    assert (roles["counts"], roles["leave-one-out"], roles["recency"]) == ("method", "ceiling", "rival")


def test_the_terms_of_a_sum_foretell_every_removal(found: Leaderboard):
    (counts,) = [standing for standing in found.standings if standing.name == "counts"]
    for removal in REMOVALS:
        assert counts.infidelity[removal] == pytest.approx(0, abs=1e-9)
    assert counts.relative_delta < 1e-5
    assert counts.verification is not None and counts.verification.verified


def test_rivals_have_no_values_and_no_badge(found: Leaderboard):
    (recency,) = [standing for standing in found.standings if standing.name == "recency"]
    assert np.isnan([recency.infidelity["mask-in-place"], recency.relative_delta, recency.seconds]).all()
    assert recency.verification is None


def test_the_badge_of_the_leaderboard_is_the_one_of_verify(found: Leaderboard):
    (counts,) = [standing for standing in found.standings if standing.name == "counts"]
    alone = verify(random_sum(), questions_of(200), "counts", knowledge(), seed=3)
    assert counts.verification is not None
    assert counts.verification.reason == alone.reason
    for own, other in zip(counts.verification.gains, alone.gains, strict=True):
        assert own.mean == pytest.approx(other.mean, abs=1e-6)
        assert own.ci_low == pytest.approx(other.ci_low, abs=1e-6)


def people(*bands: str) -> Dataset:
    users = [f"u{number}" for number in range(len(bands))]
    rows = [(user, item) for user in users for item in "ab"]
    interactions = pd.DataFrame(rows, columns=["user_id", "item_id"])
    columns = ("title", "text", "category", "provider", "image")
    items = pd.DataFrame({"item_id": ["a", "b"]}).assign(**dict.fromkeys(columns, ""))
    from recsys_core.data.schema import Tables

    return build_dataset(Tables(interactions, items, pd.DataFrame({"user_id": users, "age": list(bands)})))


def test_a_cohort_is_everybody_with_a_value():
    assert people_of(people("old", "young", "old", ""), "age=old").tolist() == [0, 2]
    assert people_of(people("old", "young"), "").tolist() == [0, 1]


@pytest.mark.parametrize(
    ("cohort", "sentence"),
    [
        ("old", "write attribute=value"),
        ("height=tall", "no attribute 'height' of people; attributes are age"),
        ("age=ancient", "nobody's age is 'ancient'; values are old, young"),
        ("age=", "nobody's age is ''; values are old, young"),
    ],
)
def test_a_cohort_that_is_not_there_says_what_is(cohort: str, sentence: str):
    with pytest.raises(DataError, match=sentence):
        people_of(people("old", "young", ""), cohort)


def badge(cohort: str, n_people: int = 200) -> Verification:
    return Verification("counts", n_people, True, "", (), {}, cohort)


def test_a_person_is_shown_the_newest_badge_of_their_own_cohort():
    data = people("old", "young")
    kept = [badge("age=old", 1), badge("age=old", 2), badge("age=young", 3), badge("", 4)]
    assert badge_for(kept, "counts", data, "u0") == kept[1]
    assert badge_for(kept, "counts", data, "u1") == kept[2]
    assert badge_for([kept[0], kept[3]], "counts", data, "u1") == kept[3]
    assert badge_for(kept[:2], "counts", data, "u1") is None
    assert badge_for(kept, "leave-one-out", data, "u0") is None


def test_a_method_that_is_not_there_is_refused():
    with pytest.raises(ConfigError, match=r"there is no method 'tea-leaves'; methods are .*counts"):
        checked_methods(["tea-leaves"])


def test_badges_stay_with_the_model_and_are_shown_with_explanations(own_shop: BuiltWorkspace):
    reclens = Command(own_shop.home)
    shown = reclens.json("verify", own_shop.item_knn, "--people", "30", "--k", "5")
    assert (shown["n_people"], shown["k"], shown["cohort"]) == (30, 5, "")
    by_name = {row["name"]: row for row in shown["standings"]}
    assert set(by_name) == {"counts", "leave-one-out", *RIVALS}
    assert by_name["counts"]["reason"] == "tested on 30 people; the badge needs 200"
    assert by_name["recency"]["verified"] is None
    opened = open_model(Workspace.open(own_shop.home), own_shop.item_knn)
    user = str(opened.data.dataset.users["user_id"].iloc[0])
    told = reclens.json("explain", own_shop.item_knn, "--user", user, "--method", "leave-one-out")
    assert told["reason"] == "tested on 30 people; the badge needs 200"
    for curves in told["curves"].values():
        assert set(curves) == {"leave-one-out", *RIVALS}
        for own in curves.values():
            assert own["deletion"][0] == own["insertion"][-1] == pytest.approx(told["score"], abs=1e-6)
            assert own["n_items"][0] == 0
            assert len(own["n_items"]) == len(own["deletion"]) == len(own["insertion"])
    (file,) = [name for name in opened.record.folder_sha256 if name.startswith("verification-")]
    kept = json.loads((Workspace.open(own_shop.home).folder(opened.record) / file).read_text())
    assert kept["figures"]["standings"] == shown["standings"]


def test_a_cohort_is_named_by_the_reason(own_shop: BuiltWorkspace):
    workspace = Workspace.open(own_shop.home)
    users = open_model(workspace, own_shop.item_knn).data.dataset.users
    value = str(users["gender"].loc[users["gender"] != ""].iloc[0])
    shown = Command(own_shop.home).json(
        "verify", own_shop.item_knn, "--method", "counts", "--cohort", f"gender={value}", "--people", "20"
    )
    reasons = [row["reason"] for row in shown["standings"] if row["reason"]]
    assert reasons == [f"tested on 20 people with gender={value}; the badge needs 200"]


def test_a_verification_is_a_job_as_well(own_shop: BuiltWorkspace, monkeypatch: pytest.MonkeyPatch):
    handed: list[object] = []
    workspace = Workspace.open(own_shop.home)
    monkeypatch.setattr("recsys_core.store.jobs.submit", lambda *given: handed.extend(given))
    submit_verification(workspace, own_shop.popularity, ["counts"], people=12)
    _, kind, spec, _ = handed
    assert kind == "verify"
    told: list[float] = []

    class Reporter:
        def progress(self, share: float, message: str) -> None:
            told.append(share)

        def check_cancelled(self) -> None:
            return

    result = run_verification(workspace, spec, Reporter())  # pyright: ignore[reportArgumentType]
    assert result["n_people"] == 12
    assert told == sorted(told) and told[-1] == 1.0


def test_what_can_not_be_verified_is_refused_in_a_sentence(shop: BuiltWorkspace):
    reclens = Command(Path(shop.home))
    assert "no method 'guess'" in reclens.refusal("verify", shop.item_knn, "--method", "guess")
    assert "doesn't fit this ranker" in reclens.refusal(
        "verify", shop.item_knn, "--method", "integrated-gradients", "--people", "12"
    )
    assert "no attribute 'height'" in reclens.refusal("verify", shop.item_knn, "--cohort", "height=tall")


def test_a_file_joins_a_model_once(own_shop: BuiltWorkspace):
    workspace = Workspace.open(own_shop.home)
    workspace.add_file("model", own_shop.item_knn, "note", lambda path: path.write_text("a"))
    with pytest.raises(DataError, match="has a file 'note' already"):
        workspace.add_file("model", own_shop.item_knn, "note", lambda path: path.write_text("b"))
    record = Workspace.open(own_shop.home).resolve("model", own_shop.item_knn)
    assert workspace.open_file(record, "note").read_text() == "a"
