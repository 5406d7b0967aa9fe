"""Session timers asked for and granted wrongly (RFC 4028)."""

from __future__ import annotations

from harness.verify.proof.mutant import HANDSET, NETWORK, Mutant

SE = "Session-Expires: 1800"
GRANTED = "Session-Expires: 1800;refresher=uac"


MUTANTS = [
    Mutant(
        "timer.supported", HANDSET, "session_mo", lambda s: s.sub(5, "Supported: timer", "Supported: path")
    ),
    Mutant(
        "timer.supported",
        NETWORK,
        "session_mt",
        lambda s: (
            s.sub(0, "Supported: timer", "Supported: path")
            .sub(0, SE, f"{SE};refresher=uas")
            .sub(2, GRANTED, f"{SE};refresher=uas")
        ),
    ),
    Mutant(
        "timer.supported.other-methods",
        HANDSET,
        "session_mo",
        lambda s: s.sub(7, "Supported: timer", "Supported: path"),
    ),
    Mutant("timer.se-range", HANDSET, "refused_mo", lambda s: s.sub(0, SE, "Session-Expires: 89")),
    Mutant("timer.se-range", HANDSET, "refused_mo", lambda s: s.sub(0, "Min-SE: 90", "Min-SE: 2000")),
    Mutant("timer.se-recommended", HANDSET, "refused_mo", lambda s: s.sub(0, SE, "Session-Expires: 1799")),
    Mutant("timer.min-se", HANDSET, "refused_mo", lambda s: s.sub(0, "Min-SE: 90", "Min-SE: 60")),
    Mutant("timer.min-se", NETWORK, "session_mo", lambda s: s.line(3, "Min-SE: 90")),
    Mutant(
        "timer.min-se",
        NETWORK,
        "refused_mo",
        lambda s: s.sub(2, "486 Busy Here", "422 Session Interval Too Small"),
    ),
    Mutant(
        "timer.answer-not-larger",
        HANDSET,
        "session_mt",
        lambda s: s.sub(2, GRANTED, "Session-Expires: 1801;refresher=uac"),
    ),
    Mutant(
        "timer.answer-not-larger",
        HANDSET,
        "session_mt",
        lambda s: s.sub(2, GRANTED, "Session-Expires: 89;refresher=uac"),
    ),
    Mutant(
        "timer.answer-not-larger.network",
        NETWORK,
        "session_mo",
        lambda s: s.sub(3, GRANTED, "Session-Expires: 3600;refresher=uac"),
    ),
    Mutant("timer.refresher-set", HANDSET, "session_mt", lambda s: s.sub(2, GRANTED, SE)),
    Mutant("timer.refresher-set", NETWORK, "session_mo", lambda s: s.sub(3, GRANTED, SE)),
    Mutant("timer.refresher-equal", HANDSET, "session_mt", lambda s: s.sub(0, SE, f"{SE};refresher=uas")),
    Mutant("timer.require", NETWORK, "session_mo", lambda s: s.sub(3, "Require: timer\r\n", "")),
    Mutant("timer.where", HANDSET, "session_mo", lambda s: s.line(7, SE)),
    Mutant("timer.where", NETWORK, "session_mo", lambda s: s.line(2, GRANTED)),
    Mutant(
        "timer.retry-after-422",
        HANDSET,
        "interval_too_small",
        lambda s: s.sub(3, "Min-SE: 2000", "Min-SE: 90"),
    ),
    Mutant(
        "timer.retry-after-422", HANDSET, "interval_too_small", lambda s: s.sub(3, "Min-SE: 2000\r\n", "")
    ),
    Mutant(
        "timer.min-se",
        NETWORK,
        "interval_too_small",
        lambda s: s.sub(1, "Min-SE: 2000\r\n", "").sub(3, "Min-SE: 2000", "Min-SE: 90"),
    ),
    Mutant(
        "timer.supported", HANDSET, "refused_mo", lambda s: s.sub(0, "Supported: timer", "Supported: path")
    ),
    Mutant(
        "timer.refresher-equal",
        HANDSET,
        "session_mt",
        lambda s: s.sub(0, "Supported: timer\r\n", "Supported: path\r\n").sub(0, "Min-SE: 90\r\n", ""),
    ),
    Mutant("timer.refresher-equal", HANDSET, "refreshed_mt", lambda s: s.sub(5, "=uac", "=uas")),
    Mutant("timer.se-range", NETWORK, "cancelled_mt", lambda s: s.sub(0, SE, "Session-Expires: 89")),
    Mutant("timer.require", HANDSET, "session_mt", lambda s: s.sub(2, "Require: timer\r\n", "")),
]
