"""Security agreements (RFC 3329) with a peer that has TLS and no IPsec."""

from __future__ import annotations

import hashlib
import re
import ssl
from typing import Any

import pytest

from harness.agent.sockets.tls_settings import TlsSettings
from harness.errors import UsageError
from harness.peer.config import Authentication, PeerConfig, SecurityPolicy, Subscriber, TlsListening
from harness.sip.security_agreement import SecurityServer

IPSEC = (
    "Security-Client: ipsec-3gpp;alg=hmac-sha-1-96;ealg=null;prot=esp;mod=trans;spi-c=1;spi-s=2;"
    "port-c=1357;port-s=1359"
)
ASKED = (IPSEC, "Require: sec-agree", "Proxy-Require: sec-agree")
MECHANISMS = (SecurityServer.parse("ipsec-ike;q=0.1"), SecurityServer.parse("tls;q=0.2"))
LIST = ["ipsec-ike;q=0.1", "tls;q=0.2"]
MIRRORED = ("Security-Verify: ipsec-ike;q=0.1", "Security-Verify: TLS ; q=0.2")
ALTERED = ("Security-Verify: tls;q=0.2", "Security-Verify: ipsec-ike;q=0.1")
TAGS = ("Require: sec-agree", "Proxy-Require: sec-agree")


@pytest.fixture
def start(bench: Any, ue: str, authority: Any):
    def begin(policy: SecurityPolicy, *, challenged: bool = False) -> Any:
        subscriber = Subscriber("ue@ims.example", (ue.partition(";")[0],), password="secret")
        bench.start(
            tls=TlsListening(0, TlsSettings(*authority.issue("127.0.0.1"))),
            security_agreement=policy,
            mechanisms=MECHANISMS,
            subscribers=(subscriber,),
            authentication=Authentication.DIGEST if challenged else Authentication.NONE,
        )
        return bench

    return begin


@pytest.fixture
def trusting(authority: Any) -> ssl.SSLContext:
    return ssl.create_default_context(cafile=str(authority.file))


def test_an_agreement_that_is_not_supported_is_a_bad_extension(start) -> None:
    answer = start(SecurityPolicy.UNSUPPORTED).handset().register(*ASKED)
    assert (answer.status, answer.header("Unsupported")) == (420, "sec-agree")
    assert answer.header("Security-Server") is None


def test_an_agreement_that_is_ignored_is_no_trouble(start) -> None:
    answer = start(SecurityPolicy.IGNORE).handset().register(*ASKED)
    assert answer.status == 200 and answer.header("Security-Server") is None


def test_the_401_of_the_registrar_carries_the_list(start) -> None:
    handset = start(SecurityPolicy.CHALLENGE, challenged=True).handset()
    answer = handset.register(*ASKED)
    assert (answer.status, answer.all("Security-Server")) == (401, LIST)
    assert answer.header("WWW-Authenticate")
    answer = handset.register(IPSEC, *MIRRORED, *TAGS, call_id="two")
    assert (answer.status, answer.all("Security-Server")) == (401, LIST)
    answer = handset.register(IPSEC, *ALTERED, *TAGS, call_id="three")
    assert (answer.status, answer.all("Security-Server")) == (494, LIST)
    answer = handset.register(call_id="four")
    assert (answer.status, answer.header("Security-Server")) == (401, None)


WITH_DIGEST = tuple(map(SecurityServer.parse, ("tls;q=0.2", "digest;d-alg=MD5;q=0.1")))
SENT = "tls;q=0.2, digest;d-alg=MD5;q=0.1"


def by_digest(
    challenge: str, count: int, method: str, uri: str, server: str | None, *, header: str, qop: str = "auth"
) -> tuple[str, str]:
    """Credentials, and the list with a digest over it, calculated by hand (RFC 3329 2.2, RFC 7616 3.4)."""

    def md5(text: str) -> str:
        return hashlib.md5(text.encode()).hexdigest()

    found = re.search('nonce="(.*?)"', challenge)
    assert found is not None
    body = f":{md5('')}" if qop == "auth-int" else ""
    secret, directives = md5("ue@ims.example:ims.example:secret"), f"{found[1]}:{count:08x}:c:{qop}"
    response, verify = (
        md5(f"{secret}:{directives}:{md5(a2)}")
        for a2 in (f"{method}:{uri}{body}", f"{method}:{uri}{body}:{server}")
    )
    added = f';d-ver="{verify}"' if server is not None else ""
    return (
        f'{header}: Digest username="ue@ims.example", realm="ims.example", nonce="{found[1]}", uri="{uri}", '
        f'response="{response}", qop={qop}, nc={count:08x}, cnonce="c", algorithm=MD5',
        f"Security-Verify: tls;q=0.2,digest;d-alg=MD5;q=0.1{added}",
    )


