"""Sessions that are changed later: re-INVITEs that met those of the other side, after the documents."""

from __future__ import annotations

from collections.abc import Callable

from harness.verify.proof.flows.sip import session_mo, session_mt
from harness.verify.proof.messages import (
    ALLOW,
    FAR_INVITE_CONTACT,
    FAR_SDP,
    RECORD_ROUTE,
    UE_INVITE_CONTACT,
    UE_SDP,
    answer,
    in_dialog,
    message,
)
from harness.verify.proof.script import Script, Step

_INTERVAL = "Session-Expires: 1800;refresher=uac"


def _reinvite(number: int, mark: str, *, mo: bool) -> Step:
    rows = ("Supported: timer", _INTERVAL, "Min-SE: 90", ALLOW, UE_INVITE_CONTACT)
    asked = in_dialog("INVITE", number, mark, *rows, "Content-Type: application/sdp", mo=mo)
    head = asked.text.partition("\r\n\r\n")[0].split("\r\n")
    lines = [line for line in head if not line.startswith("Content-Length")]
    return Step(True, message(lines, UE_SDP))


def _met(session: Script, place: int, after: float, *, mo: bool) -> Script:
    """The handset's re-INVITE is refused, since one of the other side is under way, and comes again."""
    number = 2 if mo else 1
    first, again = _reinvite(number, "met1", mo=mo), _reinvite(number + 1, "met2", mo=mo)
    rows = (RECORD_ROUTE, FAR_INVITE_CONTACT, ALLOW, "Supported: timer", _INTERVAL, "Require: timer")
    theirs = (
        FAR_SDP if mo else FAR_SDP.replace("o=- 1 1 ", "o=- 1 2 ")
    )  # an answer, which was an offer before
    session.steps[place:place] = [
        first,
        answer(first, "491 Request Pending", ""),
        in_dialog("ACK", number, "met1", mo=mo),
        again,
        answer(again, "200 OK", "", (*rows, "Content-Type: application/sdp"), theirs),
        in_dialog("ACK", number + 1, "ackmet", mo=mo),
    ]
    session.change(place + 3, after=after)
    return session.everywhere(f"CSeq: {number} BYE", f"CSeq: {number + 2} BYE")


def reinvites_met_mo() -> Script:
    """As session_mo without UPDATE, and the handset owns the Call-ID: it waits (RFC 3261 14.1).

    5 INVITE, 491, ACK, 8 the INVITE again, 200, ACK, 11 BYE, 200.
    """
    session = session_mo().drop(5, 6).everywhere("CSeq: 3 BYE", "CSeq: 2 BYE")
    return _met(session, 5, 2.5, mo=True)


def reinvites_met_mt() -> Script:
    """As session_mt, and the handset does not own the Call-ID: it may try at once.

    4 INVITE, 491, ACK, 7 the INVITE again, 200, ACK, 10 BYE, 200.
    """
    return _met(session_mt(), 4, 0.8, mo=False)


SESSION_CHANGE_FLOWS: dict[str, Callable[[], Script]] = {
    "reinvites_met_mo": reinvites_met_mo,
    "reinvites_met_mt": reinvites_met_mt,
}
