"""Groups spoiled one by one: how they are founded, joined, left and closed, and what is said in them."""

from __future__ import annotations

from harness.verify.engine import VerifySettings
from harness.verify.proof.changes import both, edit, silent, sub
from harness.verify.proof.flows.group import (
    FACTORY,
    FOCUS,
    GROUP_MO,
    GROUP_MT,
)
from harness.verify.proof.flows.msrp import answered, content, request
from harness.verify.proof.messages import FAR, UE, text_body
from harness.verify.proof.mutant import HANDSET, NETWORK, Change, Mutant
from harness.verify.proof.script import Script

STRANGER = "sip:+491700000009@example.org;user=phone"
ANONYMOUS = "sip:anonymous@anonymous.invalid"
GROUP_DATA = "application/vnd.oma.cpm-groupdata+xml"


def says(index: int, handset: bool, tid: str, message_id: str, body: str) -> Change:
    """Another message in place of one in a session, and its response."""
    return lambda script: script.change(index, text=content(handset, tid, message_id, body).text)


def handset_says(body: str) -> Change:
    return says(11, True, "bX8kR2mP9sLw", "Ue1kQ2mP9sLw", body)


def member_says(body: str) -> Change:
    return says(17, False, "eX2kU2mP9sLw", "Nw3kQ2mP9sLw", body)


def unanswered(script: Script) -> Script:
    """Nobody tells of the message of the member: whoever that is from."""
    return script.drop(19, 20)


def nickname(value: str, *headers: str) -> Change:
    """Another NICKNAME in the chat room."""
    rows = ([f"Use-Nickname: {value}"] if value else []) + list(headers)

    def change(script: Script) -> Script:
        script.steps[11:13] = answered(request("NICKNAME", True, "nX9kS2mP9sLw", *rows))
        return script

    return change


def at_factory(uri: str) -> Change:
    return lambda script: script.everywhere(FACTORY, uri, 0, 1, 2, 3)


MUTANTS = [
    # -- founded, and joined
    Mutant("session.group.adhoc.uri", HANDSET, "adhoc", at_factory(STRANGER)),
    Mutant(
        "session.group.adhoc.uri",
        HANDSET,
        "adhoc",
        at_factory("sip:elsewhere@example.org"),
        settings=VerifySettings(conference_factory=FACTORY),
    ),
    Mutant(
        "session.group.predef",
        HANDSET,
        "adhoc",
        lambda script: script,
        settings=VerifySettings(groups=frozenset({FACTORY})),
    ),
    Mutant(
        "session.group.pps",
        HANDSET,
        "adhoc",
        edit(0, "oma.cpm.session.group", "oma.cpm.session"),
        beside=("ims.p-preferred-service.value",),
        why="The service of the flow is the same header.",
    ),
    Mutant(
        "session.group.pps",
        HANDSET,
        "adhoc",
        edit(0, 'oma.cpm.session"', 'oma.cpm.session.group"'),
        beside=("ims.contact.feature-tag-match",),
        why="Contact and Accept-Contact differ then.",
    ),
    Mutant("session.group.subject", HANDSET, "rejoined", edit(6, "Subject: Lunch", "Subject: Dinner")),
    # -- left, and closed
    Mutant(
        "session.group.leave",
        HANDSET,
        "left",
        edit(21, "SIP;cause=200", "SIP;cause=480"),
        beside=("sip.reason.text-matches",),
        why="Its text is that of the cause it had.",
    ),
    Mutant("session.group.leave", HANDSET, "left", lambda script: script.without(21, "Reason")),
    Mutant(
        "session.group.closed",
        NETWORK,
        "ended",
        both(edit(23, "cause=410", "cause=200"), silent()),
        beside=("sip.reason.text-matches",),
        why="Its text is that of the cause it had.",
    ),
    Mutant("session.group.closed", NETWORK, "ended", both(lambda s: s.without(23, "Reason"), silent())),
    # -- said
    Mutant("session.group.cpim-to", HANDSET, "talk", handset_says(text_body(UE, STRANGER, GROUP_MO))),
    Mutant(
        "session.group.cpim-from",
        NETWORK,
        "talk",
        member_says(text_body(FAR, FOCUS, GROUP_MT).replace("\r\nDate", f"\r\nTo: <{UE}>\r\nDate")),
    ),
    Mutant(
        "cpim.group-from",
        NETWORK,
        "talk",
        both(member_says(text_body(STRANGER, FOCUS, GROUP_MT)), unanswered, silent(6.0)),
    ),
    Mutant(
        "cpim.group-from",
        NETWORK,
        "talk",
        both(member_says(text_body(ANONYMOUS, FOCUS, GROUP_MT)), unanswered, silent(6.0)),
    ),
    Mutant(
        "groupdata.type",
        HANDSET,
        "pager_mo",
        edit(0, "Content-Type: text/plain;charset=UTF-8", f"Content-Type: {GROUP_DATA}"),
    ),
    Mutant(
        "groupdata.type",
        HANDSET,
        "talk",
        lambda script: script.change(
            11, text=content(True, "bX8kR2mP9sLw", "Ue1kQ2mP9sLw", "<groupdata/>", GROUP_DATA).text
        ).drop(13, 14, 15, 16),
        beside=("msrp.type.allowed",),
        why="The focus takes CPIM alone.",
    ),
    # -- chat rooms
    Mutant("session.group.chatroom-attr", NETWORK, "chatroom", edit(2, "private-messages", "nickname")),
    Mutant(
        "session.group.chatroom-attr", HANDSET, "chatroom", edit(0, "nickname private", "nickname, private")
    ),
    Mutant(
        "session.group.chatroom-attr", NETWORK, "chatroom", edit(2, "nickname private", "nickname  private")
    ),
    Mutant("session.group.nickname", HANDSET, "chatroom", nickname("")),
    Mutant("session.group.nickname", HANDSET, "chatroom", nickname('"Alice"', "Failure-Report: no")),
    Mutant("session.group.nickname", HANDSET, "chatroom", nickname('"Alice"', "Success-Report: yes")),
    Mutant("session.group.nickname", HANDSET, "chatroom", edit(2, "chatroom:nickname ", "chatroom:")),
    Mutant(
        "session.group.nickname",
        HANDSET,
        "chatroom",
        both(nickname("Alice"), sub(12, "200 OK", "424 Malformed Nickname")),
    ),
    Mutant(
        "session.group.nickname",
        NETWORK,
        "chatroom",
        nickname("Alice"),
        ("session.group.nickname",),
        "what it accepts is malformed itself",
    ),
]
