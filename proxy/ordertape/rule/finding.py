"""Where rules are found: the entry points of installed packages, and files named by their path."""

from __future__ import annotations

import hashlib
import os
import re
import sys
import typing
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import partial
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from types import ModuleType

from ordertape.errors import ConfigurationError, Problem, StartUpError
from ordertape.rule.protocol import ABILITIES, Registered, Rule
from ordertape.rule.shape import check_class, said

GROUP = "ordertape.rules"
"""The entry-point group. The entry point's name is the rule's name."""

FILES = "files"
"""What stands in the configuration beside the rules' names."""

_WORD = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")


def discover(
    found: Iterable[EntryPoint] | None = None, files: Iterable[Path] = ()
) -> Mapping[str, Registered]:
    """Every rule, by name; `found` None stands for the group's entry points.

    Errors: ConfigurationError for two rules of one name, rules that cannot be imported, and
    classes that are no rules.
    """
    rules, problems = find(found, files)
    if problems:
        raise ConfigurationError(problems)
    return rules


def find(
    found: Iterable[EntryPoint] | None = None, files: Iterable[Path] = ()
) -> tuple[Mapping[str, Registered], tuple[Problem, ...]]:
    """Every rule that is one, by name, and what is wrong with the others."""
    installed = entry_points(group=GROUP) if found is None else found
    sources: list[tuple[str, Callable[[], Iterator[Registered]]]] = [
        *(("", partial(_from_package, entry_point)) for entry_point in installed),
        *((f"rules.{FILES}.{n}", partial(_from_file, file)) for n, file in enumerate(files)),
    ]
    rules: dict[str, Registered] = {}
    problems: list[Problem] = []
    for key, rules_in in sources:
        try:
            for rule in rules_in():
                _check_name(rule, rules.get(rule.name))
                rules[rule.name] = rule
        except StartUpError as error:
            problems.append(Problem(key, str(error)))
    return rules, tuple(problems)


def _check_name(rule: Registered, standing: Registered | None) -> None:
    if standing is not None:
        raise StartUpError(
            f"There are two rules named {rule.name}, of {standing.package} and of "
            f"{rule.package}; uninstall or rename one."
        )
    if rule.name == FILES:
        raise StartUpError(
            f"The rule {rule.name} of {rule.package} has the name that rule files have in the "
            "configuration; rename it."
        )


def _from_package(entry_point: EntryPoint) -> Iterator[Registered]:
    package = entry_point.dist.name if entry_point.dist else entry_point.value
    version = entry_point.dist.version if entry_point.dist else ""
    try:
        rule = entry_point.load()
    except (Exception, SystemExit) as error:  # a stranger's module may raise anything on import
        raise StartUpError(
            f"The rule {entry_point.name} of {package} cannot be imported "
            f"({said(error)}); mend or uninstall it."
        ) from error
    yield _checked(entry_point.name, rule, package, version)


def _from_file(path: Path) -> Iterator[Registered]:
    """The rules that a file defines: `UpperCaseState` is named `upper-case-state`.

    Classes whose names begin with `_` are the file's own affair. A change of the file is another
    version of the package, and read anew.
    """
    try:
        source = path.read_bytes()
    except OSError as error:
        raise StartUpError(
            f"The rule file {path} cannot be read ({error.strerror}); correct its path."
        ) from error
    version = hashlib.sha256(source).hexdigest()[:12]
    module = _imported(path, source, _module_name(path, version))
    found = dict.fromkeys(
        value
        for value in vars(module).values()
        if isinstance(value, type)
        and value.__module__ == module.__name__
        and not value.__name__.startswith("_")
        and any(hasattr(value, ability) for ability in ABILITIES)
    )
    if not found:
        raise StartUpError(
            f"The rule file {path} defines no rule; a rule is a frozen dataclass with normalize, "
            "validate or formats."
        )
    for rule in found:
        name = _WORD.sub("-", rule.__name__).lower()
        yield _checked(name, rule, str(path), version)


def _module_name(path: Path, version: str) -> str:
    """The same for the same file only: two files of the same content are two modules."""
    place = hashlib.sha256(os.fsencode(path.absolute())).hexdigest()[:12]
    return f"ordertape_rule_file_{place}_{version}"


def _imported(path: Path, source: bytes, name: str) -> ModuleType:
    """The file as a module, which is known for good once it is imported.

    After a reload, orders are still judged by the rules of before, and whatever asks for their
    types, as dataclasses do, looks their module up. A gateway lives to see few versions of a file.
    """
    module = ModuleType(name)
    module.__file__ = str(path)
    before = sys.modules.get(name)
    sys.modules[name] = module
    try:
        exec(compile(source, path, "exec"), vars(module))  # noqa: S102 - the operator's own code
    except (Exception, SystemExit) as error:  # it may raise anything
        sys.modules.pop(name, None)
        if before is not None:
            sys.modules[name] = before
        raise StartUpError(
            f"The rule file {path} cannot be imported ({said(error)}); mend it."
        ) from error
    return module


def _checked(name: str, rule: object, package: str, version: str) -> Registered:
    where = f"The rule {name} of {package}"
    try:
        check_class(rule, where)
    except StartUpError:
        raise
    except Exception as error:  # a stranger's class may raise when it is looked at
        raise StartUpError(f"{where} cannot be read ({said(error)}); mend it.") from error
    return Registered(name, typing.cast("type[Rule]", rule), package, version)
