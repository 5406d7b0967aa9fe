"""MSRP out of a timeline: tied to its SIP session, chunks joined, transactions, the CPIM and IMDNs inside."""

from __future__ import annotations

import hashlib

import pytest

from harness.evidence.capture import capture_to_timeline, write_capture
from harness.evidence.timeline import Address, Layer, Timeline, Transport
from harness.msrp.message import Flag
from harness.verify.engine import Verifier
from harness.verify.finding import Party
from harness.verify.negotiation_items import Role
from harness.verify.proof.flows.msrp import UE_PATH, chat, content, ok, request, send
from harness.verify.proof.messages import FAR_SDP, UE_SDP, in_dialog, mo_invite, sdp
from harness.verify.proof.script import Script, Step

MO_ID, MT_ID = "Msg1aB2cD3eF4gH5iJ6k", "Msg7aB2cD3eF4gH5iJ6k"


def assembled(script: Script):
    verifier = Verifier()
    verifier.judge(script.timeline())
    return verifier.assembly


def messages(assembly):
    return [(each.message_id, str(each.sender), each.complete) for each in assembly.msrp.messages]


CHAT = [
    ("Ue1kQ2mP9sLw", "handset", True),
    ("Nw1kQ2mP9sLw", "network", True),
    ("Nw2kQ2mP9sLw", "network", True),
    ("Nw3kQ2mP9sLw", "network", True),
    ("Ue2kQ2mP9sLw", "handset", True),
    ("Ue3kQ2mP9sLw", "handset", True),
]


def test_a_chat_is_tied_to_the_invite_that_named_its_paths():
    assembly = assembled(chat())
    (session,) = assembly.negotiations.sessions
    assert session.invite.method == "INVITE" and session.dialog is assembly.dialogs[0]
    assert session.active_caller(99) is True
    assert [session.party(side) for side in (True, False)] == [Party.HANDSET, Party.NETWORK]
    assert {entry.session for entry in assembly.msrp.entries} == {session}
    assert messages(assembly) == CHAT
    assert all(each.final.status == 200 for each in assembly.msrp.transactions)
    assert assembly.msrp.entries_of(session) == assembly.msrp.entries


def test_offer_and_answer_are_a_pair():
    assembly = assembled(chat())
    offer, answer = assembly.negotiations.descriptions
    assert (offer.role, answer.role) == (Role.OFFER, Role.ANSWER)
    assert offer.exchange is answer.exchange and offer.exchange.answer is answer
    assert offer.by_caller and not answer.by_caller
    assert answer.entry.raw[answer.offset :].startswith(b"v=0\r\no=- 1 1 IN IP4 10.0.0.1")
    assert answer.end(0).accept_types == ("message/cpim", "application/im-iscomposing+xml")


def test_notifications_in_a_session_are_in_the_chains():
    assembly = assembled(chat())
    for message_id, maker in ((MO_ID, Party.NETWORK), (MT_ID, Party.HANDSET)):
        (original,) = assembly.originals(message_id)
        assert original.layer is Layer.MSRP and original.cpim.content == b"hello, world"
        told = [(each.imdn.status, each.item.sender) for each in assembly.notifications(message_id)]
        assert told == [("delivered", maker), ("displayed", maker)]


def test_a_capture_gives_what_the_live_lab_gave(tmp_path):
    write_capture(tmp_path / "chat.pcapng", chat().timeline())
    verifier = Verifier()
    verifier.judge(capture_to_timeline(tmp_path / "chat.pcapng"))
    assert messages(verifier.assembly) == CHAT
    assert {entry.session for entry in verifier.assembly.msrp.entries} == set(
        verifier.assembly.negotiations.sessions
    )


