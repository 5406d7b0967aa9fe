"""Group chats spoiled one by one: RFC 5366, RFC 5364, RFC 4575, RFC 5368, RFC 4488 and CPM."""

from __future__ import annotations

from harness.verify.proof.changes import Change, edit
from harness.verify.proof.flows.group import ENTRIES, FACTORY, FOCUS, LISTS, adhoc, document
from harness.verify.proof.flows.group_membership import (
    LIST_PART,
    OTHER_GROUP,
    SEVERAL,
    again,
    bye_to_focus,
    in_vain,
    refer,
    to_focus,
)
from harness.verify.proof.mutant import HANDSET, NETWORK, Mutant
from harness.verify.proof.script import Script, Step

DTD = '<!DOCTYPE x [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;">]>\r\n'
ONE = '<entry uri="tel:+491700000003" cp:copyControl="to"/>'
CREATED = "<conference-description><subject>Lunch</subject></conference-description>"


def many(script: Script) -> Script:
    """Ten thousand recipients."""
    entries = (f'<entry uri="tel:+4930{number:08}" cp:copyControl="to"/>' for number in range(10_000))
    return script.sub(0, ENTRIES, "".join(entries))


def required_of_invitee(script: Script) -> Script:
    script.line(0, "Require: recipient-list-invite")
    return script.sub(1, "Supported: timer", "Supported: timer,recipient-list-invite")


def coming_back(*steps: Step) -> Change:
    """After the handset has left: these instead of what it does in the flow."""
    return lambda script: Script([*adhoc().steps[:4], *bye_to_focus(), *steps])


def referring(rule: str, *lines: str, target: str = "<cid:list1@x>") -> Mutant:
    """A REFER with the list of several members."""
    return Mutant(
        rule,
        HANDSET,
        "several_brought_in",
        lambda script: refer(target, *lines, *LIST_PART, body=LISTS),
    )


