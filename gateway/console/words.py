"""What the console says in its own name: short confirmations, names of fields, tones of states.

Codes on the left travel in URLs and rows; people read what is on the right. Closed lists: a code
that is not here says nothing. Pure.
"""

from gateway.flow import deeds
from gateway.tickets.lifecycle import OrderState, TicketState

TOLD: dict[str, tuple[str, str]] = {
    "registered": ("good", "已登记。 Registered."),
    "answered": ("good", "已即时办结。 Answered and finished."),
    "refused": ("good", "已记录不予受理，请告知来电人去处。 Refused; tell the caller where to go."),
    "accepted": ("good", "已受理，请把受理编号告诉来电人。 Accepted; tell the caller the number."),
    "dispatched": ("good", "已派单，部门将收到。 Dispatched to the department."),
    "closed": ("good", "已办结。 Closed."),
    "changed": ("good", "已变更，部门将收到。 Changed; the department will hear."),
    "urged": ("good", "已催办，部门将收到。 Urged; the department will hear."),
    "supervised": ("good", "已督办，部门将收到。 Supervised; the department will hear."),
    "extended": ("good", "延期审批已告知部门。 The department is told of the decision."),
    "attached": ("good", "附件已添加。 The file was added."),
    "withdrawn": ("good", "已撤回，可改派其他部门。 Withdrawn; dispatch it elsewhere."),
    "called-back": ("good", "已记为回拨。 Marked as called back."),
    "calling": ("good", "正在呼叫，请接听您的话机。 Calling: take up your own phone."),
    "agent-paused": ("good", "已示忙，已记入日志。 Paused, and on record."),
    "agent-ready": ("good", "已恢复接听，已记入日志。 Ready again, and on record."),
    "signed": ("good", "已签收，请在期限内反馈。 Signed; reply before it is due."),
    "replied": ("good", "已反馈给热线。 The reply has reached the hotline."),
    "extension-asked": ("good", "已申请延期，由热线审批。 Asked; the hotline will decide."),
    "progress-told": ("good", "进展已告知热线。 The hotline has your word."),
    "remarked": ("good", "意见已告知热线和会办部门。 The hotline and the others have your remark."),
    "returned": ("good", "已退回热线重新派单。 Returned to the hotline."),
    "asked": ("good", "申请已提交，等待授权领导决定。 Asked; the authoriser will decide."),
    "granted": (
        "good",
        "已授权，申请人可在时限内收听。 Granted until the time you set.",
    ),
    "denied": ("good", "已驳回。 Refused."),
    "recused": ("good", "已指定回避，即时生效。 Recused from now on."),
    "recusal-lifted": ("good", "已解除回避。 The recusal is lifted."),
    "joined": ("good", "已并单，回避一并生效。 Joined; recusal holds for both."),
    "glass": (
        "warn",
        "已紧急授权 1 小时，分管领导和审计已获告知。 For an hour; leader and auditor are told.",
    ),
    "exported": ("good", "已导出，只有收件人能打开。 Exported; only the recipient opens it."),
    "grant-ended": ("good", "授权已终止。 The grant is ended."),
    "replayed": ("good", "已重发，已记入日志。 Replayed, and on record."),
    "discarded": ("good", "已作废，留存备查。 Discarded; it stays on record."),
    "held": ("good", "已保留，须由另一人解除。 Held; somebody else has to lift it."),
    "lifted": ("good", "已解除保留。 The hold is lifted."),
    "signed-out": ("good", "已退出登录。 You have signed out."),
    "ended": ("warn", "登录已过期，请重新登录。 Your session has ended; please sign in again."),
}

FIELD_NAMES: dict[str, tuple[str, str]] = {
    "channel": ("来源", "Channel"),
    "file": ("文件", "File"),
    "kind": ("类别", "Kind"),
    "complaint_class": ("投诉分类", "Complaint class"),
    "level": ("级别", "Level"),
    "caller_name": ("姓名", "Name"),
    "caller_phone": ("电话", "Telephone"),
    "caller_sex": ("性别", "Sex"),
    "caller_id_number": ("证件号码", "ID number"),
    "caller_address": ("单位或住址", "Employer or address"),
    "confidential": ("保密", "Confidential"),
    "subject_department": ("被投诉部门", "Department"),
    "subject_window": ("窗口", "Window"),
    "subject_staff": ("工作人员", "Staff member"),
    "summary": ("事项内容", "Summary"),
    "demand": ("诉求", "Demand"),
    "evidence": ("证据", "Evidence"),
    "answer": ("答复内容", "Answer"),
    "reason": ("理由", "Reason"),
    "refer_to": ("告知去处", "Where to go"),
    "note": ("说明", "Note"),
    "departments": ("承办部门", "Departments"),
    "question": ("请部门答复", "Question"),
    "result": ("办理结果", "Result"),
    "measures": ("采取措施", "Measures"),
    "due": ("期限", "Due"),
    "purpose": ("用途", "Purpose"),
    "ticket_no": ("工单编号", "Ticket number"),
    "recording": ("录音", "Recording"),
    "lasts_s": ("时限", "Time limit"),
    "plays": ("次数", "Plays"),
    "since": ("自", "From"),
    "until": ("至", "To"),
    "lasts_from": ("最短", "Shortest"),
    "lasts_to": ("最长", "Longest"),
    "recipient": ("收件公钥", "Recipient"),
    "call": ("通话", "Call"),
    "login": ("账号", "Login"),
    "into": ("并入", "Into"),
    "order": ("派单", "Work order"),
}

