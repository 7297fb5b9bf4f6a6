"""The quotas of the configuration: `[[quotas]]`, and what an account has of its own.

Which fields a quota takes depends on its window: `_TAKES` says so. Each is checked by itself, so
that every mistake has its own key and line. What concerns several of them is in `policies`.
"""

from __future__ import annotations

import difflib
import re
import zoneinfo
from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import (
    BeforeValidator,
    Field,
    PlainSerializer,
    PlainValidator,
    SerializerFunctionWrapHandler,
    ValidationInfo,
    field_validator,
    model_serializer,
    model_validator,
)

from ordertape.config.section import Section, wrong
from ordertape.quota import Mode, Unit
from ordertape.redaction import DIGEST

__all__ = ["Digest", "QuotaOverride", "QuotaSection", "misfit"]

WindowName = Literal["hour", "day", "week", "month", "rolling", "burst"]

_CALENDARS = ("hour", "day", "week", "month")
_OF_CALENDAR = {"limit": "limit = 10000", "zone": None, "warn_at": None}
_TAKES: Mapping[str, Mapping[str, str | None]] = {
    **dict.fromkeys(_CALENDARS, _OF_CALENDAR),
    "rolling": {"limit": "limit = 10000", "seconds": "seconds = 3600", "warn_at": None},
    "burst": {"size": "size = 20", "per_second": "per_second = 5"},
}
"""For each window its fields, and for those that it needs an example."""

_DEFAULTS: Mapping[str, Mapping[str, object]] = {
    **{name: {"unit": "numbers", "warn_at": 0.8, "zone": "UTC"} for name in _CALENDARS},
    "rolling": {"unit": "numbers", "warn_at": 0.8},
    "burst": {"unit": "orders"},
}
"""For each window what holds where nothing is said."""

_MOST = 10**12
_LARGEST_BURST = 10**6
_SLOWEST, _FASTEST = 1e-6, 1e6
_YEAR = 366 * 86_400

_ACCOUNT = re.compile(r"[A-Za-z0-9_-]+")


def _amount(most: int) -> PlainValidator:
    def checked(value: object) -> object:
        if value == "unlimited" or (type(value) is int and 0 <= value <= most):
            return value
        raise wrong(f'it is a whole number from 0 to {most}, or "unlimited".')

    return PlainValidator(checked)


def _accounts(value: object) -> object:
    if value == "*":
        return value
    ids = list(value) if isinstance(value, list | tuple) else [value]
    if ids == value and all(isinstance(one, str) and _ACCOUNT.fullmatch(one) for one in ids):
        return tuple(ids)
    raise wrong('it is "*", or a list of account ids, such as ["9900012"].')


def _written(value: object) -> object:
    """As the file has it."""
    return list(value) if isinstance(value, tuple) else value


def _zone(value: object) -> object:
    """A zone that exists. One that this machine lacks could not be counted in."""
    if not isinstance(value, str):
        raise wrong('it is the name of a time zone, such as "America/New_York".')
    try:
        zoneinfo.ZoneInfo(value)
    except (OSError, ValueError, zoneinfo.ZoneInfoNotFoundError) as error:
        raise wrong(f"there is no such time zone; {_near(value)}") from error
    return value


def _near(zone: str) -> str:
    """The nearest zone by its name or by the last part of it, in any letter case."""
    names: dict[str, str] = {}
    for name in sorted(zoneinfo.available_timezones()):
        names.setdefault(name.lower(), name)
        names.setdefault(name.lower().rpartition("/")[2], name)
    near = difflib.get_close_matches(zone.lower().replace(" ", "_"), names, n=1)
    return f"did you mean {names[near[0]]}?" if near else 'write it like "America/New_York".'


def _moment(value: object) -> object:
    """A moment of which no reader needs to know where the gateway stands."""
    try:
        at = datetime.fromisoformat(value) if isinstance(value, str) else value
    except ValueError:
        at = None
    if not isinstance(at, datetime) or at.tzinfo is None:
        raise wrong("it is a moment with its offset, such as 2026-12-01T00:00:00Z.")
    return at


def _digest(value: object) -> object:
    if not isinstance(value, str) or not DIGEST.fullmatch(value):
        raise wrong("it is no digest of credentials; `ordertape account fingerprint` prints one.")
    return value


Digest = Annotated[str, PlainValidator(_digest)]
"""What stands for credentials. Whatever else was written is never repeated: it may be a secret."""

Size = Annotated[int | Literal["unlimited"], _amount(_LARGEST_BURST)]
Limit = Annotated[int | Literal["unlimited"], _amount(_MOST)]
Rate = Annotated[float, Field(ge=_SLOWEST, le=_FASTEST, allow_inf_nan=False)]
Share = Annotated[float, Field(gt=0, le=1)]


