"""The simulated shop: what it promises is recomputed here from its tables alone."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from recsys_core.data.simulate import Shop, ShopSize, simulate_shop, write_shop
from recsys_core.data.simulate_truth import read_truth
from recsys_core.errors import ConfigError, StoreError
from recsys_core.files import sha256_of

SMALL = ShopSize(n_users=100, n_items=120, n_events=3_000)
YEAR_2025_S = (1_735_689_600, 1_767_225_600)  # first second, first second of the year after
FILES = ("interactions.csv", "items.csv", "users.csv", "truth.json")


@pytest.fixture(scope="module")
def shop() -> Shop:
    return simulate_shop(7)


@pytest.fixture(scope="module")
def honest(shop: Shop) -> pd.DataFrame:
    """The interactions of those accounts that have a person behind them."""
    fraudulent = shop.interactions["user_id"].isin(list(shop.truth.fraudulent_accounts))
    return shop.interactions[~fraudulent]


@pytest.fixture(scope="module")
def histories(honest: pd.DataFrame) -> dict[str, list[str]]:
    """Each person's distinct items in the order in which they came to them."""
    first = honest.drop_duplicates(["user_id", "item_id"])
    return {str(user): list(items) for user, items in first.groupby("user_id")["item_id"]}


def of_one_person(shop: Shop, histories: dict[str, list[str]], column: str) -> pd.Series:
    return shop.users.set_index("user_id")[column].loc[list(histories)]


def hashes(seed: int, folder: Path) -> list[str]:
    write_shop(simulate_shop(seed, SMALL), folder)
    return [sha256_of(folder / name) for name in FILES]


def test_same_seed_writes_the_same_bytes(tmp_path: Path) -> None:
    assert hashes(3, tmp_path / "once") == hashes(3, tmp_path / "again")


def test_another_seed_writes_other_bytes_in_every_file(tmp_path: Path) -> None:
    pairs = zip(hashes(3, tmp_path / "three"), hashes(4, tmp_path / "four"), strict=True)
    assert all(three != four for three, four in pairs)


def test_default_shop_has_the_wanted_size(shop: Shop) -> None:
    assert (len(shop.users), len(shop.items)) == (1_500, 1_000)
    assert len(shop.interactions) == pytest.approx(100_000, rel=0.05)
    assert shop.interactions["user_id"].nunique() == 1_500


def test_ids_and_titles_are_unique(shop: Shop) -> None:
    assert shop.users["user_id"].is_unique
    assert shop.items["item_id"].is_unique
    assert shop.items["title"].is_unique


def test_every_description_is_two_finished_sentences(shop: Shop) -> None:
    assert shop.items["text"].str.fullmatch(r"[A-Z][^{}]*\. [A-Z][^{}]*\.").all()
    assert not shop.items["text"].str.contains(r"\b[Aa] [aeiou]").any()


def test_there_are_twelve_categories_and_25_providers(shop: Shop) -> None:
    parts = shop.items["category"].str.split("|", regex=False)
    assert set(parts.str[0]) == {"Books", "Films"}
    assert parts.str[1].nunique() == 12
    assert shop.items["provider"].nunique() == 25


def test_rows_are_in_order_of_time_within_one_year(shop: Shop) -> None:
    time = shop.interactions["timestamp_s"]
    assert time.dtype == np.int64
    assert time.is_monotonic_increasing
    assert time.min() >= YEAR_2025_S[0]
    assert time.max() < YEAR_2025_S[1]


def test_every_row_names_a_known_person_and_item(shop: Shop) -> None:
    assert shop.interactions["user_id"].isin(shop.users["user_id"]).all()
    assert shop.interactions["item_id"].isin(shop.items["item_id"]).all()


def test_search_text_stands_on_search_rows_alone(shop: Shop) -> None:
    searched = shop.interactions["event"] == "search"
    assert ((shop.interactions["search_text"] != "") == searched).all()
    assert searched.sum() > 1_000


