"""Lists, a page at a time, and how long a text that is looked for may be."""

from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from sqlalchemy import ColumnElement, Select, func, select
from sqlalchemy.orm import Session

T = TypeVar("T")

PAGE = 30
SOUGHT_MAX = 200  # characters; SQLite takes no pattern beyond 50 000 bytes


@dataclass(frozen=True, slots=True)
class Page(Generic[T]):
    """One page of a list: `number` counts from 1."""

    items: list[T]
    number: int
    total: int
    size: int = PAGE
    incomplete: bool = False
    """Whether calls may be missing from it: an interval without the PBX is not back-filled."""

    @property
    def pages(self) -> int:
        """How many pages there are, at least one."""
        return max(1, -(-self.total // self.size))


def paged(session: Session, wanted: Select[T], page: int, *order: ColumnElement[Any]) -> Page[T]:
    """One page of `wanted` in `order`; a page beyond the end is the last one."""
    total = session.scalar(select(func.count()).select_from(wanted.subquery())) or 0
    number = min(max(1, page), max(1, -(-total // PAGE)))
    rows = session.scalars(wanted.order_by(*order).limit(PAGE).offset((number - 1) * PAGE))
    return Page(list(rows), number, total)


def too_long() -> str:
    """What is said of a text that nobody looks for."""
    return f"查找内容最多 {SOUGHT_MAX} 个字。 At most {SOUGHT_MAX} characters."
