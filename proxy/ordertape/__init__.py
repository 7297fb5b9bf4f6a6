"""ordertape: a record/replay gateway for the telephone-number orders endpoint."""

from importlib.metadata import version

__version__ = version("ordertape")
