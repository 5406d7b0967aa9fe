"""samsung-ims-5.0 in the flows of its field traces: its words, and what the verifier says of it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from devices.simulated import personality
from harness.evidence.timeline import Transport
from harness.lab.waiver_file import load_waivers
from harness.verify.finding import Finding
from tests.devices.simulated.exchange import SessionExchange, shown
from tests.devices.simulated.test_defects import EXPECTED_OF_SAMSUNG

# What the traces show of the handset: rule -> severity under rcs51, under ietf, and whether that fails a run.
ALWAYS = {
    "sip.via.transport-param": ("INFO", "INFO", False),
    "ims.imsi-derived": ("SHOULD", "SHOULD", False),
    "ims.user-agent": ("INFO", "INFO", False),
    "ims.ids.uuid": ("INFO", "INFO", False),
    "msrp.tid.entropy": ("MUST", "MUST", False),
}
OF_A_SESSION = ALWAYS | {
    "sdp.m.port9-active": ("INFO", "SHOULD", False),
    "session.sdp.cosmetic": ("INFO", "INFO", False),
    "ims.p-early-media": ("INFO", "INFO", False),
}
OF_A_FILE = ALWAYS | {
    "pager.no-contact": ("INFO", "MUST", True),
    "ims.sip-instance.non-register": ("INFO", "MUST", True),
    "sip.max-forwards.not-in-response": ("SHOULD", "SHOULD", False),
    "sip.100.no-pani": ("INFO", "INFO", False),
    "sip.contact.bye-response": ("INFO", "INFO", False),
    "sip.require.unlisted-accepted": ("INFO", "INFO", False),
    "ft.range.answer-only": ("INFO", "INFO", False),
    "imdn.same-conversation": ("SHOULD", "SHOULD", False),
    "imdn.feature-tag": ("INFO", "INFO", False),
}


@pytest.mark.parametrize(
    ("flow", "server", "host", "transport", "expected"),
    [
        ("chat", "mavenir-rms", "127.0.0.1", Transport.UDP, OF_A_SESSION),
        ("file_came", "anritsu-rcs", "::1", Transport.TCP, OF_A_FILE),
    ],
)
async def test_the_handset_of_the_traces_is_reported_as_they_are(
    flow: str,
    server: str,
    host: str,
    transport: Transport,
    expected: dict[str, tuple[str, str, bool]],
) -> None:
    exchange = SessionExchange(host=host, transport=transport, personality="samsung-ims-5.0", server=server)
    rcs51 = of_handset(await exchange.run_flows(flow))
    assert severities(rcs51) == {rule: row[0] for rule, row in expected.items()}, shown(rcs51)
    assert not any(finding.fails for finding in rcs51), shown(rcs51)
    ietf = of_handset(exchange.judge("ietf"))
    assert severities(ietf) == {rule: row[1] for rule, row in expected.items()}, shown(ietf)
    assert failing(ietf) == {rule for rule, row in expected.items() if row[2]}, shown(ietf)


def test_what_is_waived_of_the_product_is_what_the_traces_show() -> None:
    """With the texts of test_defects.py."""
    waivers = load_waivers(Path(personality.__file__).with_name("samsung-ims-5.0.waivers.yaml"))
    assert {waiver.rule for waiver in waivers} == OF_A_SESSION.keys() | OF_A_FILE.keys() | EXPECTED_OF_SAMSUNG
    assert {(waiver.party, waiver.text) for waiver in waivers} == {("handset", "")}


def of_handset(findings: list[Finding]) -> list[Finding]:
    return [finding for finding in findings if finding.party == "handset"]


def severities(findings: list[Finding]) -> dict[str, str]:
    return {finding.rule: finding.severity.value for finding in findings}


def failing(findings: list[Finding]) -> set[str]:
    return {finding.rule for finding in findings if finding.fails}


# -- its words


def sent(exchange: SessionExchange, *marks: str) -> str:
    """The only message on the wire with all these marks."""
    packets = [entry.data.decode("latin-1") for entry in exchange.timeline if hasattr(entry, "data")]
    texts = [text for packet in packets for text in re.split(r"(?=SIP/2\.0 \d|MESSAGE sip:)", packet)]
    (found,) = (text for text in texts if all(mark in text for mark in marks))
    return found


async def test_it_words_a_session_as_the_trace_does() -> None:
    exchange = SessionExchange(personality="samsung-ims-5.0")
    await exchange.run_flows("chat")
    invite = sent(exchange, "INVITE sip:")
    for row in (
        "User-Agent: Samsung IMS 5.0",
        "Session-Expires: 3600;refresher=uac",
        "Min-SE: 90",
        "P-Early-Media: supported",
    ):
        assert f"\r\n{row}\r\n" in invite, row
    assert re.search(r"\r\nConversation-ID: [0-9a-f]{40}\r\nContribution-ID: [0-9a-f]{40}\r\n", invite)
    head = r"v=0\r\no=SAMSUNG-IMS-UE \d+ \d+ IN IP4 [\d.]+\r\ns=SS VOIP\r\ni=A VOIP Session\r\nc=IN IP4 "
    assert re.search(head, invite)
    assert "\r\nm=message 9 TCP/MSRP *\r\n" in invite and "\r\na=setup:active\r\n" in invite
    path = re.search(r"\r\na=path:msrp://[\d.]+:(\d+)/([A-Za-z0-9]{18});tcp\r\n", invite)
    assert path is not None and int(path[1]) > 9
    octets = b"".join(getattr(entry, "data", b"") for entry in exchange.timeline)
    own = re.findall(rb"MSRP (\w+) SEND\r\nTo-Path: [^\r]+\r\nFrom-Path: msrp://127\.0\.0\.2:", octets)
    assert [len(tid) for tid in own] == [5, 30, 28, 18]


async def test_it_goes_on_in_the_words_of_its_first_description() -> None:
    """RFC 3264 8: other words would be another version, and nothing else has changed."""
    exchange = SessionExchange(personality="samsung-ims-5.0")
    await exchange.run_flows("changed")
    assert sent(exchange, "SIP/2.0 200 OK", "o=SAMSUNG-IMS-UE", "\r\ni=A VOIP Session\r\n")
    assert "sdp.o-version" not in {finding.rule for finding in exchange.judge("rcs51")}


async def test_it_answers_a_file_as_the_trace_does() -> None:
    exchange = SessionExchange(personality="samsung-ims-5.0", server="anritsu-rcs")
    exchange.app.acceptance.auto_download = 0
    await exchange.run_flows("file_asked")
    trying, ringing = sent(exchange, "SIP/2.0 100"), sent(exchange, "SIP/2.0 180")
    answer = sent(exchange, "SIP/2.0 200", "application/sdp")
    assert "\r\nP-Access-Network-Info: " in trying and "Max-Forwards" not in trying
    assert ";tag=" not in trying.partition("\r\nTo: ")[2].partition("\r\n")[0]
    assert "\r\nMax-Forwards: 70\r\n" in ringing and "\r\nMax-Forwards: 70\r\n" in answer
    assert "\r\ns=SS VOIP\r\n" in answer and "\r\ni=" not in answer
    assert "\r\na=file-range:1-5120\r\n" in answer and "file-range" not in sent(exchange, "INVITE sip:")
    port = re.search(r"\r\nm=message (\d+) ", answer)
    assert port is not None and f":{port[1]}/" in answer and int(port[1]) > 9
    gone = sent(exchange, "SIP/2.0 200", " BYE\r\n")
    assert re.search(r"\r\nContact: <sip:001010123456789@[^>]+>\r\n", gone) and "Max-Forwards" not in gone
    message = sent(exchange, "MESSAGE sip:", "message/imdn+xml", "<delivered/>")
    assert "\r\nP-Preferred-Service: urn:urn-7:3gpp-service.ims.icsi.oma.cpm.filetransfer\r\n" in message
