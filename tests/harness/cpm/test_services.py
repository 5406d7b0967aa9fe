"""Services and their tags as they stand on the wire."""

from __future__ import annotations

import pytest

from harness.cpm.services import FEATURE_TAGS, Service, decode_urn, encode_urn, service_of


def test_a_service_has_a_plain_urn_and_an_escaped_tag():
    assert Service.PAGER.icsi == "urn:urn-7:3gpp-service.ims.icsi.oma.cpm.msg"
    assert (
        Service.PAGER.accept_contact == '*;+g.3gpp.icsi-ref="urn%3Aurn-7%3A3gpp-service.ims.icsi.oma.cpm.msg"'
    )


def test_a_group_service_is_announced_by_its_parent():
    assert Service.SESSION_GROUP.announced is Service.SESSION
    assert Service.SESSION_GROUP.feature_tag == Service.SESSION.feature_tag


@pytest.mark.parametrize("service", list(Service))
def test_a_service_is_known_again_however_written(service):
    assert service_of(service.icsi) is service_of(encode_urn(service.icsi).upper()) is service
    assert decode_urn(f"<{service.icsi}>") == service.icsi


def test_what_is_no_cpm_service_is_none():
    assert service_of("urn:urn-7:3gpp-service.ims.icsi.mmtel") is None


def test_every_tag_has_meaning_and_source():
    assert all(tag.text and tag.meaning and tag.source for tag in FEATURE_TAGS)
    assert len({tag.text for tag in FEATURE_TAGS}) == len(FEATURE_TAGS)
