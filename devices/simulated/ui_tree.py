"""The view tree of the simulated screen: what `uiautomator dump` writes and screen.py draws.

The XML is written as KXmlSerializer of Android does: attribute quoting, numeric entities, '.' for what XML
cannot hold. What the windows hold is in system_windows.py and the *_view modules.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import Enum
from typing import NamedTuple

from devices.simulated.messaging_app import PACKAGE


class Box(NamedTuple):
    """A rectangle in pixels."""

    left: int
    top: int
    right: int
    bottom: int

    def holds(self, x: int, y: int) -> bool:
        """Is the point inside?"""
        return self.left <= x < self.right and self.top <= y < self.bottom

    def clip(self, other: Box) -> Box:
        """The part inside `other`."""
        return Box(
            max(self.left, other.left),
            max(self.top, other.top),
            min(self.right, other.right),
            min(self.bottom, other.bottom),
        )

    @property
    def empty(self) -> bool:
        """Nothing left of it."""
        return self.right <= self.left or self.bottom <= self.top

    def __str__(self) -> str:
        return f"[{self.left},{self.top}][{self.right},{self.bottom}]"


class Style(Enum):
    """How screen.py draws a node."""

    NONE = "none"
    PAGE = "page"
    DARK = "dark"
    BAR = "bar"
    TITLE = "title"
    SUBTITLE = "subtitle"
    NAME = "name"
    NAME_UNREAD = "name-unread"
    BUBBLE_OUT = "bubble-out"
    BUBBLE_IN = "bubble-in"
    STATUS = "status"
    FAILED = "failed"
    STAMP = "stamp"
    COMPOSE = "compose"
    COMPOSE_HINT = "compose-hint"
    SEND = "send"
    SEND_IDLE = "send-idle"
    PLUS = "plus"
    BACK = "back"
    MORE = "more"
    AVATAR = "avatar"
    BADGE = "badge"
    FAB = "fab"
    CARD = "card"
    CLOCK = "clock"
    FILE_OUT = "file-out"
    FILE_IN = "file-in"
    FILE_NAME_OUT = "file-name-out"
    FILE_NAME_IN = "file-name-in"
    FILE_LINE_OUT = "file-line-out"
    FILE_LINE_IN = "file-line-in"
    PROGRESS = "progress"
    CROSS = "cross"
    BUTTON = "button"
    BUTTON_PLAIN = "button-plain"
    NOTE = "note"
    SENDER = "sender"
    MENU = "menu"
    ITEM = "item"
    SNACKBAR = "snackbar"
    CHIP = "chip"


Touch = tuple[str, str]


@dataclass(slots=True)
class Node:
    """One view.

    `full` is the box before clipping, `lines` the text broken for drawing, `share` how much of a progress bar
    is filled (0 to 1), `touch` what a tap does.
    """

    kind: str
    bounds: Box
    text: str = ""
    resource_id: str = ""
    description: str = ""
    package: str = PACKAGE
    clickable: bool = False
    focusable: bool = False
    focused: bool = False
    scrollable: bool = False
    enabled: bool = True
    hint: str = ""
    style: Style = Style.NONE
    lines: tuple[str, ...] = ()
    share: float = 0.0
    full: Box | None = None
    touch: Touch | None = None
    children: list[Node] = field(default_factory=list)

    def add(self, child: Node) -> Node:
        """Append a child and return it."""
        self.children.append(child)
        return child

    def walk(self) -> Iterator[Node]:
        """This node and all below it, in document order."""
        yield self
        for child in self.children:
            yield from child.walk()

    def at(self, x: int, y: int) -> Touch | None:
        """What a tap at the point does: the deepest, last drawn view that takes it."""
        if not self.bounds.holds(x, y):
            return None
        for child in reversed(self.children):
            if (found := child.at(x, y)) is not None:
                return found
        return self.touch


@dataclass(frozen=True, slots=True)
class Metrics:
    """Screen size in pixels. Everything is laid out for a width of 540 and scaled."""

    width: int = 540
    height: int = 1200

    def px(self, value: float) -> int:
        """Design units to pixels."""
        return round(value * self.width / 540)


def blank(metrics: Metrics, package: str, style: Style) -> Node:
    """A window with nothing in it."""
    return Node(
        "android.widget.FrameLayout", Box(0, 0, metrics.width, metrics.height), package=package, style=style
    )


def label(box: Box, text: str, style: Style, resource_id: str = "", package: str = PACKAGE) -> Node:
    """One line of text."""
    return Node(
        "android.widget.TextView",
        box,
        text,
        resource_id,
        package=package,
        style=style,
        lines=(text,),
        full=box,
    )


def button(box: Box, text: str, resource_id: str, touch: Touch, style: Style = Style.BUTTON) -> Node:
    """A button with a word on it."""
    return Node(
        "android.widget.Button",
        box,
        text,
        resource_id,
        clickable=True,
        focusable=True,
        lines=(text,),
        full=box,
        style=style,
        touch=touch,
    )


def icon(box: Box, description: str, touch: Touch | None, style: Style, resource_id: str = "") -> Node:
    """A button with a sign on it."""
    return Node(
        "android.widget.ImageButton",
        box,
        resource_id=resource_id,
        description=description,
        clickable=True,
        focusable=True,
        style=style,
        touch=touch,
    )


# What stripInvalidXMLChars of AccessibilityNodeInfoDumper replaces; U+FFFE and lone surrogates would make the
# serializer throw and are replaced as well.
_INVALID = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x84\x86-\x9f\ud800-\udfff\ufdd0-\ufddf\ufffe\uffff]")


def xml_text(text: str) -> str:
    """The text as the dump shows it: '.' for characters that XML cannot hold."""
    return _INVALID.sub(".", text)


def _attribute(name: str, value: str) -> str:
    clean = xml_text(value)
    quote = "'" if '"' in clean else '"'
    out: list[str] = []
    for char in clean:
        if char in "&<>\n\r\t" or char == quote or ord(char) > 0xFFFF:
            named = {"&": "&amp;", "<": "&lt;", ">": "&gt;", "'": "&apos;"}
            out.append(named.get(char) or f"&#{ord(char)};")
        else:
            out.append(char)
    return f" {name}={quote}{''.join(out)}{quote}"


def _flags(node: Node) -> str:
    flags = {
        "checkable": False,
        "checked": False,
        "clickable": node.clickable,
        "enabled": node.enabled,
        "focusable": node.focusable,
        "focused": node.focused,
        "scrollable": node.scrollable,
        "long-clickable": False,
        "password": False,
        "selected": False,
    }
    return "".join(f' {name}="{str(value).lower()}"' for name, value in flags.items())


def _element(node: Node, index: int, out: list[str], compressed: bool) -> None:
    out.append(f'<node index="{index}"')
    out.append(_attribute("text", node.text) + _attribute("resource-id", node.resource_id))
    out.append(_attribute("class", node.kind) + _attribute("package", node.package))
    out.append(_attribute("content-desc", node.description) + _flags(node))
    out.append(f' bounds="{node.bounds}"' + _attribute("hint", node.hint))
    children = list(_important(node) if compressed else node.children)
    out.append(">" if children else " />")
    for position, child in enumerate(children):
        _element(child, position, out, compressed)
    if children:
        out.append("</node>")


def _important(node: Node) -> Iterator[Node]:
    """The children in compressed form: views that say nothing are left out, their children move up."""
    for child in node.children:
        if child.text or child.description or child.clickable or child.scrollable:
            yield child
        else:
            yield from _important(child)


def dump(root: Node, *, compressed: bool = False) -> str:
    """The hierarchy as `uiautomator dump` writes it."""
    out = ["<?xml version='1.0' encoding='UTF-8' standalone='yes' ?>", '<hierarchy rotation="0">']
    _element(root, 0, out, compressed)
    return "".join(out) + "</hierarchy>"
