"""Keywords for groups as their focus and the far members have them: INVITE, REFER, who is in them, texts."""

from __future__ import annotations

from collections.abc import Coroutine
from datetime import timedelta
from enum import Enum
from typing import Any

from robot.api.deco import keyword

from harness.agent.msrp.services import Flow
from harness.bodies.is_composing import IsComposing, write_is_composing
from harness.bodies.sdp_attributes import Setup
from harness.cpm.identity import Msisdn
from harness.errors import HandsetError
from harness.keywords.chat import Typing
from harness.keywords.pager import Notify
from harness.keywords.topic import Topic
from harness.peer.focus import Focus, GroupSession
from harness.peer.group_references import Referred
from harness.peer.mt_request import registered
from harness.peer.roster import BOOTED, BUSY, DEPARTED, FAILED
from harness.peer.service_session import SentInSession, SessionMessage

_TYPING_REFRESH = 120  # seconds (RFC 3994 3.3)
_FAREWELL_SECONDS = 1.0


class Disconnection(Enum):
    """How a member went (RFC 4575 5.7.6)."""

    DEPARTED = DEPARTED
    BOOTED = BOOTED
    FAILED = FAILED
    BUSY = BUSY


class GroupKeywords(Topic):
    """Group chats (OMA CPM; RFC 4579, RFC 5366, RFC 4575). The peer is the focus and every far member.

    Keywords that return a group return its focus: tests use ``uri``, ``subject``, ``conversation_id`` and
    ``last``, the newest session with a handset, whose ``invite.request`` is the INVITE of the handset.
    """

    # -- the handset founds, joins, leaves

    @keyword
    def wait_for_group_from_handset(self, timeout: timedelta | None = None) -> Focus:
        """Waits until the handset is in a group it founded or joined, after the start of this test."""
        return self._begun(timeout, self.record.since)

    @keyword
    def wait_for_next_group_from_handset(self, timeout: timedelta | None = None) -> Focus:
        """The same, but only what comes after the last action of the test counts."""
        return self._begun(timeout, self.access.mark)

    def _begun(self, timeout: timedelta | None, after: int) -> Focus:
        seconds = self.deadline(timeout, self.bench.lab.deadlines.message)
        session = self.call(self.bench.peer.groups.wait_session(timeout=seconds, after=after), seconds)
        return session.focus

    @keyword
    def wait_for_group_invitation(self, timeout: timedelta | None = None) -> GroupSession:
        """Waits for an INVITE of the handset to a group, however answered, after the last action.

        Of what is returned tests use ``invite.request``, ``listed`` (whom it names) and ``status``.
        """
        seconds = self.deadline(timeout, self.bench.lab.deadlines.message)
        waiting = self.bench.peer.groups.wait_invited(timeout=seconds, after=self.access.mark)
        return self.call(waiting, seconds)

    @keyword
    def peer_answers_next_group_invitation(
        self,
        status: int | None,
        count: int = 1,
        after: timedelta = timedelta(0),
        streams: bool = True,
        **headers: str,
    ) -> None:
        """Lets the peer answer the next ``count`` INVITEs to groups with ``status``, or not at all (NONE).

        ``after``, ``streams`` and ``headers`` as in `Peer Answers Next Chat`.
        """
        self.act()
        self.bench.peer.invitations.answer_next(
            status,
            self.headers(headers),
            count,
            delay=after.total_seconds(),
            flow=Flow.GROUP,
            streams=streams,
        )

    @keyword
    def wait_for_handset_to_follow_group(self, group: Focus, timeout: timedelta | None = None) -> None:
        """Waits until the handset has subscribed to the conference (SUBSCRIBE), or refreshed that."""
        seconds = self.deadline(timeout, self.bench.lab.deadlines.message)
        foci = self.bench.peer.groups.foci
        self.call(foci.wait_followed(group, timeout=seconds, after=self.record.since), seconds)

    @keyword
    def wait_for_handset_to_refresh_group(self, group: Focus, timeout: timedelta | None = None) -> None:
        """Waits for a SUBSCRIBE of the handset to this group after the last action of the test."""
        seconds = self.deadline(timeout, self.bench.lab.deadlines.message)
        foci = self.bench.peer.groups.foci
        self.call(foci.wait_followed(group, timeout=seconds, after=self.access.mark), seconds)

    @keyword
    def wait_for_handset_to_leave_group(self, group: Focus, timeout: timedelta | None = None) -> GroupSession:
        """Waits until the handset has hung up (BYE) in this group. A session that ended otherwise fails.

        Of what is returned tests use ``ending.message``, the BYE.
        """
        seconds = self.deadline(timeout, self.bench.lab.deadlines.message)
        session = self.last_session(group)
        waiting = self.bench.peer.groups.wait_ended(session, timeout=seconds, after=self.record.since)
        self.call(waiting, seconds)
        ending = session.ending
        if ending is None or ending.by_us:
            raise HandsetError(f"the handset was expected to leave {group}, the session ended by {ending}")
        return session

    @staticmethod
    def last_session(group: Focus) -> GroupSession:
        """The newest session of a handset with a group. Raises HandsetError where there was none."""
        if group.last is None:
            raise HandsetError(f"the handset was expected to have been in {group}")
        return group.last

    @keyword
    def wait_for_referral_to_group(
        self, number: Msisdn | None = None, timeout: timedelta | None = None
    ) -> Referred:
        """Waits for a REFER of the handset to a focus, for this ``number`` if given, after the last action.

        Of what is returned tests use ``method`` (INVITE adds, BYE removes), ``members`` and ``subscribe``.
        """
        seconds = self.deadline(timeout, self.bench.lab.deadlines.message)
        waiting = self.bench.peer.group_references.wait_referred(
            str(number) if number else None, timeout=seconds, after=self.access.mark
        )
        return self.call(waiting, seconds)

    @keyword
    def peer_answers_next_referral(self, status: int | None, count: int = 1, **headers: str) -> None:
        """Lets the peer answer the next ``count`` REFERs with ``status``, or not at all (NONE)."""
        self.act()
        self.bench.peer.answer_next("REFER", status, self.headers(headers), count)

    # -- the focus calls the handset in

    @keyword
    def invite_handset_to_group(
        self,
        subject: str,
        *members: Msisdn,
        group: Focus | None = None,
        inviter: Msisdn | None = None,
        expect: int | None = 200,
        setup: Setup = Setup.ACTPASS,
        handset: str | None = None,
        **headers: str,
    ) -> Focus:
        """Brings the handset into a group and checks the status of its answer.

        | =Argument= | =Meaning= |
        | ``members`` | numbers of those who are in it already, besides the inviter |
        | ``group`` | a group there is; default a new one |
        | ``inviter`` | who asked for the handset; default the far party of the bench |
        | ``expect`` | status the handset has to answer; NONE when it must not answer at all |
        | ``setup`` | who connects by the offer: ACTPASS (default), ACTIVE (the handset is to listen) |
        | ``headers`` | SIP headers to change or add, an underscore in place of a dash |
        """
        focus = self.ring_handset_for_group(
            subject, *members, group=group, inviter=inviter, setup=setup, handset=handset, **headers
        )
        return self.wait_for_answer_to_group(focus, expect)

    @keyword
    def ring_handset_for_group(
        self,
        subject: str,
        *members: Msisdn,
        group: Focus | None = None,
        inviter: Msisdn | None = None,
        setup: Setup = Setup.ACTPASS,
        handset: str | None = None,
        **headers: str,
    ) -> Focus:
        """Sends the INVITE of `Invite Handset To Group` and does not wait for its answer."""
        self.act()
        part, peer = self.handset(handset).part, self.bench.peer
        inviting = peer.groups.invite(
            registered(peer.registrar, part.msisdn),
            subject,
            [str(member) for member in members],
            focus=group,
            inviter=str(inviter) if inviter else None,
            headers=self.headers(headers),
            setup=setup,
            wait=False,
        )
        return self.call(inviting, self.bench.lab.deadlines.message).focus

    @keyword
    def wait_for_answer_to_group(self, group: Focus, expect: int | None = 200) -> Focus:
        """Waits for the answer to an INVITE of `Ring Handset For Group` and checks its status."""
        self._settled(self.bench.peer.groups.answered(self.last_session(group)), group, expect)
        return group

    @keyword
    def cancel_group_invitation(self, group: Focus, expect: int | None = 487) -> None:
        """Gives up an INVITE of `Ring Handset For Group` and checks how it ends."""
        self.act()
        self._settled(self.bench.peer.groups.cancel(self.last_session(group)), group, expect)

    def _settled(self, waiting: Coroutine[Any, Any, GroupSession], group: Focus, expect: int | None) -> None:
        seconds = self.bench.lab.deadlines.message + self.bench.peer.config.request_timeout
        session = self.call(waiting, seconds)
        if session.status != expect:
            failure = session.outcome.failure if session.outcome is not None else ""
            got = session.status if session.status is not None else f"no answer ({failure})"
            raise HandsetError(f"INVITE to {group}: expected {expect or 'no answer'}, got {got}")

    # -- members

    @keyword("Pre-Defined Group Is There")
    def predefined_group_is_there(self, subject: str, *members: Msisdn) -> Focus:
        """Lets there be a group whose focus calls these members in when the handset joins its ``uri``."""
        foci = self.bench.peer.groups.foci
        defining = foci.define(subject, [str(member) for member in members])
        return self.call(defining, self.bench.lab.deadlines.message)

    @keyword
    def far_members_wait_to_join(self) -> None:
        """Lets far members who are called in stay pending, in this test, until `Members Join Group`."""
        self.bench.peer.groups.foci.members_join = False

    @keyword
    def members_join_group(self, group: Focus, *members: Msisdn, skip: int = 0) -> None:
        """Far members join, all at once; who subscribed is told what has changed.

        ``skip`` leaves out so many versions of the conference state, as when NOTIFYs were lost. Below 0 the
        version goes back, which no focus may do (RFC 4575 4.3).
        """
        self.act()
        joining = self.bench.peer.groups.foci.join(group, *map(str, members), skip=skip)
        self.call(joining, self.bench.lab.deadlines.message)

    @keyword
    def member_leaves_group(
        self, group: Focus, member: Msisdn, how: Disconnection = Disconnection.DEPARTED
    ) -> None:
        """A far member is gone: DEPARTED, BOOTED, FAILED, or BUSY when it never came."""
        self.act()
        leaving = self.bench.peer.groups.foci.leave(group, str(member), how.value)
        self.call(leaving, self.bench.lab.deadlines.message)

    @keyword
    def tell_handset_of_group(self, group: Focus, document: str) -> None:
        """Sends who subscribed a NOTIFY with this text in place of the conference state."""
        self.act()
        telling = self.bench.peer.groups.foci.tell(group, document.encode())
        self.call(telling, self.bench.lab.deadlines.message)

    @keyword
    def wait_for_members_of_group(self, group: Focus, count: int, timeout: timedelta | None = None) -> None:
        """Waits until ``count`` members have joined by what the focus knows, the handset with them."""
        seconds = self.deadline(timeout, self.bench.lab.deadlines.message)
        waiting = self.bench.peer.groups.foci.wait_members(
            group,
            lambda roster: len(roster.connected) == count,
            timeout=seconds,
            expected=f"{count} members",
        )
        self.call(waiting, seconds)

    @keyword
    def remove_handset_from_group(self, group: Focus, handset: str | None = None) -> None:
        """The focus puts the handset out: BYE, and it may not join again (403)."""
        self.act()
        part, domain = self.handset(handset).part, self.bench.part.peer.domain
        known_as = part.msisdn, f"sip:{part.imsi}@{domain}"  # a handset may use either (TS 23.003 13.4B)
        removing = self.bench.peer.groups.remove(group, *known_as)
        self.call(removing, self.bench.lab.deadlines.message)

    @keyword
    def end_group(self, group: Focus) -> None:
        """The network ends the group: BYE with Reason 410, and nobody can join it again (404)."""
        self.act()
        self.call(self.bench.peer.groups.close(group), self.bench.peer.config.request_timeout)

    @keyword
    def end_all_groups(self) -> None:
        """The network ends every group, as for a teardown: what the handset answers does not matter."""
        self.call(self.bench.peer.groups.close_all(_FAREWELL_SECONDS), _FAREWELL_SECONDS)

    @keyword
    def end_session_with_group(self, group: Focus, expect: int | None = 200) -> None:
        """The focus hangs up on the handset, as when nothing was said for long; the group goes on."""
        self.act()
        ending = self.bench.peer.groups.end(self.last_session(group))
        response = self.call(ending, self.bench.peer.config.request_timeout)
        status = response.status if response is not None else None
        if status != expect:
            raise HandsetError(f"BYE: expected {expect or 'no answer'}, got {status or 'no answer'}")

    @keyword
    def peer_forgets_group(self, group: Focus) -> None:
        """Lets the group be gone when the handset joins it again: 404."""
        self.act()
        self.call(self.bench.peer.groups.foci.forget(group), self.bench.lab.deadlines.message)

    # -- texts and typing

    @keyword
    def wait_for_text_in_group(
        self, group: Focus | None = None, text: str | None = None, timeout: timedelta | None = None
    ) -> SessionMessage:
        """Waits for a text of the handset in a group, any of this test when none is given.

        With ``text`` only a message with exactly this content counts.
        """
        seconds = self.deadline(timeout, self.bench.lab.deadlines.message)
        waiting = self.bench.peer.groups.wait_message(
            text,
            timeout=seconds,
            after=self.record.since,
            predicate=lambda message: group is None or message.recipient == group.uri,
        )
        return self.call(waiting, seconds)

    @keyword
    def peer_refuses_next_text_in_group(self, status: int, count: int = 1) -> None:
        """Lets the peer refuse the next ``count`` messages of the handset in a group: 403, 413, 415."""
        self.act()
        self.bench.peer.groups.answer_next_message(status, count)

    @keyword
    def send_text_in_group(
        self,
        group: Focus,
        text: str,
        sender: Msisdn | None = None,
        notify: Notify = Notify.BOTH,
        message_id: str | None = None,
        expect: int | None = 200,
    ) -> SentInSession:
        """Writes to the handset as a member of the group, and checks the MSRP status of its answer.

        ``sender`` is the member, default the far party of the bench; ``notify`` as in `Send Text To Handset`.
        Returns what was sent, for `Wait For Notification`.
        """
        self.act()
        sending = self.bench.peer.groups.send_text(
            self.last_session(group),
            text,
            str(sender) if sender else None,
            disposition=notify.value,
            message_id=message_id,
        )
        return self._sent(sending, expect)

    def _sent(self, sending: Coroutine[Any, Any, SentInSession], expect: int | None) -> SentInSession:
        sent = self.call(sending, self.bench.lab.deadlines.message + self.bench.peer.groups.connect_seconds)
        if sent.status != expect:
            raise HandsetError(f"MSRP message {sent}: expected {expect}, got {sent.status}")
        return sent

    @keyword
    def send_typing_in_group(
        self, group: Focus, typing: Typing = Typing.ACTIVE, sender: Msisdn | None = None
    ) -> None:
        """Tells the handset that a member of the group types (ACTIVE), or does no longer (IDLE)."""
        self.act()
        active = typing is Typing.ACTIVE
        document = IsComposing(typing.value, None, "text/plain", _TYPING_REFRESH if active else None)
        sending = self.bench.peer.groups.send_composing(
            self.last_session(group), write_is_composing(document), str(sender) if sender else None
        )
        self._sent(sending, 200)

    @keyword
    def wait_for_typing_in_group(
        self, group: Focus, typing: Typing = Typing.ACTIVE, timeout: timedelta | None = None
    ) -> SessionMessage:
        """Waits until the handset tells in this group that its user types, or does no longer."""
        seconds = self.deadline(timeout, self.bench.lab.deadlines.message)
        waiting = self.bench.peer.groups.wait_composing(
            typing.value, timeout=seconds, after=self.record.since, session=self.last_session(group)
        )
        return self.call(waiting, seconds)
