"""Conference information: the documents of RFC 4575 7, and the procedure of 4.6."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.bodies.conference_info import (
    NAMESPACE,
    ConferenceInfo,
    ConferenceView,
    Extent,
    Status,
    Update,
    conference,
    endpoint,
    parse_conference_info,
    user,
    write_conference_info,
)
from harness.errors import BodySyntaxError

BASIC = b"""<?xml version="1.0" encoding="UTF-8"?>
   <conference-info
    xmlns="urn:ietf:params:xml:ns:conference-info"
    entity="sips:conf233@example.com"
    state="full" version="1">
   <!--
     CONFERENCE INFO
   -->
    <conference-description>
     <subject>Agenda: This month's goals</subject>
      <service-uris>
       <entry>
        <uri>http://sharepoint/salesgroup/</uri>
        <purpose>web-page</purpose>
       </entry>
      </service-uris>
     </conference-description>
    <conference-state>
     <user-count>33</user-count>
    </conference-state>
    <users>
     <user entity="sip:bob@example.com" state="full">
      <display-text>Bob Hoskins</display-text>
      <endpoint entity="sip:bob@pc33.example.com">
       <display-text>Bob's Laptop</display-text>
       <status>disconnected</status>
       <disconnection-method>departed</disconnection-method>
       <disconnection-info>
        <when>2005-03-04T20:00:00Z</when>
        <reason>bad voice quality</reason>
        <by>sip:mike@example.com</by>
       </disconnection-info>
       <media id="1">
        <display-text>main audio</display-text>
        <type>audio</type>
        <label>34567</label>
        <src-id>432424</src-id>
        <status>sendrecv</status>
       </media>
      </endpoint>
     </user>
     <user entity="sip:alice@example.com" state="full">
      <display-text>Alice</display-text>
      <roles><entry>participant</entry><entry>panelist</entry></roles>
      <endpoint entity="sip:4kfk4j392jsu@example.com;grid=433kj4j3u">
       <status>connected</status>
       <joining-method>dialed-out</joining-method>
      </endpoint>
     </user>
    </users>
   </conference-info>
