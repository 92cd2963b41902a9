"""What a paragraph on a whole model is made of, in English and in Chinese."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Phrases:
    """The sentences of one language; braces name what is put in.

    Attributes:
        parts: of a model, by name.
        weighed: a part and its share.
        by_parts: what decides.
        no_parts: of models that have none.
        no_history: where nothing of the history counts.
        ages: how much the latest and the oldest items carry; `compared` is one of the next three.
        category: what items of the same category give; `compared` is one of the next three.
        popularity: of recommended and touched items; `compared` is one of the next three.
        cohorts: for whom weights differ.
        no_cohort: where they differ for nobody.
        basis: on whom it was measured.
        comma: between names.
        last_of_list: before the last name.
        between: sentences.
    """

    parts: dict[str, str]
    weighed: str
    by_parts: str
    no_parts: str
    no_history: str
    ages: str
    more_than_even: str
    less_than_even: str
    like_any_other: str
    category: str
    category_more: str
    category_less: str
    category_same: str
    popularity: str
    more_popular: str
    less_popular: str
    as_popular: str
    cohorts: str
    no_cohort: str
    basis: str
    comma: str
    last_of_list: str
    between: str


ENGLISH = Phrases(
    parts={
        "popularity": "how popular an item is in general",
        "id": "which items people touch together or after each other",
        "text": "what the items' texts say",
        "image": "what the items' pictures show",
        "event type": "of what kind a person's events were",
        "strength": "how strong those events were",
        "time": "when they happened",
        "review": "what the person wrote about them",
        "profile": "the person's profile",
    },
    weighed="{name} ({share})",
    by_parts="A recommendation is decided, in order of weight, by {parts}.",
    no_parts="This model ranks by counts of who touched what, or is made of other models; it has no parts "
    "that could be told apart.",
    no_history="What a person did before changes nothing.",
    ages="Of what the history contributes, the latest item carries {last}, {compared}; everything before the "
    "last five carries {older}.",
    more_than_even="more than an average one",
    less_than_even="less than an average one",
    like_any_other="not surely more or less than an average one",
    category="Items of the same category give {share} of what speaks for a recommendation and make up {even} "
    "of the history{compared}.",
    category_more=", so categories weigh more than by chance",
    category_less=", so categories weigh less than by chance",
    category_same="; that is no clear difference",
    popularity="Recommended items are {compared} what people touched before: on average {share} of all items "
    "are less popular than a recommended one, {even} than a touched one.",
    more_popular="more popular than",
    less_popular="less popular than",
    as_popular="about as popular as",
    cohorts="The weights are other ones for {cohorts} (see the figures per cohort).",
    no_cohort="No cohort was found for which these weights surely differ.",
    basis="Measured on the first recommendation of {n} people; intervals hold with 95 % confidence.",
    comma=", ",
    last_of_list=" and ",
    between=" ",
)

CHINESE = Phrases(
    parts={
        "popularity": "物品的总体热度",
        "id": "人们会一起或先后接触哪些物品",
        "text": "物品文本的内容",
        "image": "物品图片的内容",
        "event type": "此人各个事件的类型",
        "strength": "这些事件的强度",
        "time": "事件发生的时间",
        "review": "此人对它们写下的文字",
        "profile": "此人的画像",
    },
    weighed="{name}（{share}）",
    by_parts="决定一个推荐的因素，按分量依次是{parts}。",
    no_parts="此模型按谁接触过什么来计数排序，或由其他模型组成；没有可以区分的部分。",
    no_history="一个人之前做过什么不会改变任何结果。",
    ages="在历史的贡献中，最近一个物品占 {last}，{compared}；最近五个之前的全部占 {older}。",
    more_than_even="高于平均一个物品",
    less_than_even="低于平均一个物品",
    like_any_other="无法断定高于还是低于平均一个物品",
    category="同类别的物品占支持推荐的贡献的 {share}，占历史的 {even}{compared}。",
    category_more="，因此类别的分量高于偶然",
    category_less="，因此类别的分量低于偶然",
    category_same="；没有明显差别",
    popularity="推荐的物品{compared}人们之前接触的物品：平均而言，{share} 的物品不如推荐的物品热门，"
    "{even} 的物品不如接触过的物品热门。",
    more_popular="热门程度高于",
    less_popular="热门程度低于",
    as_popular="热门程度大致等于",
    cohorts="对{cohorts}而言，这些分量有所不同（见各群体的数据）。",
    no_cohort="没有发现这些分量确实不同的群体。",
    basis="在 {n} 人的首个推荐上测得；区间的置信水平为 95 %。",
    comma="、",
    last_of_list="和",
    between="",
)
