"""What every message is made of: bounded fields, and the model that forgives what it does not know.

Always holds: what fits here fits the database (bounded lengths, no NUL, numbers within 32 bits);
a message is frozen, ignores fields it does not know, and its errors and its `repr` quote nothing.
Which messages there are is not said here: `orders_out`, `replies_in`.
"""

from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints


def _without_nul(text: str) -> str:
    if "\0" in text:  # PostgreSQL stores no NUL: it would fail for ever, so it is refused here
        raise ValueError("contains NUL")
    return text


Short = Annotated[
    str, StringConstraints(min_length=1, max_length=120), AfterValidator(_without_nul)
]
Perhaps = Annotated[str, StringConstraints(max_length=120), AfterValidator(_without_nul)]
Long = Annotated[str, StringConstraints(max_length=20_000), AfterValidator(_without_nul)]
Brief = Annotated[
    str, StringConstraints(min_length=1, max_length=1_000), AfterValidator(_without_nul)
]
"""A few sentences beside a whole order: so much that both fit into one message, escapes and all."""
Department = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]{0,39}$")]
"""A department's code; it stands in routing keys and queue names, so it has no dot."""
FieldName = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z_]{0,39}$")]
"""The name of a field of a message."""
Version = Annotated[int, Field(ge=1, le=2**31 - 1)]


class Model(BaseModel):
    """Frozen, and blind to what a later version adds."""

    model_config = ConfigDict(
        frozen=True,
        extra="ignore",
        hide_input_in_errors=True,
        json_schema_serialization_defaults_required=True,  # `event` is always written
    )


class OfWorkOrder(Model):
    """What every message says first: which work order, which state of it, whose."""

    work_order: Short = Field(description="派单编号。 The work order's number.")
    version: Version = Field(
        description="派单版本，只增不减；回复填所依据的版本。 "
        "The work order's version, which only grows; a reply names the one it answers."
    )
    department: Department = Field(description="承办部门代码。 The department's code.")
