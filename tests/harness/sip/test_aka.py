"""AKA in digest authentication: challenge, answer, resynchronisation, and the two ways it fails."""

from __future__ import annotations

import base64

import pytest

from harness.errors import SipSyntaxError, UsageError
from harness.sip.aka import (
    AkaResult,
    MacFailure,
    SynchronisationFailure,
    answer,
    digest_password,
    make_nonce,
    resync,
    session_keys,
    split_nonce,
)
from harness.sip.digest import answer_challenge, build_challenge, verify_credentials
from harness.sip.headers import Challenge, Credentials
from harness.sip.milenage import Milenage

# TS 35.208 4.3, test set 1
MILENAGE = Milenage(
    bytes.fromhex("465b5ce8b199b49faa5f0a2ee238a6bc"), bytes.fromhex("cd63cb71954a9f4e48a5994e37a02baf")
)
RAND = bytes.fromhex("23553cbe9637a89d218ae64dae47bf35")
SQN = 0xFF9BB4D0B607
AMF = bytes.fromhex("b9b9")
# SQN xor AK = ff9bb4d0b607 xor aa689c648370, then AMF, then MAC-A
AUTN = bytes.fromhex("55f328b43577" + "b9b9" + "4a9ffac354dfafb3")
RES = bytes.fromhex("a54211d5e3ba50bf")
CK = bytes.fromhex("b40ba9a3c58b2a05bbf0d987b21bf8cb")
IK = bytes.fromhex("f769bcd751044604127672711c6d3441")


def nonce(sqn: int = SQN) -> str:
    return make_nonce(MILENAGE, RAND, sqn, AMF)[0]


def test_a_nonce_is_rand_and_autn() -> None:
    made, xres, ck, ik = make_nonce(MILENAGE, RAND, SQN, AMF)
    assert base64.b64decode(made) == RAND + AUTN
    assert (xres, ck, ik) == (RES, CK, IK)
    assert split_nonce(made) == (RAND, AUTN)
    assert make_nonce(MILENAGE, RAND, SQN.to_bytes(6, "big"), AMF)[0] == made
    assert base64.b64decode(make_nonce(MILENAGE, RAND, SQN, AMF, b"data")[0]) == RAND + AUTN + b"data"


def test_a_new_sqn_is_answered() -> None:
    assert answer(MILENAGE, nonce(), SQN - 1) == AkaResult(RES, CK, IK, SQN)


@pytest.mark.parametrize("highest", [SQN, SQN + 1, 2**48 - 1])
def test_an_old_sqn_is_a_synchronisation_failure_that_tells_ours(highest: int) -> None:
    result = answer(MILENAGE, nonce(), highest)
    assert isinstance(result, SynchronisationFailure)
    assert len(result.auts) == 14
    assert resync(MILENAGE, RAND, result.auts) == highest
    assert resync(MILENAGE, RAND, base64.b64encode(result.auts).decode()) == highest


def test_auts_of_test_set_1_conceals_with_f5_star_and_uses_amf_0000() -> None:
    result = answer(MILENAGE, nonce(1), SQN)
    assert isinstance(result, SynchronisationFailure)
    assert result.auts[:6].hex() == "ba853f3c123c"  # ff9bb4d0b607 xor 451e8beca43b
    assert result.auts[6:] == MILENAGE.f1_star(RAND, SQN.to_bytes(6, "big"), bytes(2))
    assert result.auts[6:].hex() != "01cfaf9ec4e871e9"  # f1* with AMF b9b9


@pytest.mark.parametrize("place", [0, 16, 22, 24, 31])
def test_any_changed_octet_is_a_mac_failure_whatever_the_sqn(place: int) -> None:
    octets = bytearray(base64.b64decode(nonce()))
    octets[place] ^= 1
    forged = base64.b64encode(bytes(octets)).decode()
    assert answer(MILENAGE, forged, 0) == MacFailure()
    assert answer(MILENAGE, forged, 2**48 - 1) == MacFailure()


