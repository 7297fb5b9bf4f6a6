"""From what is configured to the quotas of every account, and what does not fit together in that.

A quota holds for the accounts that it names, else for everyone; an account's own fields win.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Mapping, Sequence
from itertools import chain

from ordertape.config.model import Settings
from ordertape.config.quotas import QuotaOverride, QuotaSection, misfit
from ordertape.errors import Problem
from ordertape.quota import Boost, Burst, Calendar, Period, Quota, Quotas, Rolling, Unit
from ordertape.quota.window import SECOND, Window

__all__ = ["credential_problems", "quota_problems", "quotas"]

_NOTHING = QuotaOverride()


def quotas(settings: Settings) -> Quotas:
    """The quotas as they are configured, for settings of which `quota_problems` finds none."""
    everyone = tuple(_quota(one, _NOTHING) for one in settings.quotas if one.accounts == "*")
    named = chain.from_iterable(one.accounts for one in settings.quotas if one.accounts != "*")
    own = dict.fromkeys([*named, *(id_ for id_, one in settings.accounts.items() if one.quotas)])
    return Quotas(
        everyone=everyone,
        accounts={account: _of_account(settings, account) for account in own},
        pass_v2=settings.v2_orders == "pass",
        refunded=frozenset(settings.quota_refunds),
        headers=settings.quota_headers,
    )


def quota_problems(settings: Settings, names: Sequence[str]) -> Iterator[Problem]:
    """What is wrong between quotas, and between them and what accounts have of their own.

    `names` are those of all the quotas that were written, also of any that the settings lack.
    """
    first: dict[str, int] = {}
    for number, name in enumerate(names):
        if first.setdefault(name, number) != number:
            key = f"quotas.{number}.name"
            yield Problem(key, f"There are two quotas {name} (quotas.{first[name]}); rename one.")
    known = {section.name: section for section in settings.quotas}
    for account, own in settings.accounts.items():
        for name, override in own.quotas.items():
            key = f"accounts.{account}.quotas.{name}"
            if name not in names:
                yield Problem(key, f"There is no quota {name} ({key}); {_hint(name, names)}")
            elif name in known:
                yield from _misfits(key, account, known[name], override)


def credential_problems(settings: Settings, key_id: str) -> Iterator[Problem]:
    """The digests that no credentials can match, because another key made them."""
    for account, own in settings.accounts.items():
        for number, digest in enumerate(own.credentials):
            made_with = digest.split(":")[1]
            if made_with != key_id:
                key = f"accounts.{account}.credentials.{number}"
                yield Problem(
                    key,
                    f"The setting {key} was made with the key {made_with}, and the store's is "
                    f"{key_id}; make it anew with `ordertape account fingerprint`.",
                )


def _hint(name: str, names: Sequence[str]) -> str:
    near = difflib.get_close_matches(name, names, n=1)
    return f"did you mean {near[0]}?" if near else f"there are {', '.join(names) or 'none'}."


def _misfits(
    key: str, account: str, section: QuotaSection, override: QuotaOverride
) -> Iterator[Problem]:
    if account not in section.accounts and section.accounts != "*":
        sentence = (
            f"The quota {section.name} does not cover account {account}; "
            f"add it to the quota's accounts, or leave {key} out."
        )
        yield Problem(key, sentence)
        return
    for field in ("limit", "size", "per_second", "warn_at"):
        value = getattr(override, field)
        said = None if value is None else misfit(section.window, field, value)
        if said is not None:
            yield Problem(f"{key}.{field}", f"The setting {key}.{field} is wrong: {said}")
    if override.boost is not None and _limit(section, override) is None:
        said = "the quota is unlimited for this account; leave it out."
        yield Problem(f"{key}.boost", f"The setting {key}.boost is wrong: {said}")


def _of_account(settings: Settings, account: str) -> tuple[Quota, ...]:
    own: Mapping[str, QuotaOverride] = {}
    if account in settings.accounts:
        own = settings.accounts[account].quotas
    return tuple(
        _quota(section, own.get(section.name, _NOTHING))
        for section in settings.quotas
        if section.accounts == "*" or account in section.accounts
    )


def _quota(section: QuotaSection, override: QuotaOverride) -> Quota:
    boosts: tuple[Boost, ...] = ()
    if override.boost is not None and override.boost_until is not None:
        boosts = (Boost(override.boost, round(override.boost_until.timestamp() * SECOND)),)
    return Quota(
        name=section.name,
        unit=section.unit or Unit.NUMBERS,
        limit=_limit(section, override),
        window=_window(section, override),
        mode=override.mode or section.mode,
        warn_at=section.warn_at if override.warn_at is None else override.warn_at,
        boosts=boosts,
        source="file" if override == _NOTHING else "file, account",
    )


def _limit(section: QuotaSection, override: QuotaOverride) -> int | None:
    of_burst = section.window == "burst"
    own = override.size if of_burst else override.limit
    limit = (section.size if of_burst else section.limit) if own is None else own
    return limit if isinstance(limit, int) else None


def _window(section: QuotaSection, override: QuotaOverride) -> Window:
    if section.window == "rolling":
        return Rolling(section.seconds or 0)
    if section.window == "burst":
        return Burst(override.per_second or section.per_second or 0.0)
    return Calendar(Period(section.window), section.zone or "UTC")
