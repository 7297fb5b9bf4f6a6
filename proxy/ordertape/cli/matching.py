"""The options of matching, as several commands take them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import click

from ordertape.matching import mistake_in_header, mistake_in_ignored

__all__ = ["matching_options", "settings_of"]


def matching_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add --ignore, --match-header and --element-order; `settings_of` reads them."""
    for option in (
        click.option(
            "--element-order",
            type=click.Choice(["any", "significant"]),
            help="Whether an order's elements may stand in any order [any].",
        ),
        click.option(
            "--match-header",
            "headers",
            multiple=True,
            metavar="NAME",
            callback=_checked(mistake_in_header),
            help="A header whose value must be the recorded one; may be repeated.",
        ),
        click.option(
            "--ignore",
            multiple=True,
            metavar="PLACE",
            callback=_checked(mistake_in_ignored),
            help="An XPath (/Order/Name), query key (?page) or header that does not count; "
            "may be repeated.",
        ),
    ):
        command = option(command)
    return command


def settings_of(
    ignore: tuple[str, ...], headers: tuple[str, ...], element_order: str | None
) -> dict[str, object] | None:
    """What the command line says of `[matching]`; None where it says nothing."""
    said = {
        "ignore": list(ignore) or None,
        "headers": list(headers) or None,
        "element_order": element_order,
    }
    return {name: value for name, value in said.items() if value is not None} or None


def _checked(
    mistake: Callable[[str], str | None],
) -> Callable[[click.Context, click.Parameter, tuple[str, ...]], tuple[str, ...]]:
    def check(
        ctx: click.Context, parameter: click.Parameter, values: tuple[str, ...]
    ) -> tuple[str, ...]:
        for value in values:
            if said := mistake(value):
                raise click.BadParameter(said, ctx, parameter)
        return values

    return check
