"""The rows of a conversation of the simulated messaging app: texts, files, and lines of the app itself."""

from __future__ import annotations

import time

from devices.simulated import lettering
from devices.simulated.conversations import (
    Attachment,
    AttachmentState,
    Conversation,
    Message,
    MessageStatus,
)
from devices.simulated.messaging_app import PACKAGE
from devices.simulated.ui_tree import Box, Metrics, Node, Style, Touch, button, icon, label

_SIZES = ("B", "kB", "MB", "GB")


def bubbles(metrics: Metrics, content: Conversation, area: Box, scroll: int) -> Node:
    """Rows from the bottom upwards; only what is at least partly in the area exists, as in a RecyclerView."""
    px = metrics.px
    rows = Node("android.view.View", area, resource_id="message_list", scrollable=True)
    bottom = area.bottom - px(8) + scroll
    for index in range(len(content.messages) - 1, -1, -1):
        previous = content.messages[index - 1] if index else None
        row = _row(metrics, content, index, bottom, previous)
        bottom = row.bounds.top - px(6)
        if row.bounds.top < area.bottom and row.bounds.bottom > area.top:
            rows.children.insert(0, _clip(row, area))
        if bottom <= area.top:
            break
    return rows


def _row(metrics: Metrics, content: Conversation, index: int, bottom: int, previous: Message | None) -> Node:
    px = metrics.px
    message = content.messages[index]
    if message.note:
        box = Box(px(20), bottom - px(32), metrics.width - px(20), bottom)
        return label(box, message.text, Style.NOTE, f"{PACKAGE}:id/system_message")
    under = px(24) if message.outgoing else 0
    if message.attachment is not None:
        shown = _file(metrics, message, message.attachment, bottom - under)
    else:
        shown = _text(metrics, message, index, bottom - under)
    top = shown[0].bounds.top
    who = "You" if message.outgoing else message.sender or content.title
    what = message.attachment.name if message.attachment else message.text
    row = Node(
        "android.view.ViewGroup",
        Box(0, top, metrics.width, bottom),
        description=f"{who} said {what}",
        focusable=True,
        children=shown,
    )
    if message.outgoing and message.status is not None:
        row.add(_status(metrics, message.status, index, Box(0, bottom - under, metrics.width, bottom)))
    if message.sender:
        top -= px(28)
        box = Box(px(24), top, metrics.width - px(20), top + px(26))
        row.children.insert(0, label(box, message.sender, Style.SENDER, f"{PACKAGE}:id/message_sender"))
    if previous is None or message.time - previous.time > 3600:
        stamp = time.strftime("%A · %H:%M", time.gmtime(message.time))
        top -= px(40)
        row.add(label(Box(px(20), top, metrics.width - px(20), top + px(28)), stamp, Style.STAMP))
    row.bounds = Box(0, top, metrics.width, bottom)
    return row


def _retry(message: Message, index: int) -> Touch | None:
    return ("retry", str(index)) if message.status is MessageStatus.NOT_SENT else None


def _text(metrics: Metrics, message: Message, index: int, bottom: int) -> list[Node]:
    px = metrics.px
    size = px(19)
    lines = lettering.wrap(message.text, size, metrics.width * 0.72)
    widest = max(lettering.width(line, size) for line in lines)
    across = round(max(widest, px(24))) + 2 * px(16)
    height = len(lines) * lettering.line_height(size) + px(20)
    left = metrics.width - px(16) - across if message.outgoing else px(16)
    box = Box(left, bottom - height, left + across, bottom)
    touch = _retry(message, index)
    return [
        Node(
            "android.widget.TextView",
            box,
            message.text,
            f"{PACKAGE}:id/message_text",
            clickable=touch is not None,
            focusable=True,
            lines=tuple(lines),
            full=box,
            touch=touch,
            style=Style.BUBBLE_OUT if message.outgoing else Style.BUBBLE_IN,
        )
    ]


