"""Java programs of the repository, with the distribution's own packages: from their source, as a
department starts them, or compiled once, which starts in a quarter of the time."""

import contextlib
import hashlib
import subprocess
import tempfile
from pathlib import Path

from tests.rig.needs import missing, need
from tests.rig.node import ROOT
from tests.rig.sid import CACHE

JAVA = Path("/usr/bin/java")
JAVAC = Path("/usr/bin/javac")  # a program is run from its source by a JDK alone
JARS = tuple(Path("/usr/share/java") / f"{name}.jar" for name in
             ("amqp-client", "gson", "slf4j-api"))  # fmt: skip
REMEDY = "apt-get install default-jdk-headless librabbitmq-client-java libgoogle-gson-java"
DEPARTMENT = ROOT / "deploy" / "departments" / "java" / "Department.java"


def from_source(source: Path) -> list[str]:
    """What runs that program, as its first lines say."""
    return [str(JAVA), "-cp", _jars(), str(source)]


def compiled(source: Path) -> list[str]:
    """The same, compiled where its source has changed."""
    jars = _jars()
    home = CACHE / f"java-{hashlib.sha256(source.read_bytes()).hexdigest()[:16]}"
    if not home.exists():
        CACHE.mkdir(parents=True, exist_ok=True)
        half = Path(tempfile.mkdtemp(dir=CACHE))
        subprocess.run([JAVAC, "-cp", jars, "-d", half, source], check=True, timeout=100)
        with contextlib.suppress(OSError):  # somebody else was first
            half.rename(home)
    return [str(JAVA), "-XX:TieredStopAtLevel=1", "-cp", f"{jars}:{home}", source.stem]


def _jars() -> str:
    need(JAVAC, REMEDY)
    for jar in JARS:
        if not jar.exists():
            missing(str(jar), REMEDY)
    return ":".join(map(str, JARS))
