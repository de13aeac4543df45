"""Programs of Debian sid on this Debian 12: a base system with them, made once, to chroot into.

Made by debootstrap (under a minute) in `HOTLINE_RIG_CACHE`. Always holds: `base` answers with a
whole system or not at all; two workers that ask at once make one. Needs root; where that, the
program or a package source is missing, `needs` says so.
"""

import fcntl
import os
import shutil
import socket
import subprocess
from pathlib import Path

from tests.rig.needs import missing, need

CACHE = Path(os.environ.get("HOTLINE_RIG_CACHE", "/var/tmp/hotline-rig"))
_MADE_S = 600


def base(name: str, package: str, program: str) -> Path:
    """The system `name`, with `package` in it; `program` is what has to be there in the end."""
    remedy = "apt-get install debootstrap"
    if os.geteuid() != 0:
        missing(f"chroot ({package})", "请以 root 运行 run as root")
    CACHE.mkdir(parents=True, exist_ok=True)
    made = CACHE / name
    with (CACHE / f"{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (made / program).exists():
            need(Path("/usr/sbin/debootstrap"), remedy)
            _bootstrap(made, package)
    return made


def _bootstrap(made: Path, package: str) -> None:
    half = made.with_suffix(".half")
    shutil.rmtree(half, ignore_errors=True)
    command = ["debootstrap", "--variant=minbase", f"--include={package}", "--no-check-gpg", "sid"]
    subprocess.run(
        [*command, str(half), _mirror()], check=True, stdout=subprocess.DEVNULL, timeout=_MADE_S
    )
    half.rename(made)


def name_this_machine(made: Path, *more: str) -> None:
    """What its programs look up by name is answered here: no question leaves the machine."""
    names = f"127.0.0.1 {' '.join(['localhost', socket.gethostname(), *more])}\n"
    hosts = made / "etc/hosts"
    if not hosts.exists() or hosts.read_text(encoding="utf-8") != names:
        hosts.write_text(names, encoding="utf-8")


def _mirror() -> str:
    """Where this machine gets its Debian packages from."""
    apt = Path("/etc/apt")
    for source in sorted(apt.glob("sources.list.d/*.sources")):
        for line in source.read_text(encoding="utf-8").splitlines():
            if line.startswith("URIs:"):
                return line.split()[1]
    for source in [apt / "sources.list", *sorted(apt.glob("sources.list.d/*.list"))]:
        for line in source.read_text(encoding="utf-8").splitlines() if source.exists() else ():
            if line.startswith("deb "):
                return next(word for word in line.split() if "://" in word)
    return missing("apt", "/etc/apt 中没有软件源 no package source in /etc/apt")
