"""What the handset cannot take, and refuses as it should: RFC 3261 8.2, 21.4; RFC 5621 8.4."""

from __future__ import annotations

from dataclasses import replace

from harness.verify.proof.flows.sip import hop_by_hop, options_mt
from harness.verify.proof.messages import ALLOW, FAR, UE, UE_CONTACT, answer, mt_invite, n
from harness.verify.proof.script import Script, Step, crlf, measured

SHORT_NAMES = {"Via": "v", "From": "f", "To": "t", "Call-ID": "i", "Contact": "m"}


def _again(step: Step, mark: str) -> Step:
    """The OPTIONS with a Call-ID and a branch of its own."""
    return replace(step, text=step.text.replace("opt", mark))


def with_odd_part(invite: Step) -> Step:
    """The offer beside a part of a type nobody knows."""
    head, _, offer = invite.text.partition("\r\n\r\n")
    head = head.replace("Content-Type: application/sdp", "Content-Type: multipart/mixed;boundary=b1")
    body = crlf(
        "--b1",
        "Content-Type: application/sdp",
        f"Content-Length: {len(offer)}",
        "",
        offer,
        "--b1",
        "Content-Type: application/x-rcslab-odd",
        "",
        "x",
        "--b1--",
    )
    return replace(invite, text=measured(f"{head}\r\n\r\n{body}"))


def refusals() -> Script:
    """OPTIONS that requires an extension, PUBLISH, INVITE with an odd part, OPTIONS in short names.

    420 is step 1, 405 step 3, 415 and its ACK steps 5 and 6, the answer to the short names step 8.
    """
    options, _ = options_mt().steps
    require = replace(
        options, text=options.text.replace("\r\nFrom", "\r\nRequire: rcslab-unknown\r\nFrom", 1)
    )
    publish = n(
        [
            f"PUBLISH {UE_CONTACT} SIP/2.0",
            "Via: SIP/2.0/TCP 10.0.0.1:5060;branch=z9hG4bKpub6f3a91c2;rport",
            "Max-Forwards: 70",
            f"From: <{FAR}>;tag=pub81c2",
            f"To: <{UE}>",
            "Call-ID: pub9d8f7e6a5b4c3d2e",
            "CSeq: 1 PUBLISH",
            "Event: presence",
            f"P-Asserted-Identity: <{FAR}>",
        ]
    )
    invite = with_odd_part(mt_invite())
    short = _again(options, "sho")
    answered = answer(short, "200 OK", "uesho1", options_mt_headers())
    for name, brief in SHORT_NAMES.items():
        short = replace(short, text=short.text.replace(f"\r\n{name}:", f"\r\n{brief}:"))
    return Script(
        [
            require,
            answer(require, "420 Bad Extension", "ueopt1", ("Unsupported: rcslab-unknown",)),
            publish,
            answer(publish, "405 Method Not Allowed", "uepub1", (ALLOW,)),
            invite,
            answer(
                invite, "415 Unsupported Media Type", "ueodd1", ("Accept: application/sdp, message/cpim",)
            ),
            hop_by_hop(invite, "ACK", "ueodd1"),
            short,
            answered,
        ]
    )


def options_mt_headers() -> tuple[str, ...]:
    """What the handset adds in its 200 to OPTIONS."""
    lines = options_mt().steps[1].text.split("\r\n")
    return tuple(line for line in lines if line.startswith(("Contact", "Allow", "Supported")))


REFUSAL_FLOWS = {"refusals": refusals}
