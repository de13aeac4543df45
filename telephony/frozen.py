"""`replace` for the frozen records a call is kept in: as `dataclasses.replace`, and quick.

What a call is made of changes at every event. The standard function hands each field to `__init__`
again, six times as slowly; here a copy of the instance's dictionary takes the changes. So it is
only for dataclasses that keep one (no `slots`) and do nothing on being made. Types are checked as
for the original.
"""

from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from dataclasses import replace
else:
    T = TypeVar("T")

    def replace(old: T, /, **changes: Any) -> T:  # noqa: ANN401 - whatever the fields hold
        """A copy of `old` in which the fields named in `changes` have other values."""
        new = object.__new__(type(old))
        object.__setattr__(new, "__dict__", old.__dict__ | changes)
        return new


__all__ = ["replace"]
