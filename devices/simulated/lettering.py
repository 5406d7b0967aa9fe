"""Letters of the simulated screen: fonts found on the machine, widths, line breaks.

A character that no font has is drawn as a box with its code point, so that a picture never hides what was
sent.
"""

from __future__ import annotations

import unicodedata
from functools import lru_cache

from PIL import ImageDraw, ImageFont

_REGULAR = ("Roboto-Regular.ttf", "NotoSans-Regular.ttf", "DejaVuSans.ttf", "LiberationSans-Regular.ttf")
_BOLD = ("Roboto-Medium.ttf", "NotoSans-Medium.ttf", "DejaVuSans-Bold.ttf", "LiberationSans-Bold.ttf")
_FALLBACK = (
    "DejaVuSans.ttf", "NotoEmoji-Regular.ttf", "Symbola.ttf", "NotoSansSymbols2-Regular.ttf",
    "NotoSansCJK-Regular.ttc", "DroidSansFallbackFull.ttf", "wqy-zenhei.ttc", "NotoSansArabic-Regular.ttf",
)  # fmt: skip
_NOTHING = "\U0010ffff"
_INVISIBLE = frozenset("\ufe0e\ufe0f\u200b\u200c\u200d\ufeff\r")

Font = ImageFont.FreeTypeFont


def _first(names: tuple[str, ...], size: int) -> Font:
    for name in names:
        try:
            return ImageFont.truetype(name, size)
        except OSError:
            continue
    default = ImageFont.load_default(size)
    if not isinstance(default, ImageFont.FreeTypeFont):
        raise OSError("Pillow was built without FreeType")
    return default


@lru_cache(maxsize=64)
def fonts(size: int, bold: bool) -> tuple[Font, ...]:
    """The fonts to try in order for a size in pixels."""
    chain = [_first(_BOLD if bold else _REGULAR, size)]
    for name in _FALLBACK:
        try:
            chain.append(ImageFont.truetype(name, size))
        except OSError:
            continue
    return tuple(chain)


@lru_cache(maxsize=8192)
def font_of(char: str, size: int, bold: bool) -> Font | None:
    """The first font that has the character; None when no font has it."""
    for font in fonts(size, bold):
        missing = font.getmask(_NOTHING)
        mask = font.getmask(char)
        if (mask.size, bytes(mask)) != (missing.size, bytes(missing)) or char.isspace():
            return font
    return None


def silent(char: str) -> bool:
    """Nothing is drawn for controls, joiners, variation selectors and separators (the layout engine rejects
    them).
    """
    return char in _INVISIBLE or unicodedata.category(char) in ("Cc", "Cf", "Zl", "Zp")


@lru_cache(maxsize=8192)
def char_width(char: str, size: int, bold: bool = False) -> float:
    """Width of one character in pixels."""
    if silent(char) or unicodedata.combining(char) or unicodedata.category(char) == "Mn":
        return 0.0
    font = font_of(char, size, bold)
    return font.getlength(char) if font else size * 1.1


def width(text: str, size: int, bold: bool = False) -> float:
    """Width of a line in pixels."""
    return sum(char_width(char, size, bold) for char in text)


def line_height(size: int) -> int:
    """Distance of base lines in pixels."""
    return round(size * 1.35)


def wrap(text: str, size: int, limit: float) -> list[str]:
    """Break text into lines no wider than `limit` pixels, at blanks where there are any."""
    lines: list[str] = []
    for paragraph in text.replace("\t", "    ").split("\n"):
        lines += _wrap_paragraph(paragraph, size, limit)
    return lines


def _wrap_paragraph(paragraph: str, size: int, limit: float) -> list[str]:
    lines: list[str] = []
    start = blank = 0
    used = 0.0
    for at, char in enumerate(paragraph):
        used += char_width(char, size)
        if used > limit and at > start:
            cut = blank if blank > start else at
            lines.append(paragraph[start:cut].rstrip(" "))
            start, used = cut, width(paragraph[cut : at + 1], size)
        if char == " ":
            blank = at + 1
    return [*lines, paragraph[start:]]


def draw(
    canvas: ImageDraw.ImageDraw, x: float, y: float, text: str, size: int, colour: str, bold: bool = False
) -> None:
    """Write one line with its top left corner at x, y."""
    run, font = "", None
    for char in text:
        if silent(char):
            continue
        if char_width(char, size, bold) == 0.0:
            run += char
            continue
        wanted = font_of(char, size, bold)
        if wanted is None:
            x = _flush(canvas, x, y, run, font, size, colour, bold)
            run, font = "", None
            _box(canvas, x, y, char, size, colour)
            x += char_width(char, size, bold)
        elif wanted is font:
            run += char
        else:
            x = _flush(canvas, x, y, run, font, size, colour, bold)
            run, font = char, wanted
    _flush(canvas, x, y, run, font, size, colour, bold)


def _flush(
    canvas: ImageDraw.ImageDraw,
    x: float,
    y: float,
    run: str,
    font: Font | None,
    size: int,
    colour: str,
    bold: bool,
) -> float:
    if run and font is not None:
        canvas.text((x, y + size), run, fill=colour, font=font, anchor="ls")
        return x + width(run, size, bold)
    return x


def _box(canvas: ImageDraw.ImageDraw, x: float, y: float, char: str, size: int, colour: str) -> None:
    canvas.rounded_rectangle((x + 1, y + 1, x + size, y + size + 2), radius=3, outline=colour, width=1)
    small = fonts(max(6, size // 3), False)[0]
    code = f"{ord(char):06X}" if ord(char) > 0xFFFF else f"{ord(char):04X}"
    half = (len(code) + 1) // 2
    for row, part in enumerate((code[:half], code[half:])):
        canvas.text(
            (x + size / 2, y + size * (0.36 + row * 0.42)), part, fill=colour, font=small, anchor="mm"
        )
