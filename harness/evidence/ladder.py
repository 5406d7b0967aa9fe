"""The ladder: a sequence diagram of a timeline as one self-contained SVG.

No scripts, no fonts, no links. Pointing at a message shows its whole start line, at a finding its whole text.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import UTC, datetime
from xml.sax.saxutils import escape, quoteattr

from harness.evidence.finding import Finding, finding_text
from harness.evidence.label import Kind
from harness.evidence.lanes import HANDSET, LAB, NETWORK_SIMULATOR, Roles
from harness.evidence.rows import Fold, Ladder, Message, Note, Row, ladder_of
from harness.evidence.timeline import Entry

_TIME_COLUMN = 118
_HALF_LANE = 160
_LANE_STEP = 440
_BARE_LANE_STEP = 320
"""Distance of lifelines in pixels; the network simulator's, which no message crosses, stands nearer."""
_FINDINGS_WIDTH = 400
_TOP = 112
_FINDING_HEIGHT = 18
_FINDINGS_PER_ROW = 6
_NOTE_CHARACTERS = 44

_STYLE = """
text { font: 13px 'Segoe UI', 'Helvetica Neue', Arial, 'DejaVu Sans', sans-serif; fill: #1d2733 }
.title { font-size: 17px; font-weight: 600 }
.small { font-size: 11px; fill: #66727f }
.mono { font-family: 'SFMono-Regular', Consolas, 'DejaVu Sans Mono', monospace; font-size: 11px }
.head { fill: #eef3f9; stroke: #9fb3c8 }
.lane { font-size: 14px; font-weight: 600 }
.line { stroke: #b9c5d1; stroke-dasharray: 3 4 }
.name { font-weight: 600 }
.note { fill: #fbf7e8; stroke: #dccf9d }
.band { fill: #eff2f5 }
.request { stroke: #1b5fb4; fill: #1b5fb4 } .success { stroke: #1d7d4f; fill: #1d7d4f }
.provisional { stroke: #7a8794; fill: #7a8794 } .failure { stroke: #c0392b; fill: #c0392b }
.other { stroke: #8a6fb0; fill: #8a6fb0 }
.arrow { stroke-width: 1.6 } .answer { stroke-dasharray: 7 4 }
.fails { fill: #c4271b } .warns { fill: #a86000 } .info { fill: #5b6875 }
.chip { font-size: 12px } .rule { font-weight: 600 }
"""


def ladder_svg(
    entries: Iterable[Entry], findings: Iterable[Finding] = (), *, roles: Roles | None = None, title: str = ""
) -> str:
    """The ladder as an SVG document. roles says which addresses belong to which lifeline."""
    return _Drawing(ladder_of(entries, findings, roles or {}), title).svg()


