"""What every section of the configuration is made of."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field
from pydantic_core import PydanticCustomError

__all__ = ["WRONG", "AccountId", "Section", "wrong"]

WRONG = "ordertape"
"""The type of the errors that `wrong` makes."""

AccountId = Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]+$")]


class Section(BaseModel):
    """A table in which nothing may stand that is not documented."""

    model_config = ConfigDict(extra="forbid", frozen=True)


def wrong(said: str) -> PydanticCustomError:
    """What a validator raises: the end of the sentence that begins with the setting's name."""
    return PydanticCustomError(WRONG, "{said}", {"said": said})