def test_dwell_stands_on_views_and_clicks_alone(shop: Shop) -> None:
    has_length = shop.interactions["event"].isin(["view", "click"])
    assert (shop.interactions["dwell_s"].notna() == has_length).all()
    assert (shop.interactions["dwell_s"].dropna() > 0).all()


def test_people_stay_longer_with_what_they_like(honest: pd.DataFrame) -> None:
    liked = honest.loc[honest["event"] == "like", ["user_id", "item_id"]].assign(liked=True)
    clicks = honest[honest["event"] == "click"].merge(liked, how="left", on=["user_id", "item_id"])
    with_like, without = (clicks.loc[clicks["liked"].notna() == side, "dwell_s"] for side in (True, False))
    assert with_like.median() > 1.5 * without.median()


def test_few_purchases_are_of_something_bought_before(honest: pd.DataFrame) -> None:
    bought = honest[honest["event"] == "purchase"]
    assert 0 < bought.duplicated(["user_id", "item_id"]).mean() < 0.05


def test_a_few_per_cent_of_attributes_are_missing(shop: Shop) -> None:
    missing = (shop.users[["age_band", "gender", "region"]] == "").mean()
    assert missing.between(0.01, 0.06).all()


def test_activity_and_popularity_have_long_tails(histories: dict[str, list[str]]) -> None:
    lengths = np.array([len(history) for history in histories.values()])
    assert np.mean(lengths >= 8) > 0.85
    assert lengths.max() > 4 * np.median(lengths)
    popularity = pd.Series(np.concatenate(list(histories.values()))).value_counts()
    assert popularity.iloc[:100].sum() > 0.2 * popularity.sum()


def test_about_a_third_of_the_items_have_a_cause(shop: Shop) -> None:
    effects = [rule.effect for rule in shop.truth.rules]
    assert len(effects) == len(set(effects))
    assert 0.29 < len(effects) / len(shop.items) < 0.36


def test_a_film_of_a_book_bears_its_title(shop: Shop) -> None:
    title = shop.items.set_index("item_id")["title"]
    films = [rule for rule in shop.truth.rules if rule.kind == "film of the book"]
    assert len(films) > 30
    assert all(title[rule.effect] == f"{title[rule.cause]} (film)" for rule in films)


def test_rules_come_true_far_more_often_than_by_chance(shop: Shop, histories: dict[str, list[str]]) -> None:
    visits = pd.Series(np.concatenate(list(histories.values()))).value_counts(normalize=True)
    n_tested = n_clear = 0
    for rule in shop.truth.rules:
        came_true = follow_ups(rule.cause, rule.effect, histories)
        if len(came_true) >= 20:
            by_chance = min(1.0, 5 * visits[rule.effect])  # Boole's bound for five draws
            p_value = stats.binomtest(sum(came_true), len(came_true), by_chance, "greater").pvalue
            n_tested += 1
            n_clear += p_value < 1e-6
    assert n_tested > 200
    assert n_clear == n_tested


def test_rules_come_true_about_as_often_as_stated(shop: Shop, histories: dict[str, list[str]]) -> None:
    stated, seen = [], []
    for rule in shop.truth.rules:
        came_true = follow_ups(rule.cause, rule.effect, histories)
        stated += [rule.probability] * len(came_true)
        seen += came_true
    assert 0.93 * np.mean(stated) < np.mean(seen) < 1.02 * np.mean(stated)


def follow_ups(cause: str, effect: str, histories: dict[str, list[str]]) -> list[bool]:
    """For each person with five items after the cause and none of the effect before: did it follow?"""
    came_true: list[bool] = []
    for history in histories.values():
        if cause in history:
            at = history.index(cause)
            if at + 5 < len(history) and effect not in history[:at]:
                came_true.append(effect in history[at + 1 : at + 6])
    return came_true


def test_each_realised_cause_is_a_rule_and_lies_within_the_last_five_items(
    shop: Shop, histories: dict[str, list[str]]
) -> None:
    rules = {(rule.effect, rule.cause) for rule in shop.truth.rules}
    for user, pairs in shop.truth.realised_causes.items():
        place = {item: number for number, item in enumerate(histories[user])}
        assert all(pair in rules for pair in pairs)
        assert all(1 <= place[effect] - place[cause] <= 5 for effect, cause in pairs)


