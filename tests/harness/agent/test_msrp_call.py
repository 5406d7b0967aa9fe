"""Two user agents set up chats by INVITE and talk MSRP: who connects, TLS, middleboxes, refresh, the end."""

from __future__ import annotations

import asyncio
import hashlib
import shutil
import subprocess
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from harness.agent.msrp.call import MsrpCall
from harness.agent.msrp.endpoint import MsrpEndpoint
from harness.agent.msrp.negotiation import NoStream, Refusal, new_origin
from harness.agent.msrp.plan import Role
from harness.agent.msrp.services import Flow, service_terms
from harness.agent.msrp.session import MsrpUser, ReceivedMessage
from harness.agent.msrp.terms import MsrpTerms
from harness.agent.session.invite_client import Invitation, InviteOutcome
from harness.agent.session.invite_server import IncomingInvite
from harness.agent.session.outgoing import FixedWay, Way
from harness.agent.session.user import Cause, Content
from harness.agent.session.user_agent import UserAgent
from harness.agent.sip.agent import Incoming, SipAgent
from harness.agent.sip.ways_out import Hop
from harness.agent.sockets.tls import TlsSettings
from harness.bodies.file_attributes import FileDescription, FileHash, FileSelector
from harness.bodies.offer_answer import check_revision
from harness.bodies.sdp import parse_sdp
from harness.bodies.sdp_attributes import Direction, Fingerprint, Setup, certificate_fingerprint
from harness.errors import UsageError
from harness.evidence.capture import write_capture
from harness.evidence.timeline import Address, Layer, Packet, Timeline, Transport
from harness.msrp.uri import new_session_uri
from harness.sip.message import build_response
from tests.harness.agent.conftest import Watch
from tests.harness.agent.session_bench import session_bench
from tests.harness.agent.session_border import SessionBorder

TEXT = "text/plain"


class End:
    """One side: a SIP agent, an MSRP endpoint, and what it was told."""

    def __init__(self, host: str, tls: TlsSettings | None = None) -> None:
        self.host, self.tls = host, tls
        self.timeline = Timeline()
        self.agent = SipAgent(self.timeline, self._on_request)
        self.ua = UserAgent(self.agent, self._on_invite, way_of=self._way_of)
        self.endpoint = MsrpEndpoint(self.timeline, tls=tls)
        self.way: Way | None = None
        self.messages: asyncio.Queue[ReceivedMessage] = asyncio.Queue()
        self.calls: asyncio.Queue[MsrpCall] = asyncio.Queue()
        self.terms: Sequence[MsrpTerms] = ()
        self.kind = MsrpCall

    async def start(self) -> None:
        self.sip = await self.agent.listen(self.host)
        self.port = (await self.endpoint.listen(self.host)).port
        self.tls_port = (await self.endpoint.listen_tls(self.host)).port if self.tls else 0

    async def close(self) -> None:
        await self.ua.hang_up()
        await self.ua.close()
        await self.endpoint.close()
        await self.agent.close()

    @property
    def fingerprints(self) -> tuple[Fingerprint, ...]:
        if self.tls is None or self.tls.certificate is None:
            return ()
        certificate = x509.load_pem_x509_certificate(self.tls.certificate.read_bytes())
        return (certificate_fingerprint(certificate.public_bytes(Encoding.DER)),)

    def wanting(self, **more: Any) -> MsrpTerms:
        """Terms of a chat at this end."""
        terms = MsrpTerms(
            str(new_session_uri(self.host, self.port)),
            str(new_session_uri(self.host, self.tls_port, secure=True)) if self.tls else None,
            fingerprints=self.fingerprints,
        )
        chat = service_terms(Flow.SESSION, terms)
        return replace(chat, **{"accepts": ("message/cpim", TEXT), **more})

    def call(self, *terms: MsrpTerms) -> MsrpCall:
        user = MsrpUser(message=self.messages.put_nowait)
        return self.kind(self.endpoint, terms, new_origin(self.host), lambda _: user)

    async def invite(self, far: End, *terms: MsrpTerms, offer: bool = True) -> tuple[MsrpCall, InviteOutcome]:
        call = self.call(*terms)
        name = f"<sip:{self.sip}>"
        content = call.offer() if offer else None
        invitation = Invitation(f"sip:{far.sip}", name, f"<sip:{far.sip}>", name, content)
        return call, await call.outcome(self.ua.invite(invitation, self.way, call))

    async def received(self) -> bytes:
        message = await asyncio.wait_for(self.messages.get(), 5)
        return message.content.read()

    def _way_of(self, incoming: Incoming) -> Way:
        assert self.way is not None
        return self.way

    def _on_request(self, incoming: Incoming) -> None:
        if not self.ua.receive(incoming):
            self.agent.respond(incoming, build_response(incoming.message, 481, to_tag="x"))

    def _on_invite(self, invite: IncomingInvite) -> None:
        call = self.call(*self.terms)
        self.calls.put_nowait(call)
        asyncio.get_running_loop().create_task(call.accept(invite))


