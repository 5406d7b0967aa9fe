"""The view tree of the simulated screen: what `uiautomator dump` writes and screen.py draws.

Resource ids are those of Google Messages (View builds, with the Compose send button of 2024 and later). The
XML is written as KXmlSerializer of Android does: attribute quoting, numeric entities, '.' for what XML
cannot hold.
"""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import Enum
from typing import NamedTuple

from devices.simulated import lettering
from devices.simulated.conversations import Conversation, Message, Notification
from devices.simulated.messaging_app import PACKAGE, MessagingApp

LAUNCHER = "com.google.android.apps.nexuslauncher"
SYSTEM_UI = "com.android.systemui"
HINT_CHAT, HINT_SMS = "RCS message", "Text message"
COMPOSE_LINES = 6


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


Touch = tuple[str, str]


@dataclass(slots=True)
class Node:
    """One view.

    `full` is the box before clipping, `lines` the text broken for drawing, `touch` what a tap does.
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


def keyguard(metrics: Metrics, when: float) -> Node:
    """The lock screen."""
    px = metrics.px
    root = blank(metrics, SYSTEM_UI, Style.DARK)
    clock = time.strftime("%H:%M", time.gmtime(when))
    box = Box(px(60), px(240), metrics.width - px(60), px(360))
    root.add(
        Node(
            "android.widget.TextView",
            box,
            clock,
            f"{SYSTEM_UI}:id/keyguard_clock",
            package=SYSTEM_UI,
            style=Style.CLOCK,
        )
    )
    return root


def launcher(metrics: Metrics) -> Node:
    """The home screen with one icon."""
    px = metrics.px
    root = blank(metrics, LAUNCHER, Style.DARK)
    box = Box(px(40), px(980), px(140), px(1090))
    root.add(
        Node(
            "android.widget.TextView",
            box,
            "Messages",
            f"{LAUNCHER}:id/icon",
            "Messages",
            LAUNCHER,
            clickable=True,
            style=Style.FAB,
            lines=("Messages",),
            touch=("app", ""),
        )
    )
    return root


def shade(metrics: Metrics, notifications: list[Notification]) -> Node:
    """The notification shade pulled down."""
    px = metrics.px
    root = blank(metrics, SYSTEM_UI, Style.DARK)
    box = Box(px(20), px(120), metrics.width - px(20), metrics.height - px(80))
    stack = Node(
        "android.view.ViewGroup",
        box,
        resource_id=f"{SYSTEM_UI}:id/notification_stack_scroller",
        package=SYSTEM_UI,
    )
    root.add(stack)
    top = box.top
    for notification in notifications:
        row = Box(box.left, top, box.right, top + px(96))
        card = Node(
            "android.widget.FrameLayout",
            row,
            package=SYSTEM_UI,
            clickable=True,
            style=Style.CARD,
            touch=("open", notification.key),
        )
        title = Box(row.left + px(20), top + px(14), row.right - px(20), top + px(46))
        body = Box(row.left + px(20), top + px(48), row.right - px(20), top + px(82))
        card.add(_label(title, notification.title, Style.NAME_UNREAD, "android:id/title", SYSTEM_UI))
        card.add(_label(body, notification.text, Style.SUBTITLE, "android:id/text", SYSTEM_UI))
        stack.add(card)
        top += px(104)
    return root


def _label(box: Box, text: str, style: Style, resource_id: str = "", package: str = PACKAGE) -> Node:
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


def conversation_list(metrics: Metrics, app: MessagingApp) -> Node:
    """The list of conversations, latest first."""
    px = metrics.px
    root = blank(metrics, PACKAGE, Style.PAGE)
    root.add(_label(Box(px(24), px(56), px(400), px(104)), "Messages", Style.TITLE))
    area = Box(0, px(120), metrics.width, metrics.height - px(48))
    rows = root.add(
        Node(
            "androidx.recyclerview.widget.RecyclerView", area, resource_id="android:id/list", scrollable=True
        )
    )
    top = area.top
    for conversation in app.conversations.values():
        if top + px(84) > area.bottom:
            break
        rows.add(_list_row(metrics, conversation, top))
        top += px(84)
    fab = Box(
        metrics.width - px(184), metrics.height - px(140), metrics.width - px(24), metrics.height - px(76)
    )
    root.add(
        Node(
            "android.widget.Button",
            fab,
            "Start chat",
            f"{PACKAGE}:id/start_chat_fab",
            "Start chat",
            clickable=True,
            focusable=True,
            style=Style.FAB,
            lines=("Start chat",),
        )
    )
    return root


def _list_row(metrics: Metrics, conversation: Conversation, top: int) -> Node:
    px = metrics.px
    right = metrics.width
    row = Node(
        "android.view.ViewGroup",
        Box(0, top, right, top + px(84)),
        resource_id=f"{PACKAGE}:id/swipeableContainer",
        clickable=True,
        focusable=True,
        touch=("open", conversation.key),
    )
    row.add(
        Node("android.widget.ImageView", Box(px(20), top + px(16), px(72), top + px(68)), style=Style.AVATAR)
    )
    style = Style.NAME_UNREAD if conversation.unread else Style.NAME
    name = Box(px(92), top + px(12), right - px(90), top + px(42))
    row.add(_label(name, conversation.title, style, f"{PACKAGE}:id/conversation_name"))
    last = conversation.messages[-1] if conversation.messages else None
    snippet = ("You: " if last and last.outgoing else "") + (last.text if last else "")
    if conversation.draft:
        snippet = f"Draft: {conversation.draft}"
    box = Box(px(92), top + px(44), right - px(90), top + px(72))
    row.add(
        _label(
            box,
            snippet,
            style if conversation.unread else Style.SUBTITLE,
            f"{PACKAGE}:id/conversation_snippet",
        )
    )
    if conversation.unread:
        badge = Box(right - px(56), top + px(28), right - px(28), top + px(56))
        row.add(
            Node(
                "android.widget.TextView",
                badge,
                str(conversation.unread),
                style=Style.BADGE,
                description=f"{conversation.unread} unread",
                lines=(str(conversation.unread),),
            )
        )
    return row


def conversation(metrics: Metrics, app: MessagingApp, number: str) -> Node:
    """One conversation: title, bubbles, compose box."""
    px = metrics.px
    content = app.conversations[number]
    root = blank(metrics, PACKAGE, Style.PAGE)
    compose = _compose_row(metrics, content, HINT_CHAT if app.chat_mode else HINT_SMS)
    area = Box(0, px(116), metrics.width, compose.bounds.top)
    root.add(_bubbles(metrics, content, area, app.scroll))
    bar = root.add(Node("android.view.ViewGroup", Box(0, px(44), metrics.width, px(116)), style=Style.BAR))
    bar.add(
        Node(
            "android.widget.ImageButton",
            Box(px(8), px(52), px(64), px(108)),
            description="Navigate up",
            clickable=True,
            focusable=True,
            style=Style.BACK,
            touch=("back", ""),
        )
    )
    bar.add(Node("android.widget.ImageView", Box(px(68), px(58), px(112), px(102)), style=Style.AVATAR))
    bar.add(_label(Box(px(126), px(58), metrics.width - px(80), px(102)), number, Style.TITLE))
    bar.add(
        Node(
            "android.widget.ImageView",
            Box(metrics.width - px(64), px(52), metrics.width - px(8), px(108)),
            description="More options",
            clickable=True,
            focusable=True,
            style=Style.MORE,
        )
    )
    root.add(compose)
    return root


def _compose_row(metrics: Metrics, content: Conversation, hint: str) -> Node:
    px = metrics.px
    size, bottom = px(19), metrics.height - px(52)
    left, right = px(72), metrics.width - px(84)
    lines = lettering.wrap(content.draft, size, right - left - px(36)) if content.draft else [hint]
    shown = lines[-COMPOSE_LINES:]
    height = max(px(56), len(shown) * lettering.line_height(size) + px(28))
    row = Node("android.view.ViewGroup", Box(0, bottom - height - px(16), metrics.width, bottom))
    middle = bottom - px(8) - px(28)
    plus = Box(px(12), middle - px(24), px(60), middle + px(24))
    row.add(
        Node(
            "android.view.View",
            plus,
            resource_id="ComposeRowIcon:Shortcuts",
            description="Show attachment options",
            clickable=True,
            style=Style.PLUS,
        )
    )
    box = Box(left, bottom - px(8) - height, right, bottom - px(8))
    row.add(
        Node(
            "android.widget.EditText",
            box,
            content.draft or hint,
            f"{PACKAGE}:id/compose_message_text",
            hint=hint,
            clickable=True,
            focusable=True,
            focused=bool(content.draft),
            lines=tuple(shown),
            full=box,
            style=Style.COMPOSE if content.draft else Style.COMPOSE_HINT,
            touch=("focus", ""),
        )
    )
    send = Box(metrics.width - px(70), middle - px(27), metrics.width - px(16), middle + px(27))
    ready = bool(content.draft.strip())
    outer = Node(
        "android.view.View",
        send,
        resource_id="Compose:Draft:Send",
        clickable=ready,
        focusable=True,
        description="Send message" if ready else "",
        enabled=ready,
    )
    style = Style.SEND if ready else Style.SEND_IDLE
    outer.add(Node("android.widget.Button", send, enabled=ready, style=style, touch=("send", "")))
    row.add(outer)
    return row


def _bubbles(metrics: Metrics, content: Conversation, area: Box, scroll: int) -> Node:
    """Rows from the bottom upwards; only what is at least partly in the area exists, as in a RecyclerView."""
    px = metrics.px
    rows = Node("android.view.View", area, resource_id="message_list", scrollable=True)
    bottom = area.bottom - px(8) + scroll
    for index in range(len(content.messages) - 1, -1, -1):
        message = content.messages[index]
        previous = content.messages[index - 1] if index else None
        row = _row(metrics, content.title, message, index, bottom, previous)
        bottom = row.bounds.top - px(6)
        if row.bounds.top < area.bottom and row.bounds.bottom > area.top:
            rows.children.insert(0, _clip(row, area))
        if bottom <= area.top:
            break
    return rows


def _row(
    metrics: Metrics, number: str, message: Message, index: int, bottom: int, previous: Message | None
) -> Node:
    px = metrics.px
    size, small, inset = px(19), px(14), px(16)
    lines = lettering.wrap(message.text, size, metrics.width * 0.72)
    widest = max(lettering.width(line, size) for line in lines)
    across = round(max(widest, px(24))) + 2 * inset
    under = px(24) if message.outgoing else 0
    height = len(lines) * lettering.line_height(size) + px(20)
    top = bottom - under - height
    left = metrics.width - px(16) - across if message.outgoing else px(16)
    who = "You" if message.outgoing else number
    row = Node(
        "android.view.ViewGroup",
        Box(0, top, metrics.width, bottom),
        description=f"{who} said {message.text}",
        focusable=True,
    )
    bubble = Box(left, top, left + across, top + height)
    failed = message.status is not None and message.status.name == "NOT_SENT"
    touch = ("retry", str(index)) if failed else None
    row.add(
        Node(
            "android.widget.TextView",
            bubble,
            message.text,
            f"{PACKAGE}:id/message_text",
            clickable=failed,
            focusable=True,
            lines=tuple(lines),
            full=bubble,
            touch=touch,
            style=Style.BUBBLE_OUT if message.outgoing else Style.BUBBLE_IN,
        )
    )
    if message.outgoing and message.status is not None:
        text = str(message.status)
        span = round(lettering.width(text, small)) + px(8)
        box = Box(metrics.width - px(20) - span, top + height + px(2), metrics.width - px(20), bottom)
        row.add(
            Node(
                "android.widget.TextView",
                box,
                text,
                f"{PACKAGE}:id/message_status",
                lines=(text,),
                full=box,
                style=Style.FAILED if failed else Style.STATUS,
                clickable=failed,
                touch=touch,
            )
        )
    if previous is None or message.time - previous.time > 3600:
        stamp = time.strftime("%A · %H:%M", time.gmtime(message.time))
        box = Box(px(20), top - px(40), metrics.width - px(20), top - px(12))
        row.add(_label(box, stamp, Style.STAMP))
        row.bounds = Box(0, box.top, metrics.width, bottom)
    return row


def _clip(node: Node, area: Box) -> Node:
    node.bounds = node.bounds.clip(area)
    node.children = [_clip(child, area) for child in node.children if not child.bounds.clip(area).empty]
    return node


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