"""


def test_the_example_of_the_rfc() -> None:
    info = parse_conference_info(BASIC)
    assert (info.entity, info.version, info.extent) == ("sips:conf233@example.com", 1, Extent.FULL)
    assert (info.subject, info.user_count, info.display) == ("Agenda: This month's goals", 33, None)
    assert (info.active, info.locked, info.maximum_user_count) == (None, None, None)
    bob, alice = info.users
    assert (bob.entity, bob.display, bob.extent) == ("sip:bob@example.com", "Bob Hoskins", Extent.FULL)
    assert (bob.roles, alice.roles) == ((), ("participant", "panelist"))
    (laptop,) = bob.endpoints
    assert (laptop.status, laptop.disconnection_method) == (Status.DISCONNECTED, "departed")
    assert (laptop.entity, laptop.media) == ("sip:bob@pc33.example.com", ("audio",))
    assert (alice.endpoints[0].status, alice.endpoints[0].joining_method) == ("connected", "dialed-out")
    assert info.user("sip:alice@example.com") == alice
    assert info.user("sip:ALICE@example.com") is None


def test_a_document_is_written_as_it_was_read() -> None:
    info = parse_conference_info(BASIC)
    again = parse_conference_info(write_conference_info(info))
    assert [(each.entity, each.display, each.roles) for each in again.users] == [
        (each.entity, each.display, each.roles) for each in info.users
    ]
    assert b"<when>2005-03-04T20:00:00Z</when>" in write_conference_info(info)


def test_a_document_of_ours_is_what_the_schema_asks_for() -> None:
    written = write_conference_info(
        conference(
            "sip:focus@h",
            3,
            user(
                "sip:a@h",
                endpoint("sip:a@h;gr=1", "connected", joining_method="dialed-in", media=["message"]),
            ),
            user("sip:b@h", display="B & b", roles=["participant"]),
            subject="<s>",
            maximum_user_count=10,
            user_count=2,
            active=True,
        )
    )
    assert written == (
        b"<?xml version='1.0' encoding='UTF-8'?>\n"
        b'<conference-info xmlns="urn:ietf:params:xml:ns:conference-info" entity="sip:focus@h" state="full"'
        b' version="3"><conference-description><subject>&lt;s&gt;</subject>'
        b"<maximum-user-count>10</maximum-user-count></conference-description>"
        b"<conference-state><user-count>2</user-count><active>true</active></conference-state>"
        b'<users><user entity="sip:a@h"><endpoint entity="sip:a@h;gr=1"><status>connected</status>'
        b'<joining-method>dialed-in</joining-method><media id="1"><type>message</type></media></endpoint>'
        b'</user><user entity="sip:b@h"><display-text>B &amp; b</display-text><roles>'
        b"<entry>participant</entry></roles></user></users></conference-info>"
    )


def test_an_empty_conference_has_what_a_full_document_must_have() -> None:
    written = write_conference_info(conference("sip:focus@h", 0))
    assert b"<conference-description/>" in written
    assert b"<users/>" in written


HEAD = b'<conference-info xmlns="urn:ietf:params:xml:ns:conference-info" '


@pytest.mark.parametrize(
    ("data", "octet"),
    [
        (b"", 0),
        (HEAD + b'version="1"/>', 0),
        (HEAD + b'entity="sip:a@h"/>', 0),
        (HEAD + b'entity="sip:a@h" version="x"/>', 0),
        (HEAD + b'entity="sip:a@h" version="1" state="gone"/>', 0),
        (HEAD + b'entity="sip:a@h" version="1">\n<users state="some"/></conference-info>', 94),
        (b'<conference-info entity="sip:a@h" version="1"/>', 0),
        (b"<!DOCTYPE conference-info>" + HEAD + b'entity="sip:a@h" version="1"/>', 0),
        (
            HEAD
            + b'entity="sip:a@h" version="1">'
            + b"<users>" * 80
            + b"</users>" * 80
            + b"</conference-info>",
            0,
        ),
    ],
)
def test_what_is_wrong_is_told_with_its_octet(data: bytes, octet: int) -> None:
    with pytest.raises(BodySyntaxError) as caught:
        parse_conference_info(data)
    assert caught.value.offset == octet


@given(st.binary() | st.text("<>&;a/=\" 'x!-?[]").map(str.encode))
def test_no_octets_raise_anything_but_our_own_error(data: bytes) -> None:
    for octets in (data, HEAD + data):
        try:
            parse_conference_info(octets)
        except BodySyntaxError as error:
            assert 0 <= error.offset <= len(octets)


# -- the procedure of 4.6


def told(inside: str, version: int, state: str = "partial") -> ConferenceInfo:
    return parse_conference_info(
        f'<conference-info xmlns="{NAMESPACE}" entity="sip:focus@h" state="{state}" version="{version}">'
        f"{inside}</conference-info>".encode()
    )


def seen(view: ConferenceView) -> dict[str, list[str]]:
    assert view.info is not None
    return {
        re.sub("^sip:|@h$", "", each.entity): [f"{row.entity} {row.status}" for row in each.endpoints]
        for each in view.info.users
    }


@pytest.fixture
def view() -> ConferenceView:
    """Two users, a with two devices; version 1."""
    view = ConferenceView()
    begin = told(
        "<conference-description><subject>old</subject></conference-description>"
        "<conference-state><user-count>2</user-count></conference-state><users>"
        '<user entity="sip:a@h"><endpoint entity="1"><status>connected</status></endpoint>'
        '<endpoint entity="2"><status>alerting</status></endpoint></user>'
        '<user entity="sip:b@h"><display-text>B</display-text>'
        '<endpoint entity="1"><status>pending</status></endpoint></user></users>',
        1,
        "full",
    )
    assert view.apply(begin) is Update.TAKEN
    return view


def test_a_change_deep_inside_leaves_the_rest(view: ConferenceView) -> None:
    update = told(
        '<users state="partial"><user entity="sip:a@h" state="partial">'
        '<endpoint entity="2" state="partial"><status>connected</status></endpoint></user></users>',
        2,
    )
    assert view.apply(update) is Update.TAKEN
    assert seen(view) == {"a": ["1 connected", "2 connected"], "b": ["1 pending"]}
    assert view.info is not None
    assert (view.info.version, view.info.subject, view.info.user_count) == (2, "old", 2)
    assert view.info.extent is Extent.FULL


def test_a_full_element_in_a_partial_one_replaces_its_like(view: ConferenceView) -> None:
    view.apply(told('<users state="partial"><user entity="sip:a@h"><endpoint entity="3"/></user></users>', 2))
    assert seen(view) == {"a": ["3 None"], "b": ["1 pending"]}


def test_users_come_and_go(view: ConferenceView) -> None:
    update = told(
        '<conference-state><user-count>1</user-count></conference-state><users state="partial">'
        '<user entity="sip:c@h" state="partial"><endpoint entity="9"><status>on-hold</status></endpoint>'
        "</user>"
        '<user entity="sip:a@h" state="deleted"><endpoint entity="1"/></user>'
        '<user entity="sip:none@h" state="deleted"/></users>',
        2,
    )
    view.apply(update)
    assert seen(view) == {"b": ["1 pending"], "c": ["9 on-hold"]}
    assert view.info is not None
    assert view.info.user_count == 1
    assert view.info.users[0].display == "B"


def test_users_without_state_are_all_users(view: ConferenceView) -> None:
    view.apply(told('<users><user entity="sip:z@h"/></users>', 2))
    assert seen(view) == {"z": []}


def test_a_deleted_container_is_gone(view: ConferenceView) -> None:
    view.apply(told('<users state="deleted"/>', 2))
    assert seen(view) == {}


def test_sidebars_are_told_apart_by_their_uri(view: ConferenceView) -> None:
    side = "<entry><uri>sip:{0}@h</uri><display-text>{1}</display-text></entry>"
    view.apply(told(f"<sidebars-by-ref>{side.format(1, 'x')}{side.format(2, 'y')}</sidebars-by-ref>", 2))
    view.apply(told(f'<sidebars-by-ref state="partial">{side.format(2, "new")}</sidebars-by-ref>', 3))
    assert view.info is not None
    written = write_conference_info(view.info).decode()
    assert re.findall("<display-text>(x|y|new)</display-text>", written) == ["x", "new"]


def test_a_full_document_replaces_everything(view: ConferenceView) -> None:
    assert view.apply(told('<users><user entity="sip:z@h"/></users>', 9, "full")) is Update.TAKEN
    assert (seen(view), view.version) == ({"z": []}, 9)


@pytest.mark.parametrize("state", ["full", "partial", "deleted"])
@pytest.mark.parametrize("version", [0, 1])
def test_what_is_not_newer_is_left_out(view: ConferenceView, state: str, version: int) -> None:
    assert view.apply(told("<users/>", version, state)) is Update.STALE
    assert seen(view) == {"a": ["1 connected", "2 alerting"], "b": ["1 pending"]}


def test_a_partial_document_after_a_gap_is_left_out(view: ConferenceView) -> None:
    assert view.apply(told('<users state="deleted"/>', 3)) is Update.GAP
    assert (view.version, len(seen(view))) == (1, 2)
    assert view.apply(told("<users/>", 4, "full")) is Update.TAKEN


def test_a_partial_document_needs_a_full_one_before() -> None:
    view = ConferenceView()
    assert view.apply(told("<users/>", 0)) is Update.GAP
    assert view.info is None


def test_a_conference_that_is_deleted_is_over(view: ConferenceView) -> None:
    assert view.apply(told("", 2, "deleted")) is Update.OVER


def test_elements_of_others_stay(view: ConferenceView) -> None:
    view.apply(told('<x xmlns="urn:x" state="odd"/><y xmlns="urn:x"/>', 2))
    view.apply(told('<x xmlns="urn:x" a="1"/>', 3))
    assert view.info is not None
    written = write_conference_info(view.info).decode()
    assert re.findall(r'<ns\d+:x xmlns:ns\d+="urn:x" (.*?)/>', written) == ['a="1"']
    assert ":y" in written