@asynccontextmanager
async def two_ends(
    host: str = "127.0.0.1",
    tls: tuple[TlsSettings, TlsSettings] | None = None,
    border: SessionBorder | None = None,
) -> AsyncIterator[tuple[End, End]]:
    near, far = (End(host, each) for each in tls or (None, None))
    await near.start()
    await far.start()
    if border is not None:
        await border.start(near.sip, far.sip)
        hops = [Hop(Transport.UDP, host, port) for port in border.ports]
    else:
        hops = [Hop(Transport.UDP, *far.sip), Hop(Transport.UDP, *near.sip)]
    near.way, far.way = FixedWay(hops[0], near.sip), FixedWay(hops[1], far.sip)
    try:
        yield near, far
    finally:
        await near.close()
        await far.close()
        if border is not None:
            await border.close()


async def talk(near: MsrpCall, near_end: End, far: MsrpCall, far_end: End) -> None:
    """A text each way, answered with 200."""
    ours, theirs = await near.opened(), await far.opened()
    assert (await ours.send(b"hello", TEXT)).status == 200
    assert await far_end.received() == b"hello"
    assert (await theirs.send(b"h\xc3\xa4", TEXT)).status == 200
    assert await near_end.received() == b"h\xc3\xa4"


async def begun(near: End, far: End, *terms: MsrpTerms) -> tuple[MsrpCall, MsrpCall]:
    """A chat both ends have."""
    call, outcome = await near.invite(far, *terms)
    assert outcome.session is not None, outcome
    return call, await asyncio.wait_for(far.calls.get(), 5)


def descriptions(end: End) -> list[Any]:
    """Every session description that came to an end, in order."""
    packets = (each for each in end.timeline.since(0) if isinstance(each, Packet))
    octets = (each.data for each in packets if each.layer is Layer.SIP and each.destination == end.sip)
    bodies = [data.partition(b"\r\n\r\n")[2] for data in octets]
    return [parse_sdp(body) for body in bodies if body]


@pytest.fixture
def certificates(authority: Any) -> tuple[TlsSettings, TlsSettings]:
    """Self-signed ones: only their fingerprints can be believed."""
    near, far = (
        TlsSettings(*authority.issue(f"{name}.example", self_signed=True)) for name in ("near", "far")
    )
    return near, far