PURPOSES: tuple[tuple[str, str, str], ...] = (
    ("verify", "核对通话内容", "Check what was said"),
    ("complaint", "处理投诉", "Handle a complaint"),
    ("supervision", "监管监察", "Supervision"),
)

LASTS: tuple[tuple[str, str, str], ...] = (
    ("3600", "1 小时", "1 hour"),
    ("14400", "4 小时", "4 hours"),
    ("86400", "24 小时", "24 hours"),
    ("259200", "3 天", "3 days"),
)

PLAYS: tuple[tuple[str, str, str], ...] = (
    ("1", "1 次", "once"),
    ("3", "3 次", "3 times"),
    ("5", "5 次", "5 times"),
    ("10", "10 次", "10 times"),
)

USES: tuple[tuple[str, str, str], ...] = (
    ("playback", "在此收听", "Hear it here"),
    ("export", "导出给收件人", "Export to a recipient"),
)

ACTS = deeds.ACTS

PLAN_STATES: dict[str, tuple[str, str, str]] = {
    "proposed": ("待满七天", "Proposed: stands for seven days", "info"),
    "standing": ("待两人确认", "Waits for two persons", "warn"),
    "confirmed": ("改封保留的录音", "Re-wrapping what stays", "accent"),
    "rewrapped": ("待销毁密钥", "Before the key", "accent"),
    "shredding": ("正在销毁密钥", "Destroying the key", "bad"),
    "shredded": ("正在删除文件", "Removing the files", "bad"),
    "removed": ("待出证明", "Before the certificate", "accent"),
}
"""Where a plan to destroy stands; what comes of it has a certificate, and a void one is over."""

ALERTS: dict[str, tuple[str, str, str]] = {
    "glass": ("紧急调听", "Break-glass", "bad"),
    "glass-late": ("紧急调听未补授权", "Break-glass undecided", "bad"),
    "log-rolled-back": ("日志被回退", "The log was set back", "bad"),
    "log-altered": ("日志被改动", "The log was altered", "bad"),
    "log-restarted": ("日志另起", "The log began anew", "warn"),
    "log-key-missing": ("日志密钥不在", "The log's key is missing", "bad"),
    "message-parked": ("消息搁置", "A message is parked", "bad"),
    "outbox-late": ("派单积压", "Messages pile up", "bad"),
    "checkpoint-late": ("检查点未送达", "A checkpoint is late", "warn"),
}
"""What an alert is about, by its kind; one that is not here stands as its code."""

STATE_TONES: dict[str, str] = {
    TicketState.DRAFT: "warn",
    TicketState.REGISTERED: "info",
    TicketState.ANSWERED: "good",
    TicketState.REFUSED: "",
    TicketState.ACCEPTED: "accent",
    TicketState.DISPATCHED: "info",
    TicketState.RETURNED: "bad",
    TicketState.SIGNED: "info",
    TicketState.REPLIED: "accent",
    TicketState.CLOSED: "good",
}
ORDER_STATE_TONES: dict[str, str] = {
    OrderState.OFFERED: "warn",
    OrderState.SIGNED: "info",
    OrderState.RETURNED: "bad",
    OrderState.REPLIED: "good",
}
STEP_TONES: dict[str, str] = {
    "abandon": "warn",
    "lose": "warn",
    "reach": "good",
    "not-reach": "warn",
    "answer": "good",
    "refuse": "",
    "accept": "accent",
    "dispatch": "info",
    "sign": "info",
    "return": "bad",
    "reply": "accent",
    "close": "good",
    "change": "warn",
    "urge": "warn",
    "supervise": "warn",
    "extend": "good",
    "withdraw": "bad",
    "ask-extension": "warn",
    "progress": "info",
    "remark": "info",
    "late": "warn",
}

AGENT_STATES: dict[str, tuple[str, str]] = {
    "idle": ("空闲", "Idle"),
    "ringing": ("振铃", "Ringing"),
    "talking": ("通话", "Talking"),
    "holding": ("保持", "On hold"),
    "after_call": ("话后整理", "Wrap-up"),
    "break": ("小休", "Break"),
    "offline": ("离线", "Offline"),
}
"""In the order they are counted on the wallboard."""
AGENT_TONES: dict[str, str] = {
    "idle": "good",
    "ringing": "warn",
    "talking": "info",
    "holding": "hold",
    "after_call": "accent",
    "break": "rest",
    "offline": "",
}
BREAKS: dict[str, tuple[str, str]] = {
    "": ("未说明", "No reason"),
    "break": ("休息", "Rest"),
    "meal": ("用餐", "Meal"),
    "meeting": ("会议", "Meeting"),
    "training": ("培训", "Training"),
    "other": ("其他", "Other"),
}
"""Codes of `telephony.reasons.BREAKS`; another text is the PBX's own and stands as it is."""
