"""An S3 server on loopback: moto's, in a process of its own, everything in its memory.

An imitation: it keeps no object longer than it lives, and stands in for no bucket with versions or
object lock. What it answers to conditional puts, ranges, listings and multipart uploads is what the
contract tests are about.
"""

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3
import pytest

from recordings.bucket import Access, BucketStore
from tests.rig.needs import missing

START_S = 90
REGION = "cn-north-1"


@dataclass(frozen=True, slots=True)
class S3:
    """Where it listens; buckets are made and looked into by somebody else's client."""

    host: str
    port: int

    @property
    def endpoint(self) -> str:
        """Its URL."""
        return f"http://{self.host}:{self.port}"

    def access(self, endpoint: str = "") -> Access:
        """What a store needs; through another endpoint, such as a proxy."""
        return Access(endpoint or self.endpoint, REGION, "AKIATEST", "s3cret-key")

    def client(self) -> Any:
        """Amazon's own client."""
        return boto3.client(
            "s3", endpoint_url=self.endpoint, region_name=REGION,
            aws_access_key_id="AKIATEST", aws_secret_access_key="s3cret-key",
        )  # fmt: skip

    def bucket(self, name: str) -> str:
        """Make a bucket; its URL."""
        self.client().create_bucket(
            Bucket=name, CreateBucketConfiguration={"LocationConstraint": REGION}
        )
        return f"s3://{name}"

    def store(self, url: str) -> BucketStore:
        """A store in a bucket that is there."""
        return BucketStore(url, self.access())

    def uploads(self, url: str) -> list[str]:
        """The keys of multipart uploads that neither ended nor were taken back."""
        found = self.client().list_multipart_uploads(Bucket=url.removeprefix("s3://").split("/")[0])
        return [one["Key"] for one in found.get("Uploads", [])]


@contextmanager
def server(directory: Path) -> Iterator[S3]:
    """A server on a free port, until the block ends."""
    try:
        import moto.server  # noqa: F401, PLC0415  only to say what is missing
    except ImportError:
        missing("moto", "pip install 'moto[s3]' flask flask-cors")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    clean = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
    with (directory / "moto.log").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)],
            stdout=log, stderr=log, env=clean,
        )  # fmt: skip
        try:
            _listens(process, port)
            yield S3("127.0.0.1", port)
        finally:
            process.terminate()
            process.wait()


def _listens(process: "subprocess.Popen[bytes]", port: int) -> None:
    until = time.monotonic() + START_S
    while time.monotonic() < until and process.poll() is None:
        with socket.socket() as trial:
            if trial.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.1)
    pytest.fail(f"moto does not listen (exit {process.returncode})")
