"""The pages of the simulated messaging app: which one is in front, and what was typed and picked on it."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum

from devices.simulated.conversations import normal_number


class Page(Enum):
    """What fills the window.

    NEW and ADD pick people, NAME names a new group, SHARE picks whom a file is for.
    """

    LIST = "list"
    CONVERSATION = "conversation"
    NEW = "new"
    NAME = "name"
    DETAILS = "details"
    ADD = "add"
    SHARE = "share"


# Where the back key leads; from a page that is not here it leads out of the app.
_BACK = {
    Page.CONVERSATION: Page.LIST,
    Page.NEW: Page.LIST,
    Page.NAME: Page.NEW,
    Page.DETAILS: Page.CONVERSATION,
    Page.ADD: Page.DETAILS,
}
_OF_A_CONVERSATION = (Page.CONVERSATION, Page.DETAILS, Page.ADD)


@dataclass(slots=True)
class Pages:
    """Where the user is. `key` is the conversation a page belongs to, None on the others.

    `typed` stands in the field of a page that has one beside the compose box; `menu`: the overflow menu hangs
    open; `shared` is what another app shares: a text, or the path and type of a file; `member` is one of a
    group, whose menu hangs open on the details page.
    """

    page: Page = Page.LIST
    key: str | None = None
    menu: bool = False
    typed: str = ""
    picked: list[str] = field(default_factory=list)
    shared: str | tuple[str, str] | None = None
    member: str = ""

    def show(self, page: Page, key: str | None = None) -> None:
        """Go to a page. People picked stay picked from NEW to NAME and back."""
        if page is not Page.NAME and self.page is not Page.NAME:
            self.picked = []
        self.page, self.menu, self.typed, self.member = page, False, "", ""
        self.key = (key or self.key) if page in _OF_A_CONVERSATION else None
        if page is not Page.SHARE:
            self.shared = None

    def back(self) -> bool:
        """The back key; False when it leads out of the app."""
        if self.menu or self.member:
            self.menu, self.member = False, ""
            return True
        if self.page not in _BACK:
            return False
        self.show(_BACK[self.page])
        return True

    @property
    def picks_people(self) -> bool:
        """Is this a page that takes numbers?"""
        return self.page in (Page.NEW, Page.ADD)

    def pick(self) -> None:
        """Enter: the number typed becomes one of those picked."""
        number, self.typed = normal_number(self.typed), ""
        if number and number not in self.picked:
            self.picked.append(number)
