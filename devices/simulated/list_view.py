"""The list of conversations of the simulated messaging app, also as the picker of what another app shares."""

from __future__ import annotations

from devices.simulated.conversations import Conversation
from devices.simulated.messaging_app import PACKAGE, MessagingApp
from devices.simulated.ui_tree import Box, Metrics, Node, Style, blank, icon, label


def conversation_list(metrics: Metrics, app: MessagingApp) -> Node:
    """All conversations, latest first."""
    px = metrics.px
    root = blank(metrics, PACKAGE, Style.PAGE)
    root.add(label(Box(px(24), px(56), px(400), px(104)), "Messages", Style.TITLE))
    root.add(_rows(metrics, app, "open"))
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
            touch=("new", ""),
        )
    )
    return root


def share_picker(metrics: Metrics, app: MessagingApp) -> Node:
    """Whom a shared file is for."""
    px = metrics.px
    root = blank(metrics, PACKAGE, Style.PAGE)
    root.add(icon(Box(px(8), px(52), px(64), px(108)), "Navigate up", ("back", ""), Style.BACK))
    title = Box(px(80), px(56), metrics.width - px(24), px(104))
    root.add(label(title, "Choose a conversation", Style.TITLE))
    root.add(_rows(metrics, app, "share-with"))
    return root


def _rows(metrics: Metrics, app: MessagingApp, touch: str) -> Node:
    px = metrics.px
    area = Box(0, px(120), metrics.width, metrics.height - px(48))
    rows = Node(
        "androidx.recyclerview.widget.RecyclerView", area, resource_id="android:id/list", scrollable=True
    )
    top = area.top
    for conversation in app.conversations.values():
        if top + px(84) > area.bottom:
            break
        rows.add(_row(metrics, conversation, top, touch))
        top += px(84)
    return rows


def _row(metrics: Metrics, conversation: Conversation, top: int, touch: str) -> Node:
    px = metrics.px
    right = metrics.width
    row = Node(
        "android.view.ViewGroup",
        Box(0, top, right, top + px(84)),
        resource_id=f"{PACKAGE}:id/swipeableContainer",
        clickable=True,
        focusable=True,
        touch=(touch, conversation.key),
    )
    row.add(
        Node("android.widget.ImageView", Box(px(20), top + px(16), px(72), top + px(68)), style=Style.AVATAR)
    )
    style = Style.NAME_UNREAD if conversation.unread else Style.NAME
    name = Box(px(92), top + px(12), right - px(90), top + px(42))
    row.add(label(name, conversation.title, style, f"{PACKAGE}:id/conversation_name"))
    box = Box(px(92), top + px(44), right - px(90), top + px(72))
    row.add(
        label(
            box,
            _snippet(conversation),
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


def _snippet(conversation: Conversation) -> str:
    """The draft, an invitation that waits, else the latest bubble."""
    if conversation.draft:
        return f"Draft: {conversation.draft}"
    if conversation.offers:
        return conversation.offers[-1].text
    if not conversation.messages:
        return ""
    last = conversation.messages[-1]
    what = last.attachment.name if last.attachment else last.text
    author = "You" if last.outgoing else last.sender
    return f"{author}: {what}" if author else what
