"""What a class has to be to be a rule, and a rule to be applied."""

from __future__ import annotations

import dataclasses
import inspect
import re
import typing
from collections.abc import Callable, Collection, Mapping
from typing import Any

from pydantic import TypeAdapter, ValidationError

from ordertape.errors import StartUpError
from ordertape.order import Format, is_specified
from ordertape.rule.protocol import ABILITIES

RESERVED = "severity"
"""What every rule has beside its own fields."""


def check_class(rule: object, where: str) -> None:
    """Check what can be known of a rule before it has its fields.

    Errors: StartUpError, its sentence beginning with `where`: "The rule state of acme-rules".
    """
    parameters = getattr(rule, "__dataclass_params__", None)
    if not isinstance(rule, type) or parameters is None or not parameters.frozen:
        raise StartUpError(f"{where} is not a frozen dataclass; make it one.")
    if not any(hasattr(rule, ability) for ability in ABILITIES):
        raise StartUpError(f"{where} has no {', '.join(ABILITIES)}; give it one of them.")
    _check_fields(rule, where)
    check_abilities(rule, where)


def check_abilities(rule: object, where: str) -> None:
    """Check what a class or a rule can do: what is a rule's own may hide what its class has.

    Errors: as `check_class`.
    """
    for name in ("normalize", "validate"):
        if hasattr(rule, name):
            _check_method(rule, name, where)
    if hasattr(rule, "formats"):
        _check_formats(rule.formats, where)
    if hasattr(rule, "concerns"):
        _check_concerns(rule.concerns, where)
    if not isinstance(getattr(rule, "structural", False), bool):
        raise StartUpError(
            f"{where} has a `structural` that is neither True nor False; correct it."
        )


def is_required(field: dataclasses.Field[Any]) -> bool:
    """Whether a rule cannot be made without this field."""
    return field.init and field.default is field.default_factory is dataclasses.MISSING


def said(error: BaseException) -> str:
    """The words of an error in one line."""
    if isinstance(error, ValidationError):
        # Its own text shows the value.
        return " or ".join(dict.fromkeys(problem["msg"] for problem in error.errors()))
    name, words = type(error).__name__, " ".join(str(error).split())
    return f"{name}: {words}" if words else name


def _check_fields(rule: Any, where: str) -> None:  # noqa: ANN401 - a dataclass, whose type has no name
    if RESERVED in rule.__dataclass_fields__:
        raise StartUpError(
            f"{where} has a field named {RESERVED}, which every rule has; rename it."
        )
    try:
        types = typing.get_type_hints(rule)
    except Exception as error:  # an annotation is any expression
        raise StartUpError(
            f"{where} has a field whose type cannot be found ({error}); import it at run time too."
        ) from error
    for field in dataclasses.fields(rule):
        if field.init:
            _check_field(field, types[field.name], where)


def _check_field(field: dataclasses.Field[Any], wanted: Any, where: str) -> None:  # noqa: ANN401 - a type form
    try:
        adapter = TypeAdapter[Any](wanted)
    except Exception as error:  # a type may bring a schema of its own
        if not is_required(field):
            return  # nobody has to set it; who does is told
        raise StartUpError(
            f"{where} has the field {field.name}, whose type no configuration can hold; make it "
            "of numbers, texts, tuples and the like."
        ) from error
    if field.default is dataclasses.MISSING:
        return
    # Strictly, a mapping is a dict only; one that cannot be changed suits a rule better.
    default = dict(field.default) if isinstance(field.default, Mapping) else field.default
    try:
        adapter.validate_python(default, strict=True)
    except Exception as error:  # as above
        raise StartUpError(
            f"{where} has the field {field.name}, whose default is not of its type "
            f"({said(error)}); correct either."
        ) from error


def _check_method(rule: object, name: str, where: str) -> None:
    method = getattr(rule, name)
    if not callable(method):
        raise StartUpError(f"{where} has a `{name}` that is no method; make it one.")
    # A class's method has not got its rule yet.
    if not isinstance(rule, type) and not _takes_one(method):
        raise StartUpError(
            f"{where} has a `{name}` that does not take an order; write "
            f"`def {name}(self, order: Order)`."
        )


def _takes_one(method: Callable[..., object]) -> bool:
    try:
        signature = inspect.signature(method)
    except (TypeError, ValueError):  # what is not written in Python may have none
        return True
    try:
        signature.bind(None)
    except TypeError:
        return False
    return True


def _check_formats(formats: object, where: str) -> None:
    if not isinstance(formats, Mapping):
        raise StartUpError(
            f"{where} has `formats` that are no mapping; write them as a class attribute, like "
            '{"SiteId": Format(pattern, code, allowed)}.'
        )
    for name, wanted in formats.items():
        _check_element(name, "formats", where)
        for one in wanted if isinstance(wanted, tuple) and wanted else (wanted,):
            _check_format(one, name, where)


def _check_format(wanted: object, name: str, where: str) -> None:
    if not isinstance(wanted, Format) or not all(
        isinstance(text, str) for text in (wanted.pattern, wanted.code, wanted.allowed)
    ):
        raise StartUpError(
            f"{where} has something else than a Format of three texts for {name} in "
            "`formats`; write it as Format(pattern, code, allowed)."
        )
    try:
        re.compile(wanted.pattern)
    except (re.error, OverflowError, RecursionError) as error:
        raise StartUpError(
            f"{where} has a pattern for {name} in `formats` that is no regular expression "
            f"({error}); mend it."
        ) from error


def _check_concerns(concerns: object, where: str) -> None:
    if isinstance(concerns, str | bytes) or not isinstance(concerns, Collection):
        raise StartUpError(
            f"{where} has `concerns` that are no tuple of elements' names; write them like "
            '("Zip",).'
        )
    if not concerns:
        raise StartUpError(
            f"{where} has `concerns` that are empty, so that it would never be asked; name an "
            "element, or leave them out."
        )
    for name in concerns:
        _check_element(name, "concerns", where)


def _check_element(name: object, ability: str, where: str) -> None:
    if not isinstance(name, str) or not is_specified(name):
        raise StartUpError(
            f"{where} has {name} in `{ability}`, which is no element of the specification that "
            "stands alone; correct it, or judge it in `validate`."
        )
