"""Rules about what a file transfer or a large message carries, against what its SDP announced (RFC 5547)."""

from __future__ import annotations

import hashlib

from harness.bodies.file_attributes import HASHES, FileDescription, FileHash, FileRange
from harness.bodies.sdp_attributes import Direction
from harness.cpm.services import Service
from harness.errors import BodySyntaxError
from harness.verify.catalogue import Kind, rule
from harness.verify.engine import Flow
from harness.verify.finding import APPLIES, Outcomes, Unverifiable, Violation
from harness.verify.items import CpimItem, SipEntry
from harness.verify.msrp_items import ChunkedMessage, MsrpEntry
from harness.verify.negotiation_items import Description, MsrpEnd, MsrpSession, Role
from harness.verify.rules.msrp_session import CONTROL, inside, not_accepted, wrapped_not_accepted
from harness.verify.session_services import initial_invite, is_file, service_of_session

_BYE_SECONDS = 30.0
_ENCODED = "the wrapped file is transfer-encoded, and too large or not fit to be decoded"


# -- the file -----------------------------------------------------------------------------------------------


@rule("ft.selector.size", on=Kind.MSRP_MESSAGE)
def size(message: ChunkedMessage, flow: Flow) -> Outcomes:
    file = _announced(message) if _carries_a_file(message) and message.complete else None
    due = _due_octets(file) if file else None
    octets = payload_octets(message)
    if due is None:
        return
    yield APPLIES
    if octets != due and not _is_whole(message):
        yield Unverifiable("end-line and Byte-Range do not agree on where the file ends")
    elif octets != due and flow.assembly.incomplete:
        yield Unverifiable("what is missing may be in a gap of the capture")
    elif octets is None:
        yield Unverifiable(_ENCODED)
    elif octets != due:
        yield Violation(f"{due} octets of the file, as announced", f"{octets} octets", "body")


@rule("ft.selector.hash-verify", on=Kind.MSRP_MESSAGE)
def hash_verify(message: ChunkedMessage, flow: Flow) -> Outcomes:
    """Of whole files only: of a part nobody knows the hash. A wrong size is told by ft.selector.size."""
    file = _announced(message) if _carries_a_file(message) and _is_whole(message) else None
    if (
        file is None
        or _is_part(file)
        or payload_octets(message) != (file.selector.size or payload_octets(message))
    ):
        return
    for known in file.selector.hashes:
        yield APPLIES
        digest = _digest(message, known)
        if isinstance(digest, Unverifiable):
            yield digest
        elif digest is not None and digest != known.digest:
            actual = FileHash(known.algorithm, digest)
            yield Violation(f"a file with hash {known}, as announced", f"one with {actual}", "body")


@rule("ft.range.vs-byte-range", on=Kind.MSRP_REQUEST, methods=("SEND",))
def range_in_byte_range(entry: MsrpEntry, flow: Flow) -> Outcomes:
    file = _file_begun(entry)
    if file is None or file.range is None:
        return
    yield APPLIES
    if counts_from_file_range(entry):
        yield Violation(
            "Byte-Range from 1 for the first octet that is sent", f"from {entry.start}", "Byte-Range"
        )


def counts_from_file_range(entry: MsrpEntry) -> bool:
    """The first chunk begins at the octet of the file that file-range names (RFC 5547 8.7)."""
    if entry.start == 1:
        return False
    file = _file_begun(entry)
    return file is not None and file.range is not None and file.range.start == entry.start


def _file_begun(entry: MsrpEntry) -> FileDescription | None:
    """What was announced of the file whose first chunk this is; None for any other chunk."""
    message = entry.part_of
    if message is None or message.first is not entry or not _carries_a_file(message):
        return None
    return _announced(message)


@rule("ft.max-size", on=Kind.MSRP_MESSAGE)
def max_size(message: ChunkedMessage, flow: Flow) -> Outcomes:
    far = message.first.far_end
    if far is None or far.max_size is None or not _carries_a_file(message):
        return
    yield APPLIES
    if message.coverage.end > far.max_size:
        expected = f"not more than the max-size of the receiver, {far.max_size} octets"
        yield Violation(expected, f"{message.coverage.end} octets", "body", item=message.first)


