"""Recipient lists: the examples of RFC 5366 and RFC 4826, and what a list should not hold."""

from __future__ import annotations

import pytest

from harness.bodies.resource_lists import parse_resource_lists, write_resource_lists
from harness.errors import BodySyntaxError

FLAT = b"""<?xml version="1.0" encoding="UTF-8"?>
<resource-lists xmlns="urn:ietf:params:xml:ns:resource-lists"
          xmlns:cp="urn:ietf:params:xml:ns:copycontrol">
  <list>
    <entry uri="sip:bill@example.com" cp:copyControl="to"  />
    <entry uri="sip:joe@example.org" cp:copyControl="cc" />
    <entry uri="sip:ted@example.net" cp:copyControl="bcc" />
  </list>
</resource-lists>
"""
NESTED = b"""<resource-lists xmlns="urn:ietf:params:xml:ns:resource-lists">
 <list name="friends">
  <entry uri="sip:bill@example.com"><display-name>Bill Doe</display-name></entry>
  <entry-ref ref="resource-lists/users/sip%3abill@example.com/index/~~/resource-lists/list"/>
  <list name="close-friends">
   <entry uri="sip:joe@example.com"/>
   <external anchor="https://xcap.example.org/list"/>
  </list>
 </list>
</resource-lists>"""


def test_a_flat_list_names_recipients_and_how_they_are_copied() -> None:
    found = parse_resource_lists(FLAT)
    assert [(each.uri, each.copy) for each in found.recipients] == [
        ("sip:bill@example.com", "to"),
        ("sip:joe@example.org", "cc"),
        ("sip:ted@example.net", "bcc"),
    ]
    assert (found.lists, found.nested, found.references) == (1, None, ())
    assert FLAT[found.recipients[1].offset :].lstrip().startswith(b'<entry uri="sip:joe')


def test_what_nests_or_refers_elsewhere_is_told() -> None:
    found = parse_resource_lists(NESTED)
    assert [(each.uri, each.copy) for each in found.recipients] == [
        ("sip:bill@example.com", None),
        ("sip:joe@example.com", None),
    ]
    assert found.nested is not None and found.nested.get("name") == "close-friends"
    assert [each.local for each in found.references] == ["entry-ref", "external"]


def test_ten_thousand_entries_are_read() -> None:
    entries = b"".join(b'<entry uri="sip:u%d@example.com"/>' % number for number in range(10_000))
    found = parse_resource_lists(NESTED[: NESTED.index(b"<entry ")] + entries + b"</list></resource-lists>")
    assert len(found.recipients) == 10_000


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"<resource-lists/>",
        b'<!DOCTYPE resource-lists [<!ENTITY a "b">]>' + NESTED,
        b'<!DOCTYPE x [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;&a;&a;">]>' + NESTED.replace(b"Bill Doe", b"&b;"),
        b'<!DOCTYPE x SYSTEM "http://127.0.0.1:1/x.dtd">' + NESTED,
        NESTED[:-3],
    ],
)
def test_what_is_no_list_is_refused(data: bytes) -> None:
    with pytest.raises(BodySyntaxError):
        parse_resource_lists(data)


def test_an_empty_list_is_a_list() -> None:
    empty = b'<resource-lists xmlns="urn:ietf:params:xml:ns:resource-lists"><list/></resource-lists>'
    assert parse_resource_lists(empty).recipients == ()


def test_a_list_is_written_as_the_figure_shows_it() -> None:
    written = write_resource_lists(
        [("sip:bill@example.com", "to"), ("sip:joe@example.org", "cc"), ("sip:ted@example.net", None)]
    ).decode()
    assert written.startswith("<?xml")
    assert 'xmlns="urn:ietf:params:xml:ns:resource-lists"' in written
    assert 'xmlns:cp="urn:ietf:params:xml:ns:copycontrol"' in written
    assert '<list><entry uri="sip:bill@example.com" cp:copyControl="to"/>' in written
    assert written.endswith('<entry uri="sip:ted@example.net"/></list></resource-lists>')


def test_a_uri_xml_cannot_hold_is_not_written() -> None:
    with pytest.raises(BodySyntaxError):
        write_resource_lists([("sip:a\0b@example.com", "to")])
