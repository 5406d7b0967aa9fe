"""A messaging app as data: its YAML read and checked (pydantic over ruamel.yaml), errors with file, line and
field.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator
from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedBase
from ruamel.yaml.error import MarkedYAMLError

from devices.handset import ClientSetting, FileState, OfferKind, TextStatus
from harness.errors import LabFileError


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)


class Match(_Strict):
    """One way to find an element. All fields given must hold."""

    id: str | None = None
    description: str | None = None
    text: str | None = None
    kind: str | None = Field(default=None, alias="class")

    @field_validator("description", "text")
    @classmethod
    def _regular_expression(cls, value: str | None) -> str | None:
        if value is not None:
            try:
                re.compile(value)
            except re.error as error:
                raise ValueError(f"no regular expression: {error}") from None
        return value

    @model_validator(mode="after")
    def _says_something(self) -> Match:
        if not any((self.id, self.description, self.text, self.kind)):
            raise ValueError("needs at least one of id, description, text, class")
        return self


class Elements(_Strict):
    """The elements a driver looks for, each a list of ways in order.

    What an app does not have is left out: a test that needs it is skipped.
    """

    compose_box: tuple[Match, ...] = Field(min_length=1)
    send_button: tuple[Match, ...] = Field(min_length=1)
    message_text: tuple[Match, ...] = Field(min_length=1)
    message_status: tuple[Match, ...] = ()
    conversation_name: tuple[Match, ...] = ()
    conversation_snippet: tuple[Match, ...] = ()
    conversation_title: tuple[Match, ...] = ()
    conversation_subtitle: tuple[Match, ...] = ()
    message_sender: tuple[Match, ...] = ()
    system_message: tuple[Match, ...] = ()
    snackbar: tuple[Match, ...] = ()
    menu: tuple[Match, ...] = ()
    # Chats
    start_chat: tuple[Match, ...] = ()
    end_chat: tuple[Match, ...] = ()
    chat_mark: tuple[Match, ...] = ()
    composing: tuple[Match, ...] = ()
    invitation: tuple[Match, ...] = ()
    accept: tuple[Match, ...] = ()
    decline: tuple[Match, ...] = ()
    # Groups
    new_conversation: tuple[Match, ...] = ()
    recipient_box: tuple[Match, ...] = ()
    recipient_chip: tuple[Match, ...] = ()
    create_group: tuple[Match, ...] = ()
    group_name_box: tuple[Match, ...] = ()
    group_name_done: tuple[Match, ...] = ()
    group_details: tuple[Match, ...] = ()
    group_member: tuple[Match, ...] = ()
    remove_member: tuple[Match, ...] = ()
    add_people: tuple[Match, ...] = ()
    add_people_done: tuple[Match, ...] = ()
    leave_group: tuple[Match, ...] = ()
    # Files
    draft_attachment: tuple[Match, ...] = ()
    attachment_name: tuple[Match, ...] = ()
    attachment_status: tuple[Match, ...] = ()
    cancel_attachment: tuple[Match, ...] = ()


class ComposeIntent(_Strict):
    """How to open a conversation.

    `{number}` in data is the number; body_extra names the string extra for the text.
    """

    action: str
    data: str
    body_extra: str

    @field_validator("data")
    @classmethod
    def _has_number(cls, value: str) -> str:
        if "{number}" not in value:
            raise ValueError("needs {number}")
        return value


class ListIntent(_Strict):
    """The activity with the list of conversations."""

    component: str


class ShareIntent(_Strict):
    """How to hand a file or a text to the app.

    The extras are those of Android; recipient_extra names the one for a number, where the app knows one, else
    the user picks the conversation.
    """

    action: str
    stream_extra: str
    text_extra: str
    recipient_extra: str | None = None


class JoinIntent(_Strict):
    """How to join a group by its URI."""

    action: str


class Intents(_Strict):
    """Ways into the app."""

    compose: ComposeIntent
    list: ListIntent | None = None
    share: ShareIntent | None = None
    join: JoinIntent | None = None


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(number) for number in re.findall(r"\d+", version))


class Versions(_Strict):
    """Releases of the app the ids were seen in: from `minimum`, and below `before` when given."""

    minimum: str
    before: str | None = None

    @field_validator("minimum", "before")
    @classmethod
    def _has_digits(cls, value: str | None) -> str | None:
        if value is not None and not _numbers(value):
            raise ValueError("needs a number")
        return value

    def hold(self, version: str) -> bool:
        """Is a versionName in the range? Its numbers count, in order; whatever stands between does not."""
        told = _numbers(version)
        below = self.before is None or told < _numbers(self.before)
        return bool(told) and _numbers(self.minimum) <= told and below

    def __str__(self) -> str:
        return f"{self.minimum} and later" + (f", before {self.before}" if self.before else "")


class Direction(_Strict):
    """Regular expressions on content-desc of a bubble or its row.

    Without a match the place on screen decides.
    """

    outgoing: str | None = None
    incoming: str | None = None


class Hints(_Strict):
    """Hints of an empty compose box, by what it would send."""

    chat: tuple[str, ...] = ()
    sms: tuple[str, ...] = ()


class Asking(_Strict):
    """The system property that says whether the app asks before it accepts, and its values.

    A handset where the property is not set does not have the switch.
    """

    property: str
    asks: str
    accepts: str


class MessagingAppDefinition(_Strict):
    """A messaging app: intents, UI ids, words; the folders it stores received files in."""

    app: str
    package: str = Field(pattern=r"^[A-Za-z][\w]*(\.[A-Za-z]\w*)+$")
    versions: Versions
    intents: Intents
    elements: Elements
    direction: Direction = Direction()
    status_words: dict[TextStatus, tuple[str, ...]]
    file_words: dict[FileState, tuple[str, ...]] = Field(default_factory=dict)
    stored_files: tuple[str, ...] = ()
    asking: dict[OfferKind, Asking] = Field(default_factory=dict)
    settings: dict[ClientSetting, str] = Field(default_factory=dict)
    hints: Hints = Hints()


def parse_definition(text: str, file: Path | str = "<text>") -> MessagingAppDefinition:
    """Read a definition. Raises LabFileError with the place of the first thing wrong."""
    try:
        data = YAML(typ="rt").load(text)
    except MarkedYAMLError as error:
        mark = error.problem_mark
        line, column = (mark.line + 1, mark.column + 1) if mark else (0, 0)
        raise LabFileError(file, line, column, "", str(error.problem or "not YAML")) from None
    try:
        return MessagingAppDefinition.model_validate(data)
    except ValidationError as error:
        first = error.errors()[0]
        line, column = _place(data, first["loc"])
        field = ".".join(str(part) for part in first["loc"])
        raise LabFileError(file, line, column, field, first["msg"]) from None


def _place(data: Any, path: Sequence[int | str]) -> tuple[int, int]:
    """Line and column, from 1, of the deepest part of the path that exists."""
    line, column = 0, 0
    for part in path:
        if not isinstance(data, CommentedBase):
            break
        try:
            where = data.lc.item(part) if isinstance(part, int) else data.lc.key(part)
            data = data[part]  # type: ignore[index]
        except (KeyError, IndexError, AttributeError, TypeError):
            break
        line, column = where[0] + 1, where[1] + 1
    return line, column
