"""Milenage, the example set of AKA functions f1 to f5* over AES-128 (3GPP TS 35.206)."""

from __future__ import annotations

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

from harness.errors import UsageError

# TS 35.206 4.1: rotations r1..r5 in octets, and the last octet of the constants c1..c5
_ROTATIONS = (8, 0, 4, 8, 12)
_CONSTANTS = (0, 1, 2, 4, 8)


def _xor(one: bytes, other: bytes) -> bytes:
    return bytes(a ^ b for a, b in zip(one, other, strict=True))


def _encrypt(key: bytes, block: bytes) -> bytes:
    encryptor = Cipher(algorithms.AES(key), modes.ECB()).encryptor()
    return encryptor.update(block)


def _demand(value: bytes, size: int, what: str) -> bytes:
    if len(value) != size:
        raise UsageError(f"{what} has {len(value)} octets, TS 35.206 wants {size}")
    return bytes(value)


def opc_from_op(k: bytes, op: bytes) -> bytes:
    """OPc of a subscriber from the operator's OP (TS 35.206 4.1). 16 octets each. Raises UsageError."""
    return _xor(_encrypt(_demand(k, 16, "K"), _demand(op, 16, "OP")), op)


class Milenage:
    """The functions with the key and OPc of one subscriber. Raises UsageError for values of a wrong size."""

    __slots__ = ("_k", "_opc")

    def __init__(self, k: bytes, opc: bytes) -> None:
        self._k, self._opc = _demand(k, 16, "K"), _demand(opc, 16, "OPc")

    def __repr__(self) -> str:
        return "Milenage(k=..., opc=...)"

    def f1(self, rand: bytes, sqn: bytes, amf: bytes) -> bytes:
        """MAC-A, 8 octets."""
        return self._out1(rand, sqn, amf)[:8]

    def f1_star(self, rand: bytes, sqn: bytes, amf: bytes) -> bytes:
        """MAC-S of a resynchronisation, 8 octets; its AMF is 0000 (TS 33.102 6.3.3)."""
        return self._out1(rand, sqn, amf)[8:]

    def f2345(self, rand: bytes) -> tuple[bytes, bytes, bytes, bytes]:
        """RES (8 octets), CK (16), IK (16) and AK (6)."""
        temp = self._temp(rand)
        out2 = self._out(1, temp)
        return out2[8:], self._out(2, temp), self._out(3, temp), out2[:6]

    def f5_star(self, rand: bytes) -> bytes:
        """AK of a resynchronisation, 6 octets."""
        return self._out(4, self._temp(rand))[:6]

    def _temp(self, rand: bytes) -> bytes:
        return _encrypt(self._k, _xor(_demand(rand, 16, "RAND"), self._opc))

    def _out1(self, rand: bytes, sqn: bytes, amf: bytes) -> bytes:
        half = _demand(sqn, 6, "SQN") + _demand(amf, 2, "AMF")
        rotated = _rotate(_xor(half + half, self._opc), _ROTATIONS[0])
        return _xor(_encrypt(self._k, _xor(self._temp(rand), rotated)), self._opc)

    def _out(self, number: int, temp: bytes) -> bytes:
        block = bytearray(_rotate(_xor(temp, self._opc), _ROTATIONS[number]))
        block[15] ^= _CONSTANTS[number]
        return _xor(_encrypt(self._k, bytes(block)), self._opc)


def _rotate(block: bytes, count: int) -> bytes:
    return block[count:] + block[:count]
