"""Files in a group: at which focus one is offered, who may, who of the members says it came, how one comes.

OMA CPM: the INVITE goes to the URI of the group, or is from it; RFC 3892 (who of the members sends it).
"""

from __future__ import annotations

from harness.cpm.services import Service
from harness.peer.answers import Answer, Header
from harness.peer.config import FarParty
from harness.peer.foci import Foci
from harness.peer.focus import Focus
from harness.peer.listed_recipients import LIST_INVITE, listed_in
from harness.peer.pcscf import Pcscf
from harness.peer.service_table import Asked
from harness.peer.transferred_file import FileTransfer


class GroupFiles:
    """What the groups have to say about files."""

    def __init__(self, pcscf: Pcscf, foci: Foci) -> None:
        self._pcscf, self._foci = pcscf, foci

    def focus_of(self, asked: Asked) -> Focus | None:
        """The group that a file of a handset is for."""
        return self._foci.at(asked.request.uri)

    def refusal(self, transfer: FileTransfer) -> Answer | None:
        """404 for a group that is gone, 403 to who is not in it, 420 for a list (RFC 5366 5.1); None else."""
        asked, focus = transfer.asked, transfer.focus
        assert asked is not None, "an INVITE came"
        if focus is None:
            gone = self._foci.is_gone(asked.request.uri)
            return Answer(404, reason="No such group") if gone else _unreadable(asked)
        if asked.listed:
            return Answer(420, {"Unsupported": LIST_INVITE})
        member = focus.roster.find(transfer.handset)
        return None if member is not None and member.connected else Answer(403, reason="Not in the group")

    @staticmethod
    def notifiers(transfer: FileTransfer) -> list[FarParty]:
        """The members who got a file of a handset: each notifies as itself (RFC 5438 7.2.1)."""
        focus = transfer.focus
        return [member.party for member in focus.far_members] if focus is not None else []

    @staticmethod
    def rows(focus: Focus, sender: FarParty) -> list[Header]:
        """What tells a handset who of the group sends a file."""
        return [("Referred-By", f"<{sender.sip}>"), *([("Subject", focus.subject)] if focus.subject else [])]

    def contact(self, focus: Focus) -> str:
        """The Contact of an INVITE of the focus (RFC 4579 4)."""
        tag = self._pcscf.config.technology.feature_tag(Service.FILE_TRANSFER)
        return f"<{focus.uri}>;{tag};isfocus"


def _unreadable(asked: Asked) -> Answer | None:
    """400 for a list nobody can be sent to by."""
    listed = listed_in(asked.request)
    wrong = listed is not None and listed.fault
    return Answer(400, reason="The recipient list cannot be read") if wrong else None