@rule("ft.accept-types", on=Kind.MSRP_REQUEST, methods=("SEND",))
def accept_types(entry: MsrpEntry, flow: Flow) -> Outcomes:
    far = entry.far_end
    if far is None or entry.part_of is None or entry.part_of.first is not entry or not entry.content_type:
        return
    if _in_file_session(entry.session):
        yield from not_accepted(entry.content_type, far, entry)


@rule("ft.accept-types", on=Kind.MSRP_MESSAGE)
def accept_wrapped_types(message: ChunkedMessage, flow: Flow) -> Outcomes:
    if _in_file_session(message.session):
        yield from wrapped_not_accepted(message)


# -- one file in a session ----------------------------------------------------------------------------------


@rule("ft.single-file", on=Kind.MSRP_MESSAGE)
def single_file(message: ChunkedMessage, flow: Flow) -> Outcomes:
    if not _carries_a_file(message):
        return
    yield APPLIES
    before = _file_before(message, flow)
    if before is None or _transfer_id(before) != _transfer_id(message) or _offered_again(before, message):
        return
    if not flow.from_start:
        yield Unverifiable("an offer of another file may not have been captured")
        return
    expected = f"one file in a session, {before.message_id}"
    yield Violation(expected, f"another, {message.message_id}", "Message-ID", item=message.first)


@rule("ft.id.unchanged", on=Kind.MSRP_MESSAGE)
def id_unchanged(message: ChunkedMessage, flow: Flow) -> Outcomes:
    before = _file_before(message, flow)
    own = _transfer_id(message)
    if before is None or own is None or not _offered_again(before, message):
        return
    yield APPLIES
    if own == _transfer_id(before):
        expected = f"no second transfer for an offer that repeats file-transfer-id {own}"
        yield Violation(
            expected, f"{message.message_id} after {before.message_id}", "Message-ID", item=message.first
        )


@rule("ft.id.after-completion", on=Kind.SDP)
def id_after_completion(description: Description, flow: Flow) -> Outcomes:
    if description.role is not Role.OFFER or description.dialog is None:
        return
    for end in description.ends:
        session = _session_of(description, end, flow)
        sent = flow.assembly.msrp.messages_of(session) if session is not None else ()
        done = [each for each in sent if _is_over(each)]
        file = end.file
        if session is None or file is None or not done or not is_file(end) or file.transfer_id is None:
            continue
        yield APPLIES
        if end.port and file.transfer_id == _transfer_id(done[-1]):
            expected = f"port 0 for {file.transfer_id}, whose transfer is over"
            yield Violation(expected, f"port {end.port}", "body", description.offset + end.media.offset)


@rule("ft.id.new", on=Kind.SDP)
def id_new(description: Description, flow: Flow) -> Outcomes:
    """A transfer that is taken up again is a new one."""
    if description.role is not Role.OFFER or description.dialog is not None:
        return
    for end in description.ends:
        own = end.file.transfer_id if end.file is not None and is_file(end) else None
        if own is None:
            continue
        yield APPLIES
        for known in flow.assembly.negotiations.descriptions:
            if known is description:
                break
            if known.role is not Role.OFFER or known.sender is not description.sender:
                continue
            same = [other for other in known.ends if other.file is not None and other.file.transfer_id == own]
            if same and _was_answered(known) and known.entry.call_id != description.entry.call_id:
                expected = "a new file-transfer-id for each transfer, one that is resumed too"
                yield Violation(
                    expected, f"{own} as in {known.label}", "body", description.offset + end.media.offset
                )
                return


@rule("ft.bye-after", on=Kind.MSRP_MESSAGE, after=_BYE_SECONDS)
def bye_after(message: ChunkedMessage, flow: Flow) -> Outcomes:
    if not _carries_a_file(message) or not message.complete or message.session is None:
        return
    yield APPLIES
    dialog = message.session.dialog
    closed = any(end.port == 0 and end.description.place > message.place for end in message.session.ends)
    if dialog is not None and not dialog.byes and not closed and len(_sessions_of(message, flow)) == 1:
        yield Violation("the end of the session once the file has been acknowledged", "none")


@rule("ft.cpim-part", on=Kind.MSRP_MESSAGE)
def cpim_part(message: ChunkedMessage, flow: Flow) -> Outcomes:
    session = message.session
    if session is None or not _carries_a_file(message) or message.content_type == "message/cpim":
        return
    if not message.by_caller or session.invite.request is None:
        return
    if service_of_session(session.exchanges[0].offer) is not Service.FILE_TRANSFER:
        return
    yield APPLIES
    if initial_invite(session.invite) is not session.invite:
        yield Unverifiable("the INVITE of the session was not captured")
        return
    if not session.invite.bodies:
        expected = "the CPIM headers of a bare file in the INVITE"
        yield Violation(expected, "no message/cpim part", "body", item=session.invite)