def test_addresses_that_a_border_controller_wrote_are_no_matter():
    script = chat()
    for index in range(6, 20):
        script.everywhere("10.0.0.5:9/", "172.16.139.4:55794/", index)
        script.everywhere("10.0.0.1:20000/", "10.240.24.19:3541/", index)
    assembly = assembled(script)
    assert messages(assembly) == CHAT
    assert all(entry.session is not None for entry in assembly.msrp.entries)


def test_an_offer_may_come_in_the_response_and_its_answer_in_the_ack():
    script = chat()
    script.steps[0] = mo_invite(body="")
    script.body(3, FAR_SDP.replace("passive", "actpass"))
    script.line(4, "Content-Type: application/sdp").body(4, UE_SDP)
    assembly = assembled(script)
    offer, answer = assembly.negotiations.descriptions
    assert (offer.role, offer.by_caller, answer.role, answer.by_caller) == (
        Role.OFFER,
        False,
        Role.ANSWER,
        True,
    )
    (session,) = assembly.negotiations.sessions
    assert session.active_caller(99) is True and session.dialog is assembly.dialogs[0]
    assert messages(assembly) == CHAT


def test_a_later_offer_belongs_to_the_same_session():
    script = chat()
    body = sdp("10.0.0.5", "active", 9, "k3Jx8Qw2Zr7Lt5Yv9Bn2")
    update = in_dialog("UPDATE", 2, "upd", "Content-Type: application/sdp")
    script.insert(8, update).body(8, body)
    assembly = assembled(script)
    (session,) = assembly.negotiations.sessions
    assert [end.session_id[-1] for end in session.ends_of(True)] == ["1", "2"]
    assert len(session.exchanges) == 2 and not session.exchanges[1].complete


def test_an_invite_that_forks_has_a_session_for_each_answer():
    script = chat()
    other = (
        script.steps[3]
        .text.replace("tag=faransw42", "tag=other43")
        .replace("p4Mz6Hs8Dc2Vf0Gk7Ja3", "q4Mz6Hs8Dc2Vf0Gk7Ja4")
    )
    script.insert(4, Step(False, other))
    assembly = assembled(script)
    first, second = assembly.negotiations.sessions
    assert second.fork_of is first and first.dialog is not second.dialog
    assert {entry.session for entry in assembly.msrp.entries} == {first}


@pytest.mark.parametrize(
    ("offered", "answered", "caller_opens"),
    [
        ("active", "passive", True),
        ("actpass", "passive", True),
        ("actpass", "active", False),
        ("passive", "active", False),
        (None, None, True),
        ("actpass", None, True),
        ("holdconn", "passive", True),
        ("passive", None, None),
        ("active", "active", None),
    ],
)
def test_who_opens_the_connection(offered, answered, caller_opens):
    script = chat()
    for index, old, new in ((0, "active", offered), (3, "passive", answered)):
        script.sub(index, f"a=setup:{old}\r\n", f"a=setup:{new}\r\n" if new else "")
    (session,) = assembled(script).negotiations.sessions
    assert session.active_caller(99) is caller_opens


def chunk(tid: str, start: int, body: str, total: str, flag: str, message_id: str = "BigkQ2mP9sLw") -> Step:
    end = start + len(body) - 1
    lines = (f"Message-ID: {message_id}", f"Byte-Range: {start}-{end}/{total}", "Content-Type: text/plain")
    return send(True, tid, *lines, body=body, flag=flag)


def with_steps(*steps: Step) -> Script:
    script = chat()
    script.steps[8:20] = steps
    return script


def test_chunks_are_joined_in_any_order_and_the_last_received_counts():
    script = with_steps(
        chunk("hA1kQ2mP9sL1", 1, "abcXX", "10", "+"),
        chunk("hA1kQ2mP9sL2", 8, "hij", "10", "$"),
        chunk("hA1kQ2mP9sL3", 4, "defg", "10", "+"),
    )
    (message,) = assembled(script).msrp.messages
    assert message.complete and message.total == 10 and len(message.chunks) == 3
    assert message.read(100) == b"abcdefghij" and message.read(4) == b"abcd"


