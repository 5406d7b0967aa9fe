"""Keywords for the modem behind the AT port."""

from __future__ import annotations

from datetime import timedelta

from robot.api.deco import keyword

from devices.modem import Modem
from harness.errors import HandsetError, NotOnBench
from harness.keywords.topic import Topic


class ModemKeywords(Topic):
    """What AT commands tell (TS 27.007)."""

    def modem(self, handset: str | None = None) -> Modem:
        """The modem of a handset. Raises: NotOnBench when lab.yaml names none."""
        found = self.handset(handset)
        if found.modem is None:
            raise NotOnBench(f"handset {found.name} has no `modem:` in lab.yaml; this keyword needs one")
        return found.modem

    @keyword("IMEI Of Modem")
    def imei_of_modem(self, handset: str | None = None) -> str:
        """Returns the IMEI that AT+CGSN gives, 15 digits."""
        return self.modem(handset).imei()

    @keyword("Modem Should Be Registered For IMS")
    def modem_should_be_registered_for_ims(
        self, registered: bool = True, timeout: timedelta | None = None, handset: str | None = None
    ) -> None:
        """Waits until AT+CIREG says what is expected, and fails when it does not in time."""
        modem = self.modem(handset)
        seconds = self.deadline(timeout, self.bench.lab.deadlines.registration)
        last = self.poll(modem.ims_registration, lambda ims: ims.registered is registered, seconds)
        if last.registered is not registered:
            raise HandsetError(f"+CIREG: expected {registered} within {seconds:g} s, got {last.registered}")

    @keyword
    def modem_should_camp_on_cell(
        self, tac: int, eci: int, timeout: timedelta | None = None, handset: str | None = None
    ) -> None:
        """Waits until AT+CEREG shows this tracking area and cell identity, and fails when it does not in
        time."""
        modem = self.modem(handset)
        seconds = self.deadline(timeout, self.bench.lab.deadlines.cell)
        last = self.poll(modem.registration, lambda now: (now.tac, now.ci) == (tac, eci), seconds)
        if (last.tac, last.ci) != (tac, eci):
            raise HandsetError(
                f"+CEREG: expected TAC {tac} and cell {eci} within {seconds:g} s, "
                f"got {last.tac} and {last.ci}"
            )

    @keyword("Modem Should Know P-CSCF")
    def modem_should_know_pcscf(self, address: str, handset: str | None = None) -> None:
        """Fails unless AT+CGCONTRDP gives this P-CSCF address."""
        found = self.modem(handset).pcscf()
        if address not in found:
            raise HandsetError(f"+CGCONTRDP: expected P-CSCF {address}, got {', '.join(found) or 'none'}")
