"""The ids an MSRP end makes up: session-ids (RFC 4975 14.1) and transaction ids (RFC 4975 7.1)."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from dataclasses import dataclass

from harness.msrp.transactions import TransactionIds

_SESSION_OCTETS = 16


@dataclass(frozen=True, slots=True)
class MsrpIds:
    """How they are made. Both are never given twice."""

    transaction: Callable[[], bytes]
    session: Callable[[], str]


RANDOM_IDS = MsrpIds(TransactionIds(), lambda: secrets.token_hex(_SESSION_OCTETS))
"""96 and 128 random bits, where the RFC asks for 64 and 80."""
