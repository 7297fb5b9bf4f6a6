"""Quotas as pure arithmetic: what limits there are, over which windows, and what they allow.

Nothing here stores or counts: the store's ledger does. Source: reference page quotas, section 2.
"""

from ordertape.quota.policy import Boost, Mode, Quota, Quotas, Unit
from ordertape.quota.refusing import Reservation, headers, refusal, said, unpriced, warnings
from ordertape.quota.standing import Standing
from ordertape.quota.window import Burst, Calendar, Extent, Period, Rolling, Window

__all__ = [
    "Boost",
    "Burst",
    "Calendar",
    "Extent",
    "Mode",
    "Period",
    "Quota",
    "Quotas",
    "Reservation",
    "Rolling",
    "Standing",
    "Unit",
    "Window",
    "headers",
    "refusal",
    "said",
    "unpriced",
    "warnings",
]
