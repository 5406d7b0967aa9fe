"""Draws the simulated screen, the view tree of ui_tree.py under a status bar: the PNG of `screencap -p`."""

from __future__ import annotations

import io
from collections.abc import Callable
from dataclasses import dataclass

from PIL import Image, ImageDraw

from devices.simulated import lettering
from devices.simulated.ui_tree import Box, Metrics, Node, Style

Canvas = ImageDraw.ImageDraw
INK, PALE, PAPER, BLUE, GREY, RED, NIGHT = (
    "#1f1f1f",
    "#5f6368",
    "#fdfcff",
    "#0b57d0",
    "#e9eef6",
    "#b3261e",
    "#1b2538",
)


@dataclass(frozen=True, slots=True)
class StatusBar:
    """What the top line shows. `level` is the signal from 0 to 4, None without service."""

    clock: str
    operator: str
    level: int | None
    access: str
    airplane: bool
    notifications: int
    battery: int = 87


def draw(root: Node | None, bar: StatusBar, metrics: Metrics) -> bytes:
    """The PNG. `root` None is a dark screen (switched off)."""
    image = Image.new("RGB", (metrics.width, metrics.height), "#000000")
    if root is not None:
        canvas = ImageDraw.Draw(image)
        for node in root.walk():
            _draw_node(canvas, node, metrics)
        dark = root.style is Style.DARK
        _status_bar(canvas, bar, metrics, "#ffffff" if dark else INK)
        _navigation_bar(canvas, metrics, "#ffffff" if dark else INK)
    buffer = io.BytesIO()
    image.save(buffer, "PNG", compress_level=3)
    return buffer.getvalue()


@dataclass(frozen=True, slots=True)
class _Text:
    size: int
    colour: str
    bold: bool = False
    centred: bool = False


_TEXTS = {
    Style.TITLE: _Text(22, INK),
    Style.NAME: _Text(19, INK),
    Style.NAME_UNREAD: _Text(19, INK, bold=True),
    Style.SUBTITLE: _Text(16, PALE),
    Style.STATUS: _Text(14, PALE),
    Style.FAILED: _Text(14, RED),
    Style.STAMP: _Text(14, PALE, centred=True),
    Style.CLOCK: _Text(84, "#ffffff", centred=True),
    Style.BADGE: _Text(14, "#ffffff", bold=True, centred=True),
    Style.FAB: _Text(18, "#041e49", centred=True),
    Style.FILE_NAME_OUT: _Text(18, "#ffffff", bold=True),
    Style.FILE_NAME_IN: _Text(18, INK, bold=True),
    Style.FILE_LINE_OUT: _Text(14, "#d3e3fd"),
    Style.FILE_LINE_IN: _Text(14, PALE),
    Style.BUTTON: _Text(17, "#ffffff", centred=True),
    Style.BUTTON_PLAIN: _Text(17, BLUE, centred=True),
    Style.NOTE: _Text(14, PALE, centred=True),
    Style.SENDER: _Text(14, PALE),
    Style.ITEM: _Text(18, INK),
    Style.SNACKBAR: _Text(16, "#ffffff", centred=True),
    Style.CHIP: _Text(17, "#041e49", centred=True),
}


def _draw_node(canvas: Canvas, node: Node, metrics: Metrics) -> None:
    if shape := _SHAPES.get(node.style):
        shape(canvas, node, metrics)
    if (text := _TEXTS.get(node.style)) and node.text:
        _one_line(canvas, node, text, metrics)


def _one_line(canvas: Canvas, node: Node, text: _Text, metrics: Metrics) -> None:
    size, box = metrics.px(text.size), node.full or node.bounds
    line = _shorten(node.text.replace("\n", " "), size, box.right - box.left, text.bold)
    x = (
        box.left + (box.right - box.left - lettering.width(line, size, text.bold)) / 2
        if text.centred
        else box.left
    )
    y = (box.top + box.bottom) / 2 - size * 0.68
    lettering.draw(canvas, x, y, line, size, text.colour, text.bold)


