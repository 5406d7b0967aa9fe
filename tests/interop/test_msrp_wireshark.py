"""MSRP as our endpoint writes it, read by Wireshark: every message decoded as what it is, none malformed."""

from __future__ import annotations

import asyncio
from collections import Counter
from pathlib import Path

import pytest

from harness.agent.msrp.endpoint import MsrpEndpoint
from harness.agent.msrp.plan import MsrpPlan, Role
from harness.agent.msrp.session import MsrpUser
from harness.evidence.capture import write_capture
from harness.evidence.timeline import Timeline
from harness.msrp.chunking import Report
from harness.msrp.session import SendOptions

from .wireshark import TSHARK, malformed, tshark

ALICE, BOB = "msrp://127.0.0.1:9/2s93i9ek2a;tcp", "msrp://127.0.0.1:2855/si438dsaodes;tcp"
pytestmark = [
    pytest.mark.interop,
    pytest.mark.skipif(TSHARK is None, reason="tshark is not installed (Debian: tshark)"),
]


async def conversation(timeline: Timeline) -> None:
    """Everything an endpoint writes: bodiless, short, chunked, refused, reports, a nickname, an abort."""
    here, there = MsrpEndpoint(Timeline()), MsrpEndpoint(timeline)
    address = await there.listen("127.0.0.1")
    refusing = MsrpUser(nickname=lambda _: 425, accept=lambda request: 413 if request.body == b"no" else None)
    far = there.open(MsrpPlan(Role.PASSIVE, (BOB,), (ALICE,), None), refusing)
    near = here.open(MsrpPlan(Role.ACTIVE, (ALICE,), (BOB,), tuple(address)))
    await near.ready
    reported = SendOptions(success_report=Report.YES)
    assert (await near.send("ein kurzer Gruß".encode(), "text/plain;charset=utf-8", reported)).status == 200
    assert (await far.send(bytes(range(256)) * 40, "image/png", reported)).status == 200
    assert (await near.send(b"x" * 20_000, "text/plain", SendOptions(chunk_octets=9000))).status == 200
    assert (await near.send(b"", "text/plain")).status == 200
    assert (await near.send(b"no", "text/plain")).status == 413
    assert await near.nickname("Alice the great") == 425
    message = near.post(iter([bytes(5000), b"x" * 10_000_000]), "image/png")
    message.abort()
    near.flush()
    assert (await near.send(b"bye", "text/plain")).status == 200
    await asyncio.gather(here.close(), there.close())


def test_tshark_decodes_every_message_of_an_endpoint(tmp_path: Path) -> None:
    timeline, capture = Timeline(), tmp_path / "wire.pcapng"
    asyncio.run(conversation(timeline))
    write_capture(capture, list(timeline))
    assert malformed(capture) == []
    assert tshark(capture, "-q", "-z", "expert,warn") in ([], [""])

    def seen(field: str) -> Counter[str]:
        lines = tshark(capture, "-T", "fields", "-e", field, "-Y", field)
        return Counter(value for line in lines for value in line.split(","))

    methods, statuses, flags = seen("msrp.method"), seen("msrp.status.code"), seen("msrp.cnt.flg")
    assert methods["SEND"] > 13  # one bodiless, 1 + 5 + 3 + 1 + 1 + 1 chunks, those of the aborted message
    assert flags["#"] == 1
    assert (methods["REPORT"], methods["NICKNAME"]) == (2, 1)
    assert statuses["413"] == 1
    assert statuses["425"] == 1
    assert statuses["200"] == methods["SEND"] - 1
    assert sum(flags.values()) == sum(methods.values()) + sum(statuses.values())
    assert seen("msrp.byte.range")["1-0/0"] == 2
