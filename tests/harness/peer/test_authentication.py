"""Digest and AKA from the outside. Digest responses are computed here by hand, by RFC 7616 3.4.1."""

from __future__ import annotations

import base64
import hashlib
import hmac
import logging
import re
from typing import Any

import pytest

from harness.errors import UsageError
from harness.peer.config import Authentication, Subscriber
from harness.sip.aka import AkaResult, SynchronisationFailure, answer
from harness.sip.milenage import Milenage

IMPI = "ue@ims.example"
UE = "sip:+491701234567@ims.example;user=phone"
PASSWORD = "geheim-7731"
# TS 35.208 4.3, test set 1
K = bytes.fromhex("465b5ce8b199b49faa5f0a2ee238a6bc")
OPC = bytes.fromhex("cd63cb71954a9f4e48a5994e37a02baf")
DIGEST = Subscriber(IMPI, (UE, "tel:+491701234567"), password=PASSWORD)
SIM = Subscriber(IMPI, (UE, "tel:+491701234567"), k=K, opc=OPC, sqn=0x100)


def directive(challenge: str, name: str) -> str:
    found = re.search(rf'\b{name}="?([^",]*)"?', challenge)
    assert found is not None, f"{name} in {challenge}"
    return found[1]


def credentials(
    challenge: str,
    password: bytes,
    *,
    method: str = "REGISTER",
    uri: str = "sip:ims.example",
    nc: int = 1,
    qop: str | None = "auth",
    body: bytes = b"",
    username: str = IMPI,
    extra: str = "",
) -> str:
    """An Authorization value made without any code of the product."""
    algorithm = directive(challenge, "algorithm")
    name = "sha256" if algorithm == "SHA-256" else "md5"

    def h(data: bytes) -> str:
        return hashlib.new(name, data).hexdigest()

    realm, nonce = directive(challenge, "realm"), directive(challenge, "nonce")
    ha1 = h(f"{username}:{realm}:".encode() + password)
    a2 = f"{method}:{uri}".encode() + (b":" + h(body).encode() if qop == "auth-int" else b"")
    if qop:
        response = h(f"{ha1}:{nonce}:{nc:08x}:0a1b2c:{qop}:{h(a2)}".encode())
        tail = f',qop={qop},nc={nc:08x},cnonce="0a1b2c"'
    else:
        response, tail = h(f"{ha1}:{nonce}:{h(a2)}".encode()), ""
    return (
        f'Digest username="{username}",realm="{realm}",nonce="{nonce}",uri="{uri}",response="{response}",'
        f'algorithm={algorithm},opaque="{directive(challenge, "opaque")}"{tail}{extra}'
    )


def challenged(handset: Any, *extra: str) -> str:
    answered = handset.register(*extra)
    assert answered.status == 401
    challenge = answered.header("WWW-Authenticate")
    assert challenge is not None
    return str(challenge)


@pytest.mark.parametrize("algorithm", ["MD5", "SHA-256"])
def test_digest_registration(bench: Any, algorithm: str) -> None:
    peer = bench.start(subscribers=(DIGEST,), authentication=Authentication.DIGEST, algorithms=(algorithm,))
    handset = bench.handset()
    # what a 3GPP handset sends first: empty nonce and response
    empty = (
        f'Authorization: Digest username="{IMPI}",realm="ims.example",nonce="",'
        'uri="sip:ims.example",response=""'
    )
    challenge = challenged(handset, empty)
    assert directive(challenge, "algorithm") == algorithm
    right = credentials(challenge, PASSWORD.encode())
    assert handset.register(f"Authorization: {right}").status == 200
    assert peer.bindings


def test_both_algorithms_are_offered_best_first_and_either_is_taken(bench: Any) -> None:
    bench.start(
        subscribers=(DIGEST,),
        authentication=Authentication.DIGEST,
        algorithms=("SHA-256", "MD5"),
    )
    handset = bench.handset()
    rows = handset.register().all("WWW-Authenticate")
    assert [directive(row, "algorithm") for row in rows] == ["SHA-256", "MD5"]
    assert handset.register(f"Authorization: {credentials(rows[1], PASSWORD.encode())}").status == 200


def test_auth_int_covers_the_body(bench: Any) -> None:
    bench.start(subscribers=(DIGEST,), authentication=Authentication.DIGEST, qop=("auth", "auth-int"))
    handset = bench.handset()
    challenge = challenged(handset)
    assert directive(challenge, "qop") == "auth"  # the list is quoted: the first of it
    right = credentials(challenge, PASSWORD.encode(), qop="auth-int", body=b"x")
    assert handset.register(f"Authorization: {right}", body="y").status == 401
    right = credentials(challenge, PASSWORD.encode(), qop="auth-int", body=b"x", nc=2)
    assert handset.register(f"Authorization: {right}", body="x").status == 200