def test_rules_explain_a_third_to_a_half_of_the_last_items(
    shop: Shop, histories: dict[str, list[str]]
) -> None:
    cause = {rule.effect: rule.cause for rule in shop.truth.rules}
    explained = [cause.get(history[-1]) in history[-6:-1] for history in histories.values()]
    assert 0.35 < np.mean(explained) < 0.5


def test_one_age_band_has_the_shorter_histories(shop: Shop, histories: dict[str, list[str]]) -> None:
    age_band = of_one_person(shop, histories, "age_band")
    lengths = pd.Series({user: len(history) for user, history in histories.items()})
    group, others = lengths[age_band == "65+"], lengths[~age_band.isin(["65+", ""])]
    truth = shop.truth.shorter_history_group
    assert (truth.attribute, truth.group) == ("age_band", "65+")
    assert truth.mean_length == pytest.approx(group.mean(), abs=1e-3)
    assert truth.others_mean_length == pytest.approx(others.mean(), abs=1e-3)
    assert group.mean() < 0.4 * others.mean()
    assert stats.mannwhitneyu(group, others, alternative="less").pvalue < 1e-10


def test_the_other_age_bands_have_histories_of_like_length(
    shop: Shop, histories: dict[str, list[str]]
) -> None:
    age_band = of_one_person(shop, histories, "age_band")
    lengths = pd.Series({user: len(history) for user, history in histories.items()})
    bands = [lengths[age_band == band] for band in sorted(set(age_band) - {"65+", ""})]
    assert len(bands) == 5
    assert stats.kruskal(*bands).pvalue > 0.01


def test_gender_has_nothing_to_do_with_length(shop: Shop, histories: dict[str, list[str]]) -> None:
    gender = of_one_person(shop, histories, "gender")
    lengths = pd.Series({user: len(history) for user, history in histories.items()})
    groups = [lengths[gender == name] for name in sorted(set(gender) - {""})]
    assert len(groups) == 3
    assert stats.kruskal(*groups).pvalue > 0.01


def test_gender_has_nothing_to_do_with_the_favourite_category(
    shop: Shop, histories: dict[str, list[str]]
) -> None:
    assert favourite_category_p_value(shop, histories, "gender", ("female", "male")) > 0.01


def test_age_has_something_to_do_with_the_favourite_category(
    shop: Shop, histories: dict[str, list[str]]
) -> None:
    assert favourite_category_p_value(shop, histories, "age_band", ("25-34", "55-64")) < 0.01


def favourite_category_p_value(
    shop: Shop, histories: dict[str, list[str]], column: str, groups: tuple[str, ...]
) -> float:
    """Chi-square over people (rows of one person depend on each other): group by most frequent category."""
    category = dict(zip(shop.items["item_id"], shop.items["category"].str.split("|").str[1], strict=True))
    favourite = pd.Series(
        {
            user: pd.Series([category[item] for item in history]).mode()[0]
            for user, history in histories.items()
        }
    )
    attribute = of_one_person(shop, histories, column)
    chosen = attribute.isin(list(groups))
    table = pd.crosstab(attribute[chosen], favourite[chosen])
    return stats.chi2_contingency(table).pvalue  # pyright: ignore[reportAttributeAccessIssue]


def test_one_provider_is_seen_less_and_liked_as_much(shop: Shop, honest: pd.DataFrame) -> None:
    truth = shop.truth.less_exposed_provider
    items = shop.items[shop.items["provider"] == truth.provider]
    counts = honest.assign(theirs=honest["item_id"].isin(items["item_id"])).value_counts(["theirs", "event"])
    views, others_views = counts[True, "view"], counts[False, "view"]
    likes, others_likes = counts[True, "like"], counts[False, "like"]
    assert truth.n_items == len(items)
    assert truth.views_per_item == pytest.approx(views / len(items), abs=1e-3)
    assert truth.others_views_per_item == pytest.approx(others_views / (1_000 - len(items)), abs=1e-3)
    assert truth.like_rate == pytest.approx(likes / views, abs=1e-4)
    assert truth.others_like_rate == pytest.approx(others_likes / others_views, abs=1e-4)
    assert truth.views_per_item < 0.5 * truth.others_views_per_item
    table = [[likes, views - likes], [others_likes, others_views - others_likes]]
    assert stats.chi2_contingency(table).pvalue > 0.01  # pyright: ignore[reportAttributeAccessIssue]


