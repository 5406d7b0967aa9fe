"""What is wrong with a message that could be read all the same."""

from __future__ import annotations

from dataclasses import dataclass

from harness.errors import SipSyntaxError


@dataclass(frozen=True, slots=True)
class Fault:
    """Something wrong that did not stop the parser: what names the production, offset its octet."""

    what: str
    offset: int
    clause: str
    text: str


def fault_of(error: SipSyntaxError) -> Fault:
    """The fault that tells what an error tells."""
    return Fault(error.what, error.offset, error.clause, str(error))