def _shorten(text: str, size: int, limit: float, bold: bool) -> str:
    if lettering.width(text, size, bold) <= limit + 1:
        return text
    limit -= lettering.width("…", size, bold)
    used, kept = 0.0, 0
    for char in text:
        used += lettering.char_width(char, size, bold)
        if used > limit:
            break
        kept += 1
    return text[:kept].rstrip() + "…"


def _page(colour: str) -> Callable[[Canvas, Node, Metrics], None]:
    def fill(canvas: Canvas, node: Node, metrics: Metrics) -> None:
        canvas.rectangle(node.bounds, fill=colour)

    return fill


def _rounded(colour: str, radius: int) -> Callable[[Canvas, Node, Metrics], None]:
    def fill(canvas: Canvas, node: Node, metrics: Metrics) -> None:
        canvas.rounded_rectangle(_inner(node.bounds), radius=metrics.px(radius), fill=colour)

    return fill


def _inner(box: Box) -> tuple[int, int, int, int]:
    return (box.left, box.top, box.right - 1, box.bottom - 1)


def _bubble(fill: str, ink: str) -> Callable[[Canvas, Node, Metrics], None]:
    def paint(canvas: Canvas, node: Node, metrics: Metrics) -> None:
        full = node.full or node.bounds
        canvas.rounded_rectangle(_inner(full), radius=metrics.px(22), fill=fill)
        _paragraph(canvas, node, full.left + metrics.px(16), full.top + metrics.px(9), ink, metrics)

    return paint


def _compose(ink: str) -> Callable[[Canvas, Node, Metrics], None]:
    def paint(canvas: Canvas, node: Node, metrics: Metrics) -> None:
        canvas.rounded_rectangle(_inner(node.bounds), radius=metrics.px(28), fill=GREY)
        _paragraph(
            canvas, node, node.bounds.left + metrics.px(18), node.bounds.top + metrics.px(14), ink, metrics
        )

    return paint


def _paragraph(canvas: Canvas, node: Node, x: int, y: int, ink: str, metrics: Metrics) -> None:
    size = metrics.px(19)
    for row, line in enumerate(node.lines):
        lettering.draw(canvas, x, y + row * lettering.line_height(size), line, size, ink)


def _avatar(canvas: Canvas, node: Node, metrics: Metrics) -> None:
    canvas.ellipse(_inner(node.bounds), fill="#a8c7fa")
    left, top, right, bottom = node.bounds
    middle, unit = (left + right) // 2, (right - left) // 10
    canvas.ellipse((middle - 2 * unit, top + 2 * unit, middle + 2 * unit, top + 6 * unit), fill=BLUE)
    canvas.pieslice(
        (middle - 3 * unit, top + 6 * unit, middle + 3 * unit, bottom + unit), 180, 360, fill=BLUE
    )


def _arrow(fill: str, ink: str) -> Callable[[Canvas, Node, Metrics], None]:
    """The paper plane of the send button."""

    def paint(canvas: Canvas, node: Node, metrics: Metrics) -> None:
        left, top, right, bottom = node.bounds
        canvas.ellipse(_inner(node.bounds), fill=fill)
        w, h, middle = right - left, bottom - top, (top + bottom) / 2
        tip = (left + 0.76 * w, middle)
        canvas.polygon(
            [
                (left + 0.32 * w, top + 0.27 * h),
                tip,
                (left + 0.32 * w, top + 0.73 * h),
                (left + 0.38 * w, middle),
            ],
            fill=ink,
        )

    return paint


def _plus(canvas: Canvas, node: Node, metrics: Metrics) -> None:
    x, y = (node.bounds.left + node.bounds.right) // 2, (node.bounds.top + node.bounds.bottom) // 2
    arm, thick = metrics.px(10), metrics.px(2)
    canvas.ellipse((x - arm * 1.6, y - arm * 1.6, x + arm * 1.6, y + arm * 1.6), outline=PALE, width=thick)
    canvas.line((x - arm, y, x + arm, y), fill=PALE, width=thick)
    canvas.line((x, y - arm, x, y + arm), fill=PALE, width=thick)