@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
@pytest.mark.parametrize("secure", [False, True], ids=["TCP", "TLS"])
@pytest.mark.parametrize(
    ("setup", "answers", "role"),
    [
        (Setup.ACTIVE, Role.PASSIVE, Role.ACTIVE),
        (Setup.ACTPASS, Role.PASSIVE, Role.ACTIVE),
        (Setup.ACTPASS, Role.ACTIVE, Role.PASSIVE),
    ],
    ids=["active-passive", "actpass-passive", "actpass-active"],
)
def test_a_chat_from_invite_to_bye(
    in_loop: Any, certificates: Any, host: str, secure: bool, setup: Setup, answers: Role, role: Role
) -> None:
    async def scenario() -> None:
        async with two_ends(host, certificates if secure else None) as (near, far):
            far.terms = [far.wanting(answers=answers)]
            ours, theirs = await begun(near, far, near.wanting(setup=setup, secure=secure))
            await talk(ours, near, theirs, far)
            plan = ours.handle.plan
            assert (plan.role, plan.tls, plan.remote_path[-1]) == (role, secure, theirs.handle.plan.own_uri)
            assert ours.session is not None and theirs.session is not None

            kept = ours.handle, theirs.handle
            response = await ours.change()  # a refresh: nothing changes, nothing is connected anew
            assert response.status == 200
            await talk(ours, near, theirs, far)
            assert (ours.handle, theirs.handle) == kept
            first, again = (each for each in descriptions(far) if each.media)
            assert first == again

            assert (await ours.session.bye()).status == 200
            assert kept[0].failed and kept[1].failed
            assert theirs.session.ending.cause is Cause.BYE
            with pytest.raises(UsageError):
                _ = theirs.handle

    in_loop(scenario())


def test_an_invite_without_offer_gets_one_and_answers_it_in_the_ack(in_loop: Any) -> None:
    async def scenario() -> None:
        async with two_ends() as (near, far):
            far.terms = [far.wanting(setup=Setup.ACTPASS)]
            ours, outcome = await near.invite(far, near.wanting(answers=Role.PASSIVE), offer=False)
            assert outcome.session is not None
            theirs = await far.calls.get()
            await talk(ours, near, theirs, far)
            assert theirs.handle.plan.role is Role.ACTIVE

    in_loop(scenario())


def test_update_and_reinvite_of_the_other_side_are_answered(in_loop: Any) -> None:
    async def scenario() -> None:
        async with two_ends() as (near, far):
            far.terms = [far.wanting()]
            ours, theirs = await begun(near, far, near.wanting(setup=Setup.ACTPASS))
            await talk(ours, near, theirs, far)
            assert theirs.session is not None
            assert (await theirs.session.update(theirs.offer())).status == 200
            await talk(ours, near, theirs, far)
            assert (await theirs.change()).status == 200
            await talk(ours, near, theirs, far)

    in_loop(scenario())


def test_a_refresh_repeats_what_was_said_but_offers_no_passive(in_loop: Any) -> None:
    """RFC 4028 7.4: the same description; RFC 6135 4.2.2: "passive" stands in no offer."""

    async def scenario() -> None:
        async with two_ends() as (near, far):
            far.terms = [far.wanting()]
            ours, theirs = await begun(near, far, near.wanting(setup=Setup.ACTIVE))
            await talk(ours, near, theirs, far)
            kept = theirs.handle
            assert ours.session is not None and theirs.session is not None
            offered = ours.session.content
            assert (await ours.refresh(ours.session)).status == 200
            assert ours.session.content == offered
            answered = theirs.session.content
            assert answered is not None and b"a=setup:passive\r\n" in answered.body
            assert (await theirs.refresh(theirs.session)).status == 200
            refreshed = theirs.session.content
            assert refreshed is not None and b"a=setup:actpass\r\n" in refreshed.body
            before, after = (parse_sdp(each.body).origin for each in (answered, refreshed))
            assert before is not None and after is not None and after.version == before.version + 1
            await talk(ours, near, theirs, far)
            assert theirs.handle is kept

    in_loop(scenario())


def test_a_new_path_in_a_later_offer_moves_the_session(in_loop: Any) -> None:
    async def scenario() -> None:
        async with two_ends() as (near, far):
            far.terms = [far.wanting()]
            ours, theirs = await begun(near, far, near.wanting())
            await talk(ours, near, theirs, far)
            old = ours.handle
            assert (await ours.change([near.wanting()])).status == 200
            await talk(ours, near, theirs, far)
            assert ours.handle is not old and old.failed
            assert ours.handle.plan.own_uri != old.plan.own_uri
            versions = [each.origin.version for each in descriptions(far) if each.media]
            assert versions == [versions[0], versions[0] + 1]

    in_loop(scenario())


