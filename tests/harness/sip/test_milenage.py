"""Milenage against test sets of 3GPP TS 35.208 section 4.3."""

from __future__ import annotations

from typing import NamedTuple

import pytest

from harness.errors import UsageError
from harness.sip.milenage import Milenage, opc_from_op


class TestSet(NamedTuple):
    __test__ = False
    k: str
    rand: str
    sqn: str
    amf: str
    op: str
    opc: str
    f1: str
    f1_star: str
    f2: str
    f3: str
    f4: str
    f5: str
    f5_star: str


SETS = {
    1: TestSet(
        k="465b5ce8b199b49faa5f0a2ee238a6bc",
        rand="23553cbe9637a89d218ae64dae47bf35",
        sqn="ff9bb4d0b607",
        amf="b9b9",
        op="cdc202d5123e20f62b6d676ac72cb318",
        opc="cd63cb71954a9f4e48a5994e37a02baf",
        f1="4a9ffac354dfafb3",
        f1_star="01cfaf9ec4e871e9",
        f2="a54211d5e3ba50bf",
        f3="b40ba9a3c58b2a05bbf0d987b21bf8cb",
        f4="f769bcd751044604127672711c6d3441",
        f5="aa689c648370",
        f5_star="451e8beca43b",
    ),
    3: TestSet(
        k="fec86ba6eb707ed08905757b1bb44b8f",
        rand="9f7c8d021accf4db213ccff0c7f71a6a",
        sqn="9d0277595ffc",
        amf="725c",
        op="dbc59adcb6f9a0ef735477b7fadf8374",
        opc="1006020f0a478bf6b699f15c062e42b3",
        f1="9cabc3e99baf7281",
        f1_star="95814ba2b3044324",
        f2="8011c48c0c214ed2",
        f3="5dbdbb2954e8f3cde665b046179a5098",
        f4="59a92d3b476a0443487055cf88b2307b",
        f5="33484dc2136b",
        f5_star="deacdd848cc6",
    ),
    4: TestSet(
        k="9e5944aea94b81165c82fbf9f32db751",
        rand="ce83dbc54ac0274a157c17f80d017bd6",
        sqn="0b604a81eca8",
        amf="9e09",
        op="223014c5806694c007ca1eeef57f004f",
        opc="a64a507ae1a2a98bb88eb4210135dc87",
        f1="74a58220cba84c49",
        f1_star="ac2cc74a96871837",
        f2="f365cd683cd92e96",
        f3="e203edb3971574f5a94b0d61b816345d",
        f4="0c4524adeac041c4dd830d20854fc46b",
        f5="f0b9c08ad02e",
        f5_star="6085a86c6f63",
    ),
    5: TestSet(
        k="4ab1deb05ca6ceb051fc98e77d026a84",
        rand="74b0cd6031a1c8339b2b6ce2b8c4a186",
        sqn="e880a1b580b6",
        amf="9f07",
        op="2d16c5cd1fdf6b22383584e3bef2a8d8",
        opc="dcf07cbd51855290b92a07a9891e523e",
        f1="49e785dd12626ef2",
        f1_star="9e85790336bb3fa2",
        f2="5860fc1bce351e7e",
        f3="7657766b373d1c2138f307e3de9242f9",
        f4="1c42e960d89b8fa99f2744e0708ccb53",
        f5="31e11a609118",
        f5_star="fe2555e54aa9",
    ),
}


@pytest.mark.parametrize("number", SETS)
def test_all_functions(number: int) -> None:
    expected = SETS[number]
    k, rand, sqn, amf = (bytes.fromhex(value) for value in expected[:4])
    assert opc_from_op(k, bytes.fromhex(expected.op)).hex() == expected.opc
    milenage = Milenage(k, bytes.fromhex(expected.opc))
    assert milenage.f1(rand, sqn, amf).hex() == expected.f1
    assert milenage.f1_star(rand, sqn, amf).hex() == expected.f1_star
    res, ck, ik, ak = milenage.f2345(rand)
    assert (res.hex(), ck.hex(), ik.hex(), ak.hex()) == (expected.f2, expected.f3, expected.f4, expected.f5)
    assert milenage.f5_star(rand).hex() == expected.f5_star


def test_keys_are_not_shown() -> None:
    k = bytes.fromhex(SETS[1].k)
    assert k.hex() not in repr(Milenage(k, k))
    assert repr(Milenage(k, k)) == "Milenage(k=..., opc=...)"


def test_wrong_sizes_are_refused_without_showing_the_value() -> None:
    milenage = Milenage(bytes(16), bytes(16))
    for make in (
        lambda: Milenage(b"secretsecret", bytes(16)),
        lambda: Milenage(bytes(16), bytes(15)),
        lambda: milenage.f1(bytes(15), bytes(6), bytes(2)),
        lambda: milenage.f1(bytes(16), bytes(5), bytes(2)),
        lambda: milenage.f1(bytes(16), bytes(6), bytes(3)),
    ):
        with pytest.raises(UsageError) as caught:
            make()
        assert "secret" not in str(caught.value)