def _back(canvas: Canvas, node: Node, metrics: Metrics) -> None:
    x, y = (node.bounds.left + node.bounds.right) // 2, (node.bounds.top + node.bounds.bottom) // 2
    arm, thick = metrics.px(9), metrics.px(3)
    canvas.line([(x + arm, y), (x - arm, y)], fill=INK, width=thick)
    canvas.line([(x, y - arm), (x - arm, y), (x, y + arm)], fill=INK, width=thick, joint="curve")


def _more(canvas: Canvas, node: Node, metrics: Metrics) -> None:
    x, y = (node.bounds.left + node.bounds.right) // 2, (node.bounds.top + node.bounds.bottom) // 2
    dot = metrics.px(2.5)
    for offset in (-metrics.px(9), 0, metrics.px(9)):
        canvas.ellipse((x - dot, y + offset - dot, x + dot, y + offset + dot), fill=INK)


def _file(fill: str, ink: str) -> Callable[[Canvas, Node, Metrics], None]:
    """A card with a sheet of paper, its corner folded."""

    def paint(canvas: Canvas, node: Node, metrics: Metrics) -> None:
        full, px = node.full or node.bounds, metrics.px
        canvas.rounded_rectangle(_inner(full), radius=px(22), fill=fill)
        x, y = full.left + px(24), full.top + px(18)
        sheet = [(0, 0), (22, 0), (32, 10), (32, 44), (0, 44)]
        canvas.polygon([(x + px(a), y + px(b)) for a, b in sheet], outline=ink, width=max(1, px(2)))
        canvas.line([(x + px(a), y + px(b)) for a, b in [(22, 0), (22, 10), (32, 10)]], fill=ink, width=px(2))

    return paint


def _progress(canvas: Canvas, node: Node, metrics: Metrics) -> None:
    left, top, right, bottom = node.bounds
    radius = metrics.px(2)
    canvas.rounded_rectangle((left, top, right - 1, bottom - 1), radius=radius, fill="#c4c7cc")
    filled = left + round((right - left) * node.share)
    if filled - 1 > left:
        canvas.rounded_rectangle((left, top, filled - 1, bottom - 1), radius=radius, fill="#146c2e")


def _cross(canvas: Canvas, node: Node, metrics: Metrics) -> None:
    x, y = (node.bounds.left + node.bounds.right) // 2, (node.bounds.top + node.bounds.bottom) // 2
    outer, arm, thick = metrics.px(15), metrics.px(6), metrics.px(2)
    canvas.ellipse((x - outer, y - outer, x + outer, y + outer), fill="#ffffff")
    canvas.line((x - arm, y - arm, x + arm, y + arm), fill=INK, width=thick)
    canvas.line((x - arm, y + arm, x + arm, y - arm), fill=INK, width=thick)


_SHAPES: dict[Style, Callable[[Canvas, Node, Metrics], None]] = {
    Style.PAGE: _page(PAPER),
    Style.DARK: _page(NIGHT),
    Style.BAR: _page(PAPER),
    Style.BUBBLE_OUT: _bubble(BLUE, "#ffffff"),
    Style.BUBBLE_IN: _bubble(GREY, INK),
    Style.COMPOSE: _compose(INK),
    Style.COMPOSE_HINT: _compose(PALE),
    Style.SEND: _arrow(BLUE, "#ffffff"),
    Style.SEND_IDLE: _arrow("#e3e3e3", "#9aa0a6"),
    Style.PLUS: _plus,
    Style.BACK: _back,
    Style.MORE: _more,
    Style.AVATAR: _avatar,
    Style.BADGE: _rounded(BLUE, 14),
    Style.FAB: _rounded("#c2e7ff", 20),
    Style.CARD: _rounded("#f3f6fc", 20),
    Style.FILE_OUT: _file(BLUE, "#ffffff"),
    Style.FILE_IN: _file(GREY, BLUE),
    Style.PROGRESS: _progress,
    Style.CROSS: _cross,
    Style.BUTTON: _rounded(BLUE, 22),
    Style.BUTTON_PLAIN: _rounded("#ffffff", 22),
    Style.MENU: _rounded("#eceff6", 12),
    Style.SNACKBAR: _rounded("#322f35", 8),
    Style.CHIP: _rounded("#c2e7ff", 12),
}


