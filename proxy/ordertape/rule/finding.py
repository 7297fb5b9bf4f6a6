"""Where rules are found: the entry points of installed packages, and files named by their path."""

from __future__ import annotations

import hashlib
import re
import sys
from collections.abc import Iterable, Iterator, Mapping
from importlib.metadata import EntryPoint, entry_points
from itertools import chain
from pathlib import Path
from types import ModuleType

from ordertape.errors import StartUpError
from ordertape.rule.protocol import Registered

GROUP = "ordertape.rules"
"""The entry-point group. The entry point's name is the rule's name."""

RESERVED = "severity"
"""What every rule has beside its own fields."""

_WORD = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")


def discover(
    found: Iterable[EntryPoint] | None = None, files: Iterable[Path] = ()
) -> Mapping[str, Registered]:
    """Every rule, by name; `found` None stands for the group's entry points.

    Errors: StartUpError for two rules of one name, a rule that cannot be imported, or a class that
    is no rule.
    """
    installed = entry_points(group=GROUP) if found is None else found
    rules: dict[str, Registered] = {}
    for rule in chain(map(_from_package, installed), *map(_from_file, files)):
        standing = rules.get(rule.name)
        if standing is not None:
            raise StartUpError(
                f"There are two rules named {rule.name}, of {standing.package} and of "
                f"{rule.package}; uninstall or rename one."
            )
        rules[rule.name] = rule
    return rules


def _from_package(entry_point: EntryPoint) -> Registered:
    package = entry_point.dist.name if entry_point.dist else entry_point.value
    version = entry_point.dist.version if entry_point.dist else ""
    try:
        rule = entry_point.load()
    except Exception as error:  # a stranger's module may raise anything on import
        raise StartUpError(
            f"The rule {entry_point.name} of {package} cannot be imported "
            f"({type(error).__name__}: {error}); mend or uninstall it."
        ) from error
    return _checked(entry_point.name, rule, package, version)


def _from_file(path: Path) -> Iterator[Registered]:
    """The rules that a file defines: `UpperCaseState` is named `upper-case-state`.

    A change of the file is another version of the package, and read anew.
    """
    try:
        source = path.read_bytes()
    except OSError as error:
        raise StartUpError(
            f"The rule file {path} cannot be read ({error.strerror}); correct `rules`."
        ) from error
    version = hashlib.sha256(source).hexdigest()[:12]
    module = _imported(path, source, f"ordertape_rule_file_{version}")
    found = [
        value
        for value in vars(module).values()
        if isinstance(value, type)
        and value.__module__ == module.__name__
        and (hasattr(value, "normalize") or hasattr(value, "validate"))
    ]
    if not found:
        raise StartUpError(
            f"The rule file {path} defines no rule; a rule is a frozen dataclass with normalize "
            "or validate."
        )
    for rule in found:
        name = _WORD.sub("-", rule.__name__).lower()
        yield _checked(name, rule, str(path), version)


def _imported(path: Path, source: bytes, name: str) -> ModuleType:
    module = ModuleType(name)
    module.__file__ = str(path)
    sys.modules[name] = module  # dataclasses and type hints look their module up
    try:
        exec(compile(source, path, "exec"), vars(module))  # noqa: S102 - the operator's own code
    except Exception as error:  # it may raise anything
        del sys.modules[name]
        raise StartUpError(
            f"The rule file {path} cannot be imported ({type(error).__name__}: {error}); mend it."
        ) from error
    return module


def _checked(name: str, rule: object, package: str, version: str) -> Registered:
    where = f"The rule {name} of {package}"
    parameters = getattr(rule, "__dataclass_params__", None)
    if not isinstance(rule, type) or parameters is None or not parameters.frozen:
        raise StartUpError(f"{where} is not a frozen dataclass; make it one.")
    if not (hasattr(rule, "normalize") or hasattr(rule, "validate")):
        raise StartUpError(f"{where} has neither normalize nor validate; give it one.")
    if RESERVED in getattr(rule, "__dataclass_fields__", {}):
        raise StartUpError(
            f"{where} has a field named {RESERVED}, which every rule has; rename it."
        )
    return Registered(name, rule, package, version)
