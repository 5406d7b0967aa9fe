"""Shell commands on files and text: cat, echo, ls, grep and their kin, as toybox on Android answers."""

from __future__ import annotations

import asyncio
import hashlib
import re
import stat
import time

from devices.simulated.android_shell import Call, ShellCommand
from devices.simulated.file_tree import Entry, FileTreeError
from devices.simulated.pipes import Reader, read_all


def options(args: list[str], letters: str) -> tuple[set[str], list[str]]:
    """Split single-letter options of `letters` from the operands; `--` ends options."""
    seen: set[str] = set()
    rest = list(args)
    while rest and rest[0].startswith("-") and len(rest[0]) > 1:
        if rest[0] == "--":
            return seen, rest[1:]
        if not set(rest[0][1:]) <= set(letters):
            break
        seen |= set(rest.pop(0)[1:])
    return seen, rest


async def _echo(call: Call) -> int:
    flags, words = options(call.args[1:], "neE")
    text = " ".join(words)
    if "e" in flags:
        text = text.replace("\\n", "\n").replace("\\t", "\t")
    await call.stdout.write((text + ("" if "n" in flags else "\n")).encode("utf-8", "surrogateescape"))
    return 0


async def _cat(call: Call) -> int:
    code = 0
    for name in call.args[1:] or ["-"]:
        if name == "-":
            while data := await call.stdin.read():
                await call.stdout.write(data)
            continue
        try:
            await call.stdout.write(call.android.files.read(name))
        except FileTreeError as error:
            code = await call.complain(f"cat: {name}: {error}")
    return code


def _long(name: str, entry: Entry) -> str:
    when = time.strftime("%Y-%m-%d %H:%M", time.gmtime(entry.mtime))
    return f"{stat.filemode(entry.mode)} 1 shell shell {entry.size:>8} {when} {name}"


async def _ls(call: Call) -> int:
    flags, names = options(call.args[1:], "ladhR1A")
    code = 0
    for name in names or ["/"]:
        try:
            entry = call.android.files.stat(name)
            found = [(name, entry)] if "d" in flags else call.android.files.listing(name)
        except FileTreeError as error:
            code = await call.complain(f"ls: {name}: {error}")
            continue
        for label, item in found:
            await call.say(_long(label, item) if "l" in flags else label)
    return code


async def _rm(call: Call) -> int:
    flags, names = options(call.args[1:], "rRf")
    code = 0
    for name in names:
        try:
            call.android.files.remove(name, recursive=bool(flags & {"r", "R"}))
        except FileTreeError as error:
            if "f" not in flags or call.android.files.exists(name):
                code = await call.complain(f"rm: {name}: {error}")
    return code


async def _mkdir(call: Call) -> int:
    flags, names = options(call.args[1:], "p")
    for name in names:
        try:
            call.android.files.make_directory(name, parents="p" in flags)
        except FileTreeError as error:
            return await call.complain(f"mkdir: '{name}': {error}")
    return 0


async def _touch(call: Call) -> int:
    for name in call.args[1:]:
        call.android.files.write(name, b"", append=True)
    return 0


async def _md5sum(call: Call) -> int:
    for name in call.args[1:]:
        digest = hashlib.md5(call.android.files.read(name), usedforsecurity=False).hexdigest()
        await call.say(f"{digest}  {name}")
    return 0


async def _input_text(call: Call, names: list[str]) -> bytes:
    if names:
        return b"".join(call.android.files.read(name) for name in names)
    return await read_all(call.stdin)


async def _lines_of(reader: Reader) -> list[bytes]:
    return (await read_all(reader)).splitlines(keepends=True)


async def _grep(call: Call) -> int:
    """grep reads line by line, so that `logcat | grep` shows lines as they come."""
    words, patterns, limit = call.args[1:], [], 0
    flags: set[str] = set()
    while words and words[0].startswith("-") and len(words[0]) > 1:
        word = words.pop(0)
        if word == "-e":
            patterns.append(words.pop(0))
        elif word == "-m":
            limit = int(words.pop(0))
        else:
            flags |= set(word.lstrip("-"))
    if not patterns and words:
        patterns.append(words.pop(0))
    if not patterns:
        return await call.complain("grep: no REGEX", 2)
    source = "|".join(f"(?:{re.escape(p) if 'F' in flags else _basic(p, 'E' in flags)})" for p in patterns)
    source = rf"\b(?:{source})\b" if "w" in flags else source
    try:
        regex = re.compile(source.encode(), re.IGNORECASE if "i" in flags else 0)
    except re.error:
        return await call.complain(f"grep: bad regex '{patterns[0]}'", 2)
    if not words:
        return await _grep_stream(call, regex, flags, limit)
    count = 0
    for name in words:
        try:
            lines = call.android.files.read(name).splitlines()
        except FileTreeError as error:
            return await call.complain(f"grep: {name}: {error}", 2)
        count += await _grep_lines(call, lines, regex, flags)
    return await _grep_end(call, count, flags)