def _status_bar(canvas: Canvas, bar: StatusBar, metrics: Metrics, ink: str) -> None:
    px = metrics.px
    size, top = px(16), px(12)
    paper = NIGHT if ink == "#ffffff" else PAPER
    canvas.rectangle((0, 0, metrics.width, px(43)), fill=paper)
    lettering.draw(canvas, px(22), top, bar.clock, size, ink, bold=True)
    x = px(22) + lettering.width(bar.clock, size, True) + px(14)
    if bar.notifications:
        canvas.rounded_rectangle((x, top + px(3), x + px(17), top + px(15)), radius=px(4), fill=ink)
        canvas.polygon(
            [(x + px(3), top + px(14)), (x + px(9), top + px(14)), (x + px(3), top + px(20))], fill=ink
        )
        x += px(28)
    operator = "No service" if bar.level is None and not bar.airplane else bar.operator
    lettering.draw(canvas, x, top, operator, size, ink)
    right = _battery(canvas, bar, metrics, ink)
    if bar.airplane:
        _airplane(canvas, right - px(26), top, metrics, ink)
        return
    _signal(canvas, bar.level, right - px(30), top, metrics, ink)
    span = lettering.width(bar.access, px(13), True)
    lettering.draw(canvas, right - px(38) - span, top + px(3), bar.access, px(13), ink, bold=True)


def _battery(canvas: Canvas, bar: StatusBar, metrics: Metrics, ink: str) -> int:
    px = metrics.px
    text = f"{bar.battery}%"
    x = metrics.width - px(22) - round(lettering.width(text, px(14)))
    lettering.draw(canvas, x, px(14), text, px(14), ink)
    cell = (x - px(20), px(14), x - px(9), px(31))
    canvas.rounded_rectangle(cell, radius=px(2), outline=ink, width=max(1, px(1)))
    level = cell[3] - (cell[3] - cell[1]) * bar.battery / 100
    canvas.rectangle((cell[0], level, cell[2], cell[3]), fill=ink)
    return int(cell[0]) - px(6)


def _signal(canvas: Canvas, level: int | None, x: int, y: int, metrics: Metrics, ink: str) -> None:
    px = metrics.px
    for bar in range(4):
        height = px(5 + 4 * bar)
        box = (x + px(6) * bar, y + px(18) - height, x + px(6) * bar + px(4), y + px(18))
        if level is not None and bar < level:
            canvas.rectangle(box, fill=ink)
        else:
            canvas.rectangle(box, outline=PALE)
    if level is None:
        canvas.line((x, y + px(2), x + px(22), y + px(18)), fill=RED, width=max(1, px(2)))


def _airplane(canvas: Canvas, x: int, y: int, metrics: Metrics, ink: str) -> None:
    px = metrics.px
    body = [(10, 0), (12, 3), (12, 8), (20, 13), (20, 15), (12, 12), (12, 16), (15, 18), (15, 20), (10, 18)]
    left = [(20 - a, b) for a, b in reversed(body)]
    canvas.polygon([(x + px(a), y + px(b)) for a, b in (*body, *left)], fill=ink)


def _navigation_bar(canvas: Canvas, metrics: Metrics, ink: str) -> None:
    px = metrics.px
    middle, bottom = metrics.width // 2, metrics.height - px(18)
    canvas.rounded_rectangle(
        (middle - px(66), bottom - px(5), middle + px(66), bottom), radius=px(3), fill=ink
    )
