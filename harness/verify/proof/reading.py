"""A reading: a conformant flow in another form that the documents allow, or as a poor capture has it.

Some rules are demands on the verifier itself: it has to read what comes. A reading shows that it does: the
flow in its other form must give exactly the findings told, and the rules must apply to it as to the flow.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from harness.evidence.timeline import Transport
from harness.verify.proof.flows import FLOWS
from harness.verify.proof.flows.group import FOCUS, GROUP_MT
from harness.verify.proof.flows.msrp import content
from harness.verify.proof.messages import ANONYMOUS, FAR, answer, imdn_body, mt_message, text_body
from harness.verify.proof.mutant import Change
from harness.verify.proof.script import Script, measured

COMPACT = {
    "Via": "v",
    "From": "f",
    "To": "t",
    "Call-ID": "i",
    "Contact": "m",
    "Content-Type": "c",
    "Content-Length": "l",
    "Supported": "k",
    "Accept-Contact": "a",
    "Session-Expires": "x",
    "Event": "o",
}


@dataclass(frozen=True, slots=True)
class Reading:
    """rule: the demand. flow, change: the flow, and how it is put in its other form. reported: the findings
    it has to give, by rule. lost: rules that applied to the flow and need not to its other form; None: any.
    """

    rule: str
    flow: str
    change: Change = field(compare=False)
    reported: tuple[str, ...] = ()
    lost: tuple[str, ...] | None = ()

    @property
    def name(self) -> str:
        return f"{self.rule} in {self.flow}"

    def script(self) -> Script:
        """The flow in its other form."""
        return self.change(FLOWS[self.flow]())


def compact(script: Script) -> Script:
    """Every header that has a short name under it (RFC 3261 7.3.3)."""
    for index, step in enumerate(script.steps):
        if not step.msrp:
            head, gap, body = step.text.partition("\r\n\r\n")
            for name, short in COMPACT.items():
                head = head.replace(f"\r\n{name}: ", f"\r\n{short}: ")
            script.change(index, text=head + gap + body)
    return script


def bare_line_feeds(script: Script) -> Script:
    """The session descriptions with LF alone at the ends of lines (RFC 8866 5)."""
    for index, step in enumerate(script.steps):
        head, _, body = step.text.partition("\r\n\r\n")
        if body.startswith("v=0"):
            text = measured(f"{head}\r\n\r\n" + body.replace("\r\n", "\n"))
            script.change(index, text=text)
    return script


def labelled(script: Script) -> Script:
    """Notes on each message that name the wrong direction."""
    script.steps = [replace(step, note="UE <- NW" if step.handset else "UE -> NW") for step in script.steps]
    return script


def in_msrp(old: str, new: str) -> Change:
    """Text of the MSRP messages alone."""

    def change(script: Script) -> Script:
        places = [index for index, step in enumerate(script.steps) if step.msrp and step.text]
        return script.everywhere(old, new, *places)

    return change


def other_prefix(script: Script) -> Script:
    """The IMDN namespace under another prefix."""
    script.everywhere("NS: imdn <", "NS: abcd <")
    return script.everywhere("\r\nimdn.", "\r\nabcd.")


def one_block(script: Script) -> Script:
    """The first text without the empty line between CPIM and MIME headers, as RFC 5438 prints it."""
    return script.sub(0, "display\r\n\r\nContent-Type", "display\r\nContent-Type")


def begun_late(script: Script) -> Script:
    """A capture that begins after the first message."""
    script.start = False
    return script.drop(0)


def unlike_hosts(script: Script) -> Script:
    """Hosts of MSRP URIs in the paths in another spelling (RFC 4975 6.1: without regard to case)."""
    places = [index for index, step in enumerate(script.steps) if step.msrp and step.text]
    return script.everywhere("msrp://10.0.0.", "MSRP://10.0.0.", *places)


def over_ipv6(script: Script) -> Script:
    """The session over IPv6; descriptions and paths write one address in several ways (RFC 5952)."""
    script.everywhere("IN IP4 10.0.0.5", "IN IP6 2001:db8::5").everywhere(
        "IN IP4 10.0.0.1", "IN IP6 2001:db8::1"
    )
    script.everywhere("msrp://10.0.0.5", "msrp://[2001:db8::5]")
    script.everywhere("msrp://10.0.0.1", "msrp://[2001:db8::1]")
    in_msrp("[2001:db8::5]", "[2001:DB8:0:0::5]")(script)
    in_msrp("[2001:db8::1]", "[2001:db8:0:0:0:0:0:1]")(script)
    for index, step in enumerate(script.steps):
        if not step.msrp:
            script.change(index, text=measured(step.text))
    return script


def displayed_by_message(script: Script) -> Script:
    """The chat, whose displayed notification of the far end comes by MESSAGE after it."""
    body = imdn_body(FAR, ANONYMOUS, "Not2aB2cD3eF4gH5iJ6k", "Msg1aB2cD3eF4gH5iJ6k", "display", "displayed")
    told = mt_message("b", "0b0f8f6e-1111-4aaa-8bbb-000000000099", body)
    script.drop(12, 13)
    script.steps += [told, answer(told, "200 OK", "ueb1")]
    return script


def stripped_of_its_request(script: Script) -> Script:
    """A message of a member without what it asked for, which a server took out."""
    text = text_body(FAR, FOCUS, GROUP_MT).replace(
        "imdn.Disposition-Notification: positive-delivery, display\r\n", ""
    )
    return script.change(17, text=content(False, "eX2kU2mP9sLw", "Nw3kQ2mP9sLw", text).text)


def shortened(mark: str) -> Change:
    """The flow over UDP, as a tracer wrote it that leaves out the rest of long bodies."""

    def change(script: Script) -> Script:
        script.everywhere("SIP/2.0/TCP", "SIP/2.0/UDP")
        for index, step in enumerate(script.steps):
            head, gap, body = step.text.partition("\r\n\r\n")
            kept = body if len(body) < 200 else f"{body[:120]}\r\n{mark}"
            script.change(index, transport=Transport.UDP, text=head + gap + kept)
        return script

    return change


READINGS = (
    Reading("sip.header.compact-forms", "pager_mo", compact),
    Reading("sip.header.compact-forms", "chat", compact),
    Reading("sdp.crlf.receiver", "chat", bare_line_feeds, ("sdp.crlf",)),
    Reading("sdp.ipv6.compare", "chat", over_ipv6),
    Reading("msrp.uri.compare", "chat", unlike_hosts),
    Reading("cpim.structure.rfc5438-form.receive", "pager_mo", one_block, ("cpim.structure.rfc5438-form",)),
    Reading("cpim.ns.prefix-any", "pager_mo", other_prefix),
    Reading("cpim.ns.prefix-any", "chat", other_prefix),
    Reading("x.mt-direction-label", "pager_mt", labelled),
    Reading("x.mt-direction-label", "register", labelled),
    Reading(
        "x.capture-side",
        "chat",
        in_msrp("10.0.0.1:20000", "192.0.2.9:7000"),
        ("sdp.cema.session-match",),
    ),
    Reading(
        "imdn.request.group-stripped",
        "talk",
        stripped_of_its_request,
        lost=None,
    ),
    Reading("x.cpim-message-correlation", "chat", displayed_by_message),
    Reading("x.incomplete-capture", "pager_mo", begun_late, lost=None),
    Reading("x.incomplete-capture", "chat", begun_late, lost=None),
    Reading("x.elided-input", "pager_mo", shortened("..."), lost=None),
    Reading("x.elided-input", "pager_mt", shortened("[truncated]"), lost=None),
    Reading("x.elided-input", "register", shortened("..."), lost=None),
    Reading("x.elided-input", "session_mo", shortened("[...]"), lost=None),
)
