"""Keywords for capability discovery by OPTIONS, asked by the handset and of it."""

from __future__ import annotations

from datetime import timedelta

from robot.api.deco import keyword

from devices.handset import ComposeMode
from harness.cpm.identity import Msisdn
from harness.errors import HandsetError
from harness.keywords.topic import Topic
from harness.peer.capability import CapabilityAnswer, CapabilityQuery


class CapabilityKeywords(Topic):
    """What handset and far party can do (RCC.07 2.6)."""

    @keyword
    def wait_for_capability_query(
        self, about: Msisdn | None = None, timeout: timedelta | None = None
    ) -> CapabilityQuery:
        """Waits for an OPTIONS of the handset after the start of this test, and returns it.

        ``about`` is the number asked about; default any. Of what is returned tests use ``tags``, ``sender``,
        ``to_number`` and ``status``.
        """
        return self._wait(about, timeout, self.record.since)

    @keyword
    def wait_for_next_capability_query(
        self, about: Msisdn | None = None, timeout: timedelta | None = None
    ) -> CapabilityQuery:
        """The same, but only an OPTIONS that comes after the last action of the test counts."""
        return self._wait(about, timeout, self.access.mark)

    def _wait(self, about: Msisdn | None, timeout: timedelta | None, after: int) -> CapabilityQuery:
        seconds = self.deadline(timeout, self.bench.lab.deadlines.message)
        number = str(about) if about is not None else None
        waiting = self.bench.peer.capabilities.wait_query(timeout=seconds, after=after, about=number)
        return self.call(waiting, seconds)

    @keyword
    def no_capability_query_comes(self, seconds: timedelta | None = None) -> None:
        """Watches and fails when the handset sends an OPTIONS after the last action of this test.

        ``seconds`` is how long; default the deadline ``silence`` of lab.yaml.
        """
        watched = self.deadline(seconds, self.bench.lab.deadlines.silence)
        self.expect_silence(
            self.bench.peer.capabilities.wait_query(timeout=watched, after=self.access.mark),
            watched,
            "an OPTIONS came that was not expected",
        )

    @keyword
    def peer_answers_next_capability_query(self, status: int | None, count: int = 1, **headers: str) -> None:
        """Lets the peer answer the next ``count`` OPTIONS with ``status``, or not at all (NONE).

        | Peer Answers Next Capability Query    404
        | Peer Answers Next Capability Query    200    Contact=<sip:far.example>;+g.oma.sip-im
        """
        self.act()
        self.bench.peer.capabilities.answer_next(status, self.headers(headers), count)

    @keyword
    def query_capabilities_of_handset(
        self,
        sender: Msisdn | None = None,
        expect: int | None = 200,
        handset: str | None = None,
        **headers: str,
    ) -> CapabilityAnswer:
        """Asks the handset by OPTIONS what it can do, and checks the status of its answer.

        Of what is returned tests use ``tags``: services as ``oma.cpm.session`` or ``rcse.im``, other feature
        tags by their name. ``headers`` are SIP headers to change or add, an underscore in place of a dash.
        """
        self.act()
        part = self.handset(handset).part
        asking = self.bench.peer.capabilities.query(
            part.msisdn, sender=str(sender) if sender else None, headers=self.headers(headers)
        )
        answer = self.call(asking, self.bench.peer.config.request_timeout)
        if answer.status != expect:
            got = answer.status if answer.response is not None else f"no answer ({answer.failure})"
            raise HandsetError(f"OPTIONS: expected {expect or 'no answer'}, got {got}")
        return answer

    @keyword
    def handset_composes(
        self, mode: ComposeMode, number: Msisdn | None = None, handset: str | None = None
    ) -> None:
        """Waits until the open conversation says how a text to ``number`` would go: CHAT or SMS."""
        android, shown_to = self.handset(handset).android, self.far_number(number)
        seconds = self.bench.lab.deadlines.screen
        shown = self.poll(lambda: android.conversation(shown_to).mode, lambda seen: seen is mode, seconds)
        if shown is not mode:
            raise HandsetError(f"the compose box was expected to offer {mode}, it offers {shown}")
