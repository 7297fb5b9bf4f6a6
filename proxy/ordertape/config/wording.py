"""What is said of a setting that is wrong: one sentence, and the nearest right name."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Container, Iterator, Mapping
from typing import Any, get_args

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from ordertape.config.model import Settings
from ordertape.config.section import WRONG
from ordertape.errors import Problem

__all__ = ["problems_of", "setting_names"]


def problems_of(error: ValidationError, given: Container[str]) -> tuple[Problem, ...]:
    """Everything that the model finds wrong; `given` are the dotted keys that were set."""
    return tuple(_problem(found, given) for found in error.errors())


def setting_names(model: type[BaseModel] = Settings, prefix: str = "") -> Iterator[str]:
    """The dotted key of every setting that is no table."""
    for name, field in model.model_fields.items():
        if isinstance(field.default, BaseModel):
            yield from setting_names(type(field.default), f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}"


def _problem(error: ErrorDetails, given: Container[str]) -> Problem:
    where = error["loc"]
    key = ".".join(map(str, where)).removesuffix(".[key]")
    if where[-1] == "[key]":
        words = f"There is no account {where[-2]}: an id has letters, digits, _ and - only"
        return Problem(key, f"{words}; correct it.")
    if error["type"] == "extra_forbidden":
        return Problem(key, f"There is no setting {key}; {_hint(where)}")
    if error["type"] == "dict_type" and where[0] == "rules":
        return Problem(key, f"The setting {key} is not a table of a rule's fields; {_hint(where)}")
    if error["type"] == WRONG:
        return Problem(key, f"The setting {key} is wrong: {error['msg']}")
    said = _WORDS.get(error["type"], _as_it_is)(error)
    if error["type"] == "value_error" and key not in given:  # a section's own: several settings
        return Problem(key, f"The settings {key} do not fit together: {said}; correct them.")
    return Problem(key, f"The setting {key} is wrong: {said}; correct it.")


def _as_it_is(error: ErrorDetails) -> str:
    return error["msg"].removeprefix("Value error, ")


_WORDS: Mapping[str, Callable[[ErrorDetails], str]] = {
    "tuple_type": lambda _: "Input should be a valid array",
    "dict_type": lambda _: "Input should be a table",
    "model_type": lambda _: "Input should be a table",
    "path_type": lambda _: "Input should be a path",
}
"""pydantic speaks of Python where a file of TOML has other words."""


def _hint(where: tuple[int | str, ...]) -> str:
    """The nearest name beside it, or else one of that name in another table."""
    wrong, table = str(where[-1]), where[:-1]
    prefix = "".join(f"{part}." for part in table)
    near = difflib.get_close_matches(wrong, _names_in(table), n=1)
    if near:
        return f"did you mean {prefix}{near[0]}?"
    elsewhere = {name.rpartition(".")[2]: name for name in setting_names()}
    near = difflib.get_close_matches(wrong, elsewhere, n=1, cutoff=0.8)
    return f"did you mean {elsewhere[near[0]]}?" if near else "docs/reference.md lists them all."


def _names_in(table: tuple[int | str, ...]) -> list[str]:
    """The settings and tables that exist in this one."""
    model: Any = Settings
    for part in table:
        fields = getattr(model, "model_fields", None)
        if fields is None:  # a table or an array of them
            *first, last = get_args(model) or (None,)
            model = first[0] if last is Ellipsis else last
        else:
            model = fields[str(part)].annotation if part in fields else None
    return list(getattr(model, "model_fields", {}))
