"""One PBX as the environment describes it, and how several are told apart. Pure.

A house with one PBX sets `HOTLINE_PBX_URL`, `HOTLINE_SPOOL`, …. A house with several names them in
`HOTLINE_PBXS=north,south` and sets each one's own: `HOTLINE_PBX_URL_NORTH`, `HOTLINE_SPOOL_SOUTH`.
What always holds: there is at least one; each has a name, a spool and a log of its own, for two
PBXs may hand out the same linkedid, and who seals one's recording as the other's links it to a
stranger's call. Nothing here opens a file or a connection.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from gateway.errors import BadSetting
from telephony import cel_source
from telephony.address import Address
from telephony.cel_source import Source
from telephony.errors import AddressError, CelUnreadable

ALONE: Final = "pbx1"
"""The name of a PBX that nobody named; accounts are made at it unless another is said."""

OWN: Final = ("PBX_URL", "PBX_CONTROL_URL", "SPOOL", "CEL")
SHARED: Final = ("INBOUND", "CEL_UTC_OFFSET", "WRAP_UP")
"""What all PBXs of a house may have in common: said once for all, or for one alone."""
KNOWN: Final = ("PBXS", "PBX_NAME", *OWN, *SHARED)

WRAP_UP_MAX_S: Final = 1800
_NAME: Final = re.compile(r"[a-z][a-z0-9-]{0,30}")


@dataclass(frozen=True, slots=True)
class Exchange:
    """One PBX. `address` None: it is not listened to here. `control` None: nothing is asked of it.
    Paths are absolute."""

    name: str
    address: Address | None
    control: Address | None
    inbound: frozenset[str]
    """The dialplan contexts that calls from outside come in by."""
    spool: Path
    cel: Source
    cel_utc_offset_min: int
    wrap_up: tuple[tuple[str, int], ...] = ()
    """Queue and seconds of wrap-up after each of its calls; of '' after all others."""

    def wrap_up_us(self, queue: str | None) -> int:
        """How long a call of that queue (None: of none) is written up, in µs; 0: not at all."""
        lasts = dict(self.wrap_up)
        return lasts.get(queue or "", lasts.get("", 0)) * 1_000_000


def names(text: str, reserved: Sequence[str]) -> tuple[str, ...]:
    """The names in `HOTLINE_PBXS`; none when it is empty.

    Raises:
        BadSetting: a name that cannot be part of a variable's name, or is there twice, or with
            which a variable would mean two things (`reserved`: the house's own variables).
    """
    found = tuple(text.replace(",", " ").split())
    if wrong := [name for name in found if not _NAME.fullmatch(name)]:
        raise BadSetting(
            f"HOTLINE_PBXS 中的名称 {wrong[0]!r} 无效：小写字母开头，可含数字和 -，最多 31 位。 "
            f"A PBX's name is lower-case letters, digits and -, at most 31: not {wrong[0]!r}."
        )
    variables = [*reserved, *(_own(field, name) for field in (*OWN, *SHARED) for name in found)]
    taken = {name for name in variables if variables.count(name) > 1 or name.endswith("_FILE")}
    if taken:
        raise BadSetting(
            f"HOTLINE_PBXS 中的名称使 HOTLINE_{min(taken)} 含义不明，请换名。 With the names in "
            f"HOTLINE_PBXS, HOTLINE_{min(taken)} would mean two things: choose other names."
        )
    return found


def variables(several: Sequence[str]) -> tuple[str, ...]:
    """The settings of these PBXs, beside those of `KNOWN`."""
    return tuple(_own(field, name) for name in several for field in (*OWN, *SHARED))


def read(given: Mapping[str, str], several: Sequence[str], state: Path) -> tuple[Exchange, ...]:
    """Every PBX of the house; what is not set lies under `state`.

    Raises:
        BadSetting: a value that cannot be used, two PBXs in one place, or settings of one PBX
            where several are named.
    """
    if not several:
        return (
            _one(given, given.get("PBX_NAME") or ALONE, state, {f: f for f in (*OWN, *SHARED)}),
        )
    if vain := [field for field in ("PBX_NAME", *OWN) if field in given]:
        raise BadSetting(
            f"已设 HOTLINE_PBXS，HOTLINE_{vain[0]} 须按名称分别设置，如 HOTLINE_"
            f"{_own(OWN[0], several[0])}。 HOTLINE_PBXS is set: HOTLINE_{vain[0]} belongs to one "
            f"PBX; set it by name, like HOTLINE_{_own(OWN[0], several[0])}."
        )
    made = []
    for name in several:
        said = {field: _own(field, name) for field in OWN}
        said |= {f: own if (own := _own(f, name)) in given else f for f in SHARED}
        made.append(_one(given, name, state / "pbx" / name, said))
    _apart(made)
    return tuple(made)


def _own(field: str, name: str) -> str:
    return f"{field}_{name.upper().replace('-', '_')}"


def _one(given: Mapping[str, str], name: str, state: Path, said: Mapping[str, str]) -> Exchange:
    """`said`: by which variable each field is set."""
    value = {field: given.get(variable, "") for field, variable in said.items()}
    control = _address(said["PBX_CONTROL_URL"], value["PBX_CONTROL_URL"])
    return Exchange(
        name=name,
        address=_address(said["PBX_URL"], value["PBX_URL"]),
        control=control,
        inbound=frozenset((value["INBOUND"] or "from-pstn").replace(",", " ").split()),
        spool=Path(value["SPOOL"] or state / "spool").absolute(),
        cel=_cel(said["CEL"], value["CEL"] or str(state / "cel" / "Master.csv")),
        cel_utc_offset_min=_minutes(said["CEL_UTC_OFFSET"], value["CEL_UTC_OFFSET"] or "0"),
        wrap_up=_wrap_up(said["WRAP_UP"], value["WRAP_UP"], able=control is not None),
    )


def _apart(exchanges: Sequence[Exchange]) -> None:
    """Raises where two would listen to, empty or read the same thing."""
    for at, one in enumerate(exchanges):
        for other in exchanges[at + 1 :]:
            within = one.spool.is_relative_to(other.spool) or other.spool.is_relative_to(one.spool)
            for same, field in (
                (_one_place(one.address, other.address), "PBX_URL"),
                (_one_place(one.control, other.control), "PBX_CONTROL_URL"),
                (within, "SPOOL"),
                (one.cel == other.cel, "CEL"),
            ):
                if same:
                    raise BadSetting(
                        f"HOTLINE_{_own(field, one.name)} 与 HOTLINE_{_own(field, other.name)} "
                        "指向同一处，每台交换机须各有其一。 These two settings point to one place; "
                        "each PBX needs its own."
                    )


def _one_place(one: Address | None, other: Address | None) -> bool:
    return (
        one is not None and other is not None and (one.host, one.port) == (other.host, other.port)
    )


def _address(variable: str, url: str) -> Address | None:
    try:
        return Address.parse(url) if url else None
    except AddressError as error:
        raise BadSetting(f"HOTLINE_{variable}：{error}") from error


def _cel(variable: str, text: str) -> Source:
    try:
        return cel_source.parse(text)
    except CelUnreadable as error:
        raise BadSetting(f"HOTLINE_{variable}：{error}") from error


def _minutes(variable: str, text: str) -> int:
    try:
        minutes = int(text)
    except ValueError:
        minutes = 10_000
    if abs(minutes) > 14 * 60:
        raise BadSetting(
            f"HOTLINE_{variable} 应为分钟数，如北京时间 480。 HOTLINE_{variable} must be "
            "the PBX clock's distance from UTC in minutes, such as 480."
        )
    return minutes


def _wrap_up(variable: str, text: str, *, able: bool) -> tuple[tuple[str, int], ...]:
    """`45 policy=90`: seconds after each call, and after those of a queue."""
    found: dict[str, int] = {}
    for word in text.replace(",", " ").split():
        queue, _, seconds = word.rpartition("=")
        if not seconds.isdecimal() or int(seconds) > WRAP_UP_MAX_S or queue in found:
            raise BadSetting(
                f"HOTLINE_{variable} 应为秒数，最多 {WRAP_UP_MAX_S}，可按队列设，如 45 policy=90。 "
                f"HOTLINE_{variable} is seconds, at most {WRAP_UP_MAX_S}, and those of single "
                "queues, such as 45 policy=90."
            )
        found[queue] = int(seconds)
    if any(found.values()) and not able:
        raise BadSetting(
            f"HOTLINE_{variable} 需要同一台交换机的 HOTLINE_PBX_CONTROL_URL。 "
            f"HOTLINE_{variable} needs that PBX's HOTLINE_PBX_CONTROL_URL."
        )
    return tuple(found.items()) if any(found.values()) else ()