@pytest.mark.parametrize("qop", ["auth", "auth-int"])
def test_a_list_that_digest_protects_must_be_the_one_that_was_sent(start, qop) -> None:
    peer = start(SecurityPolicy.CHALLENGE, challenged=True)
    peer.peer.config.mechanisms, peer.peer.config.qop = WITH_DIGEST, (qop,)
    handset = peer.handset()
    asked = ("Security-Client: digest", *TAGS)
    challenged = handset.register(*asked)
    assert (challenged.status, challenged.all("Security-Server")) == (401, [SENT])

    def answered(count: int, server: str | None, challenge: str) -> Any:
        rows = by_digest(
            challenge, count, "REGISTER", "sip:ims.example", server, header="Authorization", qop=qop
        )
        return handset.register(*asked, *rows, call_id=f"try-{count}")

    challenge = challenged.header("WWW-Authenticate")
    assert answered(1, SENT, challenge).status == 200
    # Somebody changed the list on its way.
    refused = answered(2, "tls;q=0.3, digest;d-alg=MD5;q=0.1", challenge)
    assert (refused.status, refused.all("Security-Server")) == (494, [SENT])
    assert refused.header("Proxy-Authenticate").startswith("Digest ")
    assert answered(3, None, challenge).status == 200  # nothing said, nothing to be checked
    assert answered(4, SENT, 'nonce="nobody gave it out"').status == 494


@pytest.mark.parametrize("policy", [SecurityPolicy.AGREE, SecurityPolicy.REQUIRE])
def test_digest_protects_a_request_without_tls(start, far, policy) -> None:
    """RFC 3329 2.3.1, 2.3.2: the refusal brings the challenge, and who answers it is let in."""
    peer = start(policy)
    peer.peer.config.mechanisms = WITH_DIGEST
    handset = peer.handset()

    def asked(number: int, *rows: str) -> Any:
        return handset.ask("OPTIONS", far, *TAGS, *rows, to=far, call_id=f"ask-{number}")

    refused = asked(1, "Security-Client: digest")
    assert (refused.status, refused.all("Security-Server")) == (494, [SENT])
    challenge = refused.header("Proxy-Authenticate")
    rows = by_digest(challenge, 1, "OPTIONS", far, SENT, header="Proxy-Authorization")
    assert asked(2, *rows).status == 200
    assert asked(3, rows[0]).status == 494  # credentials alone say nothing of the list
    assert asked(4, rows[1]).status == 494
    without = by_digest(challenge, 2, "OPTIONS", far, None, header="Proxy-Authorization")
    assert asked(5, *without).status == 494
    wrong = by_digest(challenge, 3, "OPTIONS", far, "digest;q=0.1", header="Proxy-Authorization")
    assert asked(6, *wrong).status == 494


def test_a_list_without_digest_brings_no_challenge(start) -> None:
    answer = start(SecurityPolicy.AGREE).handset().register(*ASKED)
    assert (answer.status, answer.header("Proxy-Authenticate")) == (494, None)


def test_who_asks_without_tls_is_told_to_use_it(start, trusting) -> None:
    bench = start(SecurityPolicy.AGREE)
    plain = bench.handset()
    assert plain.register().status == 200  # nobody has to agree
    asking = (ASKED, (*TAGS, *MIRRORED), ("Require: sec-agree",), ("Proxy-Require: sec-agree",))
    for number, rows in enumerate(asking):
        answer = plain.register(*rows, call_id=f"asking-{number}")
        assert (answer.status, answer.all("Security-Server")) == (494, LIST)
    secured = bench.handset(tls=trusting)
    assert secured.register(*TAGS, *MIRRORED, call_id="secured").status == 200
    answer = secured.register(*TAGS, *ALTERED, call_id="altered")
    assert (answer.status, answer.all("Security-Server")) == (494, LIST)


def test_where_an_agreement_is_required_everybody_needs_tls(start, trusting, far) -> None:
    bench = start(SecurityPolicy.REQUIRE)
    plain = bench.handset()
    answer = plain.register()
    assert (answer.status, answer.header("Require"), answer.all("Security-Server")) == (
        421,
        "sec-agree",
        LIST,
    )
    answer = plain.register("Supported: sec-agree, path", call_id="two")
    assert (answer.status, answer.header("Require"), answer.all("Security-Server")) == (
        494,
        "sec-agree",
        LIST,
    )
    answer = plain.register("Via: SIP/2.0/UDP 192.0.2.9;branch=z9hG4bKbefore", call_id="three")
    assert (answer.status, answer.header("Security-Server")) == (502, None)
    assert plain.ask("OPTIONS", far, to=far, call_id="four").status == 421
    assert bench.handset(tls=trusting).register(call_id="five").status == 200


def test_mechanisms_preferred_alike_are_refused() -> None:
    with pytest.raises(UsageError, match=r"RFC 3329 2\.2"):
        PeerConfig("ims.example", mechanisms=(SecurityServer("tls"), SecurityServer("digest")))