class _Sparse(Section):
    """A section of which nothing is shown that is not said."""

    @model_serializer(mode="wrap")
    def _said(self, serialised: SerializerFunctionWrapHandler) -> dict[str, Any]:
        return {name: value for name, value in serialised(self).items() if value is not None}


class QuotaSection(_Sparse):
    """One quota: a limit over a window, of everyone or of some accounts."""

    name: str = Field(
        pattern="^[a-z0-9][a-z0-9-]*$",
        max_length=64,
        description="What it is called, in answers and commands: a-z, 0-9 and -.",
    )
    window: WindowName = Field(
        description="`hour`, `day`, `week` or `month` of a calendar, `rolling`, or `burst`."
    )
    unit: Unit | None = Field(
        None, description="`numbers` (default) or `orders`; a burst counts orders."
    )
    limit: Limit | None = Field(
        None,
        validate_default=True,
        description='How many a window; 0 blocks, "unlimited" only counts. Not of a burst.',
    )
    zone: Annotated[str, BeforeValidator(_zone)] | None = Field(
        None, description="Time zone of a calendar window; UTC otherwise."
    )
    seconds: Annotated[int, Field(ge=1, le=_YEAR)] | None = Field(
        None, validate_default=True, description="How long a rolling window is."
    )
    size: Size | None = Field(
        None, validate_default=True, description="Orders that a burst admits at once."
    )
    per_second: Rate | None = Field(
        None, validate_default=True, description="Orders a second that a burst admits for long."
    )
    accounts: Annotated[
        Literal["*"] | tuple[str, ...], PlainValidator(_accounts), PlainSerializer(_written)
    ] = Field("*", description='`"*"` (default), or a list of the account ids that have it.')
    mode: Mode = Field(Mode.ENFORCE, description="`enforce` (default), or `shadow`: only logs.")
    warn_at: Share | None = Field(
        None, description="Share of the limit from which the log warns; 0.8 otherwise."
    )

    @model_validator(mode="before")
    @classmethod
    def _with_defaults(cls, said: object) -> object:
        window = said.get("window") if isinstance(said, dict) else None
        defaults = _DEFAULTS.get(window) if isinstance(window, str) else None
        return said if defaults is None else {**defaults, **said}  # type: ignore[dict-item]

    @field_validator("limit", "zone", "seconds", "size", "per_second", "warn_at")
    @classmethod
    def _fits_the_window(cls, value: object, info: ValidationInfo) -> object:
        window = info.data.get("window")
        if window is not None and (said := misfit(window, str(info.field_name), value)):
            raise wrong(said)
        return value

    @field_validator("unit")
    @classmethod
    def _counted_by(cls, value: Unit, info: ValidationInfo) -> Unit:
        if info.data.get("window") == "burst" and value is not Unit.ORDERS:
            raise wrong("a burst counts orders; leave it out.")
        return value


class QuotaOverride(_Sparse):
    """What one account has of its own of a quota that covers it; the rest holds as it stands."""

    limit: Limit | None = Field(None, description="As above; of a burst it is `size`.")
    size: Size | None = Field(None, description="As above.")
    per_second: Rate | None = Field(None, description="As above.")
    mode: Mode | None = Field(None, description="As above.")
    warn_at: Share | None = Field(None, description="As above.")
    boost: Annotated[int, Field(ge=1, le=_MOST)] | None = Field(
        None, description="So much more than the limit, until `boost_until`."
    )
    boost_until: Annotated[datetime, BeforeValidator(_moment)] | None = Field(
        None, validate_default=True, description="When the boost ends."
    )

    @field_validator("boost_until")
    @classmethod
    def _of_a_boost(cls, value: datetime | None, info: ValidationInfo) -> datetime | None:
        if "boost" in info.data:
            boosted = info.data["boost"] is not None
            if boosted and value is None:
                raise wrong("a boost ends; add it, such as boost_until = 2026-12-01T00:00:00Z.")
            if value is not None and not boosted:
                raise wrong("there is no boost that would end; add boost = 1000, or leave it out.")
        return value


def misfit(window: str, field: str, value: object) -> str | None:
    """What is wrong with a field, or with its absence, in a quota of this window; or None."""
    takes = _TAKES[window]
    example = takes.get(field)
    if value is None and example is not None:
        return f"the window {window} needs it; add it, such as {example}."
    if value is not None and field not in takes:
        return f"a quota of the window {window} takes {', '.join(takes)} instead; leave it out."
    return None