def test_another_key_is_a_mac_failure() -> None:
    assert answer(Milenage(bytes(16), bytes(16)), nonce(), 0) == MacFailure()


def test_a_forged_auts_is_refused() -> None:
    result = answer(MILENAGE, nonce(), SQN)
    assert isinstance(result, SynchronisationFailure)
    forged = bytes([result.auts[0] ^ 1]) + result.auts[1:]
    for bad in (forged, result.auts[:13], b"", "no base64!", "AAAA"):
        with pytest.raises(SipSyntaxError):
            resync(MILENAGE, RAND, bad)


@pytest.mark.parametrize("bad", ["", "no base64!", base64.b64encode(bytes(31)).decode(), "ä"])
def test_what_is_no_aka_nonce(bad: str) -> None:
    with pytest.raises(SipSyntaxError):
        answer(MILENAGE, bad, 0)


def test_an_sqn_has_48_bits() -> None:
    for bad in (-1, 2**48):
        with pytest.raises(UsageError):
            make_nonce(MILENAGE, RAND, bad, AMF)


@pytest.mark.parametrize("algorithm", ["AKAv1-MD5", "AKAv2-MD5", "AKAv1-SHA-256"])
def test_a_registration_with_aka(algorithm: str) -> None:
    made, xres, ck, ik = make_nonce(MILENAGE, RAND, SQN, AMF)
    sent = str(build_challenge("ims.example.org", made, algorithm=algorithm))
    challenge = Challenge.parse(sent)
    result = answer(MILENAGE, challenge.parameters["nonce"] or "", SQN - 1)
    assert isinstance(result, AkaResult)
    password = digest_password(algorithm, result.res, result.ck, result.ik)
    value = answer_challenge(challenge, "REGISTER", "sip:ims.example.org", "user@ims.example.org", password)
    credentials = Credentials.parse(value)
    expected = digest_password(algorithm, xres, ck, ik)
    assert verify_credentials(credentials, "REGISTER", expected, nonce=made, algorithm=algorithm)
    assert not verify_credentials(credentials, "REGISTER", b"wrong")


def test_a_resynchronisation_uses_an_empty_password() -> None:
    challenge = build_challenge("ims.example.org", nonce(), algorithm="AKAv1-MD5")
    result = answer(MILENAGE, nonce(), SQN + 32)
    assert isinstance(result, SynchronisationFailure)
    value = answer_challenge(challenge, "REGISTER", "sip:ims.example.org", "u", b"", auts=result.auts)
    credentials = Credentials.parse(value)
    assert verify_credentials(credentials, "REGISTER", b"")
    assert resync(MILENAGE, RAND, credentials.parameters["auts"] or "") == SQN + 32


def test_akav2_password_and_keys() -> None:
    # HMAC-MD5 worked out with openssl over RES || IK || CK, and over IK and CK
    assert digest_password("AKAv1-MD5", RES, CK, IK) == RES
    assert digest_password("AKAv2-MD5", RES, CK, IK) == b"shzt3q8CWaZnCAWqs3WmEQ=="
    assert session_keys("AKAv1-MD5", CK, IK) == (CK, IK)
    masked_ck, masked_ik = session_keys("AKAv2-MD5", CK, IK)
    assert masked_ck.hex() == "235bedbfc6b418b8f04a63a41d31ac62"
    assert masked_ik.hex() == "81905d9d7ab8cce8b7884d599d5e6a18"
    with pytest.raises(SipSyntaxError):
        digest_password("MD5", RES, CK, IK)


def test_results_do_not_show_secrets() -> None:
    shown = repr(answer(MILENAGE, nonce(), 0)) + repr(answer(MILENAGE, nonce(), SQN))
    for secret in (RES, CK, IK):
        assert secret.hex() not in shown
        assert repr(secret) not in shown
    assert shown.startswith(f"AkaResult(sqn={SQN})SynchronisationFailure(")
