"""Texts of the RCS client to several recipients, who are no group: a list service sends them to each.

RFC 5365 (MESSAGE with a list), RFC 5366 3 (INVITE with one), RFC 5363 4.1, RFC 5364 (copyControl); OMA CPM.
"""

from __future__ import annotations

from devices.simulated.conversations import MessageStatus
from devices.simulated.rcs_access import RcsAccess, RcsSettings
from devices.simulated.rcs_large import RcsLarge
from devices.simulated.rcs_outbox import CPIM, Outbox, Outgoing, Repeat, pager_message
from devices.simulated.rcs_texts import TextShelf, WrittenText
from harness.agent.session.multipart_content import multipart_content
from harness.agent.session.user import Content
from harness.bodies.resource_lists import MEDIA_TYPE, write_resource_lists
from harness.cpm.identity import Msisdn
from harness.cpm.services import Service
from harness.sip.message import Request, Response

LIST_MESSAGE = "recipient-list-message"  # RFC 5365 5
SEPARATOR = ","  # of numbers, in the key of a conversation


class RcsLists:
    """The list mode of one client, in pager mode up to its limit, else by large."""

    def __init__(self, shelf: TextShelf, outbox: Outbox, large: RcsLarge, settings: RcsSettings) -> None:
        self._shelf, self._outbox, self._large, self._settings = shelf, outbox, large, settings

    @staticmethod
    def knows(key: str) -> bool:
        """Whether the key is of a conversation with several numbers."""
        return SEPARATOR in key

    def send(self, key: str, text: WrittenText) -> None:
        """Queue a text; it goes when the client is registered. Raises UsageError for what is no number."""
        uris = self.uris(key)
        self._shelf.notifications.expect(text.message_id, uris)
        if len(text.content) > self._settings.pager_limit:
            self._large.send_to_several(key, text, uris)
        else:
            self._send_by_message(key, text, uris)

    def uris(self, key: str) -> tuple[str, ...]:
        """The recipients, each once (RFC 5363 4.1). Raises UsageError for what is no number."""
        numbers = (Msisdn.parse(number) for number in key.split(SEPARATOR) if number.strip())
        return tuple(dict.fromkeys(number.sip(self._settings.domain) for number in numbers))

    def _send_by_message(self, key: str, text: WrittenText, uris: tuple[str, ...]) -> None:
        shelf, service = self._shelf, self._settings.lists
        ids = shelf.conversations.id_of(key), shelf.personality.ids.make()

        def build(access: RcsAccess, repeat: Repeat | None) -> Request:
            whole = multipart_content(
                [Content(CPIM, text.document(access.identity, service, shelf.defects)), recipient_list(uris)]
            )
            return pager_message(
                access,
                service,
                whole.body,
                *ids,
                repeat,
                Service.PAGER_GROUP,
                content_type=whole.type,
                more=[("Require", LIST_MESSAGE)],
            )

        def ended(response: Response | None) -> None:
            taken = response is not None and 200 <= response.status < 300
            shelf.app.outcome(text.message_id, MessageStatus.SENT if taken else MessageStatus.NOT_SENT)

        self._outbox.put(Outgoing(service, build, ended))


def recipient_list(uris: tuple[str, ...]) -> Content:
    """Whom it is for, each seen by the others."""
    document = write_resource_lists((uri, "to") for uri in uris)
    return Content(MEDIA_TYPE, document, (("Content-Disposition", "recipient-list"),))
