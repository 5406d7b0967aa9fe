"""The peer: P-CSCF, registrar and far party in one. It takes every request in, reacts, and never judges.

RFC 3261 8.2 (what any server checks first), 12.2.2 (requests of no dialog).
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable

from harness.agent.events.notifier import EventNotifier
from harness.agent.metrics import Metrics
from harness.agent.msrp.endpoint import MsrpEndpoint
from harness.agent.scheduler import RunningLoop
from harness.agent.sip.agent import Incoming
from harness.agent.sockets.listening_sockets import is_wildcard
from harness.errors import SipSyntaxError, UsageError
from harness.evidence.timeline import Address, Layer, Timeline
from harness.peer.answers import Answer, AnswerQueue, Header, HeaderChanges
from harness.peer.authentication import Authenticator
from harness.peer.bindings import Binding
from harness.peer.capability import Capabilities
from harness.peer.chat import Chats
from harness.peer.conference_event import ConferenceEvents
from harness.peer.config import PeerAddresses, PeerConfig
from harness.peer.deferred import DeferredMessages
from harness.peer.deferred_event import DeferredEvents
from harness.peer.file_transfer import FileTransfers
from harness.peer.group import Groups
from harness.peer.group_references import OPTION_TAGS as REFER_TAGS
from harness.peer.group_references import GroupReferences
from harness.peer.invitations import Invitations
from harness.peer.journal import Journal, PeerEvent, Predicate
from harness.peer.large_message import LargeMessages
from harness.peer.listed_recipients import LIST_MESSAGE, listed_in
from harness.peer.mt_request import MtSender
from harness.peer.notifications import Notifications
from harness.peer.pager import Pager
from harness.peer.pcscf import Pcscf
from harness.peer.proxy_authentication import ProxyAuthentication
from harness.peer.recipient_list import LargeMessagesToSeveral
from harness.peer.registrar import Registrar
from harness.peer.registration_event import RegistrationEvents
from harness.peer.security_agreement import SecurityAgreement
from harness.peer.texts import Texts
from harness.sip.general_headers import Accept
from harness.sip.message import Request
from harness.sip.security_agreement import OPTION_TAG
from harness.sip.transaction import Timers

log = logging.getLogger(__name__)

Handler = Callable[[Incoming], None]

_SCHEMES = frozenset({"sip", "sips", "tel"})
# Methods of RFC 3261 and its extensions: those we do not serve are 405, what is none of them 501 (21.5.2).
_METHODS = frozenset(
    {
        "ACK", "BYE", "CANCEL", "INFO", "INVITE", "MESSAGE", "NOTIFY", "OPTIONS", "PRACK", "PUBLISH",
        "REFER", "REGISTER", "SUBSCRIBE", "UPDATE",
    }
)  # fmt: skip
_OUT_OF_DIALOG = frozenset({"ACK", "BYE", "CANCEL", "INFO", "NOTIFY", "PRACK", "UPDATE"})


class Peer:
    """Everything the network is to a handset, on one SIP address (UDP, TCP, TLS) or several.

    Make it anywhere, start and stop it in the loop it lives in. `registrar`, `pager`, `notifications` and the
    services behind `invitations` (`chats`, ...) offer what tests set and wait for; their coroutines run in
    that loop, their lists may be read from any thread.
    """

    def __init__(self, config: PeerConfig, timeline: Timeline, timers: Timers | None = None) -> None:
        self.config = config
        self.timeline = timeline
        self.journal = Journal(timeline)
        self.pcscf = Pcscf(config, timeline, self.journal, self._on_request, timers)
        authenticator = Authenticator(config, timeline.now)
        self.registrar = Registrar(self.pcscf, authenticator)
        self.event_notifier = EventNotifier(
            self.pcscf.respond,
            self.pcscf.spawn,
            RunningLoop(),
            timeline.now,
            [("User-Agent", config.server)],
        )
        self.registration_events = RegistrationEvents(self.pcscf, self.registrar, self.event_notifier)
        self.event_notifier.add(self.registration_events)
        self.conference_events = ConferenceEvents(self.pcscf, self.event_notifier)
        sender = MtSender(self.pcscf)
        self.notifications = Notifications(self.pcscf, self.registrar, sender)
        self.pager = Pager(self.pcscf, self.registrar, authenticator, self.notifications, sender)
        self.msrp = MsrpEndpoint(
            timeline,
            limits=config.limits.msrp,
            connection_limits=config.limits.msrp_connection,
            memory_octets=config.limits.msrp_memory_octets,
            tls=config.msrp_tls.settings if config.msrp_tls is not None else None,
            ids=config.personality.msrp(),
            part="peer",
        )
        self.invitations = Invitations(
            self.pcscf, self.registrar, self.notifications, self.msrp, self.pager.conversations, timers
        )
        self.chats = Chats(self.invitations)
        self.large_messages = LargeMessages(self.invitations)
        self.large_messages_to_several = LargeMessagesToSeveral(self.invitations)
        self.deferred_messages = DeferredMessages(
            self.invitations, DeferredEvents(self.pcscf, self.event_notifier), sender
        )
        self.groups = Groups(self.invitations, self.conference_events)
        self.file_transfers = FileTransfers(self.invitations, self.groups.foci)
        self.group_references = GroupReferences(self.pcscf, self.groups, self.event_notifier)
        self.groups.refer = self.group_references.on_refer
        self.texts = Texts(self.journal)
        self.addresses: PeerAddresses | None = None
        self._agreement = SecurityAgreement(config, authenticator)
        # On all addresses of the machine only a request shows which of them are ours.
        self._everywhere = any(is_wildcard(host) for host, _ in config.listen)
        self._reached: set[Address] = set()
        self._answers: dict[str, AnswerQueue] = {}
        self._proxy = ProxyAuthentication(config, authenticator)
        self.capabilities = Capabilities(self.pcscf, self.registrar, self._proxy, self._described)
        self._handlers: dict[str, Handler] = {
            "REGISTER": self.registrar.on_register,
            "MESSAGE": self.pager.on_message,
            "OPTIONS": self.capabilities.on_options,
            "SUBSCRIBE": self._on_subscribe,
            "INVITE": self.invitations.on_invite,
            "REFER": self._on_refer,
        }

    # Life

    async def start(self) -> PeerAddresses:
        """Listen. With an error nothing is left open.

        Raises AddressTaken when an address is in use, UsageError for TLS files that are no use.
        """
        self.invitations.start()
        addresses = await self.pcscf.start()
        try:
            msrp = [await self.msrp.listen(*place) for place in self.config.msrp_listen]
            msrp_tls = [await self.msrp.listen_tls(*place) for place in self.config.msrp_tls_listen]
        except BaseException:
            await asyncio.gather(self.pcscf.stop(), self.msrp.close())
            raise
        secured = list(self.pcscf.agent.tls_addresses)
        self.addresses = PeerAddresses(addresses, list(addresses), msrp, secured, msrp_tls)
        log.info(
            "peer of %s: SIP on %s, MSRP on %s",
            self.config.domain,
            ", ".join([*map(str, addresses), *(f"{each} (TLS)" for each in secured)]),
            ", ".join([*map(str, msrp), *(f"{each} (TLS)" for each in msrp_tls)]),
        )
        return self.addresses

    async def stop(self) -> None:
        """End everything under way and close every socket."""
        self.journal.close()
        self.registrar.stop()
        self.event_notifier.forget()
        await self.invitations.stop()
        await asyncio.gather(self.pcscf.stop(), self.msrp.close())
        self.addresses = None

    # What tests ask

    @property
    def metrics(self) -> dict[str, Metrics]:
        """What the transports have counted, by protocol."""
        return {"sip": self.pcscf.agent.metrics, "msrp": self.msrp.metrics}

    @property
    def bindings(self) -> dict[str, Binding]:
        """The newest binding of each identity that has one."""
        return self.registrar.bindings

    @property
    def events(self) -> list[PeerEvent]:
        """What happened so far."""
        return self.journal.events

    def mark(self) -> int:
        """Now, as a timeline number: pass it as `after` to count only what comes later."""
        return self.journal.timeline_number

    async def wait_event(
        self, predicate: Predicate, timeout: float, *, after: int = 0, expected: str = "an event"
    ) -> PeerEvent:
        """The first event later than timeline number `after` that the predicate accepts. Raises NotSeen."""
        return await self.journal.wait(predicate, timeout, after=after, expected=expected)

    def answer_next(
        self,
        method: str,
        status: int | None,
        headers: HeaderChanges | None = None,
        count: int = 1,
        *,
        reason: str | None = None,
    ) -> None:
        """Answer the next `count` requests of a method with this status, or not at all (None).

        407 of SUBSCRIBE and OPTIONS is that of `Pager.answer_next`. Raises UsageError.
        """
        if method == "REGISTER":
            self.registrar.answer_next(status, headers, count, reason=reason)
        elif method == "MESSAGE":
            self.pager.answer_next(status, headers, count, reason=reason)
        elif method == "INVITE":
            self.invitations.answer_next(status, headers, count, reason=reason)
        elif method == "OPTIONS":
            self.capabilities.answer_next(status, headers, count, reason=reason)
        elif method in self._handlers:
            answer = Answer(status, headers or {}, reason)
            self._proxy.demand_possible(answer)
            self._answers.setdefault(method, AnswerQueue()).add(answer, count)
        else:
            raise UsageError(f"the peer has no answers for {method}; it has for {', '.join(self._handlers)}")

    def answer_as_usual(self) -> None:
        """Forget every answer asked for and not given yet."""
        for part in (self.registrar, self.pager, self.notifications, self.invitations, self.capabilities):
            part.answer_as_usual()
        self._answers.clear()

    async def drop_connections(self) -> None:
        """Lose every connection at once, as when the radio is lost."""
        await asyncio.gather(self.pcscf.agent.drop_connections(), self.msrp.drop_connections())

    # Requests

    def _on_request(self, incoming: Incoming) -> None:
        if self._everywhere and incoming.local not in self._reached:
            self._reached.add(incoming.local)
            self.timeline.event(Layer.LAB, "parties", network=[str(incoming.local)])
        try:
            if self._repeated(incoming) or self.invitations.in_session(incoming):
                return
            refusal = self._inspect(incoming)
            if refusal is not None:
                status, headers = refusal
                self.pcscf.respond(incoming, status, headers)
            elif incoming.message.method != "ACK":
                self._handlers[incoming.message.method](incoming)
        except SipSyntaxError as error:
            self.pcscf.respond(incoming, 400, reason=f"{error.what} cannot be read")

    def _repeated(self, incoming: Incoming) -> bool:
        """True for a request that came before; it is answered as then, or 482 on another path (8.2.2.2)."""
        earlier = self.pcscf.repeats.earlier(incoming.message)
        if earlier is None:
            return False
        if earlier.branch != incoming.message.via.branch:
            self.pcscf.respond(incoming, 482)
        elif earlier.response is not None:
            self.pcscf.agent.respond(incoming, earlier.response)
        else:
            self.pcscf.agent.stay_silent(incoming)
        return True

    def _inspect(self, incoming: Incoming) -> tuple[int, list[Header]] | None:
        """RFC 3261 8.2.1 to 8.2.3, in that order. None when the request may be processed."""
        request = incoming.message
        if request.method == "ACK":
            return None
        scheme = request.request_uri.scheme  # one that cannot be read is 400, whatever else is wrong
        if self._of_no_dialog(request):
            return 481, []
        if request.method not in self._handlers:
            status = 405 if request.method in _METHODS else 501
            return status, [("Allow", ", ".join(self._allowed))]
        if scheme not in _SCHEMES:
            return 416, []
        unknown = self._not_understood(request)
        if unknown:
            return 420, [("Unsupported", ", ".join(unknown))]
        return self._agreement.refusal(incoming) or self._inspect_body(request)

    @property
    def _allowed(self) -> list[str]:
        """Methods served, outside of dialogs and in sessions."""
        return list(dict.fromkeys((*self._handlers, *self.invitations.methods)))

    def _of_no_dialog(self, request: Request) -> bool:
        """A To tag names a dialog (12.2.2); the peer keeps those of its subscriptions."""
        tag = request.to.tag
        if tag is None:
            return request.method in _OUT_OF_DIALOG
        if request.method == "REGISTER":  # 10.2: the tag has no meaning there
            return False
        return not self.event_notifier.owns(request)

    def _not_understood(self, request: Request) -> list[str]:
        """Option tags the peer does not understand: as the proxy it is (16.3), then as server (8.2.2.3)."""
        for name in ("Proxy-Require", "Require"):
            if name not in request:
                continue
            understood = {tag.lower() for tag in self.config.understood}
            if self._agreement.understood:
                understood.add(OPTION_TAG)
            if request.method == "MESSAGE":
                understood.add(LIST_MESSAGE)
            if request.method == "INVITE":
                understood.update(self.invitations.option_tags)
            elif request.method == "REFER":
                understood.update(REFER_TAGS)
            unknown = [tag for tag in request.values(name) if tag.lower() not in understood]
            if unknown:
                return list(dict.fromkeys(unknown))
        return []

    def _inspect_body(self, request: Request) -> tuple[int, list[Header]] | None:
        if request.method == "INVITE" and not _takes_sdp(request):
            return 406, []
        if request.method != "MESSAGE" or not request.body:
            return None
        encodings = [coding.lower() for coding in request.values("Content-Encoding")]
        if any(coding != "identity" for coding in encodings):
            return 415, [("Accept-Encoding", "identity")]
        kind = request.content_type
        if kind is not None and kind.essence.lower() == "multipart/mixed" and listed_in(request) is not None:
            return None
        if kind is None or kind.essence.lower() not in self.config.accepted_bodies:
            return 415, [("Accept", ", ".join(self.config.accepted_bodies))]
        return None

    def _asked(self, request: Request) -> tuple[Answer, list[Header]] | None:
        """What wrong credentials get, else what a test asked for; None for the usual answer."""
        refused = self._proxy.refusal(request)
        if refused is not None:
            return refused
        queue = self._answers.get(request.method)
        answer = queue.take() if queue is not None else None
        return (answer, self._proxy.challenge(answer, request)) if answer is not None else None

    def _described(self) -> list[Header]:
        """What a 200 to OPTIONS tells of methods, types and extensions (RFC 3261 11.2)."""
        return [
            ("Allow", ", ".join(self._allowed)),
            ("Accept", ", ".join(self.config.accepted_bodies)),
            ("Supported", ", ".join(sorted({*self.config.understood, LIST_MESSAGE}))),
            ("Allow-Events", ", ".join(self.event_notifier.packages)),
        ]

    def _on_subscribe(self, incoming: Incoming) -> None:
        asked = self._asked(incoming.message)
        if asked is not None:
            self.pcscf.answer(incoming, *asked)
            return
        self.event_notifier.on_subscribe(incoming)

    def _on_refer(self, incoming: Incoming) -> None:
        asked = self._asked(incoming.message)
        if asked is not None:
            self.pcscf.answer(incoming, *asked)
            return
        self.group_references.on_refer(incoming)


def _takes_sdp(request: Request) -> bool:
    """Whether the answer to an INVITE may hold SDP (RFC 3261 20.1: without Accept it may)."""
    accepted = request.typed_list(Accept)
    return "Accept" not in request or any(each.covers("application/sdp") for each in accepted)
