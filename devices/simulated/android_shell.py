"""The shell of the simulated handset: runs what adbd is asked to run, as /system/bin/sh of Android (mksh)
does.

The syntax is in shell_syntax.py; the commands are tables in shell_files.py, shell_system.py,
shell_dumpsys.py and shell_screen.py. Whatever is in no table is "inaccessible or not found" with exit code
127.
"""

from __future__ import annotations

import asyncio
import fnmatch
import logging
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from devices.simulated.file_tree import FileTreeError
from devices.simulated.pipes import BrokenPipe, Fixed, Memory, Nothing, Pipe, Reader, Writer
from devices.simulated.shell_syntax import Command, Kind, ShellSyntaxError, Step, When, Word, parse

if TYPE_CHECKING:
    from devices.simulated.android_system import AndroidSystem

log = logging.getLogger(__name__)
SHELL = "/system/bin/sh"
DEPTH = 16


@dataclass(slots=True)
class Call:
    """One command being run: its words and where it reads and writes."""

    args: list[str]
    stdin: Reader
    stdout: Writer
    stderr: Writer
    android: AndroidSystem
    variables: dict[str, str]

    async def say(self, text: str) -> None:
        """Write a line to standard output."""
        await self.stdout.write(f"{text}\n".encode())

    async def complain(self, text: str, code: int = 1) -> int:
        """Write a line to standard error; returns the exit code to end with."""
        await self.stderr.write(f"{text}\n".encode())
        return code


ShellCommand = Callable[[Call], Awaitable[int]]


class ShellExit(Exception):
    """The exit builtin."""

    def __init__(self, code: int) -> None:
        self.code = code


@dataclass(slots=True)
class Session:
    """One shell: its variables, the last exit code, and the streams it was started with."""

    stdin: Reader
    stdout: Writer
    stderr: Writer
    variables: dict[str, str] = field(default_factory=dict)
    last: int = 0
    depth: int = 0