@rule("ft.imdn-id", on=Kind.CPIM)
def imdn_id(item: CpimItem, flow: Flow) -> Outcomes:
    """An IMDN of the conversation of a file whose id is neither one of the file's nor of another message."""
    carrier = item.by_sip
    if carrier is None or not item.imdns or carrier.method != "MESSAGE":
        return
    for session in flow.assembly.negotiations.sessions:
        invite = session.invite
        if not _in_file_session(session) or invite.place > item.place or invite.sender is item.sender:
            continue
        named = [name for name in ("Contribution-ID", "Conversation-ID") if carrier.sip.get(name)]
        if not any(carrier.sip.get(name) == invite.sip.get(name) for name in named):
            continue
        given = _ids_of(session, flow)
        for imdn in item.imdns:
            yield APPLIES
            if imdn.message_id in given or flow.assembly.originals(imdn.message_id):
                continue
            if not given or not flow.from_start:
                yield Unverifiable("the ids of the file were not captured")
            elif _asked_since(invite, flow):
                yield Unverifiable("another message of the conversation may be meant")
            else:
                expected = f"message-id: {', '.join(sorted(given))}, of the file"
                yield Violation(expected, imdn.message_id or "none", "body", item.offset)


def _asked_since(invite: SipEntry, flow: Flow) -> bool:
    """Whether the sender of the file has asked for notifications of something else in its conversation."""
    conversation = invite.sip.get("Conversation-ID")
    return any(
        item.requested and item.sender is invite.sender and item.place > invite.place
        for item in flow.assembly.cpim_items()
        if item.by_sip is not None and item.by_sip.sip.get("Conversation-ID") == conversation
    )


# -- large messages -----------------------------------------------------------------------------------------


@rule("large.one-message", on=Kind.MSRP_MESSAGE)
def one_message(message: ChunkedMessage, flow: Flow) -> Outcomes:
    if not _is_large(message) or message.again is not None:
        return
    yield APPLIES
    before = [known for known in _contents_before(message, flow) if known.complete]
    if before:
        expected = f"one message in the session, {before[0].message_id}"
        yield Violation(expected, f"another, {message.message_id}", "Message-ID", item=message.first)


@rule("large.size-matches", on=Kind.MSRP_MESSAGE)
def large_size(message: ChunkedMessage, flow: Flow) -> Outcomes:
    file = _announced(message) if _is_large(message) and _is_whole(message) else None
    announced = file.selector.size if file is not None else None
    if announced is None:
        return
    yield APPLIES
    octets = payload_octets(message)
    if announced not in (octets, message.total):
        yield Violation(f"{announced} octets, as announced", f"{octets} octets", "body")


# -- looking at a message -----------------------------------------------------------------------------------


def payload_octets(message: ChunkedMessage) -> int | None:
    """Octets of the content without its CPIM wrapper; None when they cannot be told."""
    item = _wrapper(message)
    if item is None or item.cpim is None:
        return message.total
    if (item.cpim.mime_get("Content-Transfer-Encoding") or "binary").lower() in ("binary", "7bit", "8bit"):
        return (message.total or 0) - item.cpim.content_offset
    try:
        return None if item.beginning else len(item.cpim.decoded())
    except BodySyntaxError:
        return None


def _digest(message: ChunkedMessage, known: FileHash) -> bytes | Unverifiable | None:
    name = HASHES.get(known.algorithm)
    if name is None:
        return None
    item = _wrapper(message)
    skip = item.cpim.content_offset if item is not None and item.cpim is not None else 0
    if item is not None and item.cpim is not None and item.cpim.mime_get("Content-Transfer-Encoding"):
        if item.beginning or not item.cpim.decodable:
            return Unverifiable(_ENCODED)
        try:
            return hashlib.new(name, item.cpim.decoded(), usedforsecurity=False).digest()
        except BodySyntaxError:
            return Unverifiable(_ENCODED)
    digest = hashlib.new(name, usedforsecurity=False)
    try:
        for piece in message.pieces():
            digest.update(piece[skip:])
            skip = max(skip - len(piece), 0)
    except OSError as error:
        return Unverifiable(f"the octets of the file are gone: {error}")
    return digest.digest()