def _basic(pattern: str, extended: bool) -> str:
    """A basic regular expression as Python writes it: bars, braces and parentheses are literal unless
    escaped.
    """
    if extended:
        return pattern
    swap = {f"\\{c}": c for c in "|(){}+?"} | {c: f"\\{c}" for c in "|(){}+?"}
    return re.sub(r"\\[|(){}+?]|\\.|[|(){}+?]", lambda m: swap.get(m.group(), m.group()), pattern)


async def _grep_stream(call: Call, regex: re.Pattern[bytes], flags: set[str], limit: int) -> int:
    held, count = b"", 0
    while data := await call.stdin.read():
        *lines, held = (held + data).split(b"\n")
        count += await _grep_lines(call, lines, regex, flags)
        if (limit and count >= limit) or ("q" in flags and count):
            return 0
    count += await _grep_lines(call, [held] if held else [], regex, flags)
    return await _grep_end(call, count, flags)


async def _grep_lines(call: Call, lines: list[bytes], regex: re.Pattern[bytes], flags: set[str]) -> int:
    count = 0
    for line in lines:
        match = regex.search(line)
        if (match is None) == ("v" in flags):
            count += 1
            if not flags & {"q", "c"}:
                await call.stdout.write((match.group() if match and "o" in flags else line) + b"\n")
    return count


async def _grep_end(call: Call, count: int, flags: set[str]) -> int:
    if "c" in flags:
        await call.say(str(count))
    return 0 if count else 1


def _count(words: list[str], default: int = 10) -> tuple[int, list[str]]:
    if words and words[0] == "-n" and len(words) > 1:
        return int(words[1]), words[2:]
    if words and re.fullmatch(r"-n?\d+", words[0]):
        return int(words[0].lstrip("-n")), words[1:]
    return default, words


async def _head(call: Call) -> int:
    count, names = _count(call.args[1:])
    lines = (await _input_text(call, names)).splitlines(keepends=True)
    await call.stdout.write(b"".join(lines[:count]))
    return 0


async def _tail(call: Call) -> int:
    count, names = _count(call.args[1:])
    lines = (await _input_text(call, names)).splitlines(keepends=True)
    await call.stdout.write(b"".join(lines[-count:] if count else []))
    return 0


async def _wc(call: Call) -> int:
    flags, names = options(call.args[1:], "lwc")
    data = await _input_text(call, names)
    figures = {"l": data.count(b"\n"), "w": len(data.split()), "c": len(data)}
    await call.say(" ".join(str(figures[key]) for key in "lwc" if not flags or key in flags))
    return 0


async def _sort(call: Call) -> int:
    await call.stdout.write(b"".join(sorted(await _lines_of(call.stdin))))
    return 0


async def _dd(call: Call) -> int:
    """dd if=/dev/zero bs=N count=M: a way to make much output."""
    settings = dict(word.partition("=")[::2] for word in call.args[1:])
    size = re.fullmatch(r"(\d+)([kKmM]?)", settings.get("bs", "512"))
    block = int(size[1]) * {"": 1, "k": 1024, "m": 1048576}[size[2].lower()] if size else 512
    for _ in range(int(settings.get("count", "1"))):
        await call.stdout.write(bytes(block))
    return 0


async def _test(call: Call) -> int:
    words = call.args[1:-1] if call.args[0] == "[" else call.args[1:]
    match words:
        case ["-e" | "-f" | "-d" as kind, name]:
            if not call.android.files.exists(name):
                return 1
            is_directory = call.android.files.stat(name).data is None
            return int(kind != "-e" and is_directory != (kind == "-d"))
        case ["-z", text]:
            return int(bool(text))
        case ["-n", text] | [text]:
            return int(not text)
        case [left, "=" | "==", right]:
            return int(left != right)
        case [left, "!=", right]:
            return int(left == right)
        case [left, "-eq", right]:
            return int(left != right)
    return 2


async def _sleep(call: Call) -> int:
    await asyncio.sleep(min(float(call.args[1]) if len(call.args) > 1 else 0.0, 3600.0))
    return 0


async def _true(call: Call) -> int:
    return 0


async def _false(call: Call) -> int:
    return 1


COMMANDS: dict[str, ShellCommand] = {
    "echo": _echo,
    "cat": _cat,
    "ls": _ls,
    "rm": _rm,
    "mkdir": _mkdir,
    "touch": _touch,
    "md5sum": _md5sum,
    "grep": _grep,
    "head": _head,
    "tail": _tail,
    "wc": _wc,
    "sort": _sort,
    "dd": _dd,
    "test": _test,
    "[": _test,
    "sleep": _sleep,
    "true": _true,
    ":": _true,
    "false": _false,
    "sync": _true,
}