def test_a_direction_changed_later_keeps_the_session(in_loop: Any) -> None:
    async def scenario() -> None:
        async with two_ends() as (near, far):
            far.terms = [far.wanting()]
            terms = near.wanting()
            ours, theirs = await begun(near, far, terms)
            await talk(ours, near, theirs, far)
            kept = ours.handle
            assert (await ours.change([replace(terms, direction=Direction.SENDONLY)])).status == 200
            assert ours.handle is kept
            assert theirs.handle.plan.direction is Direction.RECVONLY
            with pytest.raises(UsageError, match="recvonly for us"):
                theirs.handle.post(b"against the direction", TEXT)

    in_loop(scenario())


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        (Direction.SENDRECV, Direction.SENDRECV),
        (Direction.SENDONLY, Direction.SENDRECV),
        (Direction.RECVONLY, Direction.SENDRECV),
        (Direction.SENDRECV, Direction.SENDONLY),
        (Direction.SENDRECV, Direction.RECVONLY),
        (Direction.INACTIVE, Direction.SENDRECV),
        (Direction.SENDONLY, Direction.SENDONLY),
    ],
)
def test_the_direction_binds_what_is_no_report(in_loop: Any, ours: Direction, theirs: Direction) -> None:
    """RFC 4975 8.9, RFC 3264 6.1: payload goes where both sides let it, the rest anywhere."""

    async def scenario() -> None:
        async with two_ends() as (near, far):
            far.terms = [far.wanting(direction=theirs, accepts=("*",))]
            pair = await begun(near, far, near.wanting(direction=ours, accepts=("*",)))
            handles = [await each.opened() for each in pair]
            may = (ours.sends and theirs.receives, theirs.sends and ours.receives)
            ends = (far, near)
            for handle, allowed, end in zip(handles, may, ends, strict=True):
                assert handle.plan.direction.sends is allowed
                handle.keep_alive()
                assert (await handle.send(b"<imdn/>", "message/imdn+xml")).status == 200
                assert (await handle.send(b"a report", "message/cpim", control=True)).status == 200
                if allowed:
                    assert (await handle.send(b"payload", TEXT)).status == 200
                else:
                    with pytest.raises(
                        UsageError, match=rf"is {handle.plan.direction} for us.*RFC 4975 8\.9"
                    ):
                        await handle.send(b"payload", TEXT)
                    assert (await handle.send(b"payload", TEXT, anyway=True)).status == 200
                assert [await end.received() for _ in range(3)] == [b"<imdn/>", b"a report", b"payload"]

    in_loop(scenario())


def test_port_0_in_a_later_offer_ends_the_msrp_session_and_not_the_other(in_loop: Any) -> None:
    async def scenario() -> None:
        async with two_ends() as (near, far):
            far.terms = [far.wanting(), far.wanting()]
            terms = near.wanting()
            ours, theirs = await begun(near, far, near.wanting(), terms)
            await ours.opened()
            first, second = ours.handles
            assert first is not None and second is not None
            assert len({each.plan.own_uri for each in theirs.handles if each}) == 2
            await second.send(b"by the second", TEXT)
            assert await far.received() == b"by the second"
            assert (await ours.change([None, terms])).status == 200
            assert ours.handles == [None, second] and first.failed
            assert theirs.handles[0] is None
            await second.send(b"still there", TEXT)
            assert await far.received() == b"still there"

    in_loop(scenario())


