"""The syntax of the handset's shell: the part of mksh a harness uses.

Lists with `;`, `&&`, `||`, `&` and line feeds, pipes, redirections, quoting ('...', "...", \\x), `$NAME`,
`${NAME}`, `$?`, `$(...)` and assignments. Compound commands (if, while, functions) are a syntax error here.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import Enum

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_PARAMETER = re.compile(r"[A-Za-z_][A-Za-z0-9_]*|[?$#!0-9@*]")
_REDIRECT = re.compile(r"([0-9])?(>>|>&|<&|>|<)")
_OPERATORS = ("&&", "||", ";", "&", "|", "\n")
_BLANK = " \t"
_ENDS_WORD = set(" \t\n;&|<>()")
_RESERVED = {
    "if",
    "then",
    "else",
    "elif",
    "fi",
    "while",
    "until",
    "do",
    "done",
    "for",
    "case",
    "esac",
    "function",
}


class ShellSyntaxError(Exception):
    """The shell cannot parse the line. The text is what it prints after its own name."""


class Kind(Enum):
    """What a piece of a word is."""

    TEXT = "text"
    PARAMETER = "parameter"
    SUBSTITUTION = "substitution"


@dataclass(frozen=True, slots=True)
class Piece:
    """A stretch of a word: literal text, a parameter's name, or the text of a command substitution."""

    kind: Kind
    text: str
    quoted: bool


Word = tuple[Piece, ...]


@dataclass(frozen=True, slots=True)
class Redirection:
    """`2>/dev/null`: descriptor, operator and target word (a digit for `>&`)."""

    descriptor: int
    operator: str
    target: Word


@dataclass(frozen=True, slots=True)
class Command:
    """A simple command: assignments before it, its words, its redirections."""

    assignments: tuple[tuple[str, Word], ...]
    words: tuple[Word, ...]
    redirections: tuple[Redirection, ...]


class When(Enum):
    """On what a step of a list depends."""

    ALWAYS = "always"
    SUCCESS = "&&"
    FAILURE = "||"


@dataclass(frozen=True, slots=True)
class Step:
    """A pipeline, and when it runs."""

    when: When
    commands: tuple[Command, ...]
    negated: bool
    background: bool


