"""Who signs in to the JSON API, and who that is."""

from datetime import datetime

from pydantic import Field

from gateway.api.shapes import Model
from gateway.people.accounts import Person


class SignIn(Model):
    """Who signs in."""

    login: str
    password: str = Field(repr=False)


class PersonOut(Model):
    """Who somebody is."""

    login: str
    name: str
    role: str
    department: str | None
    extension: str | None
    pbx: str
    """The PBX that `extension` is of."""

    @classmethod
    def of(cls, who: Person) -> "PersonOut":
        """Of a person."""
        return cls.model_validate(who, from_attributes=True, extra="ignore")


class SessionOut(Model):
    """An opened session: send `token` as `Authorization: Bearer`."""

    token: str
    expires_at: datetime
    person: PersonOut