def test_a_refresh_counts_on_and_a_replay_is_stale(bench: Any) -> None:
    bench.start(subscribers=(DIGEST,), authentication=Authentication.DIGEST)
    handset = bench.handset()
    challenge = challenged(handset)
    first = credentials(challenge, PASSWORD.encode(), nc=1)
    assert handset.register(f"Authorization: {first}").status == 200
    second = credentials(challenge, PASSWORD.encode(), nc=2)
    assert handset.register(f"Authorization: {second}").status == 200
    again = handset.register(f"Authorization: {second}")
    assert again.status == 401
    assert "stale=true" in (again.header("WWW-Authenticate") or "").lower()


def test_an_old_nonce_is_stale(bench: Any) -> None:
    bench.start(subscribers=(DIGEST,), authentication=Authentication.DIGEST, nonce_lifetime=60)
    handset = bench.handset()
    challenge = challenged(handset)
    bench.now = 61
    old = handset.register(f"Authorization: {credentials(challenge, PASSWORD.encode())}")
    assert old.status == 401
    renewed = old.header("WWW-Authenticate") or ""
    assert "stale=true" in renewed.lower()
    assert directive(renewed, "nonce") != directive(challenge, "nonce")
    assert handset.register(f"Authorization: {credentials(renewed, PASSWORD.encode())}").status == 200


def test_a_nonce_that_was_never_given_is_stale(bench: Any) -> None:
    bench.start(subscribers=(DIGEST,), authentication=Authentication.DIGEST)
    handset = bench.handset()
    challenge = challenged(handset)
    invented = challenge.replace(directive(challenge, "nonce"), "0" * 32)
    answered = handset.register(f"Authorization: {credentials(invented, PASSWORD.encode())}")
    assert answered.status == 401
    assert "stale=true" in (answered.header("WWW-Authenticate") or "").lower()


def test_the_password_of_one_user_does_not_serve_another_name(bench: Any) -> None:
    peer = bench.start(subscribers=(DIGEST,), authentication=Authentication.DIGEST)
    handset = bench.handset()
    challenge = challenged(handset)
    other = credentials(challenge, PASSWORD.encode(), username="other@ims.example")
    assert handset.register(f"Authorization: {other}").status == 401
    assert not peer.bindings


def test_an_algorithm_that_was_not_offered_is_refused(bench: Any) -> None:
    """RFC 7616 5.7: else whoever sits between could bid down to MD5."""
    peer = bench.start(subscribers=(DIGEST,), authentication=Authentication.DIGEST, algorithms=("SHA-256",))
    handset = bench.handset()
    weaker = challenged(handset).replace("SHA-256", "MD5")
    assert handset.register(f"Authorization: {credentials(weaker, PASSWORD.encode())}").status == 401
    assert not peer.bindings


def test_right_credentials_do_not_register_the_identity_of_another(bench: Any) -> None:
    peer = bench.start(subscribers=(DIGEST,), authentication=Authentication.DIGEST)
    handset = bench.handset()
    right = credentials(challenged(handset), PASSWORD.encode())
    stranger = "sip:stranger@ims.example"
    assert handset.register(f"Authorization: {right}", to=stranger, sender=stranger).status == 403
    assert not peer.bindings


def test_wrong_twice_is_403_and_then_it_starts_again(bench: Any) -> None:
    peer = bench.start(subscribers=(DIGEST,), authentication=Authentication.DIGEST)
    handset = bench.handset()
    challenge = challenged(handset)
    second = handset.register(f"Authorization: {credentials(challenge, b'wrong')}")
    assert second.status == 401
    renewed = second.header("WWW-Authenticate") or ""
    assert directive(renewed, "nonce") != directive(challenge, "nonce")
    assert handset.register(f"Authorization: {credentials(renewed, b'wrong')}").status == 403
    assert not peer.bindings
    challenge = challenged(handset)
    assert handset.register(f"Authorization: {credentials(challenge, PASSWORD.encode())}").status == 200


@pytest.mark.parametrize(
    ("identity", "status"), [("sip:stranger@ims.example", 403), ("sip:+491701234567@ims.example", 401)]
)
def test_who_may_register(bench: Any, identity: str, status: int) -> None:
    bench.start(subscribers=(DIGEST,), authentication=Authentication.DIGEST)
    assert bench.handset().register(to=identity, sender=identity).status == status


def test_another_domain_is_not_found(bench: Any) -> None:
    bench.start(subscribers=(DIGEST,), authentication=Authentication.DIGEST)
    handset = bench.handset()
    assert handset.ask("REGISTER", "sip:elsewhere.example", f"Contact: <{handset.contact}>").status == 404


def test_authentication_is_switched_at_run_time(bench: Any) -> None:
    peer = bench.start(subscribers=(DIGEST,))
    handset = bench.handset()
    assert handset.register().status == 200
    peer.registrar.authentication = Authentication.DIGEST
    assert handset.register().status == 401


def aka(handset: Any, challenge: str, sqn_ms: int) -> AkaResult | SynchronisationFailure:
    found = answer(Milenage(K, OPC), directive(challenge, "nonce"), sqn_ms)
    assert isinstance(found, AkaResult | SynchronisationFailure)
    return found


