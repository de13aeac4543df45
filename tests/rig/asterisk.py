"""A real Asterisk 22 for tests, with the configuration we ship, on loopback and ports of its own.

Debian 12 has no Asterisk: every PBX runs in a chroot of sid's (`sid`) with its own directories, so
that several workers run theirs side by side. Needs root; where that or a program is missing,
`needs` says so.
Always holds: only what was started here is stopped; `kill` is -9, as a power cut looks; the files
of deploy/asterisk are used as they are, but for ports, paths and the secret.
"""

import contextlib
import os
import secrets
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from tests.rig import sid
from tests.rig.needs import need

BASE = sid.CACHE / "asterisk"
SHIPPED = Path(__file__).resolve().parents[2] / "deploy" / "asterisk"
SCENARIOS = Path(__file__).resolve().parent / "sip"
SOUNDS = Path("/usr/share/sip-tester")
BOOT_S = 60.0
PHONES_AT = "127.0.0.2"
"""The trunk is known by its address, 127.0.0.1: the phones, which call as well, have another."""
PARKING_S = 3
"""How long a parking place keeps a caller before the call goes back."""
REMEDY = "apt-get install debootstrap sip-tester"

Phones = Literal["answer", "late", "ring"]

_ASTERISK_CONF = """\
[directories](!)
[directories]
astetcdir => {at}/etc
astmoddir => {modules}
astvarlibdir => {at}/lib
astdbdir => {at}/lib
astkeydir => {at}/lib
astdatadir => /usr/share/asterisk
astagidir => /usr/share/asterisk/agi-bin
astspooldir => {at}/spool
astrundir => {at}/run
astlogdir => {at}/log
"""
_UNUSED = (
    "chan_iax2 chan_unistim chan_motif chan_console chan_ooh323 chan_dahdi chan_mgcp chan_skinny "
    "chan_mobile pbx_dundi pbx_lua pbx_ael res_config_ldap res_snmp res_corosync res_hep "
    "res_hep_pjsip res_hep_rtcp res_xmpp res_odbc res_config_odbc res_config_pgsql cel_pgsql "
    "cdr_pgsql "
    "cel_radius cdr_radius cel_tds cdr_tds cdr_csv cdr_custom cdr_manager cdr_sqlite3_custom "
    "cel_sqlite3_custom cel_odbc cdr_odbc cdr_adaptive_odbc app_voicemail app_voicemail_imap "
    "app_voicemail_odbc app_minivm res_phoneprov res_prometheus res_statsd app_festival"
)

_DEFAULTS = (
    *("ccss.conf", "confbridge.conf", "features.conf", "indications.conf", "logger.conf"),
    *("musiconhold.conf", "res_parking.conf", "rtp.conf"),
)


@dataclass(slots=True)
class Sipp:
    """What SIPp counted."""

    successful: int
    failed: int


