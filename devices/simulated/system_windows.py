"""The windows of the simulated system: keyguard, launcher, notification shade."""

from __future__ import annotations

import time

from devices.simulated.conversations import Notification
from devices.simulated.ui_tree import Box, Metrics, Node, Style, blank, label

LAUNCHER = "com.google.android.apps.nexuslauncher"
SYSTEM_UI = "com.android.systemui"


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
        card.add(label(title, notification.title, Style.NAME_UNREAD, "android:id/title", SYSTEM_UI))
        card.add(label(body, notification.text, Style.SUBTITLE, "android:id/text", SYSTEM_UI))
        stack.add(card)
        top += px(104)
    return root
