"""Keywords for file transfer by MSRP as the far party has it: offers, content, and how it breaks off."""

from __future__ import annotations

import hashlib
import mimetypes
from collections.abc import Coroutine, Sequence
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

from robot.api.deco import keyword

from harness.agent.msrp.services import Flow
from harness.bodies.file_attributes import FileDescription, FileHash, FileRange, FileSelector
from harness.bodies.sdp_attributes import Setup
from harness.cpm.identity import Msisdn
from harness.errors import HandsetError, UsageError
from harness.keywords.pager import Notify
from harness.keywords.topic import Topic
from harness.peer.answers import Answer
from harness.peer.focus import Focus
from harness.peer.listed_recipients import history
from harness.peer.transferred_file import FileTransfer as Transfer
from harness.peer.transferred_file import OwnFile, ReceivedFile
from harness.sip.message import Response

_SLOWEST = 2_000_000  # octets per second a transfer moves at least; deadlines grow by it


class FileTransferKeywords(Topic):
    """File transfer by MSRP (RFC 5547, OMA CPM)."""

    # -- the handset sends

    @keyword
    def wait_for_file_from_handset(
        self, name: str | None = None, octets: int = 0, timeout: timedelta | None = None
    ) -> ReceivedFile:
        """Waits until a file of the handset is here whole, after the start of this test, and returns it.

        | =Argument= | =Meaning= |
        | ``name`` | only a file of exactly this name counts |
        | ``octets`` | of a large file, by which the deadline grows |

        Of what is returned tests use ``name``, ``type``, ``size``, ``sha1``, ``faults`` (in what it is not
        the file announced) and ``transfer``. The file and its hashes are kept with the evidence of the test.
        """
        return self._file(name, octets, timeout, self.record.since)

    @keyword
    def wait_for_next_file_from_handset(
        self, name: str | None = None, octets: int = 0, timeout: timedelta | None = None
    ) -> ReceivedFile:
        """The same, but only a file that is complete after the last action of the test counts."""
        return self._file(name, octets, timeout, self.access.mark)

    def _file(self, name: str | None, octets: int, timeout: timedelta | None, after: int) -> ReceivedFile:
        seconds = self.deadline(timeout, self._seconds_for(octets))
        waiting = self.bench.peer.file_transfers.wait_file(name, timeout=seconds, after=after)
        return self.call(waiting, seconds)

    def _seconds_for(self, octets: int) -> float:
        return self.bench.lab.deadlines.message + octets / _SLOWEST

    @keyword
    def no_file_comes_from_handset(self, seconds: timedelta | None = None) -> None:
        """Watches and fails when a file of the handset is complete after the last action of this test."""
        watched = self.deadline(seconds, self.bench.lab.deadlines.silence)
        self.expect_silence(
            self.bench.peer.file_transfers.wait_file(timeout=watched, after=self.access.mark),
            watched,
            "a file came that was not expected",
        )

    @keyword
    def received_file_should_be(self, received: ReceivedFile, file: Path) -> None:
        """Fails unless what came is ``file``, octet by octet, and what the offer told of it was true."""
        with file.open("rb") as local:
            wanted = hashlib.file_digest(local, "sha1").hexdigest()
        if received.faults:
            raise HandsetError(f"{received.name}: {'; '.join(received.faults)}")
        if received.sha1 != wanted:
            raise HandsetError(
                f"{received.name}: expected {file.stat().st_size} octets with SHA-1 {wanted}, "
                f"got {received.size} with {received.sha1}"
            )

    @keyword
    def wait_for_file_offer(self, timeout: timedelta | None = None) -> Transfer:
        """Waits for an INVITE of the handset that offers or asks for a file, after the last action.

        Of what is returned tests use ``described`` (its ``selector``, ``range``, ``transfer_id``),
        ``contribution_id``, ``status`` and ``invite.request``.
        """
        seconds = self.deadline(timeout, self.bench.lab.deadlines.message)
        waiting = self.bench.peer.file_transfers.wait_invited(timeout=seconds, after=self.access.mark)
        return self.call(waiting, seconds)

    @keyword
    def peer_answers_next_file(
        self,
        status: int | None,
        count: int = 1,
        after: timedelta = timedelta(0),
        streams: bool = True,
        **headers: str,
    ) -> None:
        """Lets the peer answer the next ``count`` files offered with ``status``, or not at all (NONE).

        | Peer Answers Next File    603
        | Peer Answers Next File    200    streams=${False}

        ``after`` lets it ring (180) for so long. Without ``streams`` the 200 has port 0 in its m-line, with
        selector and id of the offer. ``headers`` are changed or added, an underscore in place of a dash.
        """
        self.act()
        self.bench.peer.invitations.answer_next(
            status,
            self.headers(headers),
            count,
            delay=after.total_seconds(),
            flow=Flow.FILE_PUSH,
            streams=streams,
        )

    @keyword
    def peer_lets_next_file_ring(self) -> None:
        """Lets the peer answer the next file offered with 180, and nothing more until it is told."""
        self.act()
        self.bench.peer.invitations.ring_next(Flow.FILE_PUSH)

    @keyword
    def peer_answers_ringing_file(self, transfer: Transfer, status: int = 200) -> None:
        """Lets the peer give the INVITE of a ringing file its answer."""
        self.act()
        answering = self.bench.peer.invitations.answer(transfer, Answer(status))
        self.call(answering, self.bench.lab.deadlines.message)

    @keyword
    def wait_for_cancelled_file(self, timeout: timedelta | None = None) -> Transfer:
        """Waits until the handset gives up an INVITE without an answer (CANCEL), after the last action."""
        seconds = self.deadline(timeout, self.bench.lab.deadlines.message)
        waiting = self.bench.peer.file_transfers.wait_cancelled(timeout=seconds, after=self.access.mark)
        return self.call(waiting, seconds)

    @keyword
    def peer_takes_files_up_to(self, octets: int) -> None:
        """Lets the answers of the peer carry ``max-size``, until the test ends (RFC 4975 8.6)."""
        self.bench.peer.file_transfers.largest = octets

    @keyword
    def peer_stops_next_file(self, after: int = 1) -> None:
        """Lets the peer refuse the rest of the next file with 413 when ``after`` octets of it came."""
        self.bench.peer.file_transfers.stop_after = after

    @keyword
    def peer_holds_next_file(self, after: int = 1) -> None:
        """Lets the connection of the next file stand still when ``after`` octets came, or a little more.

        `Let File Go On` ends that. What the handset sends meanwhile stays in the network.
        """
        self.bench.peer.file_transfers.hold_after = after

    @keyword
    def wait_for_broken_file(self, timeout: timedelta | None = None) -> Transfer:
        """Waits for a file of the handset that broke off: aborted, refused or cut off, in this test."""
        seconds = self.deadline(timeout, self.bench.lab.deadlines.message)
        waiting = self.bench.peer.file_transfers.wait_lost(timeout=seconds, after=self.record.since)
        return self.call(waiting, seconds)

    # -- the far party sends

    @keyword
    def offer_file_to_handset(
        self,
        file: Path,
        name: str | None = None,
        content_type: str | None = None,
        notify: Notify = Notify.BOTH,
        sender: Msisdn | None = None,
        group: Focus | None = None,
        others: Sequence[str] = (),
        wrapped: bool = False,
        start: int = 1,
        rest_of: Transfer | None = None,
        size: int | None = None,
        sha1: str | None = None,
        break_off_after: int | None = None,
        hold_after: int | None = None,
        setup: Setup = Setup.ACTPASS,
        hang_up: bool = True,
        handset: str | None = None,
        **headers: str,
    ) -> Transfer:
        """Offers a file to the handset and returns when the INVITE is on its way; it goes once accepted.

        | =Argument= | =Meaning= |
        | ``name`` | as it is offered, of any signs; default that of ``file`` |
        | ``content_type`` | default by the ending of the name |
        | ``notify`` | which notifications it asks for: NONE, DELIVERED, DISPLAYED, BOTH |
        | ``sender`` | number of the far party; default the one of the bench |
        | ``group`` | in which ``sender`` sends it as a member, by the focus |
        | ``others`` | numbers of those who get it too, and are shown to the handset |
        | ``wrapped`` | inside CPIM in MSRP, not bare with its CPIM headers in the INVITE |
        | ``start`` | octet to begin with, from 1, where the transfer ``rest_of`` broke off |
        | ``size``, ``sha1`` | what the offer says in place of the truth |
        | ``break_off_after`` | octets after which the far party aborts it ("#") |
        | ``hold_after`` | octets after which the connection stands still until `Let File Go On` |
        | ``hang_up`` | whether the far party ends the session when it is done |
        | ``headers`` | SIP headers to change or add, an underscore in place of a dash |

        | ${transfer} =    Offer File To Handset    ${file}
        | Accept On Handset    photo.jpg
        | Wait Until File Is Delivered    ${transfer}
        """
        self.act()
        shown = name or file.name
        kind = content_type or mimetypes.guess_type(shown)[0] or "application/octet-stream"
        part = self.handset(handset).part
        pushing = self.bench.peer.file_transfers.push(
            part.msisdn,
            OwnFile(file, shown, kind),
            sender=str(sender) if sender else None,
            group=group,
            shown=self._history(part.msisdn, *others) if others else None,
            disposition=notify.value,
            conversation_id=rest_of.conversation_id if rest_of is not None else None,
            contribution_id=rest_of.contribution_id if rest_of is not None else None,
            message_id=rest_of.message_id if rest_of is not None else None,
            headers=self.headers(headers),
            wrapped=wrapped,
            start=start,
            announce=lambda told: _lying(told, size, sha1),
            setup=setup,
            cut=break_off_after,
            hold=hold_after,
            hang_up=hang_up,
            wait=False,
        )
        return self.call(pushing, self._seconds_for(file.stat().st_size))

    def _history(self, *numbers: str) -> bytes:
        """The list that shows a receiver who got it, all of them openly."""
        domain = self.bench.peer.config.domain
        return history((Msisdn.parse(each).sip(domain), "to") for each in numbers)

    @keyword
    def wait_for_answer_to_file(
        self, transfer: Transfer, expect: int | None = 200, timeout: timedelta | None = None
    ) -> Transfer:
        """Waits for the answer to an offer of a file and checks its status; NONE for no answer at all."""
        patience = self.bench.lab.deadlines.message + self.bench.peer.config.request_timeout
        self.call(self.bench.peer.file_transfers.answered(transfer), self.deadline(timeout, patience))
        if transfer.status != expect:
            got = transfer.status if transfer.status is not None else f"no answer ({transfer.failure})"
            raise HandsetError(f"INVITE with a file: expected {expect or 'no answer'}, got {got}")
        return transfer

    @keyword
    def wait_for_ringing_file(self, timeout: timedelta | None = None) -> Transfer:
        """Waits until the handset rings (180) for a file that was offered after the last action."""
        seconds = self.deadline(timeout, self.bench.lab.deadlines.message)
        waiting = self.bench.peer.file_transfers.wait_ringing(timeout=seconds, after=self.access.mark)
        return self.call(waiting, seconds)

    @keyword
    def wait_until_file_is_delivered(self, transfer: Transfer, timeout: timedelta | None = None) -> Transfer:
        """Waits until the handset has taken every chunk of a file, and the session is over."""
        self._wait_over(transfer, timeout)
        if not transfer.delivered:
            raise HandsetError(f"{transfer}: expected to arrive, it did not: {transfer.failure or 'refused'}")
        return transfer

    @keyword
    def wait_until_file_breaks_off(self, transfer: Transfer, timeout: timedelta | None = None) -> Transfer:
        """Waits until a file is over without having arrived. ``failure`` of what is returned says why."""
        self._wait_over(transfer, timeout)
        if transfer.delivered:
            raise HandsetError(f"{transfer}: expected to break off, it arrived")
        return transfer

    def _wait_over(self, transfer: Transfer, timeout: timedelta | None) -> None:
        octets = transfer.own.size if transfer.own is not None else 0
        seconds = self.deadline(timeout, self._seconds_for(octets))
        self.call(transfer.finished(seconds), seconds)

    @keyword
    def cancel_file_offer(self, transfer: Transfer, expect: int | None = 487) -> Transfer:
        """Gives up the INVITE of a file before its answer, and checks how it ends."""
        self.act()
        seconds = self.bench.lab.deadlines.message + self.bench.peer.config.request_timeout
        self.call(self.bench.peer.file_transfers.cancel(transfer), seconds)
        if transfer.status != expect:
            raise HandsetError(f"a cancelled INVITE: expected {expect or 'no answer'}, got {transfer.status}")
        return transfer

    # -- either way

    @keyword
    def let_file_go_on(self, transfer: Transfer) -> None:
        """Lets the connection of a held file move again."""
        self.call(transfer.go_on(), self.bench.lab.deadlines.message)

    @keyword
    def refresh_file_transfer(self, transfer: Transfer) -> None:
        """Offers the same file once more in its session, which is no second transfer (RFC 5547 8.1)."""
        self._changed(self.bench.peer.file_transfers.refresh(transfer), "a re-INVITE with the same file")

    @keyword
    def close_file_stream(self, transfer: Transfer) -> None:
        """Gives the file up by a re-INVITE with port 0 and the same id (RFC 5547 8.4)."""
        self._changed(self.bench.peer.file_transfers.close_stream(transfer), "a re-INVITE with port 0")

    def _changed(self, changing: Coroutine[Any, Any, Response], what: str) -> None:
        self.act()
        response = self.call(changing, self.bench.peer.config.request_timeout)
        if response.status != 200:
            raise HandsetError(f"{what}: expected 200, got {response.status} {response.reason}")

    @keyword
    def end_file_transfer(self, transfer: Transfer) -> None:
        """Hangs up the session of a file (BYE) and waits for the answer."""
        self.act()
        ending = self.bench.peer.file_transfers.end(transfer)
        self.call(ending, self.bench.peer.config.request_timeout)

    @keyword
    def wait_for_end_of_file_transfer(
        self, transfer: Transfer | None = None, timeout: timedelta | None = None
    ) -> Transfer:
        """Waits until the session of a file is over, whoever ended it; of any in this test without one."""
        seconds = self.deadline(timeout, self.bench.lab.deadlines.message)
        waiting = self.bench.peer.file_transfers.wait_ended(
            transfer, timeout=seconds, after=self.record.since
        )
        return self.call(waiting, seconds)

    @keyword
    def far_party_shares_file(
        self, file: Path, name: str | None = None, content_type: str | None = None
    ) -> None:
        """Lets the far party give ``file`` to a handset that asks for it, until the test ends.

        ``name`` and ``content_type`` are as in `Offer File To Handset`. What the handset asks for tells
        `Wait For File Offer`.
        """
        shown = name or file.name
        kind = content_type or mimetypes.guess_type(shown)[0] or "application/octet-stream"
        self.bench.peer.file_transfers.shared.append(OwnFile(file, shown, kind))

    # -- the far party asks

    @keyword
    def pull_file_from_handset(
        self,
        file: Path | None = None,
        name: str | None = None,
        size: int | None = None,
        content_type: str | None = None,
        start: int | None = None,
        stop: int | None = None,
        expect: int | None = 200,
        handset: str | None = None,
        **headers: str,
    ) -> Transfer:
        """Asks the handset for a file (RFC 5547 8.2.2) and checks the status of its answer.

        | =Argument= | =Meaning= |
        | ``file`` | a local copy, whose SHA-1 selects it |
        | ``name``, ``size``, ``content_type`` | other selectors |
        | ``start``, ``stop`` | octets wanted, from 1; default all |

        `Wait For File From Handset` brings the file.
        """
        hashes: tuple[FileHash, ...] = ()
        if file is not None:
            hashes = FileHash.of([file.read_bytes()], "sha-1")
        selector = FileSelector(name, content_type, size, hashes)
        if not selector:
            raise UsageError("a file is selected by a local copy, name, size or content_type: none is given")
        span = None if start is None and stop is None else FileRange(start or 1, stop)
        self.act()
        pulling = self.bench.peer.file_transfers.pull(
            self.handset(handset).part.msisdn, selector, headers=self.headers(headers), span=span
        )
        transfer = self.call(
            pulling, self.bench.lab.deadlines.message + self.bench.peer.config.request_timeout
        )
        if transfer.status != expect:
            raise HandsetError(f"INVITE for a file: expected {expect or 'no answer'}, got {transfer.status}")
        return transfer


def _lying(told: FileDescription, size: int | None, sha1: str | None) -> FileDescription:
    """What an offer tells, with what it is to tell otherwise."""
    selector = told.selector
    if size is not None:
        selector = replace(selector, size=size)
    if sha1 is not None:
        selector = replace(selector, hashes=(FileHash("sha-1", bytes.fromhex(sha1.replace(":", ""))),))
    return replace(told, selector=selector)