def _status(metrics: Metrics, status: MessageStatus, index: int, line: Box) -> Node:
    px = metrics.px
    failed = status is MessageStatus.NOT_SENT
    span = round(lettering.width(str(status), px(14))) + px(8)
    box = Box(line.right - px(20) - span, line.top + px(2), line.right - px(20), line.bottom)
    return Node(
        "android.widget.TextView",
        box,
        str(status),
        f"{PACKAGE}:id/message_status",
        lines=(str(status),),
        full=box,
        style=Style.FAILED if failed else Style.STATUS,
        clickable=failed,
        touch=("retry", str(index)) if failed else None,
    )


def _file(metrics: Metrics, message: Message, file: Attachment, bottom: int) -> list[Node]:
    """A card with the name, how far it is, and what the user can do about it."""
    px = metrics.px
    asks = file.asks
    across, height = px(380), px(132) if asks else px(84)
    left = metrics.width - px(16) - across if message.outgoing else px(16)
    card = Box(left, bottom - height, left + across, bottom)
    out = message.outgoing
    nodes = [
        Node(
            "android.widget.FrameLayout",
            card,
            resource_id=f"{PACKAGE}:id/attachment",
            description=f"{file.type} {file.size}",
            full=card,
            style=Style.FILE_OUT if out else Style.FILE_IN,
        )
    ]
    text = Box(card.left + px(70), card.top + px(12), card.right - px(52), card.top + px(42))
    line = Box(text.left, card.top + px(44), text.right, card.top + px(70))
    inside = nodes[0].children
    name_style = Style.FILE_NAME_OUT if out else Style.FILE_NAME_IN
    line_style = Style.FILE_LINE_OUT if out else Style.FILE_LINE_IN
    inside.append(label(text, file.name, name_style, f"{PACKAGE}:id/attachment_name"))
    inside.append(label(line, _progress_line(file), line_style, f"{PACKAGE}:id/attachment_status"))
    if file.state is AttachmentState.MOVING:
        inside.append(_progress(metrics, file, card))
    if file.state in (AttachmentState.WAITING, AttachmentState.MOVING) and message.id:
        cross = Box(card.right - px(48), card.top + px(18), card.right - px(8), card.top + px(58))
        cancel = f"{PACKAGE}:id/cancel_attachment"
        inside.append(icon(cross, f"Cancel {file.name}", ("cancel", message.id), Style.CROSS, cancel))
    if asks:
        inside += accept_and_decline(metrics, message.id, card)
    return nodes


def accept_and_decline(metrics: Metrics, offer_id: str, card: Box) -> list[Node]:
    """The buttons at the foot of a card that asks the user."""
    px = metrics.px
    top, bottom = card.bottom - px(52), card.bottom - px(8)
    middle = (card.left + card.right) // 2
    accept = Box(middle + px(6), top, card.right - px(16), bottom)
    decline = Box(card.left + px(16), top, middle - px(6), bottom)
    return [
        button(decline, "Decline", f"{PACKAGE}:id/decline_button", ("decline", offer_id), Style.BUTTON_PLAIN),
        button(accept, "Accept", f"{PACKAGE}:id/accept_button", ("accept", offer_id)),
    ]


def _progress(metrics: Metrics, file: Attachment, card: Box) -> Node:
    px = metrics.px
    share = file.octets / file.size if file.size else 1.0
    box = Box(card.left + px(16), card.bottom - px(10), card.right - px(16), card.bottom - px(5))
    return Node(
        "android.widget.ProgressBar",
        box,
        resource_id=f"{PACKAGE}:id/attachment_progress",
        description=f"{share:.0%}",
        share=min(1.0, share),
        style=Style.PROGRESS,
    )


def _progress_line(file: Attachment) -> str:
    so_far = f"{_size(file.octets)} of " if file.state is AttachmentState.MOVING else ""
    why = f": {file.why}" if file.why else ""
    return f"{so_far}{_size(file.size)} • {file.state}{why}"


def _size(octets: int) -> str:
    """1234567 as "1.2 MB"."""
    value, unit = float(octets), 0
    while value >= 1000 and unit < len(_SIZES) - 1:
        value, unit = value / 1000, unit + 1
    return f"{value:.1f} {_SIZES[unit]}" if unit else f"{octets} B"


def _clip(node: Node, area: Box) -> Node:
    node.bounds = node.bounds.clip(area)
    node.children = [_clip(child, area) for child in node.children if not child.bounds.clip(area).empty]
    return node
