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
RECUSALS: Words = (
    ("named", "指定回避", "Named by hand"),
    ("call", "被投诉通话的坐席", "Agent of the call complained of"),
    ("found", "登记为被投诉人", "Registered as complained of"),
)
COMPLAINT_CLASSES: Words = (
    ("attitude", "服务态度", "Attitude"),
    ("quality", "服务质量", "Quality"),
    ("integrity", "廉洁自律", "Integrity"),
    ("other", "其他", "Other"),
)
LEVELS: Words = (("ordinary", "一般", "Ordinary"), ("major", "重大", "Major"))
SEXES: Words = (("male", "男", "Male"), ("female", "女", "Female"))

SILENCE_REASONS: Words = (
    ("id_number", "身份证号", "ID number"),
    ("bank_card", "银行卡号", "Bank card"),
    ("password", "密码或验证码", "Password or code"),
    ("privacy", "其他隐私", "Other private matters"),
)
"""Why a recording is silent for a while: what is being spoken (录音暂停)."""
PAUSE_REASONS: Words = (
    ("wrapup", "话后整理", "Wrap-up"),
    ("break", "小休", "Short break"),
    ("meal", "用餐", "Meal"),
    ("meeting", "会议", "Meeting"),
    ("training", "培训", "Training"),
    ("other", "其他", "Other"),
)
"""The words of `telephony.reasons`, for people."""
CALL_PURPOSES: Words = (
    ("callback", "回拨", "Call back"),
    ("followup", "回访", "Follow-up call"),
    ("contact", "呼叫来电人", "Call the caller"),
)
"""Why a call is placed from a ticket."""
CALL_OUTCOMES: Words = (
    ("answered", "已接通", "Answered"),
    ("no_answer", "无人接听", "No answer"),
    ("busy", "对方占线", "Busy"),
    ("failed", "号码无法接通", "Not reachable"),
    ("no_agent", "坐席未接话机", "The agent did not pick up"),
    ("unreachable", "坐席话机不可达", "The agent's phone is not there"),
    ("refused", "交换机拒绝", "The PBX refused"),
    ("away", "交换机无应答", "The PBX did not answer"),
    ("lost", "没有下文", "Nothing came of it"),
)
"""What came of it: `telephony.facts.Outcome`, and what can go wrong before there is a call."""


def codes(words: Words) -> tuple[str, ...]:
    """The codes of a list, in its order."""
    return tuple(code for code, _, _ in words)


def names(words: Words) -> dict[str, tuple[str, str]]:
    """Code → (Chinese, English)."""
    return {code: (zh, en) for code, zh, en in words}
