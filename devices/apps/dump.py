"""Reads a `uiautomator dump` with an app's definition: compose box, send button, bubbles.

Pure functions over XML.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

from lxml import etree

from devices.apps.definition import Match, MessagingAppDefinition
from devices.handset import ComposeMode, FileState, Screen, ScreenFile, ScreenMessage, TextStatus

S = TypeVar("S", TextStatus, FileState)
_BOUNDS = re.compile(r"\[(-?\d+),(-?\d+)\]\[(-?\d+),(-?\d+)\]")
# What uiautomator writes as '.', since XML 1.0 cannot hold it (stripInvalidXMLChars of AOSP)
_INVALID = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x84\x86-\x9f\ud800-\udfff\ufdd0-\ufddf\ufffe\uffff]")


class DumpError(Exception):
    """No hierarchy in the output; str() is what there was instead."""


@dataclass(frozen=True, slots=True)
class UiNode:
    """One view of a dump. `bounds` are left, top, right, bottom in pixels."""

    text: str
    id: str
    kind: str
    package: str
    description: str
    hint: str
    enabled: bool
    bounds: tuple[int, int, int, int]
    parent: int | None

    @property
    def centre(self) -> tuple[int, int]:
        """Where to tap."""
        left, top, right, bottom = self.bounds
        return (left + right) // 2, (top + bottom) // 2


@dataclass(frozen=True, slots=True)
class Dump:
    """All views in document order."""

    nodes: tuple[UiNode, ...]

    @property
    def package(self) -> str:
        """Whose window it is."""
        return next((node.package for node in self.nodes if node.package), "")

    @property
    def width(self) -> int:
        """Width of the window in pixels."""
        return max((node.bounds[2] for node in self.nodes), default=0)

    def ancestry(self, node: UiNode) -> Iterable[UiNode]:
        """The node and its parents, inside out."""
        yield node
        while node.parent is not None:
            node = self.nodes[node.parent]
            yield node

    def find(self, ways: Sequence[Match]) -> UiNode | None:
        """The first view found by the first way that finds one."""
        return next(iter(self.find_all(ways)), None)

    def find_all(self, ways: Sequence[Match]) -> list[UiNode]:
        """All views found by the first way that finds any."""
        for way in ways:
            if found := [node for node in self.nodes if _matches(node, way)]:
                return found
        return []


def belonging(
    dump: Dump, owners: Sequence[UiNode], parts: Sequence[UiNode]
) -> Iterator[tuple[UiNode, UiNode]]:
    """Each part with the owner it stands after, before the next one, in document order."""
    own, have = {id(node) for node in owners}, {id(node) for node in parts}
    owner: UiNode | None = None
    for node in dump.nodes:
        if id(node) in own:
            owner = node
        elif id(node) in have and owner is not None:
            yield owner, node


def as_dumped(text: str) -> str:
    """A text as a dump shows it."""
    return _INVALID.sub(".", text)


def parse_dump(output: str) -> Dump:
    """The hierarchy in the output of uiautomator, whatever it says around it. Raises DumpError."""
    start, end = output.find("<hierarchy"), output.rfind("</hierarchy>")
    if start < 0 or end < 0:
        raise DumpError(output.strip() or "no output")
    parser = etree.XMLParser(resolve_entities=False, no_network=True, huge_tree=False)
    try:
        root = etree.fromstring(output[start : end + len("</hierarchy>")].encode("utf-8", "replace"), parser)
    except etree.XMLSyntaxError as error:
        raise DumpError(f"broken XML: {error}") from None
    nodes: list[UiNode] = []
    pending: list[tuple[etree._Element, int | None]] = [(child, None) for child in reversed(root)]
    while pending:
        element, parent = pending.pop()
        if element.tag != "node":
            continue
        nodes.append(_node(element, parent))
        index = len(nodes) - 1
        pending += [(child, index) for child in reversed(element)]
    return Dump(tuple(nodes))


def _node(element: etree._Element, parent: int | None) -> UiNode:
    def value(name: str) -> str:
        return str(element.get(name) or "")

    match = _BOUNDS.fullmatch(value("bounds"))
    left, top, right, bottom = (int(part) for part in match.groups()) if match else (0, 0, 0, 0)
    return UiNode(
        text=value("text"),
        id=value("resource-id"),
        kind=value("class"),
        package=value("package"),
        description=value("content-desc"),
        hint=value("hint"),
        enabled=value("enabled") != "false",
        bounds=(left, top, right, bottom),
        parent=parent,
    )


def is_one_of(node: UiNode, ways: Sequence[Match]) -> bool:
    """Is the view what one of these ways finds?"""
    return any(_matches(node, way) for way in ways)


def _matches(node: UiNode, way: Match) -> bool:
    return (
        (way.id is None or node.id == way.id)
        and (way.kind is None or node.kind.rpartition(".")[2] == way.kind)
        and (way.text is None or re.search(way.text, node.text) is not None)
        and (way.description is None or re.search(way.description, node.description) is not None)
    )


def status_of(text: str, app: MessagingAppDefinition) -> TextStatus:
    """The status a status line tells, e.g. "12:01 PM • Delivered"."""
    return _told(text, app.status_words) or TextStatus.NONE


def file_state_of(text: str, app: MessagingAppDefinition) -> FileState:
    """Where a file is, by the line in its bubble, e.g. "1.2 MB • Complete"."""
    return _told(text, app.file_words) or FileState.UNKNOWN


def _told(text: str, words: Mapping[S, Sequence[str]]) -> S | None:
    """What the words in a line mean. Longer words win: "Not sent" before "Sent"."""
    pairs = ((word, meaning) for meaning, known in words.items() for word in known)
    for word, meaning in sorted(pairs, key=lambda pair: -len(pair[0])):
        if re.search(rf"(?<!\w){re.escape(word)}(?!\w)", text):
            return meaning
    return None


def is_hint(node: UiNode, app: MessagingAppDefinition) -> bool:
    """Is the text of the compose box only its hint?"""
    return node.text == "" or node.text in (*app.hints.chat, *app.hints.sms) or node.text == node.hint


def compose_mode(node: UiNode, app: MessagingAppDefinition) -> ComposeMode:
    """What the hint promises. Unknown while a draft hides it (unless the dump gives hints apart)."""
    for text in (node.hint, node.text):
        if text in app.hints.chat:
            return ComposeMode.CHAT
        if text in app.hints.sms:
            return ComposeMode.SMS
    return ComposeMode.UNKNOWN


def read_conversation(dump: Dump, app: MessagingAppDefinition, number: str) -> Screen:
    """The conversation in a dump. A status line belongs to the bubble before it, in document order."""
    elements = app.elements
    bubbles = _read_bubbles(dump, app)
    box = dump.find(elements.compose_box)
    composing, said = dump.find(elements.composing), dump.find(elements.snackbar)
    subtitle = dump.find(elements.conversation_subtitle)
    return Screen(
        number,
        tuple(bubble for bubble in bubbles if isinstance(bubble, ScreenMessage)),
        draft="" if box is None or is_hint(box, app) else box.text,
        mode=ComposeMode.UNKNOWN if box is None else compose_mode(box, app),
        files=tuple(bubble for bubble in bubbles if isinstance(bubble, ScreenFile)),
        offers=tuple(node.text for node in dump.find_all(elements.invitation)),
        composing=composing.text if composing else "",
        notes=tuple(node.text for node in dump.find_all(elements.system_message)),
        in_chat=dump.find(elements.chat_mark) is not None,
        subtitle=subtitle.text if subtitle else "",
        said=said.text if said else "",
    )


def _read_bubbles(dump: Dump, app: MessagingAppDefinition) -> list[ScreenMessage | ScreenFile]:
    """Texts and files, oldest first. In a row the sender comes before its bubble, the state after it."""
    elements = app.elements
    roles: dict[int, str] = {}
    for name in ("message_status", "message_sender", "attachment_status", "attachment_name", "message_text"):
        roles |= {id(node): name for node in dump.find_all(getattr(elements, name))}
    found: list[ScreenMessage | ScreenFile] = []
    sender = ""
    for node in dump.nodes:
        role = roles.get(id(node))
        last = found[-1] if found else None
        if role == "message_sender":
            sender = node.text
        elif role == "message_text":
            found.append(ScreenMessage(node.text, _outgoing(dump, node, app), TextStatus.NONE, sender))
            sender = ""
        elif role == "attachment_name":
            found.append(ScreenFile(node.text, _outgoing(dump, node, app), FileState.UNKNOWN, ""))
            sender = ""
        elif role == "attachment_status" and isinstance(last, ScreenFile):
            line = node.text or node.description
            found[-1] = replace(last, state=file_state_of(line, app), line=line)
        elif role == "message_status" and last is not None and last.outgoing:
            found[-1] = replace(last, status=status_of(node.text or node.description, app))
    return found


def _outgoing(dump: Dump, bubble: UiNode, app: MessagingAppDefinition) -> bool:
    """By the words of the row where there are any, else by the side of the screen the bubble leans to."""
    for position, node in enumerate(dump.ancestry(bubble)):
        if position > 3:
            break
        if app.direction.outgoing and re.search(app.direction.outgoing, node.description):
            return True
        if app.direction.incoming and re.search(app.direction.incoming, node.description):
            return False
    left, _, right, _ = bubble.bounds
    return left > dump.width - right
