"""The configuration: flags over `ORDERTAPE_*` over `ordertape.toml` over defaults, as one model.

`model` says what there is (`quotas` what of quotas), `loading` reads it, `wording` says what is
wrong with it, `sources` and `statements` where that was said, and `policies` which quotas it makes.
"""

from __future__ import annotations

from ordertape.config.loading import DEFAULT_FILE, Loaded, examine, load, rows, without_secrets
from ordertape.config.model import Settings

__all__ = ["DEFAULT_FILE", "Loaded", "Settings", "examine", "load", "rows", "without_secrets"]