def test_what_cannot_be_accepted_is_refused_with_a_warning(in_loop: Any) -> None:
    async def scenario() -> None:
        async with two_ends() as (near, far):
            far.terms = [far.wanting()]
            ours, outcome = await near.invite(far, near.wanting(accepts=("image/png",), accepts_wrapped=()))
            assert outcome.session is None and outcome.response is not None
            assert outcome.response.status == 488
            assert outcome.response.get("Warning") == '305 127.0.0.1 "none of image/png is understood"'
            theirs = await far.calls.get()
            assert isinstance(theirs.problem, Refusal)
            with pytest.raises(UsageError):
                await ours.opened()
            with pytest.raises(UsageError, match="none of image/png"):
                _ = theirs.handle

    in_loop(scenario())


def test_an_answer_that_declines_everything_ends_in_bye(in_loop: Any) -> None:
    async def scenario() -> None:
        async with two_ends() as (near, far):
            far.terms = [far.wanting()]
            far.kind = _Declining
            ours, outcome = await near.invite(far, near.wanting())
            assert outcome.session is not None
            with pytest.raises(UsageError, match="declined"):
                await ours.opened()
            theirs = await far.calls.get()
            assert isinstance(ours.problem, NoStream)
            await Watch(far.timeline).until(lambda _: theirs.session is not None and theirs.session.ending)
            assert theirs.session.ending.cause is Cause.BYE

    in_loop(scenario())


class _Declining(MsrpCall):
    """Accepts every INVITE and no m-line."""

    async def accept(self, invite: Any, headers: Any = (), **options: Any) -> Any:
        return await super().accept(invite, headers, **options, streams=False)


def test_an_offer_of_passive_is_made_on_purpose_and_makes_the_other_side_connect(in_loop: Any) -> None:
    async def scenario() -> None:
        async with two_ends() as (near, far):
            far.terms = [far.wanting()]
            terms = near.wanting(setup=Setup.PASSIVE)
            with pytest.raises(UsageError, match="RFC 6135"):
                near.call(terms).offer()
            near.kind = _Erring
            ours, theirs = await begun(near, far, terms)
            await talk(ours, near, theirs, far)
            assert theirs.handle.plan.role is Role.ACTIVE

    in_loop(scenario())


class _Erring(MsrpCall):
    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments, strict=False)


class _Hasty(MsrpCall):
    """Connects before its 200 leaves, as where the 200 is lost and MSRP is faster than its repeat."""

    near: End

    async def accept(self, invite: IncomingInvite, headers: Any = ()) -> Any:
        content = self._answer(invite.request)
        self.session, invite.session.user = invite.session, self
        self._open_due()
        await Watch(self.near.timeline).event("the answer to our offer is not here yet")
        return await invite.accept(content)


@pytest.mark.parametrize("secure", [False, True], ids=["TCP", "TLS"])
def test_who_connects_before_its_answer_is_here_is_kept_waiting(
    in_loop: Any, certificates: Any, secure: bool
) -> None:
    async def scenario() -> None:
        async with two_ends(tls=certificates if secure else None) as (near, far):
            far.kind = _Hasty
            _Hasty.near = near
            far.terms = [far.wanting(answers=Role.ACTIVE)]
            ours, theirs = await begun(near, far, near.wanting(setup=Setup.ACTPASS, secure=secure))
            await talk(ours, near, theirs, far)

    in_loop(scenario())


@pytest.mark.parametrize(("setup", "answers"), [(Setup.ACTIVE, Role.PASSIVE), (Setup.ACTPASS, Role.ACTIVE)])
def test_a_middlebox_that_knows_cema_only_by_its_c_and_m_lines_is_passed(
    in_loop: Any, setup: Setup, answers: Role
) -> None:
    async def scenario() -> None:
        border = SessionBorder()
        async with two_ends(border=border) as (near, far):
            far.terms = [far.wanting(answers=answers, cema=True)]
            ours, theirs = await begun(near, far, near.wanting(setup=setup, cema=True))
            await talk(ours, near, theirs, far)
            active = ours if answers is Role.PASSIVE else theirs
            connected = active.handle.plan.connect_to
            assert connected is not None and connected[1] in border.anchors.values()
            assert border.carried > 0
            # The messages still name the paths, which nobody rewrote.
            assert ours.handle.plan.remote_path[-1] == theirs.handle.plan.own_uri
            assert (await ours.change()).status == 200
            await talk(ours, near, theirs, far)

    in_loop(scenario())