def test_aka_registration_with_the_imsi_derived_identity(bench: Any) -> None:
    peer = bench.start(subscribers=(SIM,), authentication=Authentication.AKA)
    handset = bench.handset()
    who = {"to": f"sip:{IMPI}", "sender": f"sip:{IMPI}"}
    first = handset.register(**who)
    assert first.status == 401
    challenge = first.header("WWW-Authenticate") or ""
    assert directive(challenge, "algorithm") == "AKAv1-MD5"
    result = aka(handset, challenge, 0)
    assert isinstance(result, AkaResult)
    accepted = handset.register(f"Authorization: {credentials(challenge, result.res)}", **who)
    assert accepted.status == 200
    assert accepted.header("P-Associated-URI") == f"<{UE}>, <tel:+491701234567>"
    assert peer.registrar.binding_of(UE) is not None
    # refresh with the same nonce, count up
    again = credentials(challenge, result.res, nc=2)
    assert handset.register(f"Authorization: {again}", **who).status == 200


def test_akav2_binds_the_session_keys_into_the_password(bench: Any) -> None:
    """RFC 4169 2.1: both versions are offered for one vector, and RES alone does not answer AKAv2."""
    bench.start(
        subscribers=(SIM,), authentication=Authentication.AKA, algorithms=("MD5", "AKAv2-MD5", "AKAv1-MD5")
    )
    handset = bench.handset()
    rows = handset.register().all("WWW-Authenticate")
    assert [directive(row, "algorithm") for row in rows] == ["AKAv2-MD5", "AKAv1-MD5"]
    result = aka(handset, rows[0], 0)
    assert isinstance(result, AkaResult)
    keyed = hmac.new(result.res + result.ik + result.ck, b"http-digest-akav2-password", "md5")
    password = base64.b64encode(keyed.digest())
    assert handset.register(f"Authorization: {credentials(rows[0], result.res)}").status == 401
    assert handset.register(f"Authorization: {credentials(rows[0], password, nc=2)}").status == 200
    assert handset.register(f"Authorization: {credentials(rows[1], result.res, nc=3)}").status == 200


def test_a_method_without_an_algorithm_cannot_challenge(bench: Any) -> None:
    peer = bench.start(subscribers=(SIM,), algorithms=("MD5",))
    with pytest.raises(UsageError, match=r"authentication aka: none of MD5"):
        peer.registrar._authenticator.challenge(SIM, Authentication.AKA)


def test_aka_resynchronises_with_auts(bench: Any) -> None:
    peer = bench.start(subscribers=(SIM,), authentication=Authentication.AKA)
    handset = bench.handset()
    ahead = 0x20_0000
    challenge = challenged(handset)
    failure = aka(handset, challenge, ahead)
    assert isinstance(failure, SynchronisationFailure)
    auts = f',auts="{base64.b64encode(failure.auts).decode()}"'
    second = handset.register(f"Authorization: {credentials(challenge, b'', extra=auts)}")
    assert second.status == 401
    renewed = second.header("WWW-Authenticate") or ""
    result = aka(handset, renewed, ahead)
    assert isinstance(result, AkaResult)
    assert result.sqn > ahead
    assert handset.register(f"Authorization: {credentials(renewed, result.res)}").status == 200
    assert peer.bindings


def test_a_registrar_that_forgot_its_sequence_numbers_is_out_of_step(bench: Any) -> None:
    peer = bench.start(subscribers=(SIM,), authentication=Authentication.AKA)
    handset = bench.handset()
    first = aka(handset, challenged(handset), 0)
    assert isinstance(first, AkaResult)
    peer.registrar.forget_sequence_numbers()
    assert isinstance(aka(handset, challenged(handset), first.sqn), SynchronisationFailure)


def test_auts_of_somebody_else_counts_as_wrong(bench: Any) -> None:
    bench.start(subscribers=(SIM,), authentication=Authentication.AKA)
    handset = bench.handset()
    challenge = challenged(handset)
    forged = credentials(challenge, b"", extra=',auts="AAAAAAAAAAAAAAAAAAA="')
    second = handset.register(f"Authorization: {forged}")
    assert second.status == 401
    forged = credentials(second.header("WWW-Authenticate") or "", b"", extra=',auts="!"')
    assert handset.register(f"Authorization: {forged}").status == 403


def test_no_secret_is_ever_shown(bench: Any, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    both = Subscriber(IMPI, (UE,), password=PASSWORD, k=K, opc=OPC)
    peer = bench.start(subscribers=(both,), authentication=Authentication.AKA)
    handset = bench.handset()
    challenge = challenged(handset)
    handset.register(f"Authorization: {credentials(challenge, b'wrong')}")
    shown = " ".join(
        [repr(both), repr(peer.config), str(peer.config), repr(vars(peer.registrar)), caplog.text]
        + [str(event) for event in peer.events]
    )
    for secret in (PASSWORD, K.hex(), OPC.hex(), repr(K), repr(OPC)):
        assert secret not in shown
    with pytest.raises(UsageError) as wrong:
        Subscriber(IMPI, (UE,), k=K[:-1], opc=OPC)
    assert K.hex()[:8] not in str(wrong.value)
