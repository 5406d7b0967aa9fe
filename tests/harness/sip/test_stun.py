"""STUN on the SIP port: the vectors of RFC 5769, and what is no STUN."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.errors import SipSyntaxError
from harness.sip.stun import (
    Kind,
    StunMessage,
    Type,
    binding_request,
    binding_response,
    is_stun,
    parse_stun,
    write_stun,
)

# RFC 5769 2.1, 2.2, 2.3
REQUEST = bytes.fromhex(
    "000100582112a442b7e7a701bc34d686fa87dfae802200105354554e207465737420636c69656e74002400046e0001ff"
    "80290008932ff9b151263b36000600096576746a3a68367659202020000800149aeaa70cbfd8cb56781ef2b5b2d3f249"
    "c1b571a280280004e57a3bcf"
)
IPV4 = bytes.fromhex(
    "0101003c2112a442b7e7a701bc34d686fa87dfae8022000b7465737420766563746f7220002000080001a147e112a643"
    "000800142b91f599fd9e90c38c7489f92af9ba53f06be7d780280004c07d4c96"
)
IPV6 = bytes.fromhex(
    "010100482112a442b7e7a701bc34d686fa87dfae8022000b7465737420766563746f7220002000140002a1470113a9fa"
    "a5d3f179bc25f4b5bed2b9d900080014a382954e4be67bf11784c97c8292c275bfe3ed4180280004c8fb0b4c"
)
# RFC 5769 2.4
LONG_TERM = bytes.fromhex(
    "000100602112a44278ad3433c6ad72c029da412e00060012e3839ee38388e383aae38383e382af"
    "e382b900000015001c662f2f3439396b39353464364f4c33346f4c394653547679"
    "3634734100140"
    "00b6578616d706c652e6f72670000080014f67024656dd64a3e02b8e0712e85c9a28ca89666"
)


def test_the_sample_request_is_read() -> None:
    message = parse_stun(REQUEST)
    assert (message.kind, message.is_binding) == (Kind.REQUEST, True)
    assert message.transaction.hex() == "b7e7a701bc34d686fa87dfae"
    assert message.value(Type.SOFTWARE) == b"STUN test client"
    assert message.value(Type.USERNAME) == b"evtj:h6vY"
    assert message.has_fingerprint
    assert message.unknown == (0x0024,)  # PRIORITY is of ICE; ICE-CONTROLLED need not be understood


@pytest.mark.parametrize(
    ("octets", "address"),
    [(IPV4, ("192.0.2.1", 32853)), (IPV6, ("2001:db8:1234:5678:11:2233:4455:6677", 32853))],
    ids=["IPv4", "IPv6"],
)
def test_the_sample_responses_are_read(octets: bytes, address: tuple[str, int]) -> None:
    message = parse_stun(octets)
    assert message.kind is Kind.SUCCESS and message.is_binding
    assert message.mapped_address == address
    assert message.value(Type.SOFTWARE) == b"test vector"


def test_the_sample_with_long_term_authentication_is_read() -> None:
    message = parse_stun(LONG_TERM)
    assert message.value(Type.USERNAME).decode() == "マトリックス"
    assert message.value(Type.REALM) == b"example.org"
    assert message.unknown == () and not message.has_fingerprint


@pytest.mark.parametrize(("octets", "at"), [(IPV4, 36), (IPV6, 36)], ids=["IPv4", "IPv6"])
def test_an_address_is_written_as_in_the_samples(octets: bytes, at: int) -> None:
    mapped = parse_stun(octets).mapped_address
    request = StunMessage(Kind.REQUEST, 1, octets[8:20])
    written = write_stun(binding_response(request, *mapped))
    attribute = octets[at : at + 4 + octets[at + 3]]
    assert written == octets[:2] + len(attribute).to_bytes(2, "big") + octets[4:20] + attribute


def test_a_fingerprint_is_given_to_who_gave_one() -> None:
    request = parse_stun(write_stun(binding_request(fingerprint=True)))
    response = write_stun(binding_response(request, "192.0.2.1", 5060))
    assert response[-8:-4] == bytes.fromhex("80280004")
    assert parse_stun(response).has_fingerprint  # it is checked there, by the octets of the samples
    plain = parse_stun(write_stun(binding_request()))
    assert not binding_response(plain, "192.0.2.1", 5060).has_fingerprint


def test_a_binding_request_needs_nothing_but_its_header() -> None:
    one, other = write_stun(binding_request()), write_stun(binding_request())
    assert one[:8] == bytes.fromhex("000100002112a442") and len(one) == 20
    assert one[8:] != other[8:]


def test_what_has_to_be_understood_and_is_not_gives_420() -> None:
    response = binding_response(parse_stun(REQUEST), "192.0.2.1", 5060)
    assert response.kind is Kind.ERROR
    assert response.error == (420, "Unknown Attribute")
    assert response.value(Type.UNKNOWN_ATTRIBUTES) == b"\x00\x24"
    assert response.transaction == REQUEST[8:20]
    octets = write_stun(response)
    assert octets[:2] == b"\x01\x11"
    assert octets[20:28] == bytes.fromhex("0009001500000414")
    assert parse_stun(octets).value(Type.UNKNOWN_ATTRIBUTES) == b"\x00\x24"


@pytest.mark.parametrize(
    ("octets", "what", "offset"),
    [
        (b"", "STUN header", 0),
        (b"MESSAGE sip:a@b SIP/2.0\r\n\r\n", "STUN header", 0),
        (bytes(20), "STUN header", 0),
        (IPV4[:-4], "STUN length", 2),
        (IPV4 + b"\0", "STUN length", 2),
        (IPV4[:2] + b"\x00\x3d" + IPV4[4:] + b"\0", "STUN length", 2),
        (IPV4[:22] + b"\xff\xff" + IPV4[24:], "STUN attribute", 20),
        (IPV4[:-1] + b"\0", "STUN FINGERPRINT", 72),
        (IPV4[:30] + b"\0" + IPV4[31:], "STUN FINGERPRINT", 72),
        (IPV4[:20] + IPV4[-8:] + IPV4[20:-8], "STUN FINGERPRINT", 20),
    ],
)
def test_what_is_no_stun_is_told_with_its_place(octets: bytes, what: str, offset: int) -> None:
    with pytest.raises(SipSyntaxError) as caught:
        parse_stun(octets)
    assert (caught.value.what, caught.value.offset) == (what, offset)
    assert caught.value.clause.startswith("RFC 5389")


@pytest.mark.parametrize("value", [b"", b"\0\1\0", b"\0\1\xa1\x47", b"\0\3\xa1\x47" + bytes(4)])
def test_a_mapped_address_that_is_none_is_none(value: bytes) -> None:
    octets = write_stun(StunMessage(Kind.SUCCESS, 1, bytes(12), ((Type.XOR_MAPPED_ADDRESS, value),)))
    assert parse_stun(octets).mapped_address is None


def test_behind_the_integrity_only_the_fingerprint_counts() -> None:
    """RFC 5389 15.4."""
    integrity = ((int(Type.MESSAGE_INTEGRITY), bytes(20)), (0x0024, bytes(4)), (int(Type.FINGERPRINT), b""))
    message = parse_stun(write_stun(StunMessage(Kind.REQUEST, 1, bytes(12), integrity)))
    assert message.unknown == () and message.has_fingerprint


@given(
    st.sampled_from(Kind),
    st.integers(0, 0xFFF),
    st.binary(min_size=12, max_size=12),
    st.lists(
        st.tuples(st.integers(0, 0xFFFF).filter(lambda n: n not in (8, 0x8028)), st.binary(max_size=40))
    ),
)
def test_what_is_written_is_read_back(
    kind: Kind, method: int, transaction: bytes, attributes: list[tuple[int, bytes]]
) -> None:
    message = StunMessage(kind, method, transaction, tuple(attributes))
    assert parse_stun(write_stun(message)) == message


@given(st.binary(max_size=200), st.booleans())
def test_no_octets_raise_anything_but_our_own_error(octets: bytes, cookie: bool) -> None:
    if cookie:
        length = (max(len(octets) - 20, 0)).to_bytes(2, "big")
        octets = (
            octets[:1].replace(octets[:1], b"\0") + octets[1:2] + length + b"\x21\x12\xa4\x42" + octets[8:]
        )
    try:
        message = parse_stun(octets)
    except SipSyntaxError:
        return
    assert is_stun(octets)
    _ = message.mapped_address, message.error, message.unknown
    if message.kind is Kind.REQUEST:
        write_stun(binding_response(message, "192.0.2.1", 1))


def test_a_message_of_a_megabyte_is_read_in_a_moment() -> None:
    attributes = tuple((0x8022, b"") for _ in range(16_000))
    message = StunMessage(Kind.REQUEST, 1, bytes(12), attributes)
    assert parse_stun(write_stun(message)) == message
