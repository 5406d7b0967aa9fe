"""Sessions beside and after others, hand-written after CPM: begun anew, taken over by a group, of a focus.

And standalone messages whose headers, notifications or tags go in one of the ways there are.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from harness.verify.proof.flows.files import FILE_ID, LARGE, chunks, large
from harness.verify.proof.flows.group import FOCUS, adhoc, invited
from harness.verify.proof.flows.media import large_mo
from harness.verify.proof.flows.sip import register, session_mo
from harness.verify.proof.messages import FAR, ICSI, UE, answer, imdn_body, mt_message, text_body
from harness.verify.proof.script import Script, Step

FIRST = "0b0f8f6e-1111-4aaa-8bbb-000000000010"
OTHER = "0b0f8f6e-1111-4aaa-8bbb-000000000077"
ASKS = "imdn.Disposition-Notification: positive-delivery, display\r\n"


def earlier(steps: list[Step]) -> list[Step]:
    """The same session under other ids, as one before."""
    changes = (
        ("z9hG4bK", "z9hG4bKe"),
        ("inv9d8f", "one9d8f"),
        ("ueinv81c2", "ueone81c2"),
        ("faransw42", "farone42"),
        ("k3Jx8Qw2Zr7Lt5Yv9Bn1", "q5Tz1Nw8Xc3Vb6Mk9Lp2"),
        ("p4Mz6Hs8Dc2Vf0Gk7Ja3", "r7Dy2Kf4Hs9Wn1Gj5Xe8"),
    )
    found = []
    for step in steps:
        text = step.text
        for old, new in changes:
            text = text.replace(old, new)
        found.append(replace(step, text=text))
    return found


def chat_again() -> Script:
    """A chat, its end, and another of the same two: INVITE 0 and INVITE 9."""
    second = session_mo().everywhere(FIRST, OTHER)
    return Script([*earlier(session_mo().steps), *second.steps])


def extended() -> Script:
    """A chat of two which a group takes over: INVITE 0 and INVITE 9, then BYE of the first."""
    chat = earlier(session_mo().steps)
    group = adhoc().everywhere(FIRST, OTHER).line(0, f"Session-Replaces: {FIRST}")
    return Script([*chat, *group.steps])


def called_in() -> Script:
    """The handset is invited by a focus that says who asked for it: INVITE 0, 200 1, ACK 2."""
    script = invited().everywhere(f"<{FAR}>;tag", f"<{FOCUS}>;tag")
    return script.sub(0, f"P-Asserted-Identity: <{FAR}>", f"P-Asserted-Identity: <{FOCUS}>").line(
        0, f"Referred-By: <{FAR}>"
    )


def large_with_headers() -> Script:
    """A large message whose CPIM headers go in the INVITE: 0, 200 3."""
    script = large_mo()
    description = script.steps[0].text.partition("\r\n\r\n")[2]
    head = text_body(UE, FAR, FILE_ID, "")
    script.sub(0, "Content-Type: application/sdp", 'Content-Type: multipart/mixed;boundary="b1"')
    return script.body(
        0,
        f"--b1\r\nContent-Type: application/sdp\r\n\r\n{description}\r\n"
        "--b1\r\nContent-Type: message/cpim\r\n"
        f"Content-Disposition: render;handling=optional\r\n\r\n{head}\r\n--b1--",
    )


def large_told() -> Script:
    """A large message that asks for it, and the notification by MESSAGE."""
    asking = LARGE.replace(f"{FILE_ID}\r\n", f"{FILE_ID}\r\n{ASKS}") if ASKS not in LARGE else LARGE
    script = large(*chunks(asking, "message/cpim"))
    told = imdn_body(FAR, UE, "Not1aB2cD3eF4gH5iJ6k", FILE_ID, "delivery", "delivered")
    message = mt_message("b", "0b0f8f6e-1111-4aaa-8bbb-00000000000b", told)
    script.steps += [message, answer(message, "200 OK", "ueb1")]
    return script


def register_both_modes() -> Script:
    """REGISTER 0 and 2 of a client that does both standalone modes, and says so by one tag too."""
    both = f'{ICSI}msg,{ICSI}largemsg,{ICSI}session";+g.gsma.rcs.cpm.pager-large'
    return register().everywhere(f'{ICSI}msg,{ICSI}session"', both)


CONDUCT_FLOWS: dict[str, Callable[[], Script]] = {
    "chat_again": chat_again,
    "extended": extended,
    "called_in": called_in,
    "large_with_headers": large_with_headers,
    "large_told": large_told,
    "register_both_modes": register_both_modes,
}
