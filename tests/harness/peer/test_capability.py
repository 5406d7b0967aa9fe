"""Capability discovery of the far party, against literal SIP (RFC 3261 11, RFC 3840)."""

from __future__ import annotations

from typing import Any

import pytest

from harness.errors import NotSeen

TAGS = (
    '+g.3gpp.icsi-ref="urn%3Aurn-7%3A3gpp-service.ims.icsi.oma.cpm.session,'
    'urn%3Aurn-7%3A3gpp-service.ims.icsi.oma.cpm.msg"',
    '+g.3gpp.iari-ref="urn%3Aurn-7%3A3gpp-application.ims.iari.rcse.im"',
    "+g.oma.sip-im",
)
CONTACT = ";".join(("Contact: <sip:ue@127.0.0.1:5999>", *TAGS, "expires=600"))


def test_a_query_of_the_handset_is_kept_with_what_it_shows(bench: Any, far: str) -> None:
    peer = bench.start()
    answer = bench.handset().ask("OPTIONS", far, CONTACT, to=far)
    assert answer.status == 200
    assert "oma.cpm.session" in (answer.header("Contact") or "")
    query = bench.call(peer.capabilities.wait_query(timeout=2, about="+491709999999"))
    assert query.tags == ("oma.cpm.session", "oma.cpm.msg", "rcse.im", "+g.oma.sip-im")
    assert (query.status, query.to_number) == (200, "+491709999999")


@pytest.mark.parametrize("status", [404, 480])
def test_a_query_is_refused_once_and_says_so(bench: Any, far: str, status: int) -> None:
    peer = bench.start()
    peer.capabilities.answer_next(status)
    handset = bench.handset()
    answer = handset.ask("OPTIONS", far, CONTACT, to=far)
    assert (answer.status, answer.header("Contact")) == (status, None)
    assert handset.ask("OPTIONS", far, CONTACT, to=far).status == 200
    assert [query.status for query in peer.capabilities.received] == [status, 200]


def test_a_query_without_a_readable_contact_shows_nothing(bench: Any, far: str) -> None:
    peer = bench.start()
    handset = bench.handset()
    handset.ask("OPTIONS", far, to=far)
    handset.ask("OPTIONS", far, "Contact: <sip:un balanced", to=far)
    assert [query.tags for query in peer.capabilities.received] == [(), ()]


def test_no_query_about_this_number_is_not_seen(bench: Any, far: str) -> None:
    peer = bench.start()
    bench.handset().ask("OPTIONS", far, CONTACT, to=far)
    with pytest.raises(NotSeen, match="about \\+4930"):
        bench.call(peer.capabilities.wait_query(timeout=0.05, about="+4930"))


def test_the_handset_is_asked_and_its_tags_are_read(bench: Any, ue: str) -> None:
    peer = bench.start()
    handset = bench.handset()
    handset.register()
    result = bench.begin(peer.capabilities.query(ue))
    request = handset.receive()
    assert request.start.startswith("OPTIONS sip:")
    assert request.header("Accept-Contact") == (
        '*;+g.3gpp.iari-ref="urn%3Aurn-7%3A3gpp-application.ims.iari.rcse.im"'
    )
    assert "oma.cpm.session" in (request.header("Contact") or "")
    assert request.header("P-Asserted-Identity") is not None
    assert (request.header("P-Asserted-Service"), request.header("Conversation-ID")) == (None, None)
    handset.answer(request, "200 OK", CONTACT)
    answer = result()
    assert (answer.status, answer.tags[0], answer.tags[-1]) == (200, "oma.cpm.session", "+g.oma.sip-im")


def test_a_handset_that_is_silent_shows_in_the_result(bench: Any, ue: str) -> None:
    peer = bench.start(request_timeout=0.2)
    handset = bench.handset()
    handset.register()
    answer = bench.call(peer.capabilities.query(ue))
    assert (answer.status, answer.tags) == (None, ())
    assert "no final response" in answer.failure


def test_who_is_not_registered_cannot_be_asked(bench: Any, ue: str) -> None:
    peer = bench.start()
    with pytest.raises(NotSeen, match="expected to be registered"):
        bench.call(peer.capabilities.query(ue))
