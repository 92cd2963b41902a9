"""The report in two languages: the same entries, the same figures, no English left over."""

import re
from dataclasses import replace
from string import Formatter

import pytest
from test_report import CONTEXT, RESULT, Page

from recsys_core.errors import ConfigError
from recsys_core.fairness.exposure_result import ItemAudit, ItemAuditSettings, ItemFigure, ItemGroupRow
from recsys_core.fairness.result import NotComputed
from recsys_core.report.audit_html import audit_html
from recsys_core.report.contents import Evidence, Extras, Fact, RateRow
from recsys_core.report.formats import report_json
from recsys_core.report.words import Language, Words, catalogue, checked_language

ZH = Words("zh")


def fields(text: str) -> set[str]:
    return {name for _, name, _, _ in Formatter().parse(text) if name}


def test_both_languages_have_the_same_entries_with_the_same_placeholders() -> None:
    english, chinese = catalogue("en"), catalogue("zh")
    assert set(english) == set(chinese)
    for key, entry in english.items():
        told = fields(chinese[key])
        assert told <= fields(entry) if key.endswith("_one") else told == fields(entry), key
        assert re.findall(r"<[^>]+>", entry) == re.findall(r"<[^>]+>", chinese[key]), key


def test_the_chinese_report_has_the_figures_of_the_english_one() -> None:
    pages = [Page(audit_html(RESULT, CONTEXT, language=language)) for language in ("en", "zh")]
    figures = [sorted(re.findall(r"−?\d+\.\d{4}", page.text)) for page in pages]
    assert figures[0] == figures[1] != []


def test_the_chinese_report_leaves_no_english_sentence() -> None:
    extras = Extras(
        question="q",
        data=(Fact("Interactions", "1,000"), Fact("People left out: nothing to test", "3")),
        model=(
            Fact("Its explanations", "not verified"),
            Fact("Reads", "the items of a person's history and the items' texts by MiniLM"),
        ),
        rates=(RateRow("gender", "F", 500, 0.3, 0.4, None, is_small=True),),
    )
    context = replace(CONTEXT, title="Audit of shop model", model="shop model (transformer, seed 7)")
    html = audit_html(RESULT, context, extras, language="zh")
    assert '<html lang="zh">' in html and "shop model 的审计" in html
    text = re.sub(r"<(pre|style|title).*?</\1>", " ", html, flags=re.DOTALL)
    left = re.sub(r"hidden: too small|insufficient data overall", "", re.sub(r"<[^>]+>", " ", text))
    assert re.findall(r"\b[A-Za-z]+ [a-z]+ [a-z]+\b", left) == []


@pytest.mark.parametrize(
    ("language", "none", "few"),
    [
        ("en", "no merit: nobody chose it", "too few people chose it"),
        ("zh", "没有人选择它", "选择它的人太少"),
    ],
)
def test_a_group_that_nobody_chose_is_told_from_one_that_a_few_chose(
    language: Language, none: str, few: str
) -> None:
    for n_merited, said, unsaid in ((0, none, few), (None, few, none)):
        groups = (
            ItemGroupRow("maker", "a", 5, 0.5, 60, 60),
            ItemGroupRow("maker", "b", 5, 0.5, 60, n_merited),
        )
        shares = (ItemFigure("maker", "a", "merit_share", 1.0, 1.0, 1.0),)
        items = ItemAudit(ItemAuditSettings(("maker",)), 60, 0, groups, shares, ())
        text = Page(audit_html(RESULT, CONTEXT, Extras(items=items), language=language)).text
        assert text.count(said) == 1 and unsaid not in text


def test_names_from_the_data_stay_text_in_chinese_too() -> None:
    hostile = "<img src=x onerror=alert(1)>{0}{model}"
    html = audit_html(
        RESULT, replace(CONTEXT, title=f"Audit of {hostile}", model=f"{hostile} (als, seed 1)"), language="zh"
    )
    assert "<img" not in html and "{0}{model} 的审计" in html