def test_what_lies_beyond_the_end_is_no_part_of_the_message():
    script = with_steps(
        chunk("hA1kQ2mP9sL1", 8, "hij", "*", "+"),
        chunk("hA1kQ2mP9sL2", 1, "abcdefg", "*", "$"),
    )
    (message,) = assembled(script).msrp.messages
    assert message.complete and message.read(100) == b"abcdefg"


def test_ids_that_come_again_are_those_of_the_newest_session():
    script, later = chat(), chat()
    for index, step in enumerate(later.steps):
        text = step.text.replace("inv9d8f", "zzz9d8f").replace("z9hG4bK", "z9hG4bKzz")
        later.steps[index] = Step(step.handset, text, msrp=2 if step.msrp else 0, event=step.event)
    script.steps += later.steps
    assembly = assembled(script)
    first, second = assembly.negotiations.sessions
    assert [len(assembly.msrp.entries_of(each)) for each in (first, second)] == [14, 14]


def test_an_aborted_message_is_told_and_its_id_begins_anew():
    script = with_steps(chunk("hA1kQ2mP9sL1", 1, "abc", "10", "#"), chunk("hA1kQ2mP9sL2", 1, "abc", "3", "$"))
    first, second = assembled(script).msrp.messages
    assert first.aborted and not first.complete
    assert second.complete and second.again is first


def test_a_response_may_come_before_the_end_of_its_request():
    asked = chunk("hA1kQ2mP9sL1", 1, "x" * 100, "100", "#")
    begun, rest = asked.text[:250], asked.text[250:]
    script = with_steps(Step(True, begun, msrp=1), ok(asked, "413 Enough"), Step(True, rest, msrp=1))
    (transaction,) = [
        each for each in assembled(script).msrp.transactions if each.request.tid == "hA1kQ2mP9sL1"
    ]
    assert [each.status for each in transaction.responses] == [413]


def test_a_report_finds_its_message():
    report = request(
        "REPORT",
        False,
        "rX4kW2mP9sLw",
        "Message-ID: Ue1kQ2mP9sLw",
        "Byte-Range: 1-319/319",
        "Status: 000 200 OK",
    )
    script = chat().insert(10, report)
    assembly = assembled(script)
    message = assembly.msrp.messages[0]
    assert [each.label for each in message.reports] == ["REPORT #12"]


def test_a_stream_may_be_cut_anywhere_with_line_ends_between_messages():
    whole = assembled(chat())
    script = chat()
    pieces = []
    for step in script.steps:
        text = f"\r\n{step.text}\r\n\r\n" if step.msrp and step.text else step.text
        size = 7 if step.msrp and step.text else len(text) or 1
        pieces += [
            Step(step.handset, text[at : at + size], 0.001, msrp=step.msrp, event=step.event)
            for at in range(0, len(text) or 1, size)
        ]
    script.steps = pieces
    assembly = assembled(script)
    assert messages(assembly) == CHAT
    for one, other in zip(assembly.msrp.messages, whole.msrp.messages, strict=True):
        assert one.read(10_000) == other.read(10_000)
        assert one.first.raw == other.first.raw


def test_content_stays_where_the_timeline_keeps_it():
    """3 MB in one chunk, which is more than one that the framing holds at once."""
    octets = bytes(range(256)) * 12_000
    head, _, tail = (
        send(
            True,
            "hA1kQ2mP9sL1",
            "Message-ID: BigkQ2mP9sLw",
            "Byte-Range: 1-*/3072000",
            "Content-Type: image/jpeg",
            body="~",
        )
        .text.encode()
        .partition(b"~")
    )
    trace = chat().timeline()
    own, far = Address("10.0.0.5", 50009), Address("10.0.0.1", 20000)
    data = head + octets + tail
    for at in range(0, len(data), 65_000):
        trace.packet(Layer.MSRP, Transport.TCP, own, far, data[at : at + 65_000], connection=9)
    verifier = Verifier()
    verifier.judge(trace)
    message = verifier.assembly.msrp.messages[-1]
    assert message.complete and message.size == 3_072_000 and message.last.flag is Flag.COMPLETE
    digest = hashlib.sha1()
    for piece in message.pieces():
        digest.update(piece)
    assert digest.digest() == hashlib.sha1(octets).digest()
    assert message.last.raw == head and message.sender is Party.HANDSET


