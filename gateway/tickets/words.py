"""The closed lists of the register form (DOMAIN.md, Registering): code, Chinese, English.

The code is what is stored and sent; what people read is beside it. Pure; nothing here decides.
"""

Words = tuple[tuple[str, str, str], ...]

CHANNELS: Words = (
    ("phone", "来电", "Telephone"),
    ("visit", "来访", "Visit"),
    ("fax", "传真", "Fax"),
    ("letter", "来信", "Letter"),
    ("email", "电子邮件", "E-mail"),
    ("network", "网络", "Web, app"),
    ("transfer", "有关部门移交", "Handed over"),
    ("other", "其他", "Other"),
)
KINDS: Words = (
    ("policy", "政策咨询", "Policy question"),
    ("information", "信息查询", "Information"),
    ("disclosure", "信息公开", "Disclosure"),
    ("service", "在线受理", "Online service"),
    ("complaint", "投诉举报", "Complaint"),
    ("opinion", "意见建议", "Suggestion"),
    ("praise", "表扬", "Praise"),
)
COMPLAINT_CLASSES: Words = (
    ("attitude", "服务态度", "Attitude"),
    ("quality", "服务质量", "Quality"),
    ("integrity", "廉洁自律", "Integrity"),
    ("other", "其他", "Other"),
)
LEVELS: Words = (("ordinary", "一般", "Ordinary"), ("major", "重大", "Major"))
SEXES: Words = (("male", "男", "Male"), ("female", "女", "Female"))


def codes(words: Words) -> tuple[str, ...]:
    """The codes of a list, in its order."""
    return tuple(code for code, _, _ in words)


def names(words: Words) -> dict[str, tuple[str, str]]:
    """Code → (Chinese, English)."""
    return {code: (zh, en) for code, zh, en in words}
