"""What a test needs of the machine, and what happens where it is missing.

Always holds: a part that is not there is never passed over in silence. The test is skipped and says
what to install; with `HOTLINE_TEST_REQUIRE=all` (`make test` sets it) the same is a failure.
Does not install anything: that is the setup script's work.
"""

import os
from pathlib import Path
from typing import NoReturn

import pytest


def missing(part: str, remedy: str) -> NoReturn:
    """Skip, or fail where every part is required, naming the part and what to do."""
    said = f"{part} 未安装：{remedy}。 {part} is not here: {remedy}."
    if os.environ.get("HOTLINE_TEST_REQUIRE") == "all":
        pytest.fail(said, pytrace=False)
    pytest.skip(said)


def need(program: Path, remedy: str) -> Path:
    """The program's path, when it can be run; otherwise `missing`."""
    if not os.access(program, os.X_OK):
        missing(str(program), remedy)
    return program
