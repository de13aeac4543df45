"""The lines of a rehearsal: what each asks of a department's program, and what to do. Pure.

Always holds: each is a rule of the contract (`asyncapi.RULES`, numbered as there), in both
languages. What AMQP does not show is no line: whether an answer was confirmed before its order was
acked.
"""

from typing import Final, Literal

from queueing import rehearsal

Line = rehearsal.Name | Literal["reads", "fits", "account", "lasting"]

RULES: Final[dict[Line, tuple[str, str, str]]] = {
    "reads": (
        "有程序在读本部门的队列 · a program reads the department's queue",
        "请先启动部门程序，连到同一虚拟主机。",
        "Start your program first, at this virtual host.",
    ),
    "offered": (
        "派单：先签收或退单，且只一次 · an order is signed or returned, first and once",
        "收到 offered 后先发 signed（或 returned），同一派单只一次。",
        "Answer `offered` with `signed` (or `returned`) before anything else, once an order.",
    ),
    "fits": (
        "回复符合约定：内容、部门、路由键、派单与版本 · replies are as agreed",
        "见 /asyncapi：work_order、version 照抄，路由键为 reply.<代码>.v1，同一 id 内容不变。",
        "See /asyncapi: copy work_order and version, use your own key, keep what an id says.",
    ),
    "account": (
        "回复带 user-id · replies bear user-id",
        "发布时 user_id 填登录 RabbitMQ 的用户名（约定 6）。",
        "Publish with user_id set to the user you signed in as (rule 6).",
    ),
    "lasting": (
        "回复为持久消息 · replies are persistent",
        "发布时设 delivery_mode = 2（约定 6）。",
        "Publish with delivery_mode 2 (rule 6).",
    ),
    "again": (
        "同一消息再来：不再生效 · the same again has no second effect",
        "不高于已办 version 的只确认；重发回复沿用原 id（约定 2、4）。",
        "Ack a version that is not higher; send an answer again under its first id (rules 2, 4).",
    ),
    "tested": (
        "测试消息：确认即可 · a test message is acked",
        "tested 不属任何派单，直接确认。",
        "`tested` is of no work order: ack it.",
    ),
    "unknown-type": (
        "不认识的类型：确认 · a type it does not know is acked",
        "不要拒收，不要 nack，直接确认（约定 1）。",
        "Neither reject nor nack it: ack it (rule 1).",
    ),
    "unknown-field": (
        "不认识的字段：忽略，照常签收 · fields it does not know are ignored",
        "解析时忽略多出的字段（约定 1）。",
        "Ignore whatever is there besides (rule 1).",
    ),
    "urged": (
        "催办：确认，不再次签收 · an urge is acked, and not signed again",
        "直接确认：催办附有派单全文，不是新的派单。",
        "Ack it: it carries the whole order, and is no new one.",
    ),
    "withdrawn": (
        "撤回：确认，不再回复 · after a withdrawal nothing is answered",
        "直接确认，不必回复：撤回后无须再办。",
        "Ack it and answer nothing: nothing more is to be done about it.",
    ),
    "noise": (
        "无法识别的消息：拒收一次 · what cannot be read is rejected, once",
        "basic.reject，requeue=false；不要确认、nack 或退出（约定 5）。",
        "basic.reject without requeue; neither ack nor nack it, nor die over it (rule 5).",
    ),
}
"""Each line: what is to hold, and what to do where it does not, in Chinese and in English."""
