"""The words by which files of the field name their columns, best guess first.

Everything here is compared after `plain` has made it lower case and without punctuation, so that
`User-ID`, `userId` and `user_id` are one word.
"""

import re

from recsys_core.data.schema import Role

_ID_ENDINGS = ("id", "", "no", "nr", "num", "number", "key", "code", "uuid")
_USER_WORDS = (
    "user",
    "customer",
    "client",
    "member",
    "household",
    "person",
    "reviewer",
    "reader",
    "viewer",
    "listener",
    "shopper",
    "buyer",
    "subscriber",
    "profile",
    "account",
    "visitor",
    "student",
    "session",
    "用户",
    "顾客",
    "会员",
    "客户",
)
_ITEM_WORDS = (
    "item",
    "product",
    "movie",
    "film",
    "book",
    "isbn",
    "parentasin",
    "asin",
    "sku",
    "article",
    "song",
    "track",
    "music",
    "video",
    "show",
    "anime",
    "game",
    "course",
    "recipe",
    "hotel",
    "restaurant",
    "business",
    "venue",
    "poi",
    "news",
    "post",
    "job",
    "app",
    "goods",
    "content",
    "artist",
    "物品",
    "商品",
    "电影",
    "图书",
)


def plain(name: str) -> str:
    """A column's name in lower case, without punctuation or spaces."""
    return re.sub(r"[\W_]+", "", name.casefold())


def _id_words(words: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(word + ending for word in words for ending in _ID_ENDINGS)


def _own_id_words(words: tuple[str, ...]) -> tuple[str, ...]:
    """In a file about items, `id` says more than `book` does, which may be its title."""
    return (*(word for word in _id_words(words) if word not in words), "id", "key", "code", *words)


_ITEM_NAMES = tuple(f"{word}{ending}" for word in _ITEM_WORDS for ending in ("title", "name"))

WORDS: dict[Role, tuple[str, ...]] = {
    Role.USER_ID: _id_words(_USER_WORDS),
    Role.ITEM_ID: _id_words(_ITEM_WORDS),
    Role.TIMESTAMP_S: (
        *("timestamps", "timestamp", "unixtimestamp", "unixtime", "unixreviewtime", "datetime", "eventtime"),
        *("transactiontimestamp", "transactiondate", "invoicedate", "orderdate", "purchasedate", "createdat"),
        *(
            "date",
            "time",
            "ts",
            "reviewtime",
            "ratingtime",
            "timems",
            "timestampms",
            "created",
            "when",
            "day",
        ),
        *("时间", "时间戳", "日期"),
    ),
    Role.ORDER: ("order", "position", "sequence", "seq", "seqno", "sequencenumber", "step", "顺序", "次序"),
    Role.RATING: (
        *("rating", "ratings", "stars", "star", "starrating", "score", "overall", "bookrating", "grade"),
        *("playcount", "plays", "listens", "weight", "count", "评分", "评级", "分数"),
    ),
    Role.EVENT: (
        *("event", "eventtype", "eventname", "action", "actiontype", "behavior", "behaviour", "behaviortype"),
        *("interaction", "interactiontype", "type", "行为", "事件"),
    ),
    Role.DWELL_S: (
        *("dwells", "dwell", "dwelltime", "dwellseconds", "dwelltimes", "watchtime", "timespent", "duration"),
        *("playduration", "playtime", "readingtime", "停留时间", "时长"),
    ),
    Role.QUANTITY: ("quantity", "qty", "units", "amount", "数量"),
    Role.SEARCH_TEXT: (
        "searchtext",
        "query",
        "searchquery",
        "search",
        "keywords",
        "keyword",
        "搜索",
        "搜索词",
    ),
    Role.REVIEW_TEXT: (
        *("reviewtext", "review", "reviewbody", "reviewcontent", "reviewcomment", "userreview"),
        *(
            "comment",
            "comments",
            "commenttext",
            "usercomment",
            "feedback",
            "评论",
            "评论内容",
            "评价",
            "点评",
        ),
    ),
    Role.CONTEXT: (
        "device",
        "devicetype",
        "platform",
        "hour",
        "weekday",
        "place",
        "location",
        "设备",
        "地点",
    ),
    Role.TITLE: ("title", *_ITEM_NAMES, "headline", "标题", "名称"),
    Role.TEXT: (
        *("text", "description", "overview", "summary", "plot", "synopsis", "abstract", "body", "details"),
        *("itemtext", "itemdescription", "productdescription", "content", "描述", "简介"),
    ),
    Role.CATEGORY: (
        *("category", "categories", "genre", "genres", "maincategory", "itemcategory", "productcategory"),
        *("department", "topic", "topics", "subject", "section", "class", "类别", "分类", "类型"),
    ),
    Role.PROVIDER: (
        *(
            "provider",
            "publisher",
            "brand",
            "studio",
            "seller",
            "vendor",
            "manufacturer",
            "supplier",
            "label",
        ),
        *("author", "bookauthor", "artist", "品牌", "出版社", "作者"),
    ),
    Role.IMAGE: (
        *("image", "imageurl", "poster", "posterurl", "cover", "coverurl", "thumbnail", "picture", "photo"),
        *("img", "imgurl", "imageurll", "imageurlm", "imageurls", "图片", "海报"),
    ),
}

OWN_ID_WORDS = {"items": _own_id_words(_ITEM_WORDS), "users": _own_id_words(_USER_WORDS)}
OWN_TITLE_WORDS = (
    *WORDS[Role.TITLE],
    "name",
    "item",
    "product",
    "movie",
    "film",
    "book",
    "song",
    "track",
    "show",
)
