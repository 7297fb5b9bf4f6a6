"""A stand-in of the orders service, in memory: for demos, tests and first steps.

It stands for the service, so it shares no code with the gateway's reading and rules: it reads and
judges orders of its own accord. A value that the gateway would have trimmed is refused here.
Source: orders-api.md; clients-and-orders.md, Limits and formats, Answers.
"""

from ordertape.upstream.sandbox.service import Sandbox

__all__ = ["Sandbox"]
