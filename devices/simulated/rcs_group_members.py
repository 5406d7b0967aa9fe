"""Whom the user of the RCS client brings into a group, and has put out of it: REFERs to its focus.

RFC 4579 5.5 and 5.11 (a conference is asked to send INVITE or BYE), RFC 5368 (several at once).
"""

from __future__ import annotations

import logging

from devices.simulated.messaging_app import MessagingApp
from devices.simulated.messaging_service import NotServed
from devices.simulated.rcs_access import RcsSettings
from devices.simulated.rcs_conference import refer
from devices.simulated.rcs_conversations import number_of
from devices.simulated.rcs_group import Group
from devices.simulated.rcs_sessions import RcsSessions
from harness.agent.background import Background
from harness.cpm.identity import Msisdn
from harness.errors import UsageError

_log = logging.getLogger(__name__)


class GroupMembers:
    """Those of the groups of one client. The conference tells what comes of a REFER, the app a refusal."""

    def __init__(self, app: MessagingApp, settings: RcsSettings, background: Background) -> None:
        self._app, self._settings, self._background = app, settings, background

    def add(self, group: Group, sessions: RcsSessions, number: str) -> None:
        """Ask for one more; several that are added at once go in one REFER.

        Raises NotServed for what is no number.
        """
        try:
            target = Msisdn.parse(number).sip(self._settings.domain)
        except UsageError as error:
            raise NotServed(str(error)) from None
        group.adding.append(target)
        if len(group.adding) == 1:
            self._background.spawn(self._add(group, sessions))

    async def _add(self, group: Group, sessions: RcsSessions) -> None:
        targets = tuple(group.adding)  # what the user picked before this runs
        group.adding.clear()
        status = await refer(sessions.access, group.focus, targets)
        if status is None or status >= 300:
            _log.warning("%s were not added to %s: %s", ", ".join(targets), group.focus, status)
            self._app.snackbar = "Couldn't add people"

    def remove(self, group: Group, sessions: RcsSessions, number: str) -> None:
        """Ask for the end of a member, by the URI the focus knows it by. Raises NotServed for who is none."""
        member = next((uri for uri in group.listed if number_of(uri) == number), None)
        if member is None:
            raise NotServed(f"{number} is not in the group")
        self._background.spawn(self._remove(group, sessions, member))

    async def _remove(self, group: Group, sessions: RcsSessions, member: str) -> None:
        status = await refer(sessions.access, group.focus, (member,), "BYE")
        if status is None or status >= 300:
            _log.warning("%s was not removed from %s: %s", member, group.focus, status)
            self._app.snackbar = "Couldn't remove this person"
