"""Every capture these tests can write is read by Wireshark, which must find nothing malformed in it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from harness.evidence.capture import write_capture
from harness.evidence.timeline import Packet, Timeline

from .loopback import own_network
from .wireshark import TSHARK, malformed, merged, tshark


@pytest.fixture
def network() -> Iterator[bool]:
    """A loopback for the test alone, where that is allowed: nobody takes the port its program is to have."""
    with own_network() as entered:
        yield entered


@pytest.fixture(scope="module", autouse=True)
def wireshark_reads_all(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[None]:
    """Write down every timeline of a module's tests when they are over, and let tshark decode it.

    A module that sends what is malformed on purpose says so: `MALFORMED_ON_PURPOSE = True`.
    """
    if TSHARK is None or getattr(request.module, "MALFORMED_ON_PURPOSE", False):
        yield
        return
    timelines: list[Timeline] = []
    begin = Timeline.__init__

    def noted(self: Timeline, *arguments: object, **more: object) -> None:
        begin(self, *arguments, **more)  # type: ignore[arg-type]
        timelines.append(self)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Timeline, "__init__", noted)
        yield
    folder = tmp_path_factory.mktemp("captures")
    used = [each for each in timelines if any(isinstance(entry, Packet) for entry in each)]
    for number, timeline in enumerate(used):
        write_capture(folder / f"{number:04}.pcapng", timeline)
    if used:
        whole = merged(folder)
        assert tshark(whole, "-c", "50", "-Y", "sip or msrp or stun")
        assert malformed(whole) == []
