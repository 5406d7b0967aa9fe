"""Texts of conversations as the wire had them, whatever carried them: MESSAGE, a chat, a group, a session of
one message (OMA CPM).

A conversation is named as a user finds it: by the number of the other side, a group by its subject. Each
object is read once, when it is first asked for.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from harness.cpm.services import Service
from harness.errors import BodySyntaxError
from harness.verify.chains import Chains
from harness.verify.comparison import number_of, uri_of
from harness.verify.finding import Party
from harness.verify.items import CpimItem, SipEntry
from harness.verify.msrp_assembly import MsrpAssembly
from harness.verify.msrp_items import MsrpEntry
from harness.verify.negotiation import Negotiations
from harness.verify.negotiation_items import MsrpSession
from harness.verify.session_services import initial_invite, is_file, named_service

_CALLER = ("From", "P-Asserted-Identity", "P-Preferred-Identity")
_CALLEE = ("To",)


@dataclass(frozen=True, slots=True)
class Ends:
    """Who something is between: numbers of who sent it (called), and of who it went to (was called).

    group: subject and Conversation-ID of the group chat it is of, which counts for all its members.
    """

    from_: frozenset[str] = frozenset()
    to: frozenset[str] = frozenset()
    group: tuple[str, str] | None = None

    def concern(self, conversation: str) -> bool:
        """Whether either end is the other side of the conversation."""
        return any(self.is_of(conversation, by_handset) for by_handset in (True, False))

    def is_of(self, conversation: str, by_handset: bool) -> bool:
        """Whether it belongs to the conversation when the handset sent it, or else the network."""
        if self.group is not None:
            return self.group[0] == unified(conversation)
        return any(same_number(conversation, number) for number in (self.to if by_handset else self.from_))


@dataclass(frozen=True, slots=True, eq=False)
class CarriedText:
    """A CPIM message that is no notification. text: None where its content is not text, or cannot be read."""

    item: CpimItem
    ends: Ends
    text: str | None


@dataclass(slots=True)
class _Held:
    """What is known of one conversation, and how far all that came was looked through for it."""

    texts: list[CarriedText] = field(default_factory=list)
    sessions: list[tuple[MsrpSession, Ends]] = field(default_factory=list)
    texts_read: int = 0
    sessions_read: int = 0


class Conversations:
    """Reads what the parts of an assembly have linked so far."""

    def __init__(self, chains: Chains, negotiations: Negotiations, msrp: MsrpAssembly) -> None:
        self._chains, self._negotiations, self._msrp = chains, negotiations, msrp
        self._texts: list[CarriedText] = []
        self._objects_read = 0
        self._sessions: list[tuple[MsrpSession, Ends]] = []
        self._held: dict[str, _Held] = {}

    def begin_anew(self) -> None:
        """Some of what was read is forgotten: read what is left when somebody asks."""
        self._texts, self._objects_read = [], 0
        self._sessions, self._held = [], {}

    def newest(self, conversation: str) -> Iterator[CarriedText]:
        """Messages of the conversation, the newest first. Of groups with one subject the latest counts."""
        held = self._read(conversation)
        latest = next((ends.group for _, ends in reversed(held.sessions) if ends.group is not None), None)
        for known in reversed(held.texts):
            sender = known.item.sender
            if sender is Party.UNKNOWN or not known.ends.is_of(conversation, sender is Party.HANDSET):
                continue
            if known.ends.group is None or known.ends.group == latest:
                yield known

    def has_unseen(self, conversation: str, since: int) -> bool:
        """Whether a session with the other side, that lived after that number, said more than was seen of it.

        No MSRP was seen at all, or a message that did not come to its end. The Subject of a 1-1 session is a
        text to clients of SIMPLE IM.
        """
        return any(
            _lived_after(since, session)
            and (not self._is_whole(session) or (ends.group is None and _has_subject(session)))
            for session, ends in self._read(conversation).sessions
        )

    def sessions(self, conversation: str) -> list[MsrpSession]:
        """The MSRP sessions with the other side of the conversation, oldest first."""
        return [session for session, _ in self._read(conversation).sessions]

    def _is_whole(self, session: MsrpSession) -> bool:
        messages = self._msrp.messages_of(session)
        return self._msrp.has_entries(session) and all(message.complete for message in messages)

    def _read(self, conversation: str) -> _Held:
        self._catch_up()
        held = self._held.setdefault(conversation, _Held())
        texts, sessions = self._texts[held.texts_read :], self._sessions[held.sessions_read :]
        held.texts += [known for known in texts if known.ends.concern(conversation)]
        held.sessions += [(session, ends) for session, ends in sessions if ends.concern(conversation)]
        held.texts_read, held.sessions_read = len(self._texts), len(self._sessions)
        return held

    def _catch_up(self) -> None:
        for item in self._chains.after(self._objects_read):
            self._objects_read += 1
            if not item.is_notification and item.cpim is not None:
                self._texts.append(CarriedText(item, _ends_of(item), _text_of(item)))
        for session in self._negotiations.sessions[len(self._sessions) :]:
            self._sessions.append((session, _ends_of_session(session)))


def _lived_after(number: int, session: MsrpSession) -> bool:
    dialog = session.dialog
    if dialog is None or dialog.confirmed is None:
        return False
    return not dialog.byes or dialog.byes[-1].number >= number


def _ends_of(item: CpimItem) -> Ends:
    if isinstance(item.carrier, SipEntry):
        return Ends(numbers_in(item.carrier, _CALLER), numbers_in(item.carrier, _CALLEE))
    carrier: MsrpEntry = item.carrier
    if carrier.session is None:
        return Ends()
    ends = _ends_of_session(carrier.session)
    if ends.group is not None:
        return ends
    from_, to = (ends.from_, ends.to) if carrier.by_caller else (ends.to, ends.from_)
    # A message that was kept names its sender in CPIM alone: the session is one with who kept it.
    sender, recipient = (item.cpim.from_, item.cpim.to) if item.cpim is not None else (None, None)
    return Ends(
        from_ | _numbers([sender.uri] if sender else []), to | _numbers([recipient.uri] if recipient else [])
    )


def _ends_of_session(session: MsrpSession) -> Ends:
    invite = initial_invite(session.invite)
    if invite is None:
        return Ends()
    from_, to = numbers_in(invite, _CALLER), numbers_in(invite, _CALLEE)
    focus = not to or any("isfocus" in contact.parameters for contact in invite.contacts)
    if focus and named_service(invite) is Service.SESSION:
        subject, conversation = invite.sip.get("Subject"), invite.sip.get("Conversation-ID")
        return Ends(group=(unified(subject or ""), conversation or ""))
    return Ends(from_, to)


def numbers_in(entry: SipEntry, names: tuple[str, ...]) -> frozenset[str]:
    """The telephone numbers in these headers, digits only."""
    return _numbers(value for name in names for value in entry.sip.values(name))


def _numbers(values: Iterable[str]) -> frozenset[str]:
    found = (number_of(uri) for value in values if (uri := uri_of(value)) is not None)
    return frozenset(number for number in found if number)


def same_number(one: str, other: str) -> bool:
    """Equal as numbers; one written nationally equals the other by its end (at least 7 digits)."""
    left, right = (re.sub(r"\D", "", text) for text in (one, other))
    if left == right:
        return bool(left)
    if one.strip().startswith("+"):
        return False
    national = left.lstrip("0")
    return len(national) >= 7 and right.endswith(national)


def unified(text: str) -> str:
    """The text in NFC with LF at line ends: what counts as the same text on wire and screen."""
    return unicodedata.normalize("NFC", text.replace("\r\n", "\n").replace("\r", "\n"))


def _text_of(item: CpimItem) -> str | None:
    cpim = item.cpim
    kind = cpim.content_type if cpim else None
    if cpim is None or kind is None or kind.essence != "text/plain" or item.beginning or _is_of_file(item):
        return None
    try:
        return unified(cpim.decoded().decode(kind.parameters.get("charset", "utf-8")))
    except (BodySyntaxError, ValueError, LookupError):
        return None


def _is_of_file(item: CpimItem) -> bool:
    """The CPIM headers of a file, beside its offer: they have the type of the file, and no content."""
    description = item.carrier.description if isinstance(item.carrier, SipEntry) else None
    return description is not None and any(is_file(end) for end in description.ends)


def _has_subject(session: MsrpSession) -> bool:
    return "Subject" in session.exchanges[0].offer.entry.sip
