"""Recordings as files, for emergencies and for others' tools: no database, no settings."""

import argparse
from pathlib import Path

from gateway.cli.command import Command, Result, arg
from recordings import files


def seal(asked: argparse.Namespace) -> Result:
    """Seal a WAV to a public key."""
    made = files.seal_file(asked.wav, asked.recipient, asked.out)
    data = {"out": str(asked.out), "plain_sha256": made.plain_sha256.hex(),
            "sealed_sha256": made.sealed_sha256.hex(), "sealed_size": made.sealed_size}  # fmt: skip
    return Result(True, f"已封存 · sealed: {asked.out}", data)


def open_(asked: argparse.Namespace) -> Result:
    """Open a sealed recording with a private key."""
    files.open_file(asked.file, asked.identity, asked.out)
    return Result(True, f"已打开 · opened: {asked.out}", {"out": str(asked.out)})


COMMANDS = (
    Command(
        "recording seal",
        "用公钥封存 WAV（age v1） · seal a WAV to a public key (age v1)",
        seal,
        (
            arg("wav", type=Path, help="WAV 文件 · the WAV"),
            arg("--recipient", required=True, metavar="age1…", help="公钥 · the public key"),
            arg("--out", type=Path, required=True, help="输出 · where to write"),
        ),
    ),
    Command(
        "recording open",
        "用私钥打开封存的录音 · open a sealed recording with a private key",
        open_,
        (
            arg("file", type=Path, help="封存文件 · the sealed file"),
            arg("--identity", type=Path, required=True, metavar="KEYFILE",
                help="age-keygen 格式的私钥文件 · a key file as age-keygen writes it"),
            arg("--out", type=Path, required=True, help="输出 WAV · where to write"),
        ),
    ),
)  # fmt: skip