def test_a_middlebox_before_a_side_without_cema_is_left_out_by_a_second_offer(in_loop: Any) -> None:
    async def scenario() -> None:
        border = SessionBorder()
        async with two_ends(border=border) as (near, far):
            far.terms = [far.wanting(answers=Role.ACTIVE)]
            ours, theirs = await begun(near, far, near.wanting(setup=Setup.ACTPASS, cema=True))
            await talk(ours, near, theirs, far)
            offers = [each for each in descriptions(far) if each.media]
            assert ["msrp-cema" in each.media[0] for each in offers] == [True, False]
            assert offers[1].origin.version == offers[0].origin.version + 1
            assert border.carried == 0
            assert theirs.handle.plan.connect_to == (near.host, near.port)

    in_loop(scenario())


PICTURE = bytes(range(256)) * 1200
PICTURE_FILE = FileDescription(
    FileSelector("My cool picture.jpg", "image/jpeg", len(PICTURE), (
        FileHash("sha-1", hashlib.sha1(PICTURE).digest()),)),
    transfer_id="Q6LMoGymJdh0IKIgD6wD0jkcfgva4xvE",
)  # fmt: skip


def test_a_file_pushed_is_known_before_it_comes(in_loop: Any) -> None:
    async def scenario() -> None:
        async with two_ends() as (near, far):
            pushed = service_terms(
                Flow.FILE_PUSH, near.wanting(), content_type="image/jpeg", file=PICTURE_FILE
            )
            taken = service_terms(Flow.FILE_PUSH, far.wanting(), content_type="image/jpeg", answers=True)
            far.terms = [taken]
            ours, theirs = await begun(near, far, pushed)
            assert (await (await ours.opened()).send(PICTURE, "image/jpeg")).status == 200
            told = theirs.handle.plan.remote_file
            assert told is not None
            octets = await far.received()
            assert told.selector.size == len(octets)
            assert told.selector.hashes == (FileHash("sha-1", hashlib.sha1(octets).digest()),)
            assert (ours.handle.plan.direction, theirs.handle.plan.direction) == (
                Direction.SENDONLY, Direction.RECVONLY)  # fmt: skip

    in_loop(scenario())


def test_a_file_pulled_by_its_hash_comes_over_the_connection_of_who_wants_it(in_loop: Any) -> None:
    async def scenario() -> None:
        async with two_ends() as (near, far):
            wanted = FileDescription(FileSelector(hashes=PICTURE_FILE.selector.hashes), "newId")
            pulled = service_terms(Flow.FILE_PULL, near.wanting(), content_type="image/jpeg", file=wanted)
            given = service_terms(
                Flow.FILE_PULL, far.wanting(), content_type="image/jpeg", file=PICTURE_FILE, answers=True
            )
            far.terms = [given]
            ours, theirs = await begun(near, far, pulled)
            handle = await theirs.opened()  # bound by the SEND without body of who connected
            asked = handle.plan.remote_file
            assert asked is not None and asked.selector.hashes == PICTURE_FILE.selector.hashes
            assert (await handle.send(PICTURE, "image/jpeg")).status == 200
            assert await near.received() == PICTURE
            assert ours.handle.plan.role is Role.ACTIVE

    in_loop(scenario())


