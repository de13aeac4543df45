"""What a command is: its words, its arguments, what it returns."""

import argparse
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class Result:
    """Whether it was done, and how that reads for people and for programs. `data` is None where
    a program was told all of it on the way, line by line."""

    done: bool
    text: str
    data: Any


@dataclass(frozen=True, slots=True)
class Argument:
    """One argument, as argparse takes it."""

    names: tuple[str, ...]
    options: dict[str, Any] = field(default_factory=dict)


def arg(*names: str, **options: Any) -> Argument:  # noqa: ANN401 - argparse's own options
    """An argument, written as one would for argparse."""
    return Argument(names, options)


@dataclass(frozen=True, slots=True)
class Command:
    """`hotline <words>`: what it does, in both languages, and what it takes."""

    words: str
    help: str
    run: Callable[[argparse.Namespace], Result]
    arguments: tuple[Argument, ...] = ()
