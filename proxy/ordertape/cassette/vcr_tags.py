"""The YAML tags of cassettes, each as a function of plain values; any other is refused.

They are those that vcrpy and Ruby VCR wrote over the years (peers.md section 2a). The classes
that they name are never imported, and nothing is called but the functions here.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import urlunsplit

from ordertape.cassette.values import Plain, Table, WrongError, from_base64

__all__ = ["TAGS", "YAML_TAG", "tagged"]

YAML_TAG = "tag:yaml.org,2002:"


def _first_argument(value: Any) -> Any:  # noqa: ANN401 - plain values
    """`[x]`, or `{args: [x]}`: how PyYAML writes a call."""
    return (value["args"] if isinstance(value, Table) else value)[0]


def _buffer(value: Table) -> object:
    return value["state"][0]


def _pairs(value: Table) -> Table:
    table = Table(value["_store"].values())
    table.line = value.line
    return table


def _split_url(value: Any) -> str:  # noqa: ANN401 - plain values
    scheme, netloc, path, query, fragment = map(
        str, value["args"] if isinstance(value, Table) else value
    )
    return urlunsplit((scheme, netloc, path, query, fragment))


def _same(value: Any) -> Any:  # noqa: ANN401 - plain values
    return value


_SCALAR, _CONTAINER = (str,), (list, Table)
_CALL = f"{YAML_TAG}python/object/apply:"
_NEW = f"{YAML_TAG}python/object/new:"

TAGS: Mapping[str, tuple[tuple[type, ...], Callable[[Any], Any]]] = {
    "!": (_SCALAR + _CONTAINER, _same),
    f"{YAML_TAG}str": (_SCALAR, str),
    f"{YAML_TAG}int": (_SCALAR, Plain),
    f"{YAML_TAG}float": (_SCALAR, Plain),
    f"{YAML_TAG}bool": (_SCALAR, Plain),
    f"{YAML_TAG}null": (_SCALAR, lambda _: None),
    f"{YAML_TAG}seq": ((list,), _same),
    f"{YAML_TAG}map": ((Table,), _same),
    f"{YAML_TAG}binary": (_SCALAR, from_base64),
    "!binary": (_SCALAR, from_base64),
    f"{YAML_TAG}python/unicode": (_SCALAR, str),
    f"{YAML_TAG}python/str": (_SCALAR, str),
    f"{YAML_TAG}python/tuple": ((list,), _same),
    f"{_NEW}_io.BytesIO": ((Table,), _buffer),
    f"{_CALL}builtins.iter": (_CONTAINER, _first_argument),
    f"{_CALL}multidict._multidict.istr": (_CONTAINER, _first_argument),
    f"{_NEW}multidict._multidict.istr": (_CONTAINER, _first_argument),
    f"{_NEW}yarl.URL": ((Table,), _buffer),
    f"{_NEW}urllib.parse.SplitResult": (_CONTAINER, _split_url),
    f"{YAML_TAG}python/object:requests.structures.CaseInsensitiveDict": ((Table,), _pairs),
    f"{YAML_TAG}python/object:vcr.request.Request": ((Table,), _same),
    f"{_CALL}__builtin__.frozenset": (_CONTAINER, _first_argument),
    f"{_CALL}builtins.frozenset": (_CONTAINER, _first_argument),
}


def _short(tag: str) -> str:
    return ascii(tag.replace(YAML_TAG, "!!"))[1:-1][:120]


def tagged(tag: str, value: Any, line: int) -> Any:  # noqa: ANN401 - plain values
    """What a value of this tag stands for. Errors: WrongError with this line."""
    kinds, meaning = TAGS.get(tag, ((), _same))
    if not isinstance(value, kinds):
        raise WrongError(
            f"The tag {_short(tag)} is none that a cassette may hold here, and nothing of it was "
            "run; record anew, or write the value as plain text.",
            line,
        )
    try:
        return meaning(value)
    except WrongError as error:
        raise WrongError(str(error), line) from error
    except (KeyError, IndexError, TypeError, ValueError, AttributeError) as error:
        raise WrongError(
            f"The value is not of the shape that {_short(tag)} has; record anew.", line
        ) from error