class _Scanner:
    """Position in the text, and the readers of words."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.at = 0

    def peek(self, size: int = 1) -> str:
        return self.text[self.at : self.at + size]

    def skip_blank(self) -> None:
        while self.at < len(self.text):
            if self.text[self.at] in _BLANK:
                self.at += 1
            elif self.peek(2) == "\\\n":
                self.at += 2
            elif self.text[self.at] == "#":
                end = self.text.find("\n", self.at)
                self.at = len(self.text) if end < 0 else end
            else:
                return

    def operator(self) -> str:
        for operator in _OPERATORS:
            if self.text.startswith(operator, self.at):
                return operator
        return ""

    def word(self) -> Word:
        pieces: list[Piece] = []
        while self.at < len(self.text) and self.peek() not in _ENDS_WORD:
            char = self.peek()
            if char == "'":
                pieces.append(Piece(Kind.TEXT, self._until("'"), True))
            elif char == '"':
                pieces += self._double_quoted()
            elif char == "\\":
                if self.peek(2) != "\\\n":
                    pieces.append(Piece(Kind.TEXT, self.text[self.at + 1 : self.at + 2] or "\\", True))
                self.at += 2
            elif char in "$`" and (piece := self._expansion(False)):
                pieces.append(piece)
            else:
                pieces.append(self._bare())
        return tuple(pieces)

    def _bare(self) -> Piece:
        start = self.at
        self.at += 1
        while self.at < len(self.text) and self.peek() not in _ENDS_WORD and self.peek() not in "'\"\\$`":
            self.at += 1
        return Piece(Kind.TEXT, self.text[start : self.at], False)

    def _until(self, quote: str) -> str:
        end = self.text.find(quote, self.at + 1)
        if end < 0:
            raise ShellSyntaxError("syntax error: no closing quote")
        inside = self.text[self.at + 1 : end]
        self.at = end + 1
        return inside

    def _double_quoted(self) -> list[Piece]:
        self.at += 1
        pieces = [Piece(Kind.TEXT, "", True)]
        text: list[str] = []
        while self.peek() != '"':
            char = self.peek()
            if not char:
                raise ShellSyntaxError("syntax error: no closing quote")
            if char == "\\" and self.peek(2)[1:] in set('$`"\\\n'):
                text.append(self.peek(2)[1:].replace("\n", ""))
                self.at += 2
            elif char in "$`" and (piece := self._expansion(True)):
                pieces += [Piece(Kind.TEXT, "".join(text), True), piece]
                text.clear()
            else:
                text.append(char)
                self.at += 1
        self.at += 1
        return [*pieces, Piece(Kind.TEXT, "".join(text), True)]

    def _expansion(self, quoted: bool) -> Piece | None:
        """`$NAME`, `${NAME}`, `$(...)` or backquotes here; None for a dollar that stands for itself."""
        if self.peek() == "`":
            return Piece(Kind.SUBSTITUTION, self._until("`"), quoted)
        if self.peek(2) == "$(":
            return Piece(Kind.SUBSTITUTION, self._parenthesised(), quoted)
        if self.peek(2) == "${":
            end = self.text.find("}", self.at)
            name = self.text[self.at + 2 : end]
            if end < 0 or not _PARAMETER.fullmatch(name):
                raise ShellSyntaxError(f"${{{name}}}: bad substitution")
            self.at = end + 1
            return Piece(Kind.PARAMETER, name, quoted)
        if match := _PARAMETER.match(self.text, self.at + 1):
            self.at = match.end()
            return Piece(Kind.PARAMETER, match.group(), quoted)
        return None

    def _parenthesised(self) -> str:
        start, depth, quote = self.at + 2, 0, ""
        for position in range(self.at + 1, len(self.text)):
            char = self.text[position]
            if quote:
                quote = "" if char == quote else quote
            elif char in "'\"":
                quote = char
            elif char == "(":
                depth += 1
            elif char == ")":
                depth -= 1
                if not depth:
                    self.at = position + 1
                    return self.text[start:position]
        raise ShellSyntaxError("syntax error: no closing ')'")


def parse(text: str) -> tuple[Step, ...]:
    """The steps of a shell line. Raises ShellSyntaxError."""
    scanner = _Scanner(text)
    steps: list[Step] = []
    when = When.ALWAYS
    while True:
        scanner.skip_blank()
        if scanner.peek() == "\n" and when is When.ALWAYS:
            scanner.at += 1
            continue
        if not scanner.peek() and when is When.ALWAYS:
            return tuple(steps)
        negated, commands = _pipeline(scanner)
        operator = scanner.operator()
        scanner.at += len(operator)
        steps.append(Step(when, commands, negated, operator == "&"))
        when = {"&&": When.SUCCESS, "||": When.FAILURE}.get(operator, When.ALWAYS)
        if not operator and scanner.peek():
            raise ShellSyntaxError(f"syntax error: unexpected '{scanner.peek()}'")
        while when is not When.ALWAYS and scanner.peek() in ("\n", " ", "\t") and scanner.peek():
            scanner.at += 1


def _pipeline(scanner: _Scanner) -> tuple[bool, tuple[Command, ...]]:
    scanner.skip_blank()
    negated = scanner.peek() == "!" and scanner.peek(2)[1:] in _BLANK
    scanner.at += negated
    commands = [_command(scanner)]
    while scanner.operator() == "|":
        scanner.at += 1
        commands.append(_command(scanner))
    return negated, tuple(commands)


def _command(scanner: _Scanner) -> Command:
    assignments: list[tuple[str, Word]] = []
    words: list[Word] = []
    redirections: list[Redirection] = []
    while True:
        scanner.skip_blank()
        if match := _REDIRECT.match(scanner.text, scanner.at):
            scanner.at = match.end()
            scanner.skip_blank()
            default = 0 if match.group(2).startswith("<") else 1
            target = _required(scanner)
            redirections.append(Redirection(int(match.group(1) or default), match.group(2), target))
        elif scanner.peek() and scanner.peek() not in _ENDS_WORD:
            word = scanner.word()
            if not words and (assignment := _assignment(word)):
                assignments.append(assignment)
                continue
            if not words and len(word) == 1 and not word[0].quoted and word[0].text in _RESERVED | {"{", "}"}:
                raise ShellSyntaxError(f"syntax error: unexpected '{word[0].text}'")
            words.append(word)
        else:
            break
    if not (words or assignments or redirections):
        raise ShellSyntaxError(
            f"syntax error: unexpected '{scanner.operator() or scanner.peek() or 'newline'}'"
        )
    return Command(tuple(assignments), tuple(words), tuple(redirections))


def _required(scanner: _Scanner) -> Word:
    word = scanner.word()
    if not word:
        raise ShellSyntaxError(f"syntax error: unexpected '{scanner.peek() or 'newline'}'")
    return word


def _assignment(word: Word) -> tuple[str, Word] | None:
    first = word[0]
    name, equals, rest = first.text.partition("=")
    if first.kind is not Kind.TEXT or first.quoted or not equals or not _NAME.fullmatch(name):
        return None
    return name, (Piece(Kind.TEXT, rest, False), *word[1:])
