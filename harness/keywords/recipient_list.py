"""Keywords for texts to a list of recipients: what the handset asks of the list service, and what it gets."""

from __future__ import annotations

from collections.abc import Sequence
from enum import Enum

from robot.api.deco import keyword

from harness.bodies.resource_lists import write_resource_lists
from harness.cpm.identity import Msisdn
from harness.errors import HandsetError
from harness.keywords.pager import Notify
from harness.keywords.topic import Topic
from harness.peer.identities import number_of
from harness.peer.large_message import LargeMessage
from harness.peer.listed_recipients import history
from harness.peer.notifications import NotificationKind
from harness.peer.pager import SentMessage
from harness.peer.received import HandsetMessage


class Spoiled(Enum):
    """What is wrong with a list that the handset is shown."""

    DTD = b'<!DOCTYPE resource-lists SYSTEM "http://far.invalid/list.dtd">'
    ENTITY_BOMB = (
        b'<!DOCTYPE resource-lists [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;&a;">]>'
    )
    NOT_XML = b"<resource-lists"


class RecipientListKeywords(Topic):
    """Texts to several who are no group (RFC 5365, RFC 5363, RFC 5364; OMA CPM).

    The handset writes one by `Send Text To Several From Handset`, and `Wait For Text From Handset` has it.
    """

    @keyword
    def recipients_of_text_should_be(self, message: HandsetMessage, *numbers: Msisdn) -> None:
        """Fails unless a text of the handset came with a list of exactly these numbers, each once."""
        listed = message.listed
        if listed is None or listed.fault:
            raise HandsetError(f"{message}: {listed.fault if listed else 'it has no recipient list'}")
        found, wanted = sorted(map(_number, listed.uris)), sorted(map(str, numbers))
        if found != wanted:
            raise HandsetError(f"recipients: expected {', '.join(wanted)}; got {', '.join(found)}")

    @keyword
    def recipients_notify_together(self, together: bool = True) -> None:
        """Lets the list service report on all recipients of a text at once (RFC 5438 8.3), or each alone."""
        self.bench.peer.notifications.aggregating = together

    @keyword
    def notify_handset_as_recipient(
        self,
        message: HandsetMessage,
        number: Msisdn,
        kind: NotificationKind = NotificationKind.DELIVERED,
    ) -> None:
        """Sends the notification of one recipient of a text to several, whatever the policy is."""
        self.act()
        party = self.bench.peer.config.party_of(str(number))
        sending = self.bench.peer.notifications.send(message, kind, sender=party)
        self.call(sending, self.bench.lab.deadlines.message)

    @keyword
    def other_recipients(self, count: int, first: int = 12025551000) -> list[str]:
        """Returns so many numbers, for long lists."""
        return [f"+{number}" for number in range(first, first + count)]

    @keyword
    def send_text_to_handset_and_others(
        self,
        text: str,
        to: Sequence[str] = (),
        cc: Sequence[str] = (),
        bcc: Sequence[str] = (),
        notify: Notify = Notify.BOTH,
        large: bool = False,
        spoiled: Spoiled | None = None,
        expect: int | None = 200,
        handset: str | None = None,
    ) -> SentMessage | LargeMessage:
        """Sends the handset its copy of a text that went to several, with the list of those it may know of.

        | =Argument= | =Meaning= |
        | ``to``, ``cc`` | lists of numbers; the handset itself is among ``to`` |
        | ``bcc`` | numbers nobody is shown |
        | ``large`` | in large message mode, the list in the INVITE |
        | ``spoiled`` | DTD, ENTITY_BOMB or NOT_XML: the list cannot be read, which is optional to do |

        | Send Text To Handset And Others    Hello    to=${TO}    cc=${CC}
        """
        self.act()
        peer, part = self.bench.peer, self.handset(handset).part
        named = {"to": (part.msisdn, *to), "cc": cc, "bcc": bcc}
        domain = peer.config.domain
        entries = [(Msisdn.parse(each).sip(domain), copy) for copy, all_ in named.items() for each in all_]
        shown = history(entries) if spoiled is None else _spoiled(spoiled)
        seconds = self.bench.lab.deadlines.message + peer.config.request_timeout
        sent: SentMessage | LargeMessage
        if large:
            service = peer.large_messages
            sent = self.call(
                service.send_large(part.msisdn, text, disposition=notify.value, shown=shown), seconds
            )
        else:
            sent = self.call(
                peer.pager.send_text(part.msisdn, text, disposition=notify.value, shown=shown), seconds
            )
        if sent.status != expect:
            got = sent.status if sent.status is not None else f"no answer ({sent.failure})"
            raise HandsetError(f"{text[:40]!r} to several: expected {expect or 'no answer'}, got {got}")
        return sent


def _number(uri: str) -> str:
    return number_of(uri) or uri


def _spoiled(how: Spoiled) -> bytes:
    declared: bytes = how.value
    if how is Spoiled.NOT_XML:
        return declared
    head, _, rest = write_resource_lists([("sip:a@far.invalid", "to")]).partition(b"?>")
    name = b"sip:&x9;@" if how is Spoiled.ENTITY_BOMB else b"sip:a@"
    return head + b"?>\n" + declared + rest.replace(b"sip:a@", name)