@dataclass(slots=True)
class Pbx:
    """One PBX. `spool` holds the recordings, `cel` its event log; both survive a restart."""

    name: str
    directory: Path
    ami_port: int
    sip_port: int
    phone_port: int
    secret: str = field(repr=False)
    _process: subprocess.Popen[bytes] | None = None
    _phones: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """Where its manager interface is, as HOTLINE_PBX_URL is written."""
        return f"ami://hotline:{self.secret}@127.0.0.1:{self.ami_port}"

    @property
    def control_url(self) -> str:
        """The same for HOTLINE_PBX_CONTROL_URL."""
        return f"ami://hotline-control:{self.secret}-control@127.0.0.1:{self.ami_port}"

    @property
    def spool(self) -> Path:
        """The directory MixMonitor writes under."""
        return self.directory / "spool" / "monitor"

    @property
    def cel(self) -> Path:
        """The CEL file."""
        return self.directory / "log" / "cel-custom" / "Master.csv"

    def start(self) -> None:
        """Starts Asterisk; returns when it is fully booted and its queue stands."""
        at = f"/srv/{self.name}"
        command = ["chroot", str(BASE), "asterisk", "-C", f"{at}/etc/asterisk.conf"]
        with (self.directory / "console.log").open("ab") as log:
            self._process = subprocess.Popen(
                [*command, "-U", "asterisk", "-G", "asterisk", "-f"],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        deadline = time.monotonic() + BOOT_S
        while "booted" not in self.cli("core waitfullybooted"):
            if time.monotonic() > deadline or self._process.poll() is not None:
                raise RuntimeError((self.directory / "console.log").read_text(errors="replace"))
            time.sleep(0.1)

    def cli(self, command: str) -> str:
        """One command on Asterisk's console; '' while it is not up."""
        at = f"/srv/{self.name}/etc/asterisk.conf"
        said = subprocess.run(
            ["chroot", str(BASE), "asterisk", "-C", at, "-rx", command],
            capture_output=True,
            timeout=30,
            check=False,
        )
        return said.stdout.decode(errors="replace") if said.returncode == 0 else ""

    def signal(self, number: signal.Signals) -> None:
        """Sends a signal to Asterisk itself: SIGSTOP and SIGCONT make it fall silent."""
        assert self._process is not None
        os.kill(self._process.pid, number)

    def kill(self) -> None:
        """-9: nothing is flushed, no call is ended in order."""
        if self._process is not None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait(timeout=20)
            self._process = None

    def stop(self) -> None:
        """Stops Asterisk in order; calls are hung up."""
        if self._process is None:
            return
        self.cli("core stop now")
        try:
            self._process.wait(timeout=20)
        except subprocess.TimeoutExpired:
            self.kill()
        self._process = None

    def restart(self) -> None:
        """Down and up again, on the same ports and directories."""
        self.stop()
        self.start()

    def phones(self, behaviour: Phones | None) -> None:
        """The agents' phones: all answer and echo (`late`: after two seconds), all only ring, or
        (None) none is there."""
        if self._phones is not None:
            self._phones.terminate()
            self._phones.wait(timeout=10)
            self._phones = None
        if behaviour is None:
            return
        plan = {
            "answer": ["-sn", "uas", "-rtp_echo"],
            "late": ["-sf", str(SCENARIOS / "phone_answers_late.xml"), "-rtp_echo"],
            "ring": ["-sf", str(SCENARIOS / "phone_rings.xml")],
        }[behaviour]
        where = ["-i", PHONES_AT, "-p", str(self.phone_port), "-mp", str(free_ports(1)[0])]
        self._phones = subprocess.Popen(
            ["sipp", *plan, *where, "-nostdin", "-cp", str(free_ports(1)[0])],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        time.sleep(0.3)

    def place_calls(
        self,
        count: int = 1,
        rate: float = 1,
        hold_ms: int = 4000,
        *,
        callers: Sequence[tuple[str, str]] = (),
    ) -> Sipp:
        """Real calls to 12333 with real audio; returns when all have hung up.

        `callers`: number and name of each, in turn; numbers of their own when there are none.
        """
        call = self.begin_calls(count, rate, hold_ms, callers=callers)
        out, _ = call.communicate(timeout=count / rate + hold_ms / 1000 + 60)
        return _counted(out.decode(errors="replace"))

    def begin_calls(
        self,
        count: int = 1,
        rate: float = 1,
        hold_ms: int = 4000,
        *,
        callers: Sequence[tuple[str, str]] = (),
        number: str = "12333",
    ) -> "subprocess.Popen[bytes]":
        """The same, without waiting: the caller's process. A number may be '' or, escaped with `%`,
        hold anything; a name may hold bytes that are no text (surrogates)."""
        people = callers or [(f"1380013{n:04d}", f"1380013{n:04d}") for n in range(count)]
        book = self.directory / f"callers-{secrets.token_hex(4)}.csv"
        own_port, media_port, control_port = free_ports(3)
        host = f"127.0.0.1:{own_port}"
        uris = [f"sip:{number}@{host}" if number else f"sip:{host}" for number, _ in people]
        lines = "".join(f"{uri};{name}\n" for uri, (_, name) in zip(uris, people, strict=True))
        book.write_text("SEQUENTIAL\n" + lines, encoding="utf-8", errors="surrogateescape")
        return subprocess.Popen(
            [
                *("sipp", f"127.0.0.1:{self.sip_port}", "-sf", str(SCENARIOS / "caller.xml")),
                *("-i", "127.0.0.1", "-p", str(own_port), "-mp", str(media_port)),
                *("-cp", str(control_port), "-s", number, "-inf", str(book), "-nostdin"),
                *("-m", str(count), "-r", str(rate), "-d", str(hold_ms), "-l", "400"),
            ],
            cwd=SOUNDS,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )

    def close(self) -> None:
        """Everything down."""
        self.phones(None)
        if self._process is not None:
            with contextlib.suppress(ProcessLookupError):
                self.signal(signal.SIGCONT)
        self.kill()


@contextmanager
def asterisk(phones: Phones | None = "answer", *, cel_port: int | None = None) -> Iterator[Pbx]:
    """A fresh PBX, up, with its agents' phones; all of it gone afterwards.

    `cel_port`: where a PostgreSQL takes its CEL as well, in the database of cel_pgsql.conf."""
    base()
    name = f"pbx-{secrets.token_hex(4)}"
    ami_port, sip_port, phone_port = free_ports(3)
    pbx = Pbx(name, BASE / "srv" / name, ami_port, sip_port, phone_port, secrets.token_hex(12))
    _furnish(pbx)
    if cel_port is not None:
        _cel_into_a_table(pbx, cel_port)
    try:
        pbx.start()
        pbx.phones(phones)
        yield pbx
    finally:
        pbx.close()
        shutil.rmtree(pbx.directory, ignore_errors=True)


def base() -> Path:
    """The chroot with Asterisk in it, made when it is not there."""
    need(Path("/usr/bin/sipp"), REMEDY)
    sid.base("asterisk", "asterisk", "usr/sbin/asterisk")
    sid.name_this_machine(BASE, "a.root-servers.net")  # Asterisk looks it up on each call
    return BASE


def _furnish(pbx: Pbx) -> None:
    """The PBX's own directories: Debian's defaults, what we ship over them, ports and paths set."""
    at, home = f"/srv/{pbx.name}", pbx.directory
    for part in ("etc", "lib", "spool/monitor", "run", "log/cel-custom"):
        (home / part).mkdir(parents=True)
    defaults = BASE / "etc/asterisk"
    for default in _DEFAULTS:
        shutil.copy(defaults / default, home / "etc" / default)
    modules = next((BASE / "usr/lib").glob("*/asterisk/modules"))
    conf = _ASTERISK_CONF.format(at=at, modules=f"/{modules.relative_to(BASE)}")
    (home / "etc/asterisk.conf").write_text(conf.split("\n", 1)[1], encoding="utf-8")
    noloads = "".join(f"noload => {name}.so\n" for name in _UNUSED.split())
    (home / "etc/modules.conf").write_text(f"[modules]\nautoload=yes\n{noloads}", encoding="utf-8")
    for shipped in SHIPPED.glob("*.conf"):
        text = shipped.read_text(encoding="utf-8")
        for said, meant in {
            "port = 5038": f"port = {pbx.ami_port}",
            "CHANGE-ME-TOO": f"{pbx.secret}-control",
            "CHANGE-ME": pbx.secret,
            "127.0.0.1:5060": f"127.0.0.1:{pbx.sip_port}",
            "127.0.0.1:6001": f"{PHONES_AT}:{pbx.phone_port}",
            "/var/spool/asterisk/monitor": f"{at}/spool/monitor",
            "/usr/local/libexec/hotline/recording-ready": f"{at}/recording-ready",
        }.items():
            text = text.replace(said, meant)
        (home / "etc" / shipped.name).write_text(text, encoding="utf-8")
    # Asterisk's own default, 45 s in a parking place, is too long to wait for.
    with (home / "etc/res_parking.conf").open("a", encoding="utf-8") as parking:
        parking.write(f"\n[default](+)\nparkingtime = {PARKING_S}\n")
    shutil.copy(SHIPPED / "recording-ready", home / "recording-ready")
    subprocess.run(["chroot", BASE, "chown", "-R", "asterisk:asterisk", at], check=True)


def _cel_into_a_table(pbx: Pbx, port: int) -> None:
    """cel_pgsql is loaded, and its shipped configuration points at our server."""
    modules = pbx.directory / "etc" / "modules.conf"
    said = modules.read_text(encoding="utf-8").replace("noload => cel_pgsql.so\n", "")
    modules.write_text(said, encoding="utf-8")
    conf = pbx.directory / "etc" / "cel_pgsql.conf"
    said = conf.read_text(encoding="utf-8").replace("port = 5432", f"port = {port}")
    conf.write_text(said, encoding="utf-8")


def free_ports(count: int) -> list[int]:
    """UDP ports that are free on loopback for TCP as well."""
    with contextlib.ExitStack() as held:
        ports: list[int] = []
        while len(ports) < count:
            udp = held.enter_context(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
            tcp = held.enter_context(socket.socket())
            udp.bind(("127.0.0.1", 0))
            port = int(udp.getsockname()[1])
            try:
                tcp.bind(("127.0.0.1", port))
            except OSError:
                continue
            ports.append(port)
        return ports


def _counted(out: str) -> Sipp:
    counts = {"Successful call": 0, "Failed call": 0}
    for line in out.splitlines():
        for name in counts:
            if line.strip().startswith(name):
                counts[name] = int(line.split("|")[-1])
    return Sipp(counts["Successful call"], counts["Failed call"])
