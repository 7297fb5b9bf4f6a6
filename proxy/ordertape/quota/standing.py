"""How an account stands towards one of its quotas when an order asks for more."""

from __future__ import annotations

from dataclasses import dataclass

from ordertape.quota.policy import Mode, Quota

__all__ = ["Standing"]


@dataclass(frozen=True, slots=True)
class Standing:
    """One quota, with the limit in force, when an order asked `asked` of its unit.

    `used` is what counted before the order came, `held` the part of it that is not settled yet: 0
    where the order fits, for it is told only to those that have to wait for it.
    `more_at` is when some of it comes free next, `fits_at` when enough for this order does, both
    in microseconds since 1970 UTC. Neither means anything where the order never fits. `warns`: with
    this order the share of the limit that is warned of is passed, for the first time in the window.
    """

    quota: Quota
    used: int
    asked: int
    more_at: int
    fits_at: int
    held: int = 0
    warns: bool = False

    @property
    def fits(self) -> bool:
        """Whether the order may have what it asks for; a limit of 0 admits not even nothing."""
        return self.excess <= 0 and self.quota.limit != 0

    @property
    def never_fits(self) -> bool:
        """Whether it asks for more than the whole limit, or that is 0.

        Boosts that end before the order could fit do not help it.
        """
        limit = self.lasting
        return limit is not None and (self.asked > limit or limit == 0)

    @property
    def lasting(self) -> int | None:
        """What is left of the limit at `fits_at`, when boosts have ended; None is unlimited."""
        limit = self.quota.limit
        if limit is None:
            return None
        return limit - sum(one.by for one in self.quota.boosts if one.until <= self.fits_at)

    @property
    def refuses(self) -> bool:
        """Whether the order is refused for this quota."""
        return not self.fits and self.quota.mode is Mode.ENFORCE

    @property
    def remaining(self) -> int:
        """What is left; meaningless where the quota is unlimited."""
        return max(0, (self.quota.limit or 0) - self.used)

    @property
    def excess(self) -> int:
        """How much has to come free before the order fits; 0 or less where it does."""
        return 0 if self.quota.limit is None else self.used + self.asked - self.quota.limit

    @property
    def is_near(self) -> bool:
        """Whether with this order the share of the limit that is warned of would be used."""
        quota = self.quota
        if quota.limit is None or quota.warn_at is None:
            return False
        return self.used + self.asked >= quota.warn_at * quota.limit