def test_what_the_end_of_a_connection_leaves_is_there():
    asked = content(True, "hA1kQ2mP9sL1", "BigkQ2mP9sLw", "half of it", "text/plain")
    script = with_steps(Step(True, asked.text[:-30], msrp=1))
    (broken,) = [entry for entry in assembled(script).msrp.entries if entry.cut]
    assert broken.cut.text == "closed: by the other end" and broken.sender is Party.HANDSET
    assert broken.request.message_id == "BigkQ2mP9sLw" and broken.session is not None


@pytest.mark.parametrize(
    "wrong", ["-----hA1kQ2mP9sL1$", "-------hA1kQ2mP9sLx$", "-------hA1kQ2mP9sL1", "-------hA1kQ2mP9sL1!"]
)
def test_messages_behind_a_wrong_end_line_are_read_once_the_stream_ends(wrong):
    asked = content(True, "hA1kQ2mP9sL1", "BigkQ2mP9sLw", "some text", "text/plain")
    text = asked.text.replace("-------hA1kQ2mP9sL1$", wrong)
    other = content(True, "hA1kQ2mP9sL2", "NextQ2mP9sLw", "more text", "text/plain")
    script = with_steps(Step(True, text, msrp=1), other)
    assembly = assembled(script)
    (broken,) = [entry for entry in assembly.msrp.entries if entry.message is None]
    assert broken.error.what == "end-line" and broken.error.value == wrong and broken.sender is Party.HANDSET
    assert messages(assembly) == [("NextQ2mP9sLw", "handset", True)]


def test_octets_that_are_no_msrp_are_there_too():
    script = with_steps(Step(True, "GET / HTTP/1.1\r\n\r\n", msrp=1))
    (broken,) = [entry for entry in assembled(script).msrp.entries if entry.message is None]
    assert broken.body.read() == b"GET / HTTP/1.1\r\n\r\n" and broken.error.what == "start line"


def test_ipv6_paths_are_compared_as_addresses():
    script = chat()
    for index in (0, 3):
        script.everywhere("IN IP4 10.0.0.5", "IN IP6 2001:db8::5", index)
    script.everywhere("msrp://10.0.0.5:9/", "msrp://[2001:0DB8:0:0:0:0:0:5]:9/", 0)
    for index in range(6, 20):
        script.everywhere("10.0.0.5:9/", "[2001:db8::5]:9/", index)
    assembly = assembled(script)
    (session,) = assembly.negotiations.sessions
    entry = assembly.msrp.entries[0]
    assert entry.from_path[-1] == session.end(True).uri and UE_PATH not in str(entry.from_path[-1])


def test_a_timeline_that_grows_gives_the_same():
    trace = chat().timeline()
    at_once, step_by_step = Verifier(), Verifier()
    at_once.judge(trace)
    entries = list(trace)
    for count in range(1, len(entries) + 1):
        step_by_step.judge(entries[:count])
    assert messages(step_by_step.assembly) == messages(at_once.assembly) == CHAT
    assert step_by_step.findings == at_once.findings


def test_no_session_is_made_of_an_offer_that_cannot_be_read():
    script = chat()
    script.body(0, "m=message nine TCP/MSRP *\r\n")
    assembly = assembled(script)
    assert assembly.negotiations.descriptions[0].sdp is None
    assert assembly.negotiations.descriptions[0].error is not None
    assert isinstance(script.timeline(), Timeline)
