"""A data set with a club of seven people, and lists whose figures for it nothing else comes near."""

from pathlib import Path

import numpy as np
import pandas as pd

from recsys_core.actions.data import ingest, open_dataset
from recsys_core.actions.imported import import_recommendations
from recsys_core.data.split import targets
from recsys_core.store.workspace import Workspace

CLUBS = {
    "north": 120,
    "south": 70,
    "little": 43,
    "rare": 7,
}  # shown beside north and south, little tells rare
N_ITEMS, N_EVENTS = 40, 9
NOT_LISTED, LONGEST = 99, 10
PLACES = {"north": (1, 6, 99, 99), "south": (99, 2, 7), "little": (2, 3, 99, 5, 9), "rare": (1, 3, 2)}


def person_id(number: int) -> str:
    """An id that can't stand in a page by accident."""
    return f"person~{number:05d}~id"


def people() -> pd.DataFrame:
    """240 people with a gender, a club, and a town that cuts across both."""
    clubs = np.repeat(list(CLUBS), list(CLUBS.values()))
    numbers = np.arange(len(clubs))
    return pd.DataFrame(
        {
            "user_id": [person_id(number) for number in numbers],
            "gender": np.where(numbers % 2 == 0, "F", "M"),
            "club": clubs,
            "town": np.array(["Harbour", "Hill", "Meadow"])[numbers % 3],
        }
    )


def values(shift: int) -> pd.Series:
    """Everybody's NDCG@10 under either system, by hand: 1 / log2(1 + place), 0 behind the list."""
    users = people()
    places = np.array([place_of(number, club, shift) for number, club in enumerate(users["club"])])
    return pd.Series(
        np.where(places < NOT_LISTED, 1 / np.log2(1 + places), 0.0), index=pd.Index(users["user_id"])
    )


def place_of(number: int, club: str, shift: int) -> int:
    """Where a person's held-out item is on their list."""
    return PLACES[club][(number + shift) % len(PLACES[club])]


def build_small_groups(home: Path, scratch: Path) -> tuple[Workspace, str, tuple[str, str]]:
    """The workspace, the data set, and two models: lists of one system and of another."""
    scratch.mkdir(parents=True, exist_ok=True)
    users = people()
    rng = np.random.default_rng(5)
    events = [
        (user, f"item~{item:04d}", 1_700_000_000 + 1_000 * number + 10 * place)
        for number, user in enumerate(users["user_id"])
        for place, item in enumerate(rng.permutation(N_ITEMS)[:N_EVENTS])
    ]
    files = [scratch / "interactions.csv", scratch / "users.csv"]
    pd.DataFrame(events, columns=["user_id", "item_id", "timestamp"]).to_csv(files[0], index=False)
    users.to_csv(files[1], index=False)
    workspace = Workspace.open(home)
    dataset = ingest(workspace, "Clubs", files[0], None, files[1]).record.id
    lists = _lists(workspace, dataset, users, 0), _lists(workspace, dataset, users, 1)
    models = [
        import_recommendations(workspace, dataset, _written(own, scratch / f"{name}.csv"), name).record.id
        for name, own in zip(("First system", "Second system"), lists, strict=True)
    ]
    return workspace, dataset, (models[0], models[1])


def _lists(workspace: Workspace, dataset: str, users: pd.DataFrame, shift: int) -> pd.DataFrame:
    """Everybody's held-out item at the place that their club gives them, among items they don't know."""
    data = open_dataset(workspace, dataset)
    held_out = targets(data.dataset, data.split, "test")
    clubs = users.set_index("user_id")["club"]
    rows = list[tuple[str, str, int]]()
    for number, user in enumerate(map(str, data.dataset.users["user_id"])):
        known = set(data.dataset.events[number].tolist())
        others = [item for item in range(1, N_ITEMS + 1) if item not in known and item != held_out[number]]
        place = place_of(int(user.split("~")[1]), clubs[user], shift)
        listed = [*others[: place - 1], int(held_out[number]), *others[place - 1 :]][:LONGEST]
        rows += [(user, data.dataset.item_ids[item], rank) for rank, item in enumerate(listed, start=1)]
    return pd.DataFrame(rows, columns=["user_id", "item_id", "rank"])


def _written(table: pd.DataFrame, path: Path) -> Path:
    table.to_csv(path, index=False)
    return path
