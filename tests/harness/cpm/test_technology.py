"""What each technology puts on the wire, and what is read of either."""

from __future__ import annotations

import pytest

from harness.cpm.services import Service
from harness.cpm.technology import TECHNOLOGIES, ImTechnology, services_in
from harness.sip.caller_preferences import AcceptContact

CPM, SIMPLE_IM = (TECHNOLOGIES[each] for each in (ImTechnology.CPM, ImTechnology.SIMPLE_IM))
SESSION_TAG = '+g.3gpp.icsi-ref="urn%3Aurn-7%3A3gpp-service.ims.icsi.oma.cpm.session"'
FILE_TAG = '+g.3gpp.iari-ref="urn%3Aurn-7%3A3gpp-application.ims.iari.rcse.ft"'


def test_the_tags_of_services() -> None:
    assert CPM.feature_tag(Service.SESSION_GROUP) == SESSION_TAG
    assert SIMPLE_IM.feature_tag(Service.SESSION_GROUP) == "+g.oma.sip-im"
    assert SIMPLE_IM.accept_contact(Service.SESSION) == "*;+g.oma.sip-im"
    assert SIMPLE_IM.feature_tag(Service.FILE_TRANSFER) == FILE_TAG


def test_what_a_client_announces() -> None:
    services = [Service.PAGER, Service.SESSION, Service.SESSION_GROUP, Service.FILE_TRANSFER, Service.LARGE]
    prefix = "urn%3Aurn-7%3A3gpp-service.ims.icsi.oma.cpm."
    listed = ",".join(prefix + name for name in ("msg", "session", "filetransfer", "largemsg"))
    assert CPM.announced(services) == (
        f'+g.3gpp.icsi-ref="{listed}"',
        '+g.3gpp.iari-ref="urn%3Aurn-7%3A3gpp-application.ims.iari.rcse.im"',
    )
    assert SIMPLE_IM.announced(services) == ("+g.oma.sip-im", FILE_TAG)


def test_the_headers_of_a_conversation() -> None:
    assert CPM.conversation_rows("c", "t") == [("Conversation-ID", "c"), ("Contribution-ID", "t")]
    assert SIMPLE_IM.conversation_rows("c", "t") == [("Contribution-ID", "t")]
    named = [("P-Preferred-Service", "urn:urn-7:3gpp-service.ims.icsi.oma.cpm.session")]
    assert CPM.service_rows("P-Preferred-Service", Service.SESSION) == named
    assert SIMPLE_IM.service_rows("P-Preferred-Service", Service.SESSION) == []


@pytest.mark.parametrize(
    ("value", "services"),
    [
        (f"*;{SESSION_TAG}", [Service.SESSION]),
        ("*;+g.oma.sip-im", [Service.SESSION]),
        (f"*;{FILE_TAG};require;explicit", [Service.FILE_TRANSFER]),
        ('*;+g.3gpp.iari-ref="urn%3Aurn-7%3A3gpp-application.ims.iari.rcse.im"', []),
        ("*;audio", []),
    ],
)
def test_either_is_read(value: str, services: list[Service]) -> None:
    assert services_in(AcceptContact.parse(value).features) == services
