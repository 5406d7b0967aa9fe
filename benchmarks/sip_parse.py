"""SIP parsing of a pager MESSAGE, 1,200 octets: headers split, start line typed; then every header typed.

Each message has a branch, a tag and a Call-ID of its own, as messages of a handset do.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from functools import partial
from itertools import cycle
from typing import Any

from benchmarks.frame import Effort, Row, Target, compare, installed, run
from benchmarks.pager_message import pager_message
from harness.sip.message import Request, parse_message

MESSAGES = 4000
_LISTS = ("P-Preferred-Service", "P-Access-Network-Info")


def rows(effort: Effort) -> Iterator[Row]:
    """Ours beside sipmessage and sippy (which parses a header's value when it is first asked for)."""
    sipmessage: Any = installed("sipmessage")
    sippy: Any = installed("sippy.SipRequest")
    each = partial(next, cycle([pager_message(number) for number in range(MESSAGES)]))
    yield from compare(
        effort,
        "SIP parse, 1.2 kB MESSAGE, headers split, start line typed",
        {
            "ours": lambda: _split(each()),
            "sipmessage": lambda: sipmessage.Message.parse(each()),
            "sippy, lazy": lambda: sippy.SipRequest(each().decode("utf-8")),
        },
        Target(2.5),
        target_against="sipmessage",
    )
    yield from compare(
        effort,
        "SIP parse, 1.2 kB MESSAGE, every header a rule reads typed",
        {
            "ours": lambda: _typed(each()),
            "sippy, all headers": lambda: _sippy_typed(sippy, each()),
            "sipmessage, all it types": lambda: _sipmessage_typed(sipmessage, each()),
        },
        Target(2.0),
        target_against="sippy, all headers",
    )


def _split(data: bytes) -> object:
    message = parse_message(data)
    assert isinstance(message, Request)
    return message.request_uri


def _typed(data: bytes) -> object:
    message = parse_message(data)
    assert isinstance(message, Request)
    return (
        message.request_uri, message.vias, message.max_forwards, message.routes, message.from_, message.to,
        message.call_id, message.cseq, message.contacts, message.preferred_identities,
        message.accept_contacts, message.content_type, message.content_length,
        [message.values(name) for name in _LISTS],
    )  # fmt: skip


def _sippy_typed(sippy: Any, data: bytes) -> object:
    message = sippy.SipRequest(data.decode("utf-8"))
    return message.ruri, [header.getBody() for header in message.headers]


def _sipmessage_typed(sipmessage: Any, data: bytes) -> object:
    message = sipmessage.Message.parse(data)
    return (
        message.uri, message.via, message.max_forwards, message.route, message.from_address,
        message.to_address, message.call_id, message.cseq, message.contact, message.content_type,
        message.content_length,
    )  # fmt: skip


if __name__ == "__main__":
    sys.exit(run({"sip_parse": rows}))
