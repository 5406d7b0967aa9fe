"""Kamailio as a server that wants SIP Digest: which of our credentials it takes (RFC 7616, RFC 3261 22)."""

from __future__ import annotations

import asyncio
import hashlib
import itertools
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Protocol

import pytest

from harness.agent.sip.agent import Hop, SipAgent
from harness.evidence.timeline import Timeline, Transport
from harness.sip.digest import answer_challenge
from harness.sip.headers import Credentials
from harness.sip.message import Response, build_request

from .kamailio import KAMAILIO, KamailioDigest

pytestmark = [
    pytest.mark.interop,
    pytest.mark.usefixtures("network"),
    pytest.mark.skipif(KAMAILIO is None, reason="Kamailio is not installed (apt-get install kamailio)"),
]
HOST, DOMAIN = "127.0.0.1", "ims.example"


@pytest.mark.parametrize("qop", [None, "auth"])
@pytest.mark.parametrize("algorithm", ["MD5", "SHA-256"])
def test_kamailio_takes_our_digest(tmp_path: Path, algorithm: str, qop: str | None) -> None:
    """RFC 7616, and RFC 2069 without qop: the password is right, then wrong."""
    uri, password = f"sip:b@{DOMAIN}", "geheim-7731"

    def credentials(answer: Response, secret: str) -> str:
        (challenge,) = answer.challenges
        assert challenge.parameters.get("algorithm", "MD5") == algorithm
        assert challenge.parameters.get("qop") == qop
        return answer_challenge(challenge, "MESSAGE", uri, "a", secret.encode())

    async def scenario() -> None:
        async with texting(KamailioDigest(tmp_path / "digest", DOMAIN, password, algorithm, qop)) as ask:
            for secret, status in ((password, 200), ("another", 403)):
                challenged = await ask()
                assert challenged.status == 401
                assert (await ask(credentials(challenged, secret))).status == status

    asyncio.run(scenario())


def test_kamailio_does_not_hash_the_body_for_auth_int(tmp_path: Path) -> None:
    """Why no auth-int of ours is taken: RFC 7616 3.4.3 has H(entity-body) in A2, and Kamailio (5.6) offers
    auth-int without ever hashing a body. What it puts there is memory it has not written: with the same
    credentials it expects the same response for any body. The hash of a body is checked by hand here, and by
    SIPp (test_sipp_and_peer.py).
    """
    uri, password, cnonce = f"sip:b@{DOMAIN}", "geheim-7731", "0a4f113b"
    bodies = (b"", b"one", b"another body, and a longer one")

    def md5(text: str | bytes) -> str:
        return hashlib.md5(text.encode() if isinstance(text, str) else text).hexdigest()

    async def scenario() -> None:
        server = KamailioDigest(tmp_path / "digest", DOMAIN, password, "MD5", "auth-int")
        async with texting(server) as ask:
            (challenge,) = (await ask()).challenges
            ours, expected = [], []
            for body in bodies:
                value = answer_challenge(
                    challenge, "MESSAGE", uri, "a", password.encode(), body, cnonce=cnonce
                )
                assert (await ask(value, body)).status == 403
                ours.append(Credentials.parse(value).parameters["response"])
                secret, a2 = md5(f"a:{DOMAIN}:{password}"), f"MESSAGE:{uri}:{md5(body)}"
                nonce = challenge.parameters["nonce"]
                expected.append(md5(f"{secret}:{nonce}:00000001:{cnonce}:auth-int:{md5(a2)}"))
        assert ours == expected and len(set(ours)) == len(bodies)
        assert len(server.expected) == len(bodies) and len(set(server.expected)) == 1

    asyncio.run(scenario())


class Ask(Protocol):
    """Sends a MESSAGE, with credentials or without; gives the answer."""

    async def __call__(self, credentials: str | None = None, body: bytes = b"") -> Response: ...


@asynccontextmanager
async def texting(server: KamailioDigest) -> AsyncIterator[Ask]:
    """An agent that sends MESSAGEs to a server that challenges them; both end with it."""
    uri, numbers = f"sip:b@{DOMAIN}", itertools.count(1)
    agent, hop = SipAgent(Timeline(), lambda incoming: None), Hop(Transport.UDP, HOST, server.port)

    async def ask(credentials: str | None = None, body: bytes = b"") -> Response:
        rows = [
            ("Via", agent.via_for(hop)),
            ("Max-Forwards", "70"),
            ("From", f"<sip:a@{DOMAIN}>;tag=a"),
            ("To", f"<{uri}>"),
            ("Call-ID", "digest"),
            ("CSeq", f"{next(numbers)} MESSAGE"),
            *([("Authorization", credentials)] if credentials is not None else []),
            *([("Content-Type", "text/plain")] if body else []),
        ]
        return await agent.request(build_request("MESSAGE", uri, rows, body), hop)

    try:
        await agent.listen(HOST)
        yield ask
    finally:
        server.end()
        await agent.close()
