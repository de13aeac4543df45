"""Node programs of the repository, with exactly the packages their lock files name.

The packages are brought in once by `npm ci` into the rig's cache, by the lock's hash, so that the
repository holds none and several runs can share them; no package's own scripts are run.
"""

import fcntl
import hashlib
import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

from tests.rig.asterisk import CACHE
from tests.rig.needs import need

ROOT = Path(__file__).resolve().parents[2]
NODE = Path("/usr/bin/node")
NPM = Path("/usr/bin/npm")
REMEDY = "apt-get install nodejs npm"
CHECK = ROOT / "tests" / "rig" / "asyncapi"
DEPARTMENT = ROOT / "deploy" / "departments" / "node"


def environment(of: Path) -> dict[str, str]:
    """The environment in which the programs of that directory find their packages."""
    need(NODE, REMEDY)
    return {"PATH": os.defpath, "NODE_PATH": str(_packages(of))}


def _packages(of: Path) -> Path:
    lock = (of / "package-lock.json").read_bytes()
    there = CACHE / f"node-{hashlib.sha256(lock).hexdigest()[:16]}"
    CACHE.mkdir(parents=True, exist_ok=True)
    with (CACHE / "node.lock").open("w") as alone:
        fcntl.flock(alone, fcntl.LOCK_EX)
        if not there.exists():
            _install(of, there)
    return there / "node_modules"


def _install(of: Path, there: Path) -> None:
    need(NPM, REMEDY)
    half = CACHE / "node.half"
    shutil.rmtree(half, ignore_errors=True)
    half.mkdir()
    for name in ("package.json", "package-lock.json"):
        shutil.copy(of / name, half)
    subprocess.run(
        [NPM, "ci", "--ignore-scripts", "--no-audit", "--no-fund"],
        cwd=half, check=True, timeout=300, stdout=subprocess.DEVNULL,
    )  # fmt: skip
    half.rename(there)


def diagnostics(document: dict[str, Any]) -> list[dict[str, Any]]:
    """What AsyncAPI's own parser says of `document`."""
    done = subprocess.run(
        [NODE, CHECK / "validate.js"], input=json.dumps(document), env=environment(CHECK),
        check=True, capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    said: list[dict[str, Any]] = json.loads(done.stdout)
    return said