class _Drawing:
    """Draws rows from top to bottom; `_y` is the upper edge of the next one."""

    def __init__(self, ladder: Ladder, title: str) -> None:
        self._ladder, self._title = ladder, title
        self._parts: list[str] = []
        self._y = _TOP
        self._start = ladder.rows[0].time if ladder.rows else 0.0
        lanes = ladder.lanes or [HANDSET]
        self._lanes = lanes
        self._x: dict[str, int] = {}
        x = _TIME_COLUMN + _HALF_LANE
        for name in lanes:
            self._x[name] = x
            x += _BARE_LANE_STEP if name == NETWORK_SIMULATOR else _LANE_STEP
        self._right = self._x[lanes[-1]] + _HALF_LANE
        has_findings = any(row.findings for row in ladder.rows) or bool(ladder.loose)
        self._width = self._right + (_FINDINGS_WIDTH if has_findings else 16)

    def svg(self) -> str:
        for row in self._ladder.rows:
            self._row(row)
        if self._ladder.loose:
            self._text(self._right + 4, self._y + 20, "small", "Findings on entries that are not drawn:")
            self._findings(self._ladder.loose, 40)
        height = self._y + 24
        body = [self._heading(height), *self._parts]
        return (
            f'<svg xmlns="http://www.w3.org/2000/svg" width="{self._width}" height="{height}" '
            f'viewBox="0 0 {self._width} {height}">\n<style>{_STYLE}</style>\n'
            f'<rect width="100%" height="100%" fill="#ffffff"/>\n' + "\n".join(body) + "\n</svg>\n"
        )

    def _heading(self, height: int) -> str:
        messages = [row for row in self._ladder.rows if isinstance(row, Message)]
        sent = sum(1 + row.repeats for row in messages)
        when = f"{_absolute(self._start)}, {sent} messages drawn" if self._ladder.rows else "no messages"
        parts = [
            _text(16, 26, "title", self._title or "Message ladder"),
            _text(16, 45, "small", when),
        ]
        for name, x in self._x.items():
            places = self._ladder.addresses.get(name, [])
            shown = str(places[0]) if places else ""
            more = f" +{len(places) - 1}" if len(places) > 1 else ""
            box = (
                f'<rect class="head" x="{x - 150}" y="58" width="300" height="40" rx="6"/>'
                + _text(x, 75, "lane", _cut(name, 34), "middle")
                + _text(x, 91, "small mono", _cut(shown, 44 - len(more)) + more, "middle")
            )
            parts.append(_group(box, "\n".join(map(str, places)) or name))
            parts.append(f'<line class="line" x1="{x}" y1="98" x2="{x}" y2="{height - 12}"/>')
        return "\n".join(parts)

    def _row(self, row: Row) -> None:
        top = self._y
        if isinstance(row, Message):
            self._message(row)
        elif isinstance(row, Note):
            self._note(row)
        elif isinstance(row, Fold):
            self._fold(row)
        bottom = self._y
        if row.findings:
            self._y = top
            self._findings(row.findings, 13)
            self._y = max(bottom, self._y)

    def _stamp(self, row: Row, y: int) -> None:
        self._text(_TIME_COLUMN - 12, y, "small mono", _relative(row.time - self._start), "end")
        self._text(10, y, "small mono", f"#{row.number}")

    def _message(self, row: Message) -> None:
        left, right = self._x[row.source_lane], self._x[row.destination_lane]
        if left == right:
            right = left + _HALF_LANE - 20
        y = self._y + 27
        ahead = 1 if right > left else -1
        kind = row.label.kind
        dashed = "" if kind in (Kind.REQUEST, Kind.OTHER) else " answer"
        tip = right - ahead * 2
        middle = (left + right) // 2
        label = f'<tspan class="name">{_escape(_cut(row.label.title, 40))}</tspan>'
        label += f'<tspan dx="7">{_escape(_cut(row.label.hint, 44))}</tspan>' if row.label.hint else ""
        below = f"{row.transport}, {row.octets} octets"
        if row.repeats:
            below += f", sent {row.repeats + 1} times, last {_relative(row.last_time - self._start)}"
        if row.remark:
            below += f"; {row.remark}"
        drawn = (
            f'<text x="{middle}" y="{y - 7}" text-anchor="middle">{label}</text>'
            f'<line class="arrow {kind}{dashed}" x1="{left}" y1="{y}" x2="{tip - ahead * 8}" y2="{y}"/>'
            f'<path class="{kind}" d="M{tip} {y} l{-ahead * 10} -4.5 v9 z"/>'
            + _text(middle, y + 14, "small", _cut(below, 70), "middle")
        )
        whole = f"{row.label.start_line}\n{row.source} → {row.destination}\n{below}"
        self._parts.append(_group(drawn, whole))
        self._stamp(row, y + 4)
        self._y += 50

    def _note(self, row: Note) -> None:
        lines = list(row.lines)
        if row.more:
            lines.append(f"and {row.more} more")
        height = 17 * len(lines) + 8
        y = self._y + 5
        limit = _NOTE_CHARACTERS
        if row.lane == LAB:
            left, width = _TIME_COLUMN, self._right - _TIME_COLUMN - 4
            limit = width // 8
            drawn = f'<rect class="band" x="{left}" y="{y}" width="{width}" height="{height}" rx="3"/>'
        else:
            left, width = self._x[row.lane] - 150, 300
            drawn = f'<rect class="note" x="{left}" y="{y}" width="{width}" height="{height}" rx="3"/>'
        name = "" if row.lane == LAB else row.layer.value.upper()
        for index, line in enumerate(lines):
            text = _cut(line, limit - (len(name) + 1 if index == 0 else 0))
            badge = f'<tspan class="name">{name}</tspan> ' if name and index == 0 else ""
            drawn += (
                f'<text class="chip" x="{left + 9}" y="{y + 17 + 17 * index}">{badge}{_escape(text)}</text>'
            )
        self._parts.append(_group(drawn, "\n".join(lines)))
        self._stamp(row, y + 17)
        self._y += height + 10

    def _fold(self, row: Fold) -> None:
        y, width = self._y + 6, self._right - _TIME_COLUMN - 4
        found = f" ({len(row.findings)} findings among them)" if row.findings else ""
        self._parts.append(
            f'<rect class="band" x="{_TIME_COLUMN}" y="{y}" width="{width}" height="26" rx="3"/>'
        )
        text = f"⋮  {row.rows} rows not drawn{found}; timeline.jsonl has them all"
        self._text(_TIME_COLUMN + width // 2, y + 18, "chip", text, "middle")
        self._y += 40

    def _findings(self, findings: list[Finding], inset: int) -> None:
        """One line each in the column at the right, the heaviest first."""
        x, y = self._right + 4, self._y + inset
        ordered = sorted(findings, key=_weight)
        for finding in ordered[:_FINDINGS_PER_ROW]:
            weight = _CLASSES[_weight(finding)]
            line = (
                f'<rect class="{weight}" x="{x}" y="{y - 10}" width="4" height="13" rx="1"/>'
                f'<text class="chip {weight}" x="{x + 11}" y="{y}">'
                f'<tspan class="rule {weight}">{_escape(_cut(finding.rule, 38))}</tspan>'
                f'<tspan class="{weight}" dx="6">{_escape(finding.severity)}</tspan></text>'
            )
            self._parts.append(_group(line, finding_text(finding)))
            y += _FINDING_HEIGHT
        if len(ordered) > _FINDINGS_PER_ROW:
            rest = "\n".join(finding_text(finding) for finding in ordered[_FINDINGS_PER_ROW:])
            more = f"and {len(ordered) - _FINDINGS_PER_ROW} more"
            self._parts.append(_group(_text(x + 11, y, "chip info", more), rest))
            y += _FINDING_HEIGHT
        self._y = y

    def _text(self, x: int, y: int, style: str, text: str, anchor: str = "start") -> None:
        self._parts.append(_text(x, y, style, text, anchor))


_CLASSES = ("fails", "warns", "info")


def _weight(finding: Finding) -> int:
    """0 for what fails a run, 1 for other broken MUST and SHOULD, 2 for remarks."""
    return 0 if finding.fails else 2 if finding.severity == "INFO" else 1


def _group(drawn: str, hover: str) -> str:
    return f"<g><title>{_escape(hover)}</title>{drawn}</g>"


def _text(x: int, y: int, style: str, text: str, anchor: str = "start") -> str:
    return f'<text class={quoteattr(style)} x="{x}" y="{y}" text-anchor="{anchor}">{_escape(text)}</text>'


_NOT_XML = re.compile(r"[^\t\n\x20-\uD7FF\uE000-\uFFFD\U00010000-\U0010FFFF]")


def _escape(text: str) -> str:
    return escape(_NOT_XML.sub("�", text))


def _cut(text: str, length: int) -> str:
    text = " ".join(text.split())
    return text if len(text) <= length else text[: max(length - 1, 0)] + "…"


def _relative(seconds: float) -> str:
    return f"+{seconds:.3f} s" if abs(seconds) < 1000 else f"+{seconds / 60:.1f} min"


def _absolute(seconds: float) -> str:
    try:
        return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M:%S.%f")[:-3] + " UTC"
    except (ValueError, OverflowError, OSError):
        return f"{seconds} s"