def test_no_rule_leads_to_the_less_exposed_provider_from_outside(shop: Shop) -> None:
    provider = shop.items.set_index("item_id")["provider"]
    hidden = shop.truth.less_exposed_provider.provider
    causes = [rule.cause for rule in shop.truth.rules if provider[rule.effect] == hidden]
    assert causes
    assert all(provider[cause] == hidden for cause in causes)


def test_fraudulent_accounts_buy_one_providers_items_like_clockwork(shop: Shop) -> None:
    truth = shop.truth
    provider = shop.items.set_index("item_id")["provider"]
    assert len(truth.fraudulent_accounts) == 8
    for account in truth.fraudulent_accounts:
        rows = shop.interactions[shop.interactions["user_id"] == account]
        assert set(rows["event"]) == {"purchase"}
        assert set(provider[rows["item_id"]]) == {truth.fraud_provider}
        assert share_of_gaps(rows["timestamp_s"], truth.fraud_interval_s) > 0.9


def test_nobody_else_keeps_the_fraudulent_rhythm(shop: Shop, honest: pd.DataFrame) -> None:
    shares = [
        share_of_gaps(times, shop.truth.fraud_interval_s)
        for _, times in honest.groupby("user_id")["timestamp_s"]
    ]
    assert max(shares) < 0.3


def share_of_gaps(times: pd.Series, gap_s: int) -> float:
    return float(np.mean(np.diff(times) == gap_s))


def test_truth_survives_its_file(shop: Shop, tmp_path: Path) -> None:
    write_shop(shop, tmp_path)
    assert read_truth(tmp_path / "truth.json") == shop.truth


def test_tables_survive_their_files(shop: Shop, tmp_path: Path) -> None:
    write_shop(shop, tmp_path)
    for name, table in (("interactions", shop.interactions), ("items", shop.items), ("users", shop.users)):
        text_columns = table.columns.drop(["timestamp_s", "dwell_s"], errors="ignore")
        read = pd.read_csv(tmp_path / f"{name}.csv", dtype=dict.fromkeys(text_columns, "str"))
        read[text_columns] = read[text_columns].fillna("")
        pd.testing.assert_frame_equal(read, table)


@pytest.mark.parametrize("seed", range(6))
def test_the_smallest_shop_has_every_truth_planted(seed: int) -> None:
    truth = simulate_shop(seed, SMALL).truth
    assert truth.less_exposed_provider.n_items > 0
    assert len(truth.fraudulent_accounts) == 2
    assert len(truth.rules) > 20
    assert truth.shorter_history_group.mean_length < truth.shorter_history_group.others_mean_length


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: ShopSize(n_users=99), r"n_users is 99, but 100 to 1,000,000 are allowed"),
        (lambda: ShopSize(n_items=200_001), r"n_items is 200,001, but 120 to 200,000 are allowed"),
        (lambda: ShopSize(n_users=0, n_items=0), r"n_users is 0.*; n_items is 0"),
        (lambda: ShopSize(n_events=44_999), r"n_events is 44,999.* allow 45,000 to 375,000$"),
        (lambda: ShopSize(100, 120, 3_001), r"n_events is 3,001.* allow 3,000 to 3,000"),
        (lambda: simulate_shop(-1, SMALL), r"the seed is -1, but it must be 0 or more"),
    ],
)
def test_impossible_shop_is_refused(make: Callable[[], object], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        make()


def test_a_file_in_the_place_of_the_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / "shop").write_text("in the way", encoding="utf-8")
    with pytest.raises(StoreError, match="could not make the folder shop"):
        write_shop(simulate_shop(0, SMALL), tmp_path / "shop")
