"""Defects of the simulated handset in registration, texts, notifications and refusals."""

from __future__ import annotations

import re
from collections.abc import Callable

from devices.simulated.defect import Change, Defect, Headers, Stage, replaced, without
from harness.sip.message import Request, Response, parse_message


def _with(name: str, value: str) -> Change:
    return lambda message: message.with_header(name, value)


def _edited(name: str, pattern: str, replacement: str) -> Change:
    def change(message: Request | Response) -> Request | Response:
        value = message.get(name)
        return message if value is None else message.with_header(name, re.sub(pattern, replacement, value))

    return change


def _octets(pattern: bytes, replacement: bytes) -> Change:
    """A change that a strict writer would refuse."""
    return lambda message: parse_message(re.sub(pattern, replacement, bytes(message), count=1))


def _contact_of_sender(message: Request) -> Request:
    return message.with_header("Contact", f"<sip:handset@{message.via.sent_by}>")


def _branch_without_cookie(message: Request) -> Request:
    via = message.via
    return message.with_top_via(via.with_parameter("branch", (via.branch or "").removeprefix("z9hG4bK")))


def _misspelt_content_length(message: Response) -> Response:
    """On a stream beside the right one: without that nothing behind it could be read."""
    wrong, right = b"\r\nContent-Lenfth:", rb"\r\nContent-Length:"
    if message.via.transport.upper() != "UDP":
        wrong += b" 0\r\nContent-Length:"
    changed: Response = _octets(right, wrong)(message)
    return changed


def _without_own_tag(message: Response) -> Response:
    """Not in a dialog, where the tag is the other side's to see again (sip.response.echo)."""
    if message.cseq.method != "MESSAGE":
        return message
    return message.with_header("To", re.sub(r";tag=.*", "", message.get("To") or ""))


def _body_in_200(message: Response) -> Response:
    to_message = message.status == 200 and message.cseq.method == "MESSAGE"
    return message.with_body(b"ok", "text/plain") if to_message else message


def _instance_of_another(message: Request) -> Request:
    return message.with_header(
        "Contact",
        re.sub(r"(urn:gsma:imei:)\d{8}-\d{6}", r"\g<1>35469106-056673", message.get("Contact") or ""),
    )


def _cpim(name: str, value: str | None = None, *, renamed: str | None = None) -> Callable[[Headers], Headers]:
    """Leave a CPIM header out, give it another value, or another name."""

    def change(headers: Headers) -> Headers:
        changed = []
        for key, old in headers:
            if key != name:
                changed.append((key, old))
            elif renamed is not None:
                changed.append((renamed, old))
            elif value is not None:
                changed.append((key, value))
        return changed

    return change


def _cpim_added(name: str, value: str) -> Callable[[Headers], Headers]:
    return lambda headers: [*headers, (name, value)]


_REGISTER, _MESSAGE, _RESPONSE = Stage.REGISTER, Stage.MESSAGE, Stage.RESPONSE
_TEXT, _NOTIFICATION, _XML = Stage.CPIM_TEXT, Stage.CPIM_NOTIFICATION, Stage.NOTIFICATION_XML
_BEHAVIOUR = Stage.BEHAVIOUR
_SECOND_TAG = r';+g.3gpp.iari-ref="urn%3Aurn-7%3A3gpp-application.ims.iari.rcse.dp"\1'

