"""Groups the handset comes back to, and members it brings in: RFC 3515, RFC 4488, RFC 5368, CPM."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from harness.verify.proof.flows.group import FACTORY, FOCUS, GROUP_UE_SDP, LISTS, adhoc
from harness.verify.proof.flows.sip import hop_by_hop
from harness.verify.proof.messages import PANI, ROUTE, UE, UE_CONTACT, answer, h, in_dialog
from harness.verify.proof.script import Script, Step

OTHER_GROUP = "0b0f8f6e-1111-4aaa-8bbb-000000000099"


def bye_to_focus() -> list[Step]:
    """The handset leaves the group, and the 200."""
    bye = in_dialog("BYE", 2, "bye", "Supported: timer")
    text = bye.text.replace("sip:+491700000002@10.0.0.1:5060", FOCUS, 1)
    bye = replace(bye, text=text.replace("<sip:+491700000002@example.org;user=phone>", f"<{FACTORY}>"))
    return [bye, answer(bye, "200 OK", "")]


def again(contribution: str = "0b0f8f6e-1111-4aaa-8bbb-000000000010") -> list[Step]:
    """The group made a second time: INVITE, 100, 200, ACK."""
    steps = []
    for step in adhoc().steps[:4]:
        text = step.text.replace("z9hG4bK", "z9hG4bKre").replace("Call-ID: inv", "Call-ID: re")
        for old, new in (
            ("ueinv81c2", "uere81c2"),
            ("faransw42", "farre42"),
            ("k3Jx8Qw2Zr7Lt5Yv9Bn1", "h8Fd2Sa6Pq0Wm4Ec9Xz5"),
            ("p4Mz6Hs8Dc2Vf0Gk7Ja3", "w2Rt9Yb4Nc7Lx1Vq6Ks8"),
            ("0b0f8f6e-1111-4aaa-8bbb-000000000010", contribution),
        ):
            text = text.replace(old, new)
        steps.append(replace(step, text=text))
    return steps


def to_focus(steps: list[Step], uri: str = FOCUS) -> list[Step]:
    """The INVITE and what follows, to the focus and without a list."""
    script = Script([replace(step, text=step.text.replace(FACTORY, uri)) for step in steps])
    script.body(0, GROUP_UE_SDP.replace("k3Jx8Qw2Zr7Lt5Yv9Bn1", "h8Fd2Sa6Pq0Wm4Ec9Xz5"))
    script.sub(0, "Content-Type: multipart/mixed;boundary=b1", "Content-Type: application/sdp")
    return script.without(0, "Require").steps


def in_vain(status: str = "404 Not Found", uri: str = FOCUS) -> list[Step]:
    """The handset asks for the group in vain: INVITE, the refusal, ACK."""
    asked = to_focus(again(), uri)[0]
    text = asked.text.replace("z9hG4bKre", "z9hG4bKgone").replace(": re", ": gone")
    asked = replace(asked, text=text.replace("h8Fd2Sa6Pq0Wm4Ec9Xz5", "b7Vn1Gt5Yr3Jk9Lp2Ho6"))
    return [asked, answer(asked, status, "far404"), hop_by_hop(asked, "ACK", "far404")]


def remade() -> Script:
    """The group is made (0 to 3) and left (4, 5); the focus knows of it no more (6 to 8), so that it is made
    anew (9 to 12).
    """
    return Script([*adhoc().steps[:4], *bye_to_focus(), *in_vain(), *again(OTHER_GROUP)])


def refer(target: str, *extra: str, body: str = "") -> Script:
    """The handset asks the focus to bring somebody in: REFER 0, 200 1."""
    request = h(
        [
            f"REFER {FOCUS} SIP/2.0",
            "Via: SIP/2.0/TCP 10.0.0.5:5060;branch=z9hG4bKref6f3a91c2;rport",
            "Max-Forwards: 70",
            ROUTE,
            f"From: <{UE}>;tag=ref81c2",
            f"To: <{FOCUS}>",
            "Call-ID: ref9d8f7e6a5b4c3d2e@10.0.0.5",
            "CSeq: 1 REFER",
            f"Refer-To: {target}",
            f"Contact: <{UE_CONTACT}>",
            f"P-Preferred-Identity: <{UE}>",
            PANI,
            *extra,
        ],
        body,
    )
    supported = "Supported: norefersub,multiple-refer"
    return Script(
        [request, answer(request, "200 OK", "foc2", (f"Contact: <{FOCUS}>", "Refer-Sub: false", supported))]
    )


SEVERAL = ("Require: multiple-refer,norefersub", "Refer-Sub: false")
LIST_PART = (
    "Content-Type: application/resource-lists+xml",
    "Content-Disposition: recipient-list",
    "Content-ID: <list1@x>",
)

MEMBERSHIP_FLOWS: dict[str, Callable[[], Script]] = {
    "remade": remade,
    "one_brought_in": lambda: refer("<sip:+491700000004@example.org;method=INVITE>", "Refer-Sub: false"),
    "several_brought_in": lambda: refer("<cid:list1%40x>", *SEVERAL, *LIST_PART, body=LISTS),
}
