"""RFC 3261 10.3 from the outside: REGISTER on the wire in, responses and bindings out."""

from __future__ import annotations

import re
from typing import Any

import pytest

from harness.errors import NotSeen, UsageError
from harness.peer.config import PeerConfig, Subscriber
from harness.peer.registrar import Change

AOR = "sip:+491701234567@ims.example"


def test_a_register_binds_and_is_answered_as_ims_does(bench: Any, ue: str) -> None:
    peer = bench.start()
    handset = bench.handset()
    answer = handset.register(
        "Supported: path",
        contact=f'<{handset.contact}>;+sip.instance="<urn:gsma:imei:49015420-323751-0>"'
        ';+g.3gpp.icsi-ref="urn%3Aurn-7%3A3gpp-service.ims.icsi.oma.cpm.msg";expires=600',
    )
    local = f"127.0.0.1:{peer.addresses.sip_udp[0].port}"
    assert answer.status == 200
    assert re.fullmatch(r"<.*>;.*expires=600", answer.header("Contact") or "")
    assert answer.header("P-Associated-URI") == f"<{ue}>, <tel:+491701234567>"
    assert answer.header("Service-Route") == f"<sip:orig@{local};lr>"
    assert answer.header("Path") == f"<sip:term@{local};lr>"
    assert answer.header("Record-Route") is None
    assert ";tag=" in (answer.header("To") or "")
    binding = bench.call(peer.registrar.wait_registered(timeout=1))
    assert binding.aor == AOR
    assert binding.contact == handset.contact
    assert binding.instance == "urn:gsma:imei:49015420-323751-0"
    assert binding.belongs_to("+491701234567")
    assert binding.belongs_to("tel:+49-170-1234567")
    assert peer.bindings[AOR] == binding


def test_a_query_is_told_the_service_route_of_the_registration(bench: Any) -> None:
    """RFC 3608 6.3, by whatever address of the peer the query comes."""
    peer = bench.start(listen=(("127.0.0.1", 0), ("::1", 0)))
    registered = bench.handset(address=1).register(call_id="one")
    asked = bench.handset(address=0).register(contact="", call_id="two")
    assert asked.header("Contact") is not None
    route = f"<sip:orig@[::1]:{peer.addresses.sip_udp[1].port};lr>"
    assert [registered.all("Service-Route"), asked.all("Service-Route")] == [[route], [route]]


def test_service_routes_stand_in_their_order_and_only_where_something_is_bound(bench: Any) -> None:
    """RFC 3608 6.1 and 6.3: the topmost is visited first; without one the handset forgets what it had."""
    routes = ("<sip:edge.ims.example;lr>", "<sip:orig@home.ims.example;lr;x=1>")
    bench.start(service_route=routes)
    handset = bench.handset()
    assert ", ".join(handset.register().all("Service-Route")) == ", ".join(routes)
    assert handset.register(contact=f"<{handset.contact}>;expires=0").header("Service-Route") is None


@pytest.mark.parametrize("value", ["sip:home.ims.example;lr", "<sip:home.ims.example>", "<home>", ""])
def test_a_service_route_that_is_no_loose_route_is_refused(value: str) -> None:
    with pytest.raises(UsageError, match="RFC 3608 5"):
        PeerConfig("ims.example", service_route=("<sip:edge.ims.example;lr>", value))


def test_path_only_for_a_handset_that_knows_it(bench: Any) -> None:
    bench.start()
    assert bench.handset().register().header("Path") is None


def test_a_refresh_keeps_one_binding_and_is_told_apart(bench: Any) -> None:
    peer = bench.start()
    handset = bench.handset()
    handset.register()
    handset.register()
    assert len(peer.registrar.all_bindings()) == 1
    assert [line.change for line in peer.registrar.history] == [Change.REGISTERED, Change.REFRESHED]


def test_an_older_request_of_the_same_call_changes_nothing(bench: Any) -> None:
    peer = bench.start()
    handset = bench.handset()
    handset.register(cseq=5)
    answer = handset.register(contact=f"<{handset.contact}>;expires=0", cseq=5, branch="other", from_tag="x")
    assert answer.status == 500
    assert peer.bindings


def test_all_contacts_or_none(bench: Any) -> None:
    peer = bench.start(min_expires=100)
    handset = bench.handset()
    answer = handset.register(contact=f"<{handset.contact}>;expires=600, <sip:other@127.0.0.2>;expires=20")
    assert (answer.status, answer.header("Min-Expires")) == (423, "100")
    assert not peer.bindings
    answer = handset.register(contact=f"<{handset.contact}>;expires=600, <sip:other@127.0.0.2>;expires=120")
    assert answer.status == 200
    assert len(answer.all("Contact")) == 2