TEXT_DEFECTS = (
    # SIP in general
    Defect("contact_in_message", "pager.no-contact", _MESSAGE, "Contact in MESSAGE", _contact_of_sender),
    Defect("max_forwards_in_response", "sip.max-forwards.not-in-response", _RESPONSE,
           "Max-Forwards in responses", _with("Max-Forwards", "70")),
    Defect("max_forwards_69", "sip.max-forwards.origin-70", _MESSAGE, "starts below 70",
           _with("Max-Forwards", "69")),
    Defect("no_max_forwards", "sip.max-forwards.present", _MESSAGE, "no Max-Forwards",
           without("Max-Forwards")),
    Defect("content_lenfth", "sip.header.name-spelling", _RESPONSE, "misspelt Content-Length",
           _misspelt_content_length),
    Defect("branch_without_cookie", "sip.via.branch-cookie", _MESSAGE, "branch without z9hG4bK",
           _branch_without_cookie),
    Defect("via_transport_parameter", "sip.via.transport-param", _MESSAGE, "transport parameter on Via",
           lambda m: m.with_top_via(m.via.with_parameter("transport", m.via.transport))),
    Defect("no_from_tag", "sip.from.tag", _MESSAGE, "From without tag", _edited("From", r";tag=.*", "")),
    Defect("no_to_tag", "sip.to.tag-in-response", _RESPONSE, "responses to MESSAGE without To tag",
           _without_own_tag),
    Defect("rport_not_filled", "sip.via.rport-filled", _RESPONSE, "rport left empty",
           _edited("Via", r";rport=\d+|;received=[^;]+", "")),
    Defect("misspelt_supported", "sip.header.name-spelling", _MESSAGE, "Suported for Supported",
           _octets(rb"\r\nSupported:", b"\r\nSuported:")),
    # IMS headers
    Defect("encoded_service", "ims.p-preferred-service.plain-urn", _MESSAGE,
           "P-Preferred-Service percent-encoded", _edited("P-Preferred-Service", ":", "%3A")),
    Defect("raw_colon_in_accept_contact", "ims.accept-contact.icsi-encoding", _MESSAGE,
           "raw colons in Accept-Contact", _edited("Accept-Contact", "%3A", ":")),
    Defect("no_access_network", "ims.pani.present", _MESSAGE, "no P-Access-Network-Info",
           without("P-Access-Network-Info")),
    Defect("instance_check_digit", "ims.sip-instance.spare-zero", _REGISTER,
           "check digit instead of the spare 0", _edited("Contact", r"(\d{8}-\d{6})-0", r"\1-8")),
    Defect("no_conversation_id", "ims.conversation-id.present", _MESSAGE, "no Conversation-ID",
           without("Conversation-ID")),
    Defect("no_contribution_id", "ims.contribution-id.present", _MESSAGE, "no Contribution-ID",
           without("Contribution-ID"), beside=("imdn.contribution-id",)),
    Defect("forks_allowed", "ims.request-disposition", _MESSAGE, "no Request-Disposition: no-fork",
           without("Request-Disposition")),
    Defect("other_user_agent", "ims.user-agent", _MESSAGE, "User-Agent that names no IM client",
           _with("User-Agent", "Handset 1.0")),
    Defect("ids_not_echoed", "ims.ids.echo-in-2xx", _RESPONSE, "no conversation ids in the 200",
           without("Contribution-ID", "Conversation-ID")),
    # Registration
    Defect("feature_tag_twice", "reg.contact.one-instance-of-tag", _REGISTER,
           "a second +g.3gpp.iari-ref", _edited("Contact", r"(;expires=)", _SECOND_TAG)),
    Defect("same_cseq_with_credentials", "sip.auth.retry-cseq", _BEHAVIOUR,
           "the REGISTER with credentials keeps its CSeq"),
    # CPIM of texts
    Defect("cpim_header_case", "cpim.header.case", _TEXT, "`Datetime` instead of `DateTime`",
           _cpim("DateTime", renamed="Datetime")),
    Defect("cpim_no_datetime", "cpim.datetime.present", _TEXT, "no DateTime though it asks for IMDN",
           _cpim("DateTime")),
    Defect("cpim_local_datetime", "cpim.datetime.rfc3339", _TEXT, "DateTime without a zone",
           _cpim("DateTime", "2026-11-22T10:00:00")),
    Defect("short_message_id", "imdn.request.message-id.entropy", _BEHAVIOUR,
           "8 hexadecimal digits as imdn.Message-ID"),
    Defect("unknown_disposition", "imdn.request.values.unknown-token", _TEXT,
           "asks for notifications nobody knows",
           _cpim("imdn.Disposition-Notification", "positive-delivery, display, read")),
    Defect("namespace_not_declared", "cpim.ns.declared", _NOTIFICATION, "no NS header", _cpim("NS")),
    # Notifications
    Defect("imdn_now_datetime", "imdn.xml.datetime-value", _BEHAVIOUR, "datetime is that of the IMDN"),
    Defect("imdn_no_datetime", "imdn.xml.datetime-present", _XML, "no datetime element",
           replaced(rb"<datetime>.*?</datetime>", b"")),
    Defect("imdn_no_status", "imdn.xml.status", _XML, "status without delivered or displayed in it",
           replaced(rb"<(?:delivered|displayed)/>", b"")),
    Defect("imdn_other_message_id", "imdn.xml.message-id", _XML, "message-id cut short",
           replaced(rb"(<message-id>.*?).</message-id>", rb"\1</message-id>")),
    Defect("imdn_asks_for_imdn", "imdn.no-imdn-for-imdn", _NOTIFICATION, "an IMDN asks for an IMDN",
           _cpim_added("imdn.Disposition-Notification", "positive-delivery")),
    Defect("imdn_no_disposition", "imdn.content-disposition", _BEHAVIOUR, "no Content-Disposition"),
    Defect("imdn_twice", "imdn.once-per-type", _BEHAVIOUR, "delivered sent twice"),
    Defect("imdn_unrequested", "imdn.only-requested", _BEHAVIOUR, "delivered though nobody asked"),
    Defect("imdn_other_conversation", "imdn.same-conversation", _BEHAVIOUR,
           "IMDN with a Conversation-ID of its own"),
    # Refusals
    Defect("unsupported_type_without_accept", "sip.415.accept", _RESPONSE, "415 without Accept",
           without("Accept")),
    Defect("body_in_200", "pager.2xx-no-body", _RESPONSE, "a body in the 200 to MESSAGE", _body_in_200),
    Defect("ignore_require", "sip.require.unknown-420", _BEHAVIOUR, "accepts an unknown Require tag"),
    Defect("list_without_require", "pager.list.require", _MESSAGE, "no Require with a recipient list",
           without("Require"), "to_two"),
    # What only a whole lab can see
    Defect("other_imei", "x.imei-equals-at", _REGISTER, "instance id of another handset",
           _instance_of_another),
    Defect("stale_cell", "x.pani-cell-equals-simulator", _MESSAGE, "a cell it is not camped on",
           _edited("P-Access-Network-Info", r"[0-9A-F]{7}$", "0000999")),
    Defect("other_text_on_screen", "x.screen-text-equals-wire", _BEHAVIOUR,
           "the screen shows another text than came"),
    Defect("displayed_unseen", "x.displayed-after-screen", _BEHAVIOUR,
           "displayed sent while nobody looks"),
    Defect("claims_ims", "x.cireg-agrees", _BEHAVIOUR,
           "+CIREG goes on saying registered after deregistration"),
)  # fmt: skip
