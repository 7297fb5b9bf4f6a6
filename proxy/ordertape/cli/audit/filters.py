"""Which exchanges a command is about: the same options for every one that goes through them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import click

from ordertape.cli.options import Moment, Word
from ordertape.model import Origin, State
from ordertape.store.reading import Filter, Reader

__all__ = ["asked_for", "filter_options"]

_ALL = "all"


def _state(_: click.Context, __: click.Parameter, value: str | None) -> State | None:
    return None if value is None else State(value.upper().replace("-", "_"))


_CONDITIONS = (
    click.option("--account", type=Word(), help="The account of the path."),
    click.option(
        "--state",
        type=click.Choice([state.token for state in State], case_sensitive=False),
        callback=_state,
        help="Where the exchange stands.",
    ),
    click.option("--since", type=Moment(), help="Received at this time or later."),
    click.option("--until", type=Moment(), help="Received before this time."),
    click.option("--order-id", type=Word(), help="The service's id of the order."),
    click.option("--customer-order-id", type=Word(), help="The client's id of the order."),
    click.option(
        "--status", type=click.IntRange(100, 999), help="The status that the client was given."
    ),
    click.option(
        "--origin",
        type=click.Choice([*(origin.value for origin in Origin), _ALL]),
        help="What answered [live where there are any, else all].",
    ),
)


def filter_options(*, limit: int | None) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Add the options to a command; `limit` is the default of --limit, None for no limit.

    The command hands what it is given to `asked_for`.
    """
    most = click.option(
        "--limit",
        type=click.IntRange(1, 10**9),
        default=limit,
        show_default="no limit" if limit is None else True,
        help="How many, the newest first.",
    )

    def added(command: Callable[..., Any]) -> Callable[..., Any]:
        for option in reversed((*_CONDITIONS, most)):
            command = option(command)
        return command

    return added


def asked_for(reader: Reader, *, origin: str | None, **conditions: Any) -> Filter:  # noqa: ANN401 - the options above, and fields of Filter
    """What the options ask for: without --origin live exchanges only, where there are any."""
    if origin is None and reader.has_live():
        origin = Origin.LIVE.value
    chosen = None if origin in {None, _ALL} else Origin(origin)
    return Filter(origin=chosen, **conditions)
