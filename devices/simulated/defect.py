"""What a named defect of the simulated handset is, and the changes several of them are made of.

text_defects.py and session_defects.py list them.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum, auto
from typing import Any

from harness.sip.message import Request, Response

Headers = list[tuple[str, str]]
Change = Callable[[Any], Any]


class Stage(Enum):
    """Where a defect takes hold. Its change is given, and gives back, what the comment says."""

    REGISTER = auto()  # a Request
    MESSAGE = auto()  # a Request
    SESSION_REQUEST = auto()  # a Request of a session: INVITE, BYE and the like
    RESPONSE = auto()  # a Response
    SDP_OFFER = auto()  # the octets of an offer
    SDP_ANSWER = auto()  # the octets of an answer
    MSRP_REQUEST = auto()  # the octets of a SEND or REPORT, or of one chunk
    MSRP_RESPONSE = auto()  # the octets of a response
    CPIM_TEXT = auto()  # the Headers of a text
    CPIM_NOTIFICATION = auto()  # the Headers of a notification
    NOTIFICATION_XML = auto()  # the octets of the IMDN document
    BEHAVIOUR = auto()  # nothing: the client asks for the name


@dataclass(frozen=True, slots=True)
class Defect:
    """One defect: its name, the rule that must report it, where it takes hold and what it does there.

    flow: what has to go on for it to show. beside: rules that cannot but report it too.
    """

    name: str
    rule: str
    stage: Stage
    doing: str
    change: Change | None = None
    flow: str = "text"
    beside: tuple[str, ...] = ()


def without(*names: str) -> Change:
    """A SIP message without these headers."""

    def change(message: Request | Response) -> Request | Response:
        for name in names:
            message = message.without(name)
        return message

    return change


def replaced(
    pattern: bytes, replacement: bytes | Callable[[re.Match[bytes]], bytes]
) -> Callable[[bytes], bytes]:
    """Octets with something else where the pattern is found."""
    return lambda octets: re.sub(pattern, replacement, octets)