def _is_whole(message: ChunkedMessage) -> bool:
    """Complete, and by its Byte-Range too; where that names another total, another rule tells."""
    totals = {span.total for chunk in message.chunks if (span := chunk.byte_range)}
    return message.complete and totals <= {None, message.total}


def _wrapper(message: ChunkedMessage) -> CpimItem | None:
    return message.last.bodies[0] if message.last.bodies else None


def _in_file_session(session: MsrpSession | None) -> bool:
    return session is not None and any(is_file(end) for end in session.ends)


def _carries_a_file(message: ChunkedMessage) -> bool:
    """Content of the side that sends the file, no notification or sign of typing."""
    own, far = message.first.own_end, message.first.far_end
    if own is None or not _in_file_session(message.session):
        return False
    sends = own.direction is Direction.SENDONLY or (far is not None and far.direction is Direction.RECVONLY)
    return sends and not {message.content_type, *inside(message)} & CONTROL


def _announced(message: ChunkedMessage) -> FileDescription | None:
    """What is known of the file: what its sender says, else what the receiver asked for (RFC 5547 8.3.2)."""
    ends = (message.first.own_end, message.first.far_end)
    found = [end.file for end in ends if end is not None and end.file is not None]
    return next((file for file in found if file.selector), found[0] if found else None)


def _due_octets(file: FileDescription) -> int | None:
    """How many octets of it are to be sent."""
    whole, span = file.selector.size, file.range
    if span is None:
        return whole
    stop = span.stop if span.stop is not None else whole
    return None if stop is None else stop - span.start + 1


def _is_part(file: FileDescription) -> bool:
    return file.range not in (None, FileRange(1), FileRange(1, file.selector.size))


def _transfer_id(message: ChunkedMessage) -> str | None:
    ends = (message.first.own_end, message.first.far_end)
    return next((end.file.transfer_id for end in ends if end is not None and end.file is not None), None)


def _contents_before(message: ChunkedMessage, flow: Flow) -> list[ChunkedMessage]:
    """Messages with content of the same side in the same session that began before."""
    sent = flow.assembly.msrp.messages_of(message.session) if message.session is not None else ()
    return [
        known
        for known in sent
        if known.by_caller is message.by_caller
        and known.first.place < message.first.place
        and known.message_id != message.message_id
        and not {known.content_type, *inside(known)} & CONTROL
    ]


def _file_before(message: ChunkedMessage, flow: Flow) -> ChunkedMessage | None:
    """A file that the session carried before; one that was given up or refused does not count."""
    if not _carries_a_file(message):
        return None
    return next((known for known in _contents_before(message, flow) if known.complete), None)


def _offered_again(before: ChunkedMessage, message: ChunkedMessage) -> bool:
    """An offer came between two messages of a session."""
    session = message.session
    exchanges = session.exchanges if session is not None else []
    return any(before.first.place < each.offer.place < message.first.place for each in exchanges)


def _is_over(message: ChunkedMessage) -> bool:
    return (message.complete or message.aborted) and _carries_a_file(message)


def _session_of(description: Description, end: MsrpEnd, flow: Flow) -> MsrpSession | None:
    dialog = description.dialog
    found = flow.assembly.negotiations.sessions_of(dialog) if dialog is not None else []
    return next((session for session in found if session.index == end.index), None)


def _sessions_of(message: ChunkedMessage, flow: Flow) -> list[MsrpSession]:
    dialog = message.session.dialog if message.session else None
    return flow.assembly.negotiations.sessions_of(dialog) if dialog is not None else []


def _was_answered(description: Description) -> bool:
    return description.exchange is not None and description.exchange.answer is not None


def _ids_of(session: MsrpSession, flow: Flow) -> set[str]:
    """The ids the file was given: in the INVITE, and in its wrapper."""
    wrapped = [each.last.bodies for each in flow.assembly.msrp.messages_of(session)]
    items = [*session.invite.bodies, *(item for bodies in wrapped for item in bodies)]
    return {item.message_id for item in items if item.message_id}


def _is_large(message: ChunkedMessage) -> bool:
    session = message.session
    if session is None or {message.content_type, *inside(message)} & CONTROL:
        return False
    return service_of_session(session.exchanges[0].offer) is Service.LARGE