class AndroidShell:
    """Runs shell lines over the command tables."""

    def __init__(self, android: AndroidSystem, commands: Mapping[str, ShellCommand]) -> None:
        self._android = android
        self._commands = commands
        self._background: set[asyncio.Task[int]] = set()

    async def run(self, text: str, stdin: Reader, stdout: Writer, stderr: Writer) -> int:
        """Run one line (or, when empty, lines from stdin until its end). Returns the exit code."""
        session = Session(stdin, stdout, stderr)
        try:
            if text.strip():
                return await self._lines(text, session)
            return await self._interactive(session)
        except ShellExit as leave:
            return leave.code
        except BrokenPipe:
            return 141

    async def _interactive(self, session: Session) -> int:
        held = b""
        while data := await session.stdin.read():
            *lines, held = (held + data).split(b"\n")
            for line in lines:
                session.last = await self._lines(line.decode("utf-8", "replace"), session)
        return await self._lines(held.decode("utf-8", "replace"), session) if held.strip() else session.last

    async def _lines(self, text: str, session: Session) -> int:
        try:
            steps = parse(text)
        except ShellSyntaxError as error:
            await session.stderr.write(f"{SHELL}: {error}\n".encode())
            session.last = 1
            return 1
        for step in steps:
            if step.when is When.ALWAYS or (step.when is When.SUCCESS) == (session.last == 0):
                session.last = await self._step(step, session)
        return session.last

    async def _step(self, step: Step, session: Session) -> int:
        if step.background:
            task = asyncio.ensure_future(
                self._pipeline(step, replace(session, variables=dict(session.variables)))
            )
            self._background.add(task)
            task.add_done_callback(self._background.discard)
            return 0
        code = await self._pipeline(step, session)
        return int(code == 0) if step.negated else code

    async def _pipeline(self, step: Step, session: Session) -> int:
        if len(step.commands) == 1:
            return await self._command(step.commands[0], session, session.stdin, session.stdout)
        pipes = [Pipe() for _ in step.commands[1:]]
        sources: list[Reader] = [session.stdin, *pipes]
        sinks: list[Writer] = [*pipes, session.stdout]

        async def stage(index: int, command: Command) -> int:
            inner = replace(session, variables=dict(session.variables))
            try:
                return await self._command(command, inner, sources[index], sinks[index])
            except BrokenPipe:
                return 141
            except ShellExit as leave:
                return leave.code
            finally:
                if index < len(pipes):
                    await pipes[index].finish()
                if index:
                    await pipes[index - 1].abandon()

        tasks = [asyncio.ensure_future(stage(i, command)) for i, command in enumerate(step.commands)]
        try:
            codes = await asyncio.gather(*tasks)
        finally:
            for task in tasks:
                task.cancel()
        return codes[-1]

    async def _command(self, command: Command, session: Session, stdin: Reader, stdout: Writer) -> int:
        for name, word in command.assignments:
            session.variables[name] = "".join(await self._expand(word, session, split=False))
        args = [text for word in command.words for text in await self._expand(word, session)]
        call = Call(args, stdin, stdout, session.stderr, self._android, session.variables)
        files: list[tuple[str, Memory, bool]] = []
        try:
            for redirection in command.redirections:
                target = "".join(await self._expand(redirection.target, session, split=False))
                self._redirect(call, redirection.descriptor, redirection.operator, target, files)
        except FileTreeError as error:
            return await call.complain(f"{SHELL}: can't open {target}: {error}")
        code = await self._dispatch(call, session) if args else 0
        for path, memory, append in files:
            self._android.files.write(path, bytes(memory.data), append=append)
        return code

    def _redirect(
        self, call: Call, descriptor: int, operator: str, target: str, files: list[tuple[str, Memory, bool]]
    ) -> None:
        if operator == "<":
            call.stdin = Fixed(self._android.files.read(target))
            return
        writer: Writer
        if operator == ">&":
            writer = call.stdout if target == "1" else call.stderr
        elif target == "/dev/null":
            writer = Nothing()
        elif target == "/dev/tty":
            raise FileTreeError("No such device or address")
        else:
            append = operator == ">>"
            self._android.files.write(target, b"", append=append)
            writer = memory = Memory()
            files.append((target, memory, append))
        if descriptor == 2:
            call.stderr = writer
        else:
            call.stdout = writer

    async def _dispatch(self, call: Call, session: Session) -> int:
        name = call.args[0]
        if builtin := _BUILTINS.get(name):
            return await builtin(self, call, session)
        command = self._commands.get(name.removeprefix("/system/bin/"))
        if command is None:
            return await call.complain(f"{SHELL}: {name}: inaccessible or not found", 127)
        try:
            return await command(call)
        except (BrokenPipe, asyncio.CancelledError):
            raise
        except FileTreeError as error:
            return await call.complain(f"{name}: {error}")
        except Exception as error:
            log.exception("shell command %s", call.args)
            return await call.complain(f"{type(error).__name__}: {error}", 255)

    async def _expand(self, word: Word, session: Session, *, split: bool = True) -> list[str]:
        """Parameters and substitutions, field splitting of what is not quoted, then file names."""
        fields: list[str] = [""]
        quoted = pattern = False
        for piece in word:
            text = await self._value(piece.kind, piece.text, session)
            quoted = quoted or piece.quoted
            pattern = pattern or (not piece.quoted and any(c in piece.text for c in "*?["))
            if piece.quoted or piece.kind is Kind.TEXT or not split:
                fields[-1] += text
                continue
            parts = text.split()
            if parts and text[0].isspace() and fields[-1]:
                fields.append("")
            for index, part in enumerate(parts):
                fields[-1:] = [fields[-1] + part] if not index else [fields[-1], part]
        if fields == [""] and not quoted and split:
            return []
        return [name for text in fields for name in self._file_names(text)] if pattern and split else fields

    def _file_names(self, text: str) -> list[str]:
        directory, slash, last = text.rpartition("/")
        if not slash or not any(c in last for c in "*?[") or not self._android.files.exists(directory or "/"):
            return [text]
        names = [name for name, _ in self._android.files.listing(directory or "/")]
        found = [f"{directory}/{name}" for name in names if fnmatch.fnmatchcase(name, last)]
        return found or [text]

    async def _value(self, kind: Kind, text: str, session: Session) -> str:
        if kind is Kind.TEXT:
            return text
        if kind is Kind.PARAMETER:
            special = {"?": str(session.last), "$": "4242", "0": SHELL, "#": "0"}
            return special.get(text, session.variables.get(text, ""))
        if session.depth >= DEPTH:
            return ""
        memory = Memory()
        inner = replace(session, stdout=memory, variables=dict(session.variables), depth=session.depth + 1)
        try:
            session.last = await self._lines(text, inner)
        except ShellExit as leave:
            session.last = leave.code
        return memory.data.decode("utf-8", "replace").rstrip("\n")


Builtin = Callable[[AndroidShell, Call, Session], Awaitable[int]]


async def _exit(shell: AndroidShell, call: Call, session: Session) -> int:
    code = call.args[1] if len(call.args) > 1 else str(session.last)
    raise ShellExit(int(code) & 0xFF if code.isdigit() else 1)


async def _export(shell: AndroidShell, call: Call, session: Session) -> int:
    session.variables.update(item.partition("=")[::2] for item in call.args[1:] if "=" in item)
    return 0


async def _exec(shell: AndroidShell, call: Call, session: Session) -> int:
    if len(call.args) == 1:
        return 0
    raise ShellExit(await shell._dispatch(replace(call, args=call.args[1:]), session))


async def _nested(shell: AndroidShell, call: Call, session: Session) -> int:
    """sh -c TEXT, su is not there on a user build."""
    if len(call.args) > 2 and call.args[1] == "-c":
        return await shell.run(call.args[2], call.stdin, call.stdout, call.stderr)
    return await shell.run("", call.stdin, call.stdout, call.stderr)


_BUILTINS: dict[str, Builtin] = {
    "exit": _exit,
    "export": _export,
    "exec": _exec,
    "sh": _nested,
    SHELL: _nested,
}
