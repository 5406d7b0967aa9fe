"""Pages of the simulated messaging app: people are picked, a group is named, its members are shown."""

from __future__ import annotations

from devices.simulated.conversations import Conversation
from devices.simulated.messaging_app import PACKAGE, MessagingApp
from devices.simulated.ui_tree import (
    Box,
    Metrics,
    Node,
    Style,
    Touch,
    blank,
    button,
    icon,
    label,
)

CHIPS_SHOWN = 8
MEMBERS_SHOWN = 12


def _page(metrics: Metrics, title: str) -> Node:
    px = metrics.px
    root = blank(metrics, PACKAGE, Style.PAGE)
    root.add(icon(Box(px(8), px(52), px(64), px(108)), "Navigate up", ("back", ""), Style.BACK))
    root.add(label(Box(px(80), px(56), metrics.width - px(24), px(104)), title, Style.TITLE))
    return root


def _field(metrics: Metrics, text: str, hint: str, resource_id: str) -> Node:
    px = metrics.px
    box = Box(px(24), px(128), metrics.width - px(24), px(184))
    return Node(
        "android.widget.EditText",
        box,
        text or hint,
        resource_id,
        hint=hint,
        clickable=True,
        focusable=True,
        focused=True,
        lines=(text or hint,),
        full=box,
        style=Style.COMPOSE if text else Style.COMPOSE_HINT,
        touch=("focus", ""),
    )


def _action(metrics: Metrics, place: int, text: str, name: str, touch: Touch, style: Style) -> Node:
    """One of the buttons at the foot of a page, counted from the right."""
    px = metrics.px
    right = metrics.width - px(24) - place * px(190)
    box = Box(right - px(180), metrics.height - px(132), right, metrics.height - px(76))
    return button(box, text, f"{PACKAGE}:id/{name}", touch, style)


def _picker(metrics: Metrics, app: MessagingApp, title: str) -> Node:
    px = metrics.px
    root = _page(metrics, title)
    root.add(_field(metrics, app.pages.typed, "Type names, phone numbers, or emails", "ContactSearchField"))
    top = px(200)
    for number in app.pages.picked[-CHIPS_SHOWN:]:
        box = Box(px(24), top, px(324), top + px(48))
        root.add(label(box, number, Style.CHIP, f"{PACKAGE}:id/contact_chip"))
        top += px(56)
    if len(app.pages.picked) > CHIPS_SHOWN:
        more = f"and {len(app.pages.picked) - CHIPS_SHOWN} more"
        root.add(label(Box(px(40), top, metrics.width - px(24), top + px(40)), more, Style.SUBTITLE))
    return root


def new_conversation(metrics: Metrics, app: MessagingApp) -> Node:
    """Pick one number to write to, or several to found a group."""
    root = _picker(metrics, app, "New conversation")
    if app.pages.picked:
        root.add(_action(metrics, 0, "Create group", "create_group_button", ("name-group", ""), Style.BUTTON))
    if len(app.pages.picked) == 1:
        touch = ("start-with-picked", "")
        root.add(_action(metrics, 1, "Start chat", "start_with_picked", touch, Style.BUTTON_PLAIN))
    return root


def name_group(metrics: Metrics, app: MessagingApp) -> Node:
    """The subject of a new group."""
    root = _page(metrics, "Add group name")
    root.add(_field(metrics, app.pages.typed, "Group name", f"{PACKAGE}:id/group_name_edit_text"))
    root.add(_action(metrics, 0, "Done", "group_name_done", ("create-group", ""), Style.BUTTON))
    return root


def add_people(metrics: Metrics, app: MessagingApp) -> Node:
    """Pick who else shall be in a group."""
    root = _picker(metrics, app, "Add people")
    if app.pages.picked:
        root.add(_action(metrics, 0, "Add", "add_people_done", ("add-picked", ""), Style.BUTTON))
    return root


def group_details(metrics: Metrics, content: Conversation, chosen: str) -> Node:
    """Subject and members, with the ways to add some, to remove one and to leave.

    chosen: the member whose menu is open.
    """
    px = metrics.px
    root = _page(metrics, "Group details")
    group = content.group
    if group is None:
        return root
    name = Box(px(24), px(120), metrics.width - px(24), px(168))
    root.add(label(name, content.title, Style.TITLE, f"{PACKAGE}:id/group_name"))
    top = px(184)
    people = [(number, "") for number in group.members] + [(number, " (invited)") for number in group.invited]
    for number, state in people[:MEMBERS_SHOWN]:
        picture = Box(px(24), top, px(64), top + px(40))
        root.add(Node("android.widget.ImageView", picture, style=Style.AVATAR))
        box = Box(px(84), top, metrics.width - px(24), top + px(40))
        row = Node("android.widget.LinearLayout", box, clickable=not group.left, focusable=True)
        row.touch = None if group.left else ("member", number)
        root.add(row).add(label(box, f"{number}{state}", Style.NAME, f"{PACKAGE}:id/member_name"))
        top += px(56)
    if len(people) > MEMBERS_SHOWN:
        more = f"and {len(people) - MEMBERS_SHOWN} more"
        root.add(label(Box(px(84), top, metrics.width - px(24), top + px(40)), more, Style.SUBTITLE))
    if not group.left:
        root.add(_action(metrics, 0, "Add people", "add_people", ("add-people", ""), Style.BUTTON))
        leave = _action(metrics, 1, "Leave group", "leave_group", ("leave-group", ""), Style.BUTTON_PLAIN)
        root.add(leave)
    if chosen:
        root.add(_member_menu(metrics, chosen))
    return root


def _member_menu(metrics: Metrics, number: str) -> Node:
    """What can be done about one member."""
    px = metrics.px
    middle = metrics.height // 2
    card = Box(px(60), middle - px(64), metrics.width - px(60), middle + px(64))
    menu = Node("android.widget.ListView", card, style=Style.MENU)
    menu.add(label(Box(card.left + px(20), card.top, card.right, middle), number, Style.NAME))
    row = Box(card.left, middle, card.right, card.bottom)
    item = Node(
        "android.widget.LinearLayout", row, clickable=True, focusable=True, touch=("remove-member", number)
    )
    text = Box(row.left + px(20), row.top, row.right - px(12), row.bottom)
    item.add(label(text, "Remove from group", Style.ITEM, f"{PACKAGE}:id/title"))
    menu.add(item)
    return menu