@pytest.mark.parametrize(
    ("contact", "expires", "granted"),
    [
        ("<{c}>;expires=600", "60", 600),
        ("<{c}>", "900", 900),
        ("<{c}>", None, 3600),
        ("<{c}>;expires=x", None, 3600),
    ],
)
def test_lifetime_is_that_of_the_contact_then_of_the_request(
    bench: Any, contact: str, expires: str | None, granted: int
) -> None:
    bench.start()
    handset = bench.handset()
    rows = [f"Expires: {expires}"] if expires else []
    answer = handset.register(*rows, contact=contact.format(c=handset.contact))
    assert f"expires={granted}" in (answer.header("Contact") or "")


def test_a_query_lists_and_changes_nothing(bench: Any) -> None:
    peer = bench.start()
    handset = bench.handset()
    handset.register()
    before = peer.registrar.history[:]
    answer = handset.register(contact="")
    assert answer.status == 200
    assert handset.contact in (answer.header("Contact") or "")
    assert peer.registrar.history == before


@pytest.mark.parametrize("end", ["contact", "star"])
def test_deregistration(bench: Any, end: str) -> None:
    peer = bench.start()
    handset = bench.handset()
    handset.register()
    mark = peer.mark()
    if end == "contact":
        answer = handset.register(contact=f"<{handset.contact}>;expires=0")
    else:
        answer = handset.register("Expires: 0", contact="*")
    assert answer.status == 200
    assert answer.header("Contact") is None
    gone = bench.call(peer.registrar.wait_deregistered(AOR, timeout=1, after=mark))
    assert gone.contact == handset.contact
    assert not peer.bindings


def test_star_needs_expires_zero(bench: Any) -> None:
    peer = bench.start()
    handset = bench.handset()
    handset.register()
    assert handset.register("Expires: 60", contact="*").status == 400
    assert peer.bindings


def test_a_new_contact_of_the_same_instance_replaces_the_old_one(bench: Any) -> None:
    peer = bench.start()
    first, second = bench.handset(), bench.handset()
    instance = '+sip.instance="<urn:gsma:imei:49015420-323751-0>"'
    first.register(contact=f"<{first.contact}>;{instance}")
    second.register(contact=f"<{second.contact}>;{instance}", call_id="after-the-radio-came-back")
    assert [binding.contact for binding in peer.registrar.all_bindings()] == [second.contact]


def test_a_binding_ends_with_its_time(bench: Any) -> None:
    peer = bench.start()
    handset = bench.handset()
    handset.register(contact=f"<{handset.contact}>;expires=100")
    bench.now = 101

    async def look() -> None:
        peer.registrar.purge()

    assert not peer.bindings
    bench.call(look())
    assert peer.registrar.history[-1].change is Change.EXPIRED


@pytest.mark.parametrize(
    ("status", "headers"),
    [(403, {}), (404, {}), (480, {}), (500, {}), (423, {"Min-Expires": "900"}), (503, {"Retry-After": "7"})],
)
def test_answers_a_test_asks_for(bench: Any, status: int, headers: dict[str, str]) -> None:
    peer = bench.start()
    peer.registrar.answer_next(status, headers, count=2)
    handset = bench.handset()
    for _ in range(2):
        answer = handset.register()
        assert answer.status == status
        assert all(answer.header(name) == value for name, value in headers.items())
    assert not peer.bindings
    assert handset.register().status == 200


def test_silence_is_kept_for_repeats_too(bench: Any) -> None:
    peer = bench.start()
    peer.registrar.answer_next(None)
    handset = bench.handset()
    request = handset.request("REGISTER", "sip:ims.example", f"Contact: <{handset.contact}>")
    handset.send(request)
    handset.send(request)
    assert handset.silence(0.3)
    assert not peer.bindings
    assert handset.register().status == 200


def test_a_2xx_with_headers_changed(bench: Any) -> None:
    peer = bench.start()
    peer.registrar.answer_next(200, {"Service-Route": None, "P-Associated-URI": "<sip:somebody@else>"})
    answer = bench.handset().register()
    assert answer.header("Service-Route") is None
    assert answer.header("P-Associated-URI") == "<sip:somebody@else>"
    assert peer.bindings


def test_408_is_never_given(bench: Any) -> None:
    peer = bench.start()
    with pytest.raises(UsageError, match="RFC 4320"):
        peer.registrar.answer_next(408)


def test_what_was_seen_instead_is_told(bench: Any) -> None:
    peer = bench.start()
    peer.registrar.answer_next(403)
    bench.handset().register()
    with pytest.raises(NotSeen, match=r"registration .* 0.1 s; seen instead: .*403"):
        bench.call(peer.registrar.wait_registered(AOR, timeout=0.1, after=0))


def test_a_wait_ends_when_the_peer_stops(bench: Any) -> None:
    peer = bench.start()
    wait = bench.begin(peer.registrar.wait_registered(timeout=30))
    bench.call(peer.stop())
    with pytest.raises(NotSeen, match="stopped"):
        wait()


def test_identities_of_a_subscriber(bench: Any) -> None:
    subscriber = Subscriber("ue@ims.example", ("sip:default@ims.example", "tel:+491701234567"))
    bench.start(subscribers=(subscriber,))
    answer = bench.handset().register()
    assert answer.header("P-Associated-URI") == "<sip:default@ims.example>, <tel:+491701234567>"
