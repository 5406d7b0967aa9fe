"""Named defects of the simulated handset, each tied to the one rule that has to report it.

A defect is either a change of one outgoing message (a function on a stage) or a deviation of behaviour that
the client asks for by name (`has`). They are switched by the property debug.rcslab.defects, names separated
by commas.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from enum import Enum, auto
from typing import Any

from harness.errors import UsageError
from harness.sip.message import Request, Response

PROPERTY = "debug.rcslab.defects"


class Stage(Enum):
    """Where a defect takes hold."""

    REGISTER = auto()
    MESSAGE = auto()
    RESPONSE = auto()
    CPIM_TEXT = auto()
    CPIM_NOTIFICATION = auto()
    NOTIFICATION_XML = auto()
    BEHAVIOUR = auto()


Headers = list[tuple[str, str]]


@dataclass(frozen=True, slots=True)
class Defect:
    """One defect: its name, the rule that must report it, where it takes hold and what it does there."""

    name: str
    rule: str
    stage: Stage
    doing: str
    change: Callable[[Any], Any] | None = None


def _with(name: str, value: str) -> Callable[[Any], Any]:
    return lambda message: message.with_header(name, value)


def _edited(name: str, pattern: str, replacement: str) -> Callable[[Any], Any]:
    def change(message: Request | Response) -> Request | Response:
        value = message.get(name)
        return message if value is None else message.with_header(name, re.sub(pattern, replacement, value))

    return change


def _raw(pattern: bytes, replacement: bytes) -> Callable[[Any], Any]:
    """A change of the octets that a strict writer would refuse."""
    return lambda message: re.sub(pattern, replacement, bytes(message), count=1)


def _header(name: str, value: str | None) -> Callable[[Headers], Headers]:
    """Replace (or with None leave out) a CPIM header."""

    def change(headers: Headers) -> Headers:
        kept = [
            (n, value if n == name and value is not None else v) for n, v in headers if n != name or value
        ]
        return kept if value is None or any(n == name for n, _ in headers) else [*kept, (name, value)]

    return change


def _renamed(old: str, new: str) -> Callable[[Headers], Headers]:
    return lambda headers: [(new if name == old else name, value) for name, value in headers]


def _first_branch_again() -> Callable[[Any], Any]:
    """Every MESSAGE carries the branch of the first one."""
    branches: list[str] = []

    def change(message: Request) -> Request:
        branches.append(message.via.branch or "")
        return message.with_top_via(message.via.with_parameter("branch", branches[0]))

    return change


def _without_second_value(message: Request) -> Request:
    return message.with_header("Via", str(message.via))


DEFECTS: dict[str, Defect] = {
    defect.name: defect
    for defect in (
        # SIP in general
        Defect("contact_in_message", "pager.no-contact", Stage.MESSAGE, "Contact in MESSAGE",
               lambda m: m.with_header("Contact", f"<sip:handset@{m.via.sent_by}>")),
        Defect("max_forwards_in_response", "sip.max-forwards.not-in-response", Stage.RESPONSE,
               "Max-Forwards in responses", _with("Max-Forwards", "70")),
        Defect("max_forwards_69", "sip.max-forwards.origin-70", Stage.MESSAGE, "starts below 70",
               _with("Max-Forwards", "69")),
        Defect("no_max_forwards", "sip.max-forwards.present", Stage.MESSAGE, "no Max-Forwards",
               lambda m: m.without("Max-Forwards")),
        Defect("content_lenfth", "sip.header.name-spelling", Stage.RESPONSE, "misspelt Content-Length",
               _raw(rb"\r\nContent-Length:", b"\r\nContent-Lenfth:")),
        Defect("branch_without_cookie", "sip.via.branch-cookie", Stage.MESSAGE, "branch without z9hG4bK",
               lambda m: m.with_top_via(m.via.with_parameter("branch", (m.via.branch or "")[7:]))),
        Defect("no_from_tag", "sip.from.tag", Stage.MESSAGE, "From without tag", _edited("From", r";tag=.*", "")),
        Defect("no_to_tag", "sip.to.tag-in-response", Stage.RESPONSE, "responses without To tag",
               _edited("To", r";tag=.*", "")),
        Defect("rport_not_filled", "sip.via.rport-filled", Stage.RESPONSE, "rport left empty",
               lambda m: m.with_top_via(m.via.with_parameter("rport", None).with_parameter("received", None))
               if m.via.rport is None else _emptied_rport(m)),
        # IMS headers
        Defect("encoded_service", "ims.p-preferred-service.plain-urn", Stage.MESSAGE,
               "P-Preferred-Service percent-encoded", _edited("P-Preferred-Service", ":", "%3A")),
        Defect("raw_colon_in_accept_contact", "ims.accept-contact.icsi-encoding", Stage.MESSAGE,
               "raw colons in Accept-Contact", _edited("Accept-Contact", "%3A", ":")),
        Defect("no_access_network", "ims.pani.present", Stage.MESSAGE, "no P-Access-Network-Info",
               lambda m: m.without("P-Access-Network-Info")),
        Defect("instance_check_digit", "ims.sip-instance.spare-zero", Stage.REGISTER,
               "check digit instead of the spare 0", _edited("Contact", r"(\d{8}-\d{6})-0", r"\1-8")),
        Defect("no_conversation_id", "ims.conversation-id.present", Stage.MESSAGE, "no Conversation-ID",
               lambda m: m.without("Conversation-ID")),
        # Registration
        Defect("feature_tag_twice", "reg.contact.one-instance-of-tag", Stage.REGISTER,
               "a second +g.3gpp.iari-ref", _edited("Contact", r"(;expires=)",
               r';+g.3gpp.iari-ref="urn%3Aurn-7%3A3gpp-application.ims.iari.rcse.dp"\1')),
        Defect("same_cseq_with_credentials", "sip.auth.retry-cseq", Stage.BEHAVIOUR,
               "the REGISTER with credentials keeps its CSeq"),
        # CPIM and IMDN of texts
        Defect("cpim_header_case", "cpim.header.case", Stage.CPIM_TEXT, "`Datetime` instead of `DateTime`",
               lambda headers: [*headers, ("subject", "x")]),
        Defect("cpim_no_datetime", "cpim.datetime.present", Stage.CPIM_TEXT, "no DateTime though it asks for IMDN",
               _header("DateTime", None)),
        Defect("cpim_local_datetime", "cpim.datetime.rfc3339", Stage.CPIM_TEXT, "DateTime without a zone",
               _header("DateTime", "2026-11-22T10:00:00")),
        Defect("short_message_id", "imdn.request.message-id.entropy", Stage.CPIM_TEXT, "8 hex digits as Message-ID",
               _header("imdn.Message-ID", None)),
        # Notifications
        Defect("imdn_now_datetime", "imdn.xml.datetime-value", Stage.BEHAVIOUR, "datetime is that of the IMDN"),
        Defect("imdn_no_datetime", "imdn.xml.datetime-present", Stage.NOTIFICATION_XML, "no datetime element",
               lambda xml: re.sub(rb"<datetime>.*?</datetime>", b"", xml)),
        Defect("imdn_no_status", "imdn.xml.status", Stage.NOTIFICATION_XML, "an unknown status element",
               lambda xml: xml.replace(b"<delivered/>", b"<arrived/>").replace(b"<displayed/>", b"<seen/>")),
        Defect("imdn_other_message_id", "imdn.xml.message-id", Stage.NOTIFICATION_XML, "message-id cut short",
               lambda xml: re.sub(rb"(<message-id>.*?).</message-id>", rb"\1</message-id>", xml)),
        Defect("imdn_asks_for_imdn", "imdn.no-imdn-for-imdn", Stage.CPIM_NOTIFICATION, "an IMDN asks for an IMDN",
               lambda headers: [*headers, ("imdn.Disposition-Notification", "positive-delivery")]),
        Defect("imdn_no_disposition", "imdn.content-disposition", Stage.BEHAVIOUR, "no Content-Disposition"),
        Defect("imdn_twice", "imdn.once-per-type", Stage.BEHAVIOUR, "delivered sent twice"),
        Defect("imdn_unrequested", "imdn.only-requested", Stage.BEHAVIOUR, "delivered though nobody asked"),
        Defect("imdn_other_conversation", "imdn.same-conversation", Stage.BEHAVIOUR,
               "IMDN with a Conversation-ID of its own"),
        Defect("ids_not_echoed", "ims.ids.echo-in-2xx", Stage.RESPONSE, "no Contribution-ID in the 200",
               lambda m: m.without("Contribution-ID").without("Conversation-ID")),
        Defect("unsupported_type_without_accept", "sip.415.accept", Stage.RESPONSE, "415 without Accept",
               lambda m: m.without("Accept")),
        Defect("body_in_200", "pager.2xx-no-body", Stage.RESPONSE, "a body in the 200 to MESSAGE",
               lambda m: m.with_body(b"ok", "text/plain") if m.status == 200 else m),
        Defect("ignore_require", "sip.require.unknown-420", Stage.BEHAVIOUR, "accepts an unknown Require tag"),
        # What only a whole lab can see
        Defect("other_imei", "x.imei-equals-at", Stage.REGISTER, "instance id of another handset",
               _edited("Contact", r"(urn:gsma:imei:)\d{8}-\d{6}", r"\g<1>35469106-056673")),
        Defect("stale_cell", "x.pani-cell-equals-simulator", Stage.MESSAGE, "a cell it is not camped on",
               _edited("P-Access-Network-Info", r"[0-9A-F]{7}$", "0000999")),
        Defect("other_text_on_screen", "x.screen-text-equals-wire", Stage.BEHAVIOUR,
               "the screen shows another text than came"),
        Defect("displayed_unseen", "x.displayed-after-screen", Stage.BEHAVIOUR,
               "displayed sent while nobody looks"),
        Defect("claims_ims", "x.cireg-agrees", Stage.BEHAVIOUR, "+CIREG says registered after deregistration"),
    )
}  # fmt: skip


def _emptied_rport(message: Response) -> Response:
    via = message.via.with_parameter("received", None)
    return message.with_top_via(via.with_parameter("rport", ""))


class Defects:
    """The defects switched on now."""

    def __init__(self, names: Iterable[str] = ()) -> None:
        self._active: dict[str, Defect] = {}
        self.switch(names)

    def switch(self, names: Iterable[str]) -> None:
        """Switch exactly these on. Raises UsageError for an unknown name."""
        wanted = [name for name in names if name]
        unknown = [name for name in wanted if name not in DEFECTS]
        if unknown:
            raise UsageError(f"no defect {', '.join(unknown)}; there are: {', '.join(DEFECTS)}")
        self._active = {name: DEFECTS[name] for name in wanted}

    def has(self, name: str) -> bool:
        """Whether a defect of behaviour is on."""
        return DEFECTS[name].name in self._active

    def apply(self, stage: Stage, value: Any) -> Any:
        """The value with every active defect of the stage in it."""
        for defect in self._active.values():
            if defect.stage is stage and defect.change is not None:
                value = defect.change(value)
        return value