@pytest.mark.parametrize(
    ("reason", "said"),
    [
        (
            "hidden: it has fewer than 11 people, or would give away a group that has",
            "已隐藏：少于 11 人，或会泄露这样的组",
        ),
        (
            "insufficient data: fewer than 20 people with a non-zero hr@10",
            "数据不足：HR@10 不为零的不足 20 人",
        ),
        (
            "insufficient data: the reference, rest, has fewer than 20 people with a non-zero hr@10",
            "数据不足：比较对象（其余所有人）中HR@10 不为零的不足 20 人",
        ),
        (
            "missing attribute: 12 people, left out of every gap; insufficient data: fewer than 20 people "
            "with a non-zero ndcg@10",
            "缺少该属性：12 人，不计入任何差距；数据不足：NDCG@10 不为零的不足 20 人",
        ),
        ("something that nobody has translated", "something that nobody has translated"),
    ],
)
def test_reasons_are_told_in_chinese(reason: str, said: str) -> None:
    assert ZH.reason(reason) == said
    assert Words("en").reason(reason) == reason.replace("hr@10", "HR@10").replace("ndcg@10", "NDCG@10")


def test_every_reason_of_an_audit_is_known() -> None:
    from recsys_core.fairness.comparisons import NOBODY_ELSE, hidden_reason, insufficient_overall
    from recsys_core.fairness.exposure import FEW_MERIT, NO_MERIT, WITH_FEW
    from recsys_core.fairness.result import AuditSettings

    settings = AuditSettings(("gender",))
    reasons = [
        NOBODY_ELSE,
        hidden_reason(settings),
        insufficient_overall(settings).reason,
        FEW_MERIT.format(11),
        NO_MERIT,
        WITH_FEW,
    ]
    for reason in reasons:
        assert not re.search(r"[a-z]{3,} [a-z]{3,}", ZH.reason(reason)), reason


def test_the_question_is_asked_in_chinese() -> None:
    context = replace(CONTEXT, title="Audit of shop")
    asked = ZH.question(Evidence(context, Extras(question="q")), ("gender", "age"), "ndcg@10")
    assert asked == "无论性别、年龄如何，shop 对人们的服务是否同样好（以 NDCG@10 衡量）？"
    assert ZH.question(Evidence(context, Extras()), ("gender",), "ndcg@10") == ""


def test_json_is_the_same_in_every_language() -> None:
    result = replace(RESULT, not_computed=(NotComputed("job", "farmer", "hidden"),))
    assert report_json(result, Evidence(CONTEXT, Extras()))["context"]["title"] == CONTEXT.title


def test_a_language_that_there_is_not_is_refused() -> None:
    assert checked_language("zh") == "zh"
    with pytest.raises(ConfigError, match="languages are en, zh"):
        checked_language("fr")


def test_groups_that_share_a_reason_are_told_in_one_line_with_figures_as_people_write_them() -> None:
    few, missing = "insufficient data: fewer than 20 people with a non-zero ndcg@10", "missing attribute"
    rows = tuple(NotComputed("job", group, few) for group in ("clerk", "farmer", "writer"))
    rows += (NotComputed("job", "unknown", f"{missing}: 1656 people, left out of every gap"),)
    html = audit_html(replace(RESULT, not_computed=rows), CONTEXT)
    told = "<b><bdi>clerk</bdi>, <bdi>farmer</bdi>, <bdi>writer</bdi></b>: "
    assert f"{told}{few.replace('ndcg', 'NDCG')}</li>" in html
    assert f"<b><bdi>unknown</bdi></b>: {missing}: 1,656 people, left out of every gap</li>" in html


def test_the_report_says_when_it_was_made_to_the_minute() -> None:
    assert Words("en").made("2026-11-22T14:09:55+00:00") == "2026-11-22 14:09 UTC"
    assert Words("en").made("some day") == "some day"
