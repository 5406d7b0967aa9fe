"""One conversation of the simulated messaging app: title and menu, invitations, bubbles, compose box.

Resource ids are those of Google Messages (View builds, with the Compose send button of 2024 and later); what
it does not have (Start chat, Accept, Decline) is named in its manner.
"""

from __future__ import annotations

from devices.simulated import lettering
from devices.simulated.bubble_view import accept_and_decline, bubbles
from devices.simulated.conversations import ChatState, Conversation, Offer
from devices.simulated.messaging_app import PACKAGE, MessagingApp
from devices.simulated.ui_tree import Box, Metrics, Node, Style, Touch, blank, icon, label

HINT_CHAT, HINT_SMS = "RCS message", "Text message"
COMPOSE_LINES = 6
_SUBTITLES = {
    ChatState.NONE: "Chat",
    ChatState.STARTING: "Chat • starting",
    ChatState.OPEN: "Chat • connected",
    ChatState.PAUSED: "Chat • paused",
    ChatState.ENDED: "Chat",
}


def conversation(metrics: Metrics, app: MessagingApp, key: str) -> Node:
    """The window of a conversation."""
    px = metrics.px
    content = app.conversations[key]
    root = blank(metrics, PACKAGE, Style.PAGE)
    foot = _foot(metrics, app, content)
    top, bottom = px(116), foot[-1].bounds.top
    cards: list[Node] = []
    for offer in content.offers:
        cards.append(_invitation(metrics, offer, top))
        top = cards[-1].bounds.bottom + px(8)
    if content.composing:
        bottom -= px(32)
        cards.append(_composing(metrics, content, bottom))
    root.add(bubbles(metrics, content, Box(0, top, metrics.width, bottom), app.scroll))
    root.add(_bar(metrics, content))
    root.children += cards + foot
    if app.pages.menu:
        root.add(_menu(metrics, content))
    return root


def _bar(metrics: Metrics, content: Conversation) -> Node:
    px = metrics.px
    bar = Node("android.view.ViewGroup", Box(0, px(44), metrics.width, px(116)), style=Style.BAR)
    bar.add(icon(Box(px(8), px(52), px(64), px(108)), "Navigate up", ("back", ""), Style.BACK))
    bar.add(Node("android.widget.ImageView", Box(px(68), px(58), px(112), px(102)), style=Style.AVATAR))
    subtitle = _subtitle(content)
    title = Box(px(126), px(50) if subtitle else px(58), metrics.width - px(80), px(84 if subtitle else 102))
    bar.add(label(title, content.title, Style.TITLE, f"{PACKAGE}:id/conversation_title"))
    if subtitle:
        box = Box(px(126), px(84), metrics.width - px(80), px(108))
        bar.add(label(box, subtitle, Style.SUBTITLE, f"{PACKAGE}:id/conversation_subtitle"))
    more = Box(metrics.width - px(64), px(52), metrics.width - px(8), px(108))
    bar.add(icon(more, "More options", ("menu", ""), Style.MORE))
    return bar


def _subtitle(content: Conversation) -> str:
    if content.group is not None:
        count = len(content.group.members)
        return f"{count} {'person' if count == 1 else 'people'}" if content.group.open else "Not connected"
    return _SUBTITLES[content.session] if content.chat else ""


def _menu_items(content: Conversation) -> list[tuple[str, Touch]]:
    if content.group is not None:
        return [("Group details", ("details", ""))]
    return [("End chat", ("end-chat", ""))] if content.chat else [("Start chat", ("start-chat", ""))]


def _menu(metrics: Metrics, content: Conversation) -> Node:
    px = metrics.px
    items = _menu_items(content)
    right, top = metrics.width - px(12), px(60)
    card = Box(right - px(240), top, right, top + px(16) + px(56) * len(items))
    menu = Node("android.widget.ListView", card, style=Style.MENU)
    top += px(8)
    for text, touch in items:
        row = Box(card.left, top, card.right, top + px(56))
        item = Node("android.widget.LinearLayout", row, clickable=True, focusable=True, touch=touch)
        box = Box(row.left + px(20), row.top, row.right - px(12), row.bottom)
        item.add(label(box, text, Style.ITEM, f"{PACKAGE}:id/title"))
        menu.add(item)
        top += px(56)
    return menu


def _invitation(metrics: Metrics, offer: Offer, top: int) -> Node:
    px = metrics.px
    box = Box(px(16), top, metrics.width - px(16), top + px(116))
    card = Node("android.widget.FrameLayout", box, resource_id=f"{PACKAGE}:id/invitation", style=Style.CARD)
    line = Box(box.left + px(20), top + px(12), box.right - px(20), top + px(52))
    card.add(label(line, offer.text, Style.SUBTITLE, f"{PACKAGE}:id/invitation_text"))
    card.children += accept_and_decline(metrics, offer.id, box)
    return card


def _composing(metrics: Metrics, content: Conversation, top: int) -> Node:
    px = metrics.px
    who = content.composing
    text = f"{', '.join(who)} {'is' if len(who) == 1 else 'are'} typing…"
    box = Box(px(24), top, metrics.width - px(24), top + px(32))
    return label(box, text, Style.SUBTITLE, f"{PACKAGE}:id/typing_indicator")


def _foot(metrics: Metrics, app: MessagingApp, content: Conversation) -> list[Node]:
    """What stands below the bubbles, from the bottom up."""
    px = metrics.px
    if content.group is not None and content.group.left:
        box = Box(px(20), metrics.height - px(116), metrics.width - px(20), metrics.height - px(60))
        return [label(box, "You can't send messages to this group", Style.NOTE)]
    compose = _compose_row(
        metrics, content, HINT_CHAT if app.chat_mode and content.capable is not False else HINT_SMS
    )
    if content.attached is None:
        return [compose]
    top = compose.bounds.top - px(60)
    row = Node("android.view.ViewGroup", Box(0, top, metrics.width, compose.bounds.top))
    chip = Box(px(72), top + px(6), metrics.width - px(140), top + px(54))
    row.add(label(chip, content.attached.name, Style.CHIP, f"{PACKAGE}:id/draft_attachment"))
    cross = Box(metrics.width - px(132), top + px(10), metrics.width - px(92), top + px(50))
    row.add(icon(cross, "Remove attachment", ("detach", content.key), Style.CROSS))
    return [compose, row]


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
    ready = bool(content.draft.strip()) or content.attached is not None
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