@pytest.mark.interop
@pytest.mark.skipif(shutil.which("tshark") is None, reason="tshark is not installed (Debian: tshark)")
@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
def test_wireshark_finds_nothing_malformed_in_a_chat(in_loop: Any, tmp_path: Path, host: str) -> None:
    capture = tmp_path / "chat.pcapng"

    async def scenario() -> None:
        async with two_ends(host) as (near, far):
            far.terms = [far.wanting()]
            ours, theirs = await begun(near, far, near.wanting())
            await talk(ours, near, theirs, far)
            await ours.handle.send(b"long " * 2000, TEXT)
            assert await far.received() == b"long " * 2000
            assert ours.session is not None
            await ours.session.bye()
            write_capture(capture, near.timeline.since(0))

    in_loop(scenario())

    def shown(*arguments: str) -> list[str]:
        command = ["tshark", "-r", str(capture), *arguments]
        return subprocess.run(
            command, capture_output=True, text=True, check=True, timeout=50
        ).stdout.splitlines()

    assert shown("-Y", "_ws.malformed || _ws.expert.severity >= 0x00600000") == []
    methods = shown("-Y", "sip.Method", "-T", "fields", "-e", "sip.Method")
    assert [name for name in methods if name in ("INVITE", "ACK", "BYE")] == ["INVITE", "ACK", "BYE"]
    sent = shown("-Y", "msrp.method == SEND", "-T", "fields", "-e", "msrp.transaction.id")
    answered = shown("-Y", "msrp.status.code == 200", "-T", "fields", "-e", "msrp.transaction.id")
    assert len(sent) >= 7  # two texts, and 10,000 octets in chunks of 2,048
    assert set(answered) == set(sent)
    paths = shown("-Y", "sdp", "-T", "fields", "-e", "sdp.media_attr")
    assert len(paths) == 2 and all("path:msrp://" in each for each in paths)


def terms_at(address: Address) -> MsrpTerms:
    return MsrpTerms(str(new_session_uri(*address)), accepts=(TEXT,))


def test_an_offer_that_waited_out_glare_follows_the_answer_given_meanwhile(in_loop) -> None:
    """RFC 3264 8: one version up from the description before, whoever asked for that one."""

    def theirs(direction: str, version: int) -> Content:
        return Content("application/sdp", (
            f"v=0\r\no=far 1 {version} IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\n"
            "m=message 9 TCP/MSRP *\r\na=path:msrp://127.0.0.1:9/far;tcp\r\na=setup:active\r\n"
            f"a=accept-types:text/plain\r\na={direction}\r\n"
        ).encode())  # fmt: skip

    async def scenario() -> None:
        async with session_bench() as bench:
            endpoint = MsrpEndpoint(Timeline())
            address = await endpoint.listen("127.0.0.1")
            terms = replace(terms_at(address), setup=Setup.ACTPASS, max_size=100)
            call = MsrpCall(endpoint, [terms], new_origin("127.0.0.1"))
            session = await call.accept(await bench.invited(body=theirs("sendrecv", 1)))
            first = await bench.far.response("200")
            to = first.get("To")
            bench.far.request("ACK", 1, to=to, contact=False)
            changing = asyncio.create_task(call.change([replace(terms, max_size=50)]))
            asked = await bench.far.next("INVITE")
            bench.far.answer(asked, "491 Request Pending")
            await bench.far.next("ACK")
            bench.far.request("INVITE", 2, to=to, body=theirs("sendonly", 2))
            answered = await bench.far.response("200")
            bench.far.request("ACK", 2, to=to, contact=False)
            await bench.far.nothing()
            bench.clock.advance(2)
            again = await bench.far.next("INVITE")
            said = [parse_sdp(each.body) for each in (first, asked, answered, again)]
            versions = [each.origin.version - said[0].origin.version for each in said]
            assert versions == [0, 1, 1, 2]
            sizes = [each.media[0].attribute("max-size").value for each in said]
            assert sizes == ["100", "50", "100", "50"]
            assert check_revision(said[2], said[3]) == ()
            bench.far.answer(again, "200 OK", body=theirs("sendrecv", 3))
            await bench.far.next("ACK")
            assert (await changing).status == 200
            assert session is not None and call.handle.plan.max_size == 50
            await endpoint.close()

    in_loop(scenario())
