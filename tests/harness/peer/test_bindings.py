"""Bindings found by any identity of their user, and let go when their time is over."""

from __future__ import annotations

import random
from dataclasses import replace

import pytest

from harness.evidence.timeline import Address, Transport
from harness.peer import bindings as module
from harness.peer.bindings import Binding, Bindings
from harness.peer.flow import Flow
from harness.peer.identities import names
from harness.sip.headers import NameAddr

FLOW = Flow(Transport.UDP, Address("192.0.2.1", 5060), Address("192.0.2.2", 5060), None, None, True)


def binding(user: int, *, number: int = 0, ends: float = 100.0, associated: tuple[str, ...] = ()) -> Binding:
    contact = f"sip:ue{number}@192.0.2.1"
    return Binding(
        aor=f"sip:{user}@ims.example",
        contact=contact,
        address=NameAddr.parse(f"<{contact}>"),
        features={},
        instance=None,
        associated=associated,
        flow=FLOW,
        call_id="c",
        cseq=1,
        expires=100,
        expires_at=ends,
        registered_at=0.0,
        number=number,
    )


def test_a_binding_is_found_by_every_identity_of_its_user() -> None:
    held = Bindings()
    one = binding(1, associated=("sip:+491701234567@ims.example;user=phone", "sip:one@ims.example"))
    held.put(one.aor, [one])
    held.put("sip:2@ims.example", [binding(2)])
    for identity in (
        "sip:1@IMS.example",
        "tel:+49-170-1234567",
        "+491701234567",
        "sip:+491701234567@elsewhere.example;user=phone",
        "sip:one@ims.example;x=y",
    ):
        assert held.named(identity) == [one], identity
    assert held.named("sip:three@ims.example") == []


def test_what_is_replaced_or_removed_is_no_longer_found() -> None:
    held = Bindings()
    old, new = binding(1, associated=("tel:+491",)), binding(1, number=2, associated=("tel:+492",))
    held.put(old.aor, [old])
    held.put(old.aor, [new])
    assert held.named("tel:+491") == []
    held.remove(old)
    assert held.named("tel:+492") == [new]
    held.remove(new)
    assert (held.named("tel:+492"), held.all(), held.of(new.aor)) == ([], [], ())


def test_the_end_of_a_refreshed_binding_is_the_new_one() -> None:
    held = Bindings()
    held.put("a", [replace(binding(1), aor="a", expires_at=10.0)])
    held.put("a", [replace(binding(1), aor="a", expires_at=20.0)])
    assert held.next_end() == 20.0
    assert held.take_overdue(15.0) == {}
    assert list(held.take_overdue(20.0)) == ["a"]
    assert (held.next_end(), held.all()) == (None, [])


def test_refreshes_do_not_pile_up() -> None:
    held = Bindings()
    for number in range(5000):
        held.put("sip:1@ims.example", [binding(1, number=number, ends=1000.0 + number)])
    assert len(held._ends) < 100
    assert held.next_end() == 5999.0


def test_only_the_overdue_contact_of_several_goes() -> None:
    held = Bindings()
    short, long = binding(1, number=1, ends=10.0), binding(1, number=2, ends=30.0)
    held.put(short.aor, [short, long])
    assert held.take_overdue(10.0) == {short.aor: (short,)}
    assert held.of(short.aor) == (long,)
    assert held.next_end() == 30.0


def test_the_index_says_what_a_search_through_all_would() -> None:
    chance = random.Random(5)
    held = Bindings()
    kept: dict[str, list[Binding]] = {}
    for number in range(1, 400):
        associated = tuple(f"tel:+49{chance.randrange(30)}" for _ in range(chance.randrange(3)))
        new = binding(
            chance.randrange(40), number=number, ends=float(chance.randrange(500)), associated=associated
        )
        kept[new.aor] = [*kept.get(new.aor, [])[-2:], new]
        held.put(new.aor, kept[new.aor])
        if number % 10 == 0:
            held.take_overdue(float(number))
            kept = {aor: [each for each in all_ if each.expires_at > number] for aor, all_ in kept.items()}
        identity = f"tel:+49{chance.randrange(30)}"
        everyone = [each for all_ in kept.values() for each in all_]
        expected = [each.number for each in everyone if names(identity, (each.aor, *each.associated))]
        assert [each.number for each in held.named(identity)] == sorted(expected)
    assert held.next_end() == min(each.expires_at for all_ in kept.values() for each in all_)


def test_a_thousand_users_are_not_searched_for_one(monkeypatch: pytest.MonkeyPatch) -> None:
    held = Bindings()
    for user in range(1000):
        held.put(f"sip:{user}@ims.example", [binding(user)])
    asked: list[str] = []

    def counted(identity: str, others: tuple[str, ...]) -> bool:
        asked.append(identity)
        return names(identity, others)

    monkeypatch.setattr(module, "names", counted)
    assert len(held.named("sip:500@ims.example")) == 1
    assert len(asked) == 1
