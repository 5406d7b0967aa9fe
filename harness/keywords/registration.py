"""Keywords for registration: what the handset does, and what the registrar answers."""

from __future__ import annotations

from datetime import timedelta

from robot.api.deco import keyword

from harness.errors import HandsetError
from harness.keywords.topic import Topic
from harness.peer.bindings import Binding
from harness.peer.config import Authentication
from harness.peer.journal import EventKind


class Registration(Topic):
    """Registration (RFC 3261 10, TS 24.229 5.1.1)."""

    @keyword
    def handset_is_registered(self, handset: str | None = None, timeout: timedelta | None = None) -> Binding:
        """Makes sure that the handset is registered, and waits for it when it is not yet.

        | =Argument= | =Meaning= |
        | ``handset`` | name in lab.yaml; default the first one |
        | ``timeout`` | default the deadline ``registration`` of lab.yaml |

        Returns the binding. Fails with what was seen instead when there is no registration in time.
        """
        part = self.handset(handset).part
        seconds = self.deadline(timeout, self.bench.lab.deadlines.registration)
        waiting = self.bench.peer.registrar.wait_registered(part.msisdn, timeout=seconds)
        return self.call(waiting, seconds)

    @keyword
    def handset_registers(self, handset: str | None = None, timeout: timedelta | None = None) -> Binding:
        """Waits for a registration that comes after the last action of this test (airplane mode, cell, ...).

        | Switch Airplane Mode Off
        | ${binding} =    Handset Registers
        """
        part = self.handset(handset).part
        seconds = self.deadline(timeout, self.bench.lab.deadlines.registration)
        waiting = self.bench.peer.registrar.wait_registered(
            part.msisdn, timeout=seconds, after=self.access.mark
        )
        return self.call(waiting, seconds)

    @keyword
    def handset_deregisters(self, handset: str | None = None, timeout: timedelta | None = None) -> None:
        """Waits for the handset to end its registration, after the last action of this test."""
        part = self.handset(handset).part
        seconds = self.deadline(timeout, self.bench.lab.deadlines.registration)
        waiting = self.bench.peer.registrar.wait_deregistered(
            part.msisdn, timeout=seconds, after=self.access.mark
        )
        self.call(waiting, seconds)

    @keyword
    def handset_does_not_register(self, seconds: timedelta | None = None, handset: str | None = None) -> None:
        """Watches and fails when a registration comes after the last action of this test.

        ``seconds`` is how long; default the deadline ``silence`` of lab.yaml.
        """
        watched = self.deadline(seconds, self.bench.lab.deadlines.silence)
        self.expect_silence(
            self.bench.peer.registrar.wait_registered(
                self.handset(handset).part.msisdn, timeout=watched, after=self.access.mark
            ),
            watched,
            "the handset registered, which it must not do now",
        )

    @keyword
    def registrar_answers_next_register(self, status: int | None, count: int = 1, **headers: str) -> None:
        """Lets the registrar answer the next ``count`` REGISTER requests with ``status``, or not at all
        (NONE).

        Headers are named with an underscore in place of a dash.

        | Registrar Answers Next Register    503    Retry_After=1
        | Registrar Answers Next Register    NONE
        """
        self.act()
        self.bench.peer.registrar.answer_next(status, self.headers(headers), count)

    @keyword
    def handset_is_refused(self, status: int, timeout: timedelta | None = None) -> None:
        """Waits until the registrar has answered a REGISTER with ``status``, after the last action."""
        seconds = self.deadline(timeout, self.bench.lab.deadlines.registration)
        answered = f"REGISTER with {status}"
        waiting = self.bench.peer.wait_event(
            lambda event: event.kind is EventKind.ANSWERED and event.text.startswith(answered),
            seconds,
            after=self.access.mark,
            expected=f"a REGISTER answered {status}",
        )
        self.call(waiting, seconds)

    @keyword
    def registrar_authenticates_with(self, authentication: Authentication) -> None:
        """Challenges from now on by ``NONE``, ``DIGEST`` or ``AKA``, until the test ends.

        The test is skipped when the SIM of a handset, as lab.yaml has it, lacks what that takes.
        """
        self.need_credentials(authentication)
        self.bench.peer.registrar.authentication = authentication

    @keyword
    def registrar_grants_at_most(self, expires: timedelta) -> None:
        """Grants registrations of ``expires`` at most, until the test ends."""
        self.bench.peer.config.max_expires = int(expires.total_seconds())

    @keyword
    def network_ends_registration(self, rejected: bool = False, handset: str | None = None) -> None:
        """Ends the registration from the network side; the handset learns it by NOTIFY (RFC 3680).

        ``rejected`` tells it not to register again; otherwise it is asked to register anew.
        """
        self.act()
        part = self.handset(handset).part
        deregister = self.bench.peer.registrar.deregister(part.msisdn, rejected=rejected)
        self.call(deregister, self.bench.lab.deadlines.registration)

    @keyword
    def registrar_forgets_sequence_numbers(self) -> None:
        """Loses the AKA sequence numbers, as a new HSS would.

        The handset has to resynchronise (RFC 3310 3.4).
        """
        self.act()
        self.bench.peer.registrar.forget_sequence_numbers()

    @keyword
    def binding_should_have_feature_tag(self, binding: Binding, tag: str, value: str) -> None:
        """Fails unless the Contact of the registration carries ``value`` (a plain URN) in feature tag
        ``tag``.

        | ${binding} =    Handset Is Registered
        | Binding Should Have Feature Tag    ${binding}    +g.3gpp.icsi-ref
        | ...    urn:urn-7:3gpp-service.ims.icsi.oma.cpm.msg
        """
        found = {name.lower(): values for name, values in binding.features.items()}
        values = found.get(tag.lower(), found.get(tag.lower().lstrip("+"), ()))
        if value.lower() not in (each.lower() for each in values):
            shown = ", ".join(values) or "nothing"
            raise HandsetError(f"Contact {binding.contact}: expected {value} in {tag}, got {shown}")
