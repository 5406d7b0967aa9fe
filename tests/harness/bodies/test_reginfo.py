"""Registration information: the document of RFC 3680 5.3, and the table of 5.2."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.bodies.reginfo import (
    Contact,
    ContactEvent,
    ContactState,
    Reginfo,
    Registration,
    RegistrationState,
    RegistrationTable,
    Update,
    parse_reginfo,
    write_reginfo,
)
from harness.errors import BodySyntaxError

EXAMPLE = b"""<?xml version="1.0"?>
    <reginfo xmlns="urn:ietf:params:xml:ns:reginfo"
        xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"
                 version="0" state="full">
      <registration aor="sip:user@example.com" id="as9"
                    state="active">
        <contact id="76" state="active" event="registered"
                 duration-registered="7322"
                 q="0.8">
                 <uri>sip:user@pc887.example.com</uri>
        </contact>
        <contact id="77" state="terminated" event="expired"
                 duration-registered="3600"
                 q="0.5">
                 <uri>sip:user@university.edu</uri>
        </contact>
      </registration>
    </reginfo>
"""


def test_the_example_of_the_rfc() -> None:
    assert parse_reginfo(EXAMPLE) == Reginfo(
        0,
        (
            Registration(
                "sip:user@example.com",
                "as9",
                RegistrationState.ACTIVE,
                (
                    Contact(
                        "76",
                        "sip:user@pc887.example.com",
                        ContactState.ACTIVE,
                        ContactEvent.REGISTERED,
                        duration=7322,
                        q="0.8",
                    ),
                    Contact(
                        "77",
                        "sip:user@university.edu",
                        ContactState.TERMINATED,
                        ContactEvent.EXPIRED,
                        duration=3600,
                        q="0.5",
                    ),
                ),
            ),
        ),
    )


def test_prefixes_and_foreign_elements_are_no_matter() -> None:
    document = parse_reginfo(
        b'<r:reginfo xmlns:r="urn:ietf:params:xml:ns:reginfo" xmlns:x="urn:x" version="7" '
        b'state="partial" x:a="1">'
        b'<x:registration aor="none"/>'
        b'<r:registration aor="tel:+1" id="1" state="terminated"><r:contact id="2" state="terminated"'
        b' event="probation" retry-after="30" callid="c@h" cseq="9" expires="0"><r:uri> sip:a@h </r:uri>'
        b'<r:display-name xml:lang="de">\xc3\xa4</r:display-name>'
        b'<r:unknown-param name="+g.x">"a"</r:unknown-param><r:unknown-param name="b"/>'
        b'<x:pub-gruu uri="sip:g@h"/></r:contact></r:registration></r:reginfo>'
    )
    assert not document.full
    (registration,) = document.registrations
    (contact,) = registration.contacts
    assert contact == Contact(
        "2",
        "sip:a@h",
        ContactState.TERMINATED,
        ContactEvent.PROBATION,
        expires=0,
        retry_after=30,
        call_id="c@h",
        cseq=9,
        display="ä",
        parameters=(("+g.x", '"a"'), ("b", "")),
    )


HEAD = b'<reginfo xmlns="urn:ietf:params:xml:ns:reginfo" '


@pytest.mark.parametrize(
    ("data", "octet"),
    [
        (b"", 0),
        (b"<reginfo", 8),
        (b'<reginfo version="0" state="full"/>', 0),
        (HEAD + b'state="full"/>', 0),
        (HEAD + b'version="0"/>', 0),
        (HEAD + b'version="-1" state="full"/>', 0),
        (HEAD + b'version="4294967296" state="full"/>', 0),
        (HEAD + b'version="0" state="most"/>', 0),
        (HEAD + b'version="0" state="full">\n<registration aor="a" id="b" state="odd"/></reginfo>', 74),
        (HEAD + b'version="0" state="full">\n<registration aor="a" state="init"/></reginfo>', 74),
        (
            HEAD + b'version="0" state="full">\n<registration aor="a" id="b" state="init">\n'
            b'<contact id="1" state="active" event="created"/></registration></reginfo>',
            117,
        ),
        (b'<!DOCTYPE reginfo SYSTEM "http://127.0.0.1:9/x">' + HEAD + b'version="0" state="full"/>', 0),
        (b'<!DOCTYPE r [<!ENTITY e "x">]>' + HEAD + b'version="0" state="full">&e;</reginfo>', 0),
        (b"<!-- " + b"x" * (1 << 20) + b" -->" + HEAD + b'version="0" state="full"/>', 0),
    ],
)
def test_what_is_wrong_is_told_with_its_octet(data: bytes, octet: int) -> None:
    with pytest.raises(BodySyntaxError) as caught:
        parse_reginfo(data)
    assert caught.value.offset == octet


TEXT = st.text(st.characters(exclude_categories=("Cs", "Cc", "Zs", "Zl", "Zp", "Cn", "Co")), min_size=1)
NUMBER = st.none() | st.integers(0, 2**64 - 1)
CONTACTS = st.builds(
    Contact,
    TEXT,
    TEXT,
    st.sampled_from(ContactState),
    st.sampled_from(ContactEvent),
    NUMBER,
    NUMBER,
    NUMBER,
    st.none() | TEXT,
    st.none() | TEXT,
    NUMBER,
    st.none() | TEXT,
    st.lists(st.tuples(TEXT, TEXT | st.just("")), max_size=2).map(tuple),
)
REGISTRATIONS = st.builds(
    Registration,
    TEXT,
    TEXT,
    st.sampled_from(RegistrationState),
    st.lists(CONTACTS, max_size=2).map(tuple),
)


@given(
    st.builds(
        Reginfo, st.integers(0, 2**32 - 1), st.lists(REGISTRATIONS, max_size=2).map(tuple), st.booleans()
    )
)
def test_what_is_written_reads_the_same(document: Reginfo) -> None:
    assert parse_reginfo(write_reginfo(document)) == document


def test_what_xml_cannot_hold_is_not_written() -> None:
    with pytest.raises(BodySyntaxError):
        write_reginfo(Reginfo(0, (Registration("a\x00", "b", RegistrationState.INIT),)))


@given(st.binary() | st.text("<>&;a/=\" 'x!-?[]").map(str.encode))
def test_no_octets_raise_anything_but_our_own_error(data: bytes) -> None:
    for octets in (data, HEAD + data):
        try:
            parse_reginfo(octets)
        except BodySyntaxError as error:
            assert 0 <= error.offset <= len(octets)


# -- the table


def contact(id: str, event: ContactEvent = ContactEvent.REGISTERED) -> Contact:
    state = ContactState.TERMINATED if event is ContactEvent.EXPIRED else ContactState.ACTIVE
    return Contact(id, f"sip:{id}@h", state, event)


def document(version: int, *contacts: Contact, full: bool = False, id: str = "r") -> Reginfo:
    registration = Registration("sip:a@h", id, RegistrationState.ACTIVE, contacts)
    return Reginfo(version, (registration,), full)


def known(table: RegistrationTable) -> dict[str, list[str]]:
    return {each.id: [f"{row.id} {row.event}" for row in each.contacts] for each in table.registrations}


def test_partial_documents_are_worked_in() -> None:
    table = RegistrationTable()
    assert table.apply(document(5, contact("1"), contact("2"), full=True)) is Update.TAKEN
    assert table.apply(document(6, contact("1", ContactEvent.EXPIRED), contact("3"))) is Update.TAKEN
    assert table.apply(document(7, contact("4"), id="other")) is Update.TAKEN
    assert known(table) == {"r": ["1 expired", "2 registered", "3 registered"], "other": ["4 registered"]}
    assert table.version == 7


def test_a_full_document_replaces_everything() -> None:
    table = RegistrationTable()
    table.apply(document(0, contact("1"), id="old", full=True))
    assert table.apply(document(1, contact("2"), full=True)) is Update.TAKEN
    assert known(table) == {"r": ["2 registered"]}


@pytest.mark.parametrize("version", [4, 5])
def test_what_is_not_newer_is_left_out(version: int) -> None:
    table = RegistrationTable()
    table.apply(document(5, contact("1"), full=True))
    assert table.apply(document(version, contact("2"), full=True)) is Update.STALE
    assert (table.version, known(table)) == (5, {"r": ["1 registered"]})


def test_a_gap_is_taken_and_asks_for_everything() -> None:
    table = RegistrationTable()
    table.apply(document(5, contact("1"), full=True))
    assert table.apply(document(7, contact("2"))) is Update.GAP
    assert (table.version, known(table)) == (7, {"r": ["1 registered", "2 registered"]})
