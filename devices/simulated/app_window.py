"""The window of the simulated messaging app: its page in front, and what the app says at the foot of it."""

from __future__ import annotations

from devices.simulated import people_views
from devices.simulated.app_pages import Page
from devices.simulated.conversation_view import conversation
from devices.simulated.list_view import conversation_list, share_picker
from devices.simulated.messaging_app import PACKAGE, MessagingApp
from devices.simulated.ui_tree import Box, Metrics, Node, Style, label


def app_window(metrics: Metrics, app: MessagingApp) -> Node:
    """What the app shows now."""
    root = _page(metrics, app)
    if app.snackbar:
        px = metrics.px
        box = Box(px(20), metrics.height - px(200), metrics.width - px(20), metrics.height - px(148))
        root.add(label(box, app.snackbar, Style.SNACKBAR, f"{PACKAGE}:id/snackbar_text"))
    return root


def _page(metrics: Metrics, app: MessagingApp) -> Node:
    pages = app.pages
    if pages.key is not None:
        content = app.conversations[pages.key]
        if pages.page is Page.DETAILS:
            return people_views.group_details(metrics, content, app.pages.member)
        if pages.page is Page.ADD:
            return people_views.add_people(metrics, app)
        return conversation(metrics, app, pages.key)
    view = {
        Page.NEW: people_views.new_conversation,
        Page.NAME: people_views.name_group,
        Page.SHARE: share_picker,
    }.get(pages.page, conversation_list)
    return view(metrics, app)
