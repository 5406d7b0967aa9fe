"""What file transfers carry, their icons and links, spoiled one by one: RFC 5547 6 and 8, RCC.07."""

from __future__ import annotations

from collections.abc import Callable

from harness.cpm.profiles import Profile
from harness.verify.proof.changes import Change, edit
from harness.verify.proof.flows.files import (
    ICON_LINE,
    ICON_PART,
    LINK,
    PICTURE,
    RELATED,
    SDP_PART,
    chunks,
    link,
    notified,
    offered_again,
    push,
    sent_twice,
    with_icon,
    without_part,
    wrapped,
)
from harness.verify.proof.mutant import HANDSET, NETWORK, Mutant
from harness.verify.proof.script import Script

FLIPPED, SHORT = f"{PICTURE[:-1]}!", PICTURE[:-1]
NEXT = chunks(PICTURE, message_id="NextkQ2mP9sLw", mark="i")


def instead(make: Callable[[], Script]) -> Change:
    """Another file than the one of the flow."""
    return lambda script: make()


def icon(rule: str, change: Change, profile: Profile = Profile.IETF) -> Mutant:
    """A mutant of the offer of a file with its icon, by the letter."""
    return Mutant(rule, HANDSET, "push_mo", change, profile=profile)


def of_link(rule: str, old: str, new: str) -> list[Mutant]:
    """A link to a file spoiled by either side."""
    spoiled = LINK.replace(old, new, 1)
    return [
        Mutant(rule, HANDSET, "link_mo", instead(lambda: link(spoiled))),
        Mutant(rule, NETWORK, "link_mt", instead(lambda: link(spoiled, handset=False))),
    ]


MUTANTS = [
    Mutant("ft.selector.size", HANDSET, "file_mo", instead(lambda: push(*chunks(SHORT)))),
    Mutant(
        "ft.selector.size",
        HANDSET,
        "file_wrapped_mo",
        instead(lambda: without_part(push(*chunks(wrapped(SHORT), "message/cpim")))),
    ),
    Mutant("ft.selector.hash-verify", HANDSET, "file_mo", instead(lambda: push(*chunks(FLIPPED)))),
    Mutant(
        "ft.selector.hash-verify",
        HANDSET,
        "file_wrapped_mo",
        instead(lambda: without_part(push(*chunks(wrapped(FLIPPED), "message/cpim")))),
    ),
    Mutant(
        "ft.range.vs-byte-range",
        HANDSET,
        "file_resumed_mo",
        instead(lambda: push(*chunks("x" * 50, first=51), announced=b"x" * 100, file_range="51-100")),
    ),
    Mutant(
        "ft.max-size",
        HANDSET,
        "file_limited_mo",
        edit(3, "a=max-size:20971520", "a=max-size:2048"),
    ),
    Mutant("ft.accept-types", HANDSET, "file_mo", edit(3, "message/cpim image/jpeg", "message/cpim")),
    Mutant("ft.single-file", HANDSET, "file_mo", instead(lambda: push(*chunks(PICTURE), *NEXT))),
    Mutant("ft.cpim-part", HANDSET, "file_mo", instead(lambda: without_part(push(*chunks(PICTURE))))),
    Mutant(
        "ft.id.unchanged",
        HANDSET,
        "file_refreshed_mo",
        instead(lambda: push(*chunks(PICTURE), *offered_again(), *NEXT)),
        ("ft.id.after-completion",),
        "the offer is made when the transfer is over",
    ),
    Mutant(
        "ft.id.after-completion",
        HANDSET,
        "file_closed_mo",
        instead(lambda: push(*chunks(PICTURE), *offered_again())),
    ),
    Mutant("ft.id.new", HANDSET, "file_limited_mo", sent_twice),
    Mutant(
        "ft.bye-after",
        HANDSET,
        "file_limited_mo",
        lambda s: s.drop(len(s.steps) - 3, len(s.steps) - 2, len(s.steps) - 1).wait(31.0),
    ),
    Mutant(
        "ft.imdn-id",
        NETWORK,
        "file_mo",
        instead(lambda: notified(push(*chunks(PICTURE)), "Oth1aB2cD3eF4gH5iJ6k")),
    ),
    # -- icons
    icon("ft.icon", lambda s: with_icon(s, "Content-Type: multipart/mixed;boundary=boundary71")),
    icon("ft.icon", lambda s: with_icon(s, parts=(ICON_PART, SDP_PART))),
    icon("ft.icon", lambda s: with_icon(s, RELATED.replace('type="application/sdp"; ', ""))),
    icon("ft.icon", lambda s: with_icon(s, parts=(SDP_PART, ICON_PART.replace("id2@", "id3@")))),
    icon("ft.icon", lambda s: with_icon(s, line=ICON_LINE.replace("cid:", "http:"))),
    icon("ft.icon", edit(0, "a=sendonly", ICON_LINE)),
    icon("ft.icon", edit(0, "a=sendonly", ICON_LINE), Profile.RCS51),
    icon(
        "ft.icon.disposition",
        lambda s: with_icon(s, parts=(SDP_PART, ICON_PART.replace("\r\nContent-Disposition: icon", ""))),
    ),
    # -- links
    *of_link("ft.http.body", "</file>", ""),
    *of_link("ft.http.body", 'ns:rcs:rcs:fthttp"', 'ns:rcs:fthttp"'),
    *of_link("ft.http.body", 'type="thumbnail"', 'type="file"'),
    *of_link("ft.http.body", 'type="file"', 'type="audio"'),
    *of_link("ft.http.body", 'url="https://ft.example.org/f"', 'href="https://ft.example.org/f"'),
    *of_link("ft.http.body", "<file xmlns=", '<!DOCTYPE file [<!ENTITY a "b">]><file xmlns='),
    *of_link("ft.http.body.optional", "<file-name>a.jpg</file-name>", ""),
    *of_link("ft.http.body.optional", "<file-size>183524</file-size>", ""),
    *of_link("ft.http.until", "https://ft.example.org/f", "http://ft.example.org/f"),
    *of_link("ft.http.until", '/f" until="2023-12-14T22:13:20Z"', '/f" until="tomorrow"'),
    *of_link("ft.http.until", '/f" until="2023-12-14T22:13:20Z"', '/f" until="2023-11-14T22:13:19Z"'),
]
