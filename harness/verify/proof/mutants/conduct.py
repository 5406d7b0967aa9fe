"""How sessions are taken, begun and taken over, large and deferred messages sent: spoiled one by one."""

from __future__ import annotations

from dataclasses import replace

from harness.cpm.profiles import Profile
from harness.verify.engine import VerifySettings
from harness.verify.proof.changes import Change, edit, edits
from harness.verify.proof.flows.conduct import FIRST, OTHER, earlier
from harness.verify.proof.flows.files import BY_HTTP, FILE_ID
from harness.verify.proof.flows.msrp import answered, chat, content
from harness.verify.proof.messages import FAR, UE, answer, imdn_body, text_body
from harness.verify.proof.mutant import HANDSET, NETWORK, Mutant
from harness.verify.proof.script import Script

STORE = "sip:deferred@example.org"


def answered_with(status: str) -> Change:
    """Another final answer to the INVITE the handset got, after its 180."""

    def change(script: Script) -> Script:
        refused = answer(script.steps[0], status, "ueansw42")
        script.steps[2:] = [refused]
        return script

    return change


def with_text(script: Script) -> Script:
    """The first text in the INVITE beside the SDP."""
    description = script.steps[0].text.partition("\r\n\r\n")[2]
    script.sub(0, "Content-Type: application/sdp", 'Content-Type: multipart/mixed;boundary="b1"')
    text = text_body(UE, FAR, "Msg1aB2cD3eF4gH5iJ6k").replace(
        "imdn.Disposition-Notification: positive-delivery, display\r\n", ""
    )
    return script.body(
        0,
        f"--b1\r\nContent-Type: application/sdp\r\n\r\n{description}\r\n"
        f"--b1\r\nContent-Type: message/cpim\r\n\r\n{text}\r\n--b1--",
    )


def told_in_a_chat(script: Script) -> Script:
    """The notification comes in the session of a chat that is there beside."""
    sent = [replace(step, msrp=step.msrp and 2) for step in earlier(script.steps[:-2])]
    told = imdn_body(FAR, UE, "Not8aB2cD3eF4gH5iJ6k", FILE_ID, "delivery", "delivered")
    in_chat = chat()
    in_chat.steps[20:20] = answered(content(False, "zX2kU2mP9sLw", "Nw8kQ2mP9sLw", told))
    return Script([*sent, *in_chat.everywhere(FIRST, OTHER).steps])


MUTANTS = [
    # -- 1-1 chats
    Mutant("session.accept-mode", HANDSET, "session_mt", answered_with("404 Not Found")),
    Mutant("session.first-message", HANDSET, "session_mo", with_text),
    Mutant(
        "session.idle-close",
        HANDSET,
        "chat_again",
        lambda s: s.everywhere(OTHER, FIRST),
        beside=("ims.contribution-id.present",),
        why="The id is one of before.",
    ),
    # -- sessions behind which stands another
    Mutant("ims.session-replaces", HANDSET, "extended", edit(9, f"Replaces: {FIRST}", f"Replaces: {OTHER}0")),
    Mutant("ims.referred-by", NETWORK, "called_in", lambda s: s.without(0, "Referred-By")),
    Mutant("ims.referred-by", NETWORK, "called_in", edit(0, f"Referred-By: <{FAR}>", "Referred-By: me")),
    # -- large messages
    Mutant(
        "large.body.cpim-part",
        HANDSET,
        "large_with_headers",
        edits((0, "Content-Length: 0\r\n\r\n", "Content-Length: 5\r\n\r\nhello")),
    ),
    Mutant(
        "large.imdn-route",
        NETWORK,
        "large_told",
        told_in_a_chat,
        beside=("cpim.anonymous-1to1",),
        why="Who is named in a large message is hidden in that chat.",
    ),
    Mutant("large.auto-accept", HANDSET, "large_mt", answered_with("603 Decline")),
    Mutant("large.auto-accept", HANDSET, "large_mt", answered_with("486 Busy Here")),
    Mutant(
        "large.pager-large-tag",
        HANDSET,
        "register_both_modes",
        lambda s: s.everywhere(";+g.gsma.rcs.cpm.pager-large", ""),
        profile=Profile.UP2,
    ),
    # -- deferred messages, and files by HTTP
    Mutant(
        "deferred.uri",
        HANDSET,
        "deferred_mo",
        lambda s: s,
        settings=VerifySettings(deferred_messages=STORE),
    ),
    Mutant("deferred.event", HANDSET, "deferred_mo", lambda s: s.line(0, "Event: deferred-messages")),
    Mutant("ft.http.accept-contact", HANDSET, "link_mo", edit(0, f"Accept-Contact: {BY_HTTP}\r\n", "")),
    Mutant("ft.http.accept-contact", HANDSET, "link_mo", edit(0, ";require;explicit", ";explicit")),
]
