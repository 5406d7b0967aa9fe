"""Defects of the simulated handset in sessions: their descriptions, MSRP, large messages, files, groups."""

from __future__ import annotations

import re
from collections.abc import Callable

from devices.simulated.defect import Change, Defect, Stage, replaced, without


def _of(method: str, change: Change) -> Change:
    """A change of the requests of one method."""
    return lambda message: change(message) if message.method == method else message


def _with_line(line: bytes) -> Callable[[bytes], bytes]:
    """One attribute more in the last m-line."""
    return lambda sdp: sdp + line + b"\r\n"


def _response_twice(response: bytes) -> bytes:
    """Once more, to a request that never was."""
    tid = response.split(b" ")[1]
    return response + response.replace(tid, tid[::-1])


def _one_less(number: re.Match[bytes]) -> bytes:
    return b"%d" % (int(number[0]) - 1)


_REQUEST, _OFFER, _ANSWER = Stage.SESSION_REQUEST, Stage.SDP_OFFER, Stage.SDP_ANSWER
_SEND, _RECEIPT = Stage.MSRP_REQUEST, Stage.MSRP_RESPONSE
_BEHAVIOUR = Stage.BEHAVIOUR

SESSION_DEFECTS = (
    # Session descriptions
    Defect("sdp_no_time", "sdp.required", _OFFER, "an offer without t=",
           replaced(rb"t=0 0\r\n", b""), "chat"),
    Defect("sdp_order", "sdp.order", _OFFER, "s= before o=",
           replaced(rb"(o=[^\r]+\r\n)(s=[^\r]+\r\n)", rb"\2\1"), "chat"),
    Defect("sdp_origin_words", "sdp.o-numeric", _OFFER, "words for numbers in o=",
           replaced(rb"\r\no=- \d+ ", b"\r\no=- one "), "chat"),
    Defect("sdp_other_time", "sdp.t-equal", _ANSWER, "an answer with another t=",
           replaced(rb"t=0 0", b"t=3994876800 0"), "invited"),
    Defect("sdp_more_media", "sdp.m-count", _ANSWER, "an answer with an m-line more than the offer",
           _with_line(b"m=audio 0 RTP/AVP 0"), "called_in_vain"),
    Defect("sdp_both_active", "sdp.setup.pair", _ANSWER, "setup:active in the answer to active",
           replaced(rb"a=setup:\w+", b"a=setup:active"), "called_in_vain"),
    Defect("sdp_nowhere", "sdp.path.real-address", _ANSWER, "waits at no real address",
           replaced(rb"(a=path:msrp://|c=IN IP4 )[0-9.]+", rb"\g<1>0.0.0.0"), "called_in_vain"),
    Defect("sdp_format_text", "sdp.m.message", _OFFER, "an m-line with a format other than *",
           replaced(rb"MSRP \*", b"MSRP text"), "large"),
    Defect("sdp_other_port", "sdp.m.port-path", _ANSWER, "another port in m= than in the path",
           replaced(rb"m=message \d+", b"m=message 2855"), "called"),
    Defect("sdp_other_address", "sdp.c.matches-path", _ANSWER, "another address in c= than in the path",
           replaced(rb"c=IN IP4 [0-9.]+", b"c=IN IP4 192.0.2.7"), "called"),
    Defect("sdp_no_path", "sdp.path.present", _OFFER, "no path",
           replaced(rb"a=path:[^\r]+\r\n", b""), "refused"),
    Defect("sdp_path_without_session", "sdp.path.uri", _OFFER, "a path without a session-id",
           replaced(rb"(a=path:msrp://[^/]+)/\w+", rb"\1"), "refused"),
    Defect("sdp_no_types", "sdp.accept-types.present", _OFFER, "no accept-types",
           replaced(rb"a=accept-types:[^\r]+\r\n", b""), "refused"),
    Defect("sdp_no_setup", "sdp.setup.present", _OFFER, "nothing says who connects",
           replaced(rb"a=setup:\w+\r\n", b""), "chat"),
    Defect("sdp_offers_holdconn", "sdp.setup.offer-values", _OFFER, "setup:holdconn in an offer",
           replaced(rb"a=setup:\w+", b"a=setup:holdconn"), "chat"),
    Defect("sdp_cema_value", "sdp.cema.attr", _OFFER, "a value of msrp-cema",
           _with_line(b"a=msrp-cema:yes"), "chat"),
    Defect("sdp_size_words", "sdp.max-size", _OFFER, "words for max-size",
           _with_line(b"a=max-size:much"), "refused"),
    Defect("sdp_tls_path", "session.tls", _OFFER, "a secure path where the m-line is plain",
           replaced(rb"a=path:msrp:", b"a=path:msrps:"), "refused"),
    # Large messages and files
    Defect("large_size_lies", "large.size-matches", _OFFER, "ten times the size is announced",
           replaced(rb"(a=file-selector:size:\d+)", rb"\g<1>0"), "large"),
    Defect("large_answer_sends", "large.sdp.direction.answer", _ANSWER,
           "the answer to a large message sends too",
           replaced(rb"a=recvonly", b"a=sendrecv"), "large_came"),
    Defect("file_answer_sends", "ft.push.direction", _ANSWER, "the answer to a file sends too",
           replaced(rb"a=recvonly", b"a=sendrecv"), "file_came"),
    Defect("file_no_selector", "ft.selector.present", _ANSWER, "no selector in the answer",
           replaced(rb"a=file-selector:[^\r]+\r\n", b""), "file_came"),
    Defect("file_selector_broken", "ft.selector.syntax", _OFFER, "a size in words",
           replaced(rb" size:\d+", b" size:small"), "file_refused"),
    Defect("file_date_words", "ft.date", _OFFER, "a date nobody can read",
           replaced(rb'creation:"[^"]+"', b'creation:"yesterday"'), "file_refused"),
    Defect("file_icon_in_answer", "ft.icon.push-answer", _ANSWER, "a thumbnail in the answer",
           _with_line(b"a=file-icon:cid:icon@handset"), "file_came"),
    Defect("file_range_backwards", "ft.range.form", _OFFER, "a range that ends before it begins",
           _with_line(b"a=file-range:9-1"), "file_refused"),
    Defect("file_size_lies", "ft.selector.size", _OFFER, "a size ten times that of the file",
           replaced(rb"(a=file-selector:.*size:\d+)", rb"\g<1>0"), "file_left"),
    Defect("file_hash_lies", "ft.selector.hash-verify", _OFFER, "the hash of another file",
           replaced(rb"(hash:sha-1:)..:..", rb"\g<1>00:00"), "file_left"),
    Defect("file_hash_in_lower_case", "ft.selector.hex-case", _OFFER, "the hash in lower case",
           replaced(rb"hash:sha-1:[0-9A-F:]+", lambda found: found[0].lower()), "file_left"),
    Defect("file_name_with_directory", "ft.selector.name-safe", _OFFER, "a slash in the name",
           replaced(rb'name:"', b'name:"/tmp/'), "file_left"),
    Defect("file_short_id", "ft.id.random", _OFFER, "a file-transfer-id of 8 characters",
           replaced(rb"(a=file-transfer-id:\w{8})\w+", rb"\1"), "file_left"),
    Defect("file_id_not_copied", "ft.id.present", _ANSWER, "an answer without file-transfer-id",
           replaced(rb"a=file-transfer-id:.*\r\n", b""), "file_came"),
    Defect("file_selectors_not_copied", "ft.selector.copied", _ANSWER, "an answer without the name",
           replaced(rb'name:"[^"]*" ', b""), "file_came"),
    Defect("file_disposition_in_answer", "ft.disposition", _ANSWER, "file-disposition in an answer",
           replaced(rb"(a=file-selector:.*\r\n)", rb"\1a=file-disposition:attachment\r\n"), "file_came"),
    Defect("file_without_cpim", "ft.cpim-part", _BEHAVIOUR, "no CPIM headers of a file in its INVITE",
           flow="file_left"),
    # Session timer
    Defect("never_refreshes", "timer.refresh-half", _BEHAVIOUR, "sees to no session timer",
           flow="unrefreshed"),
    # Groups
    Defect("group_not_required", "session.group.adhoc.require", _REQUEST, "no Require: recipient-list-invite",
           _of("INVITE", without("Require")), "group"),
    # MSRP
    Defect("msrp_from_path_first", "msrp.path-first", _SEND, "From-Path before To-Path",
           replaced(rb"(To-Path:[^\r]+\r\n)(From-Path:[^\r]+\r\n)(?=(?s:.*)Content-Type:)", rb"\2\1"),
           "unsent"),
    Defect("msrp_other_from_path", "msrp.to-path.matches-sdp", _SEND, "From-Path of a session of nobody",
           replaced(rb"(From-Path:[^\r]+/)\w+;", rb"\1ofnobody0123456789;"), "chat"),
    Defect("msrp_receipt_of_nobody", "msrp.response.paths", _RECEIPT, "From-Path of responses is nobody's",
           replaced(rb"(From-Path:[^\r]+/)\w+;", rb"\1ofnobody0123456789;"), "invited"),
    Defect("msrp_no_receipt", "msrp.response.required", _RECEIPT, "no responses",
           lambda _: b"", "unanswered"),
    Defect("msrp_receipt_goes_on", "msrp.response.flag", _RECEIPT, "+ at the end of responses",
           replaced(rb"\$\r\n\Z", b"+\r\n"), "invited"),
    Defect("msrp_receipt_for_nothing", "msrp.response.tid", _RECEIPT, "responses to requests that never were",
           _response_twice, "invited"),
    Defect("msrp_type_not_last", "msrp.content-type.last", _SEND, "headers behind Content-Type",
           replaced(rb"(Byte-Range:[^\r]+\r\n)(Content-Type:[^\r]+\r\n)", rb"\2\1"), "chat"),
    Defect("msrp_range_short", "msrp.byte-range.exact", _SEND, "Byte-Range ends an octet early",
           replaced(rb"(?<=Byte-Range: 1-)\d+(?=/[1-9])", _one_less), "chat"),
    Defect("msrp_report_perhaps", "msrp.reports.values", _SEND, "Failure-Report: perhaps",
           replaced(rb"\r\n(Message-ID:)", rb"\r\nFailure-Report: perhaps\r\n\1"), "chat"),
    Defect("msrp_report_later", "msrp.reports.same-over-chunks", _SEND, "later chunks ask for reports",
           replaced(rb"\r\n(Byte-Range: (?!1-))", rb"\r\nSuccess-Report: yes\r\n\1"), "large"),
    Defect("msrp_never_complete", "msrp.byte-range.end-total", _SEND, "+ at the end of the last chunk",
           replaced(rb"\$\r\n\Z", b"+\r\n"), "wrote"),
    Defect("msrp_gap", "msrp.byte-range.continuity", _SEND, "a chunk that leaves an octet out",
           replaced(rb"Byte-Range: 2049-4096/", b"Byte-Range: 2050-4097/"), "file_spoilt"),
    Defect("msrp_no_range", "msrp.byte-range.required", _SEND, "a later chunk without Byte-Range",
           replaced(rb"Byte-Range: 2049-[^\r]+\r\n", b""), "file_spoilt"),
    Defect("msrp_no_message_id", "msrp.message-id.present", _SEND, "no Message-ID",
           replaced(rb"Message-ID:[^\r]+\r\n(?=Byte-Range: 1-[^0])", b""), "unsent"),
    Defect("msrp_other_type", "msrp.type.allowed", _SEND, "a type the other side does not take",
           replaced(rb"Content-Type: message/cpim", b"Content-Type: text/html"), "unsent"),
    Defect("file_other_type", "ft.accept-types", _SEND, "a file of a type the other side does not take",
           replaced(rb"Content-Type: application/octet-stream", b"Content-Type: image/jpeg"), "file_spoilt"),
    Defect("msrp_range_unclear", "msrp.byte-range.syntax", _SEND, "Byte-Range without a total",
           replaced(rb"(Byte-Range: \d+-\d+)/\d+", rb"\1"), "unsent"),
)  # fmt: skip
