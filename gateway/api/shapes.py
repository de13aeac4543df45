"""What all JSON bodies share: how a body is read, how a time is told, and how a fault is.

Times are RFC 3339 in China Standard Time. Fields are only ever added; a body with a field that is
not known is refused with its name, because a mistyped field would otherwise be lost.
"""

from datetime import datetime
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, model_validator

from gateway.tickets.clocks import china


def when(at: int | None) -> datetime | None:
    """A point of time as JSON shows it."""
    return None if at is None else china(at)


def storable(given: Any) -> Any:  # noqa: ANN401 - whatever JSON holds
    """`given` without NUL, which no text of PostgreSQL can hold and nobody means."""
    match given:
        case str():
            return given.replace("\x00", "")
        case list():
            return [storable(one) for one in given]
        case dict():
            return {storable(name): storable(one) for name, one in given.items()}
    return given


PageNumber = Annotated[int, Field(ge=1, lt=10**9)]
RowId = Annotated[int, Field(ge=1, lt=2**63)]


class Model(BaseModel):
    """What all bodies share: unknown fields are refused, rows may be read from, NUL is left out."""

    model_config = ConfigDict(extra="forbid", from_attributes=True, hide_input_in_errors=True)
    _storable = model_validator(mode="before")(storable)


class Done(Model):
    """It was done."""

    done: bool = True


class Fault(Model):
    """An error: what is wrong and what to do; `fields` for input, by name."""

    message: str
    fields: dict[str, str] = {}
