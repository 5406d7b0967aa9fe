"""One harness per parser: octets in, nothing but our own errors out.

Each is a plain function of octets, for the tests (test_fuzz, test_linear_time) and for atheris (run).
What a parser promises beside its errors is asserted on the way: a stream gives the same however it is cut,
what was read is written and read again.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from harness.cpm.profiles import Profile
from harness.errors import CaptureError
from harness.evidence.capture_reader import read_capture
from harness.evidence.start_line import MessageCutter
from harness.evidence.timeline import Address, Layer, Timeline, Transport
from harness.verify.captures import judge_captures
from harness.verify.engine import Verifier
from harness.verify.finding import INTERNAL
from harness.verify.report.formats import FORMATS

from . import body_targets, msrp_targets, seeds, sip_targets
from .attack import Target, pieces
from .sip_targets import HEADER_TYPES

__all__ = ["HEADER_TYPES", "TARGETS", "Target"]


@contextmanager
def _file_of(data: bytes) -> Iterator[Path]:
    """Captures are files."""
    handle, name = tempfile.mkstemp(suffix=".pcapng")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
        yield Path(name)
    finally:
        Path(name).unlink()


def capture(data: bytes) -> None:
    """Entries are numbered, and their time never steps back."""
    with _file_of(data) as path, suppress(CaptureError):
        before = 0.0
        for number, entry in enumerate(read_capture(path), 1):
            assert entry.number == number
            assert entry.time >= before
            before = entry.time


def judged_capture(data: bytes) -> None:
    """What `rcslab verify` does with a file, in each form of its report."""
    with _file_of(data) as path, suppress(CaptureError):
        judgements = list(judge_captures([path], Profile.RCS51))
        assert INTERNAL not in {finding.rule for each in judgements for finding in each.findings}
        for written in FORMATS.values():
            assert written(judgements)


HANDSET, PEER = Address("192.0.2.7", 41000), Address("192.0.2.1", 5060)


def verifier(data: bytes) -> None:
    """The rules read what a handset sent, whatever it is: over UDP, and as a stream that breaks off."""
    timeline = Timeline(clock=lambda: 1.7e9)
    timeline.event(Layer.LAB, "parties", network=[str(PEER)])
    timeline.packet(Layer.SIP, Transport.UDP, HANDSET, PEER, data)
    for piece in (data[: len(data) // 2], data[len(data) // 2 :]):
        for layer in (Layer.SIP, Layer.MSRP):
            timeline.packet(layer, Transport.TCP, HANDSET, PEER, piece, connection=len(layer))
    judge = Verifier()
    judge.judge(timeline)
    assert judge.findings is not None


def message_cutter(data: bytes) -> None:
    whole, cut = MessageCutter(), MessageCutter()
    once = b"".join([*(each.octets for each in whole.receive(data)), whole.rest()])
    parts = [each.octets for piece in pieces(data) for each in cut.receive(piece)]
    assert once == b"".join([*parts, cut.rest()]) == data


TARGETS = {
    target.name: target
    for target in (
        Target("sip_message", sip_targets.sip_message, seeds.SIP),
        Target("sip_stream", sip_targets.sip_stream, seeds.STREAM),
        Target("sip_headers", sip_targets.sip_headers, seeds.HEADERS),
        Target("sip_uri", sip_targets.sip_uri, seeds.URIS),
        Target("sip_digest", sip_targets.sip_digest, seeds.DIGEST),
        Target("sipfrag", sip_targets.sipfrag, seeds.SIP),
        Target("stun", sip_targets.stun, seeds.STUN),
        Target("msrp_message", msrp_targets.msrp_message, seeds.MSRP),
        Target("msrp_stream", msrp_targets.msrp_stream, (b"".join(seeds.MSRP), *seeds.MSRP)),
        Target("msrp_connection", msrp_targets.msrp_connection, (b"".join(seeds.MSRP), *seeds.MSRP)),
        Target("msrp_path", msrp_targets.msrp_path, seeds.PATHS),
        Target("cpim", body_targets.cpim, seeds.CPIM),
        Target("imdn", body_targets.imdn, seeds.IMDN),
        Target("reginfo", body_targets.reginfo, seeds.REGINFO),
        Target("conference_info", body_targets.conference_info, seeds.CONFERENCE_INFO),
        Target("encoding", body_targets.encoding, seeds.ENCODINGS),
        Target("multipart", body_targets.multipart, seeds.MULTIPART),
        Target("sdp", body_targets.sdp, seeds.SDP),
        Target("body_values", body_targets.body_values, seeds.VALUES),
        Target("capture", capture, seeds.CAPTURES),
        Target("judged_capture", judged_capture, seeds.CAPTURES),
        Target("verifier", verifier, (*seeds.SIP, *seeds.MSRP)),
        Target("message_cutter", message_cutter, (*seeds.SIP[:5], b"".join(seeds.MSRP))),
    )
}
