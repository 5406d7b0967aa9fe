"""Flows of a lab: what modem, network simulator and screen told meanwhile, as their drivers write it."""

from __future__ import annotations

from collections.abc import Callable

from harness.evidence.timeline import Layer
from harness.verify.proof.flows.sip import pager_mo, pager_mt, register
from harness.verify.proof.script import Script

IMEI = "490154203237518"
FAR_NUMBER = "+491700000002"


def registered_at_a_modem() -> Script:
    """As register, with what the modem tells of IMEI and registration, and the cell of the simulator."""
    script = register()
    port = "/dev/modem"
    script.saw(0.02, Layer.VISA, "cell", on=True, mcc="001", mnc="01", tac=1, eci=1)
    script.saw(0.05, Layer.AT, "command", port=port, command="AT+CGSN", lines=[IMEI], final="OK")
    return script.saw(9.0, Layer.AT, "urc", port=port, line="+CIREGU: 1").wait(30.0)


def pager_in_a_cell() -> Script:
    """As pager_mo, on the cell that the simulator reports."""
    return pager_mo().saw(0.02, Layer.VISA, "cell", on=True, mcc="001", mnc="01", tac=1, eci=1)


def pager_seen() -> Script:
    """As pager_mt: the conversation is opened at 0.4 s, before displayed, and the screen is read later."""
    script = pager_mt().saw(0.4, Layer.ADB, "open", serial="s1", conversation=FAR_NUMBER)
    bubbles = [{"text": "hello, world", "outgoing": False, "status": ""}]
    script.saw(5.0, Layer.ADB, "screen", serial="s1", conversation=FAR_NUMBER, messages=bubbles)
    return script.wait(9.0)


LAB_FLOWS: dict[str, Callable[[], Script]] = {
    "registered_at_a_modem": registered_at_a_modem,
    "pager_in_a_cell": pager_in_a_cell,
    "pager_seen": pager_seen,
}