MUTANTS = [
    Mutant(
        "session.group.adhoc.require", HANDSET, "adhoc", edit(0, "Require: recipient-list-invite\r\n", "")
    ),
    Mutant(
        "session.group.adhoc.body",
        HANDSET,
        "adhoc",
        edit(0, "Disposition: recipient-list", "Disposition: attachment"),
    ),
    Mutant(
        "session.group.adhoc.body",
        HANDSET,
        "adhoc",
        edit(0, "application/resource-lists+xml", "text/plain"),
        ("sip.multipart.disposition",),
        "who accepts a list that nobody can read has to refuse it (RFC 5621 5)",
    ),
    Mutant("session.group.adhoc.body", HANDSET, "adhoc", edit(0, "\r\n<resource", f"\r\n{DTD}<resource")),
    Mutant("session.group.adhoc.body", HANDSET, "adhoc", edit(0, "</list>", "</lists>")),
    Mutant("session.group.list.flat", HANDSET, "adhoc", edit(0, ONE, f"<list>{ONE}</list>")),
    Mutant(
        "session.group.list.flat", HANDSET, "adhoc", edit(0, ONE, f'{ONE}<entry-ref ref="resource-lists/x"/>')
    ),
    Mutant(
        "session.group.list.copycontrol",
        HANDSET,
        "adhoc",
        edit(0, ONE + "</list>", ONE.replace('"to"', '"all"') + "</list>"),
    ),
    Mutant(
        "session.group.list.copycontrol",
        HANDSET,
        "adhoc",
        edit(0, "xml:ns:copycontrol", "xml:ns:copyControl"),
    ),
    Mutant("session.group.list.unique", HANDSET, "adhoc", edit(0, ONE, 2 * ONE)),
    Mutant(
        "session.group.list.unique",
        HANDSET,
        "adhoc",
        edit(0, "tel:+491700000003", "sip:+49-170-0000002@example.com"),
    ),
    Mutant("session.group.list.unique", HANDSET, "adhoc", edit(0, "tel:+491700000003", "tel:+491700000001")),
    Mutant("session.group.list.unique", HANDSET, "adhoc", edit(0, "tel:+491700000003", FACTORY)),
    Mutant("session.group.list.unique", HANDSET, "adhoc", edit(0, ENTRIES, "")),
    Mutant("session.group.contact-isfocus", NETWORK, "adhoc", edit(2, ";isfocus", "")),
    Mutant(
        "session.group.wrapped-types",
        HANDSET,
        "adhoc",
        edit(0, " application/im-iscomposing+xml\r\na=sendrecv", "\r\na=sendrecv"),
    ),
    Mutant(
        "session.group.accept-types",
        NETWORK,
        "adhoc",
        edit(2, "types:message/cpim\r\n", "types:message/cpim text/html\r\n"),
    ),
    Mutant(
        "session.group.subscribe",
        HANDSET,
        "adhoc",
        edit(4, "application/conference-info+xml", "application/pidf+xml"),
    ),
    Mutant(
        "session.group.notify",
        NETWORK,
        "adhoc",
        edit(6, "Content-Type: application/conference-info+xml", "Content-Type: text/xml"),
    ),
    Mutant("session.group.notify", NETWORK, "adhoc", edit(8, "\r\n<conf", f"\r\n{DTD}<conf")),
    Mutant("session.group.notify", NETWORK, "adhoc", edit(8, "</conference-info>", "</conference>")),
    Mutant("session.group.notify.version", NETWORK, "adhoc", edit(8, 'version="2"', 'version="0"')),
    Mutant("session.group.notify.version", NETWORK, "adhoc", edit(8, 'version="2"', 'version="1"')),
    Mutant("session.group.notify.version", NETWORK, "adhoc", edit(8, 'version="2"', 'version="4"')),
    Mutant(
        "session.group.notify.full-parts", NETWORK, "adhoc", edit(8, f'{FOCUS}"', 'sip:other@example.org"')
    ),
    Mutant("session.group.notify.status", NETWORK, "adhoc", edit(8, "connected", "gone")),
    Mutant(
        "session.group.notify.status",
        NETWORK,
        "adhoc",
        edit(8, "</status>", "</status><disconnection-method>left</disconnection-method>"),
    ),
    Mutant("session.group.history-handling", NETWORK, "invited", edit(0, ";handling=optional", "")),
    Mutant("session.group.history-handling", NETWORK, "invited", edit(0, "=optional", "=required")),
    Mutant("session.group.contact-isfocus", NETWORK, "invited", edit(0, ";isfocus", "")),
    Mutant(
        "session.group.accept-types",
        NETWORK,
        "invited",
        edit(0, "types:message/cpim\r\n", "types:message/cpim text/html\r\n"),
    ),
    Mutant("session.group.list.unique", HANDSET, "adhoc", many),
    Mutant("session.group.require-misuse", NETWORK, "invited", required_of_invitee),
    Mutant(
        "session.group.notify",
        NETWORK,
        "adhoc",
        lambda s: s.drop(6, 7).everywhere("CSeq: 2 NOTIFY", "CSeq: 1 NOTIFY"),
    ),
    Mutant("session.group.notify", NETWORK, "adhoc", lambda s: s.without(8, "Subscription-State")),
    Mutant("session.group.notify.full-parts", NETWORK, "adhoc", edit(6, CREATED, "")),
    Mutant(
        "session.group.notify.version",
        NETWORK,
        "adhoc",
        lambda s: s.body(8, document(1, "full", "<joining-method>dialed-in</joining-method>")),
    ),
    Mutant(
        "session.group.rejoin",
        HANDSET,
        "rejoined",
        coming_back(*to_focus(again(), "sip:other@10.0.0.1")),
    ),
    Mutant("session.group.rejoin", HANDSET, "rejoined", coming_back(*to_focus(again(OTHER_GROUP)))),
    Mutant("session.group.rejoin", HANDSET, "remade", coming_back(*again(OTHER_GROUP))),
    Mutant("session.group.rejoin", HANDSET, "remade", coming_back(*again(OTHER_GROUP), *in_vain())),
    Mutant(
        "session.group.rejoin",
        HANDSET,
        "remade",
        coming_back(*in_vain("403 Forbidden"), *again(OTHER_GROUP)),
    ),
    Mutant(
        "session.group.rejoin",
        HANDSET,
        "remade",
        coming_back(*in_vain(uri="sip:other@10.0.0.1"), *again(OTHER_GROUP)),
    ),
    referring("session.group.refer", *SEVERAL, target="<cid:list2@x>"),
    referring("session.group.refer", *SEVERAL, target="<sip:+491700000004@example.org>"),
    referring("session.group.refer", SEVERAL[0].replace("multiple-refer,", ""), SEVERAL[1]),
    referring("session.group.refer.norefersub", "Require: multiple-refer", SEVERAL[1]),
    referring("session.group.refer.norefersub", SEVERAL[0]),
    Mutant("session.group.list.flat", HANDSET, "adhoc", edit(0, "</list>", "</list><list/>")),
    Mutant("session.group.refer", HANDSET, "one_brought_in", lambda s: s.without(0, "Refer-To")),
    Mutant(
        "session.group.refer",
        HANDSET,
        "one_brought_in",
        edit(0, "<sip:+491700000004@example.org;method=INVITE>", "whom it may concern"),
    ),
]
