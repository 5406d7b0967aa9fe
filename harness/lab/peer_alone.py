"""The peer alone: any RCS client may be pointed at it.

It serves until told to stop, then judges what it saw.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path

from harness.agent.collector import CollectWhenQuiet
from harness.agent.loop_thread import new_loop
from harness.agent.part_process import set_on_stop
from harness.agent.scheduler import RunningLoop
from harness.errors import UsageError
from harness.evidence.label import label_of
from harness.evidence.lanes import PEER
from harness.evidence.package import write_evidence
from harness.evidence.timeline import Entry, Layer, Packet, Timeline
from harness.lab.bench import peer_config, verify_settings
from harness.lab.model import load_lab
from harness.peer.config import Authentication, MsrpTlsListening, PeerAddresses, PeerConfig, TlsListening
from harness.peer.peer import Peer
from harness.peer.personality import personality_named
from harness.verify.captures import exit_code, notices
from harness.verify.engine import Verifier, VerifySettings
from harness.verify.judgement import Judgement
from harness.verify.report.as_html import to_html
from harness.verify.report.as_json import to_json
from harness.verify.report.as_text import to_text
from harness.verify.transcript import Transcript

LINES_PER_SECOND = 100
DEFAULT_DOMAIN = "ims.mnc001.mcc001.3gppnetwork.org"


@dataclass(frozen=True, slots=True)
class PeerAloneRequest:
    """What to serve. tls, msrp_tls, personality: SIP and MSRP over TLS, and how the server behaves, in place
    of what the lab file says. on_ready gets the addresses once, on_line each line of the live ladder.
    """

    addresses: tuple[str, ...]
    port: int
    evidence: Path | None
    lab: Path | None
    bench: str | None
    domain: str | None
    profile: str
    tls: TlsListening | None
    msrp_tls: MsrpTlsListening | None
    personality: str | None
    on_ready: Callable[[Mapping[str, str | None]], None]
    on_line: Callable[[str], None]


def serve(request: PeerAloneRequest) -> int:
    """Serve until SIGTERM or Ctrl-C; the exit code is that of `rcslab verify` for what was seen.

    Raises: AddressTaken, LabFileError, UsageError (also for TLS files that are no use).
    """
    config, settings = _configuration(request)
    with asyncio.Runner(loop_factory=lambda: new_loop(uvloop=True)) as runner:
        return runner.run(_serve(request, config, settings))


def _configuration(request: PeerAloneRequest) -> tuple[PeerConfig, VerifySettings]:
    """Of a bench when one is named, else a peer that lets everybody in (SERVICES: trigger mode)."""
    listen = tuple((address, request.port) for address in request.addresses)
    if request.lab is None and request.bench is None:
        domain = request.domain or DEFAULT_DOMAIN
        bare = PeerConfig(
            domain,
            (),
            Authentication.NONE,
            listen=listen,
            tls=request.tls,
            msrp_tls=request.msrp_tls,
            personality=personality_named(request.personality or "reference"),
        )
        return bare, VerifySettings()
    if request.domain is not None:
        raise UsageError("--domain is for a peer without a lab file; with one, the bench names its domain")
    lab_file = load_lab(request.lab)
    part = lab_file.bench(request.bench or next(iter(lab_file.lab.benches)))
    if request.personality is not None:
        behaving = part.peer.model_copy(update={"personality": request.personality})
        part = part.model_copy(update={"peer": behaving})
    config = peer_config(part, lab_file.lab.limits)
    served = replace(
        config,
        listen=listen,
        tls=request.tls or config.tls,
        msrp_tls=request.msrp_tls or config.msrp_tls,
    )
    return served, replace(verify_settings(part, lab_file.lab.tolerances), from_start=None)


async def _serve(request: PeerAloneRequest, config: PeerConfig, settings: VerifySettings) -> int:
    timeline = Timeline()
    ladder = LiveLadder(timeline.now(), request.on_line)
    timeline.listen(ladder.show)
    quiet = CollectWhenQuiet(lambda: len(timeline), RunningLoop())
    peer = Peer(config, timeline)
    peer.notifications.policy(timedelta(0), timedelta(seconds=1))
    stop = asyncio.Event()
    set_on_stop(stop, until_stdin_closes=False)
    addresses = await peer.start()
    quiet.start()
    own = [str(address) for address in addresses.all]
    timeline.event(Layer.LAB, "parties", network=own)
    request.on_ready(_ready_line(addresses))
    try:
        await stop.wait()
    finally:
        quiet.stop()
        await peer.stop()
        ladder.end()
    shown = Transcript() if request.evidence is not None else None
    verifier = Verifier(request.profile, settings, shown)
    findings = verifier.judge(timeline)
    judgement = Judgement.of("rcslab peer", verifier, notices(timeline))
    if request.evidence is not None:
        write_evidence(request.evidence, timeline, findings, roles={PEER: own}, title="rcslab peer")
        (request.evidence / "report.json").write_text(to_json([judgement]), encoding="utf-8")
        (request.evidence / "report.html").write_text(to_html([judgement]), encoding="utf-8")
        counted = json.dumps({name: each.as_dict() for name, each in peer.metrics.items()}, indent=1)
        (request.evidence / "metrics.json").write_text(counted + "\n", encoding="utf-8")
    counters = [f"{name} {line}" for name, each in peer.metrics.items() for line in each.lines()]
    for line in (*to_text([judgement]).splitlines(), *counters):
        request.on_line(line)
    return exit_code([judgement])


def _ready_line(addresses: PeerAddresses) -> dict[str, str | None]:
    ready: dict[str, str | None] = {
        "sip_udp": str(addresses.sip_udp[0]),
        "sip_tcp": str(addresses.sip_tcp[0]),
        "msrp": str(addresses.msrp[0]),
    }
    secured = {"sip_tls": addresses.sip_tls, "msrp_tls": addresses.msrp_tls}
    return ready | {name: str(each[0]) for name, each in secured.items() if each}


class LiveLadder:
    """Lines of a live ladder: one for each piece of SIP or MSRP, and under load as many as can be read.

    Args: started is the time on the timeline from which seconds are counted.
    """

    def __init__(self, started: float, on_line: Callable[[str], None]) -> None:
        self._started, self._on_line = started, on_line
        self._second = self._shown = self._left_out = 0

    def show(self, entry: Entry) -> None:
        """Show an entry if it is a packet."""
        if not isinstance(entry, Packet):
            return
        if int(entry.time) != self._second:
            self.end()
            self._second, self._shown = int(entry.time), 0
        if self._shown >= LINES_PER_SECOND:
            self._left_out += 1
            return
        self._shown += 1
        label = label_of(entry.data)
        what = f"{label.title}  {label.hint}".rstrip()
        self._on_line(f"{entry.time - self._started:9.3f}  {entry.source} -> {entry.destination}  {what}")

    def end(self) -> None:
        """Tell how many lines were left out, if any were."""
        if self._left_out:
            self._on_line(f"           {self._left_out} more in this second; the evidence has them all")
            self._left_out = 0
