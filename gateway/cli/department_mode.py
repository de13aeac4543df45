"""The command that changes how a department works: by our page, by the broker, or over HTTPS."""

import argparse

from gateway import compose, settings
from gateway.cli.command import Command, Result, arg
from gateway.flow import moving

MODES = ("desk", "queue", "pull")
MEANT = (
    "desk 在网页办理，queue 系统接 RabbitMQ，pull 系统以 HTTPS 领取 · "
    "by our page, or by its own system, over RabbitMQ or over HTTPS"
)
NEXT = {
    "desk": "该部门在网页办理；请停掉其程序，否则它仍会取走派单。 It works by our page; stop its "
    "program, which would go on taking work orders away.",
    "queue": "给它账号：hotline department credentials {code}。 Give it an account: hotline "
    "department credentials {code}.",
    "pull": "给它密钥：hotline department key {code}；停掉其 RabbitMQ 程序。 Give it a key: "
    "hotline department key {code}; and stop its program at the broker.",
}
"""What is to be done beside it."""
LEFT = (
    "尚未送达的派单改走新方式，不丢失、不重发；已送达的留在原处，可照常办理。 What is not "
    "delivered yet goes out the new way, none lost and none twice; what was delivered stays to be "
    "answered."
)


def department_mode(asked: argparse.Namespace) -> Result:
    """Change how a department works; what waits goes out the new way."""
    code, mode = asked.code, asked.mode
    with compose.opened(settings.read()) as parts, parts.database.begin() as session:
        before = moving.change(session, code, mode, by="operator", origin="cli", now=parts.clock())
    data = {"code": code, "mode": mode, "before": before}
    if before == mode:
        return Result(True, f"{code} 已是 · is already: {mode}", data)
    told = (f"{code}: {before} → {mode}", LEFT, NEXT[mode].format(code=code))
    return Result(True, "\n".join(told), data)


COMMANDS = (
    Command(
        "department mode",
        "改变部门的工作方式 · change how a department works",
        department_mode,
        (
            arg("code", help="部门代码 · department code"),
            arg("mode", choices=MODES, help=MEANT),
        ),
    ),
)
