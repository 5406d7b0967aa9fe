"""A probe of a messaging app: a connected handset walked through the actions of its description, and which of
the elements described were on screen.

The report is what a lab hands in to confirm or correct a file of devices/apps. Without `send` nothing leaves
the handset: a draft is typed and erased, a group is named and not founded.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

from devices.android import AndroidHandset
from devices.apps.definition import Elements, Match
from devices.apps.dump import Dump
from devices.handset import FileState, Screen, TextStatus
from harness.errors import HandsetError, LabError, NotOnBench

GROUP = "rcslab probe"
TEXTS = {
    "send text": "rcslab probe",
    "send emoji": "\U0001f600\U0001f468‍\U0001f469‍\U0001f467",
    "send right to left": "שלום مرحبا",
    "send 5,000 characters": "rcslab probe " * 384 + "12345678",
}
_BACK = "input keyevent KEYCODE_BACK"


class Presence(StrEnum):
    """What became of an element."""

    FOUND = "found"
    MISSING = "missing"
    """Where it should have been seen the probe was, and did not see it."""
    NOT_REACHED = "not reached"
    NOT_DESCRIBED = "not described"
    """The app's file leaves it out: tests that need it are skipped."""


class Outcome(StrEnum):
    """What became of an action."""

    DONE = "done"
    FAILED = "failed"
    NOT_THERE = "not there"
    """The app's file does not describe what it takes."""


@dataclass(frozen=True, slots=True)
class ElementSeen:
    """One element. way: the one of its list that found it, counted from 1. by: how that reads. where: the
    action in which it was first seen.
    """

    element: str
    presence: Presence
    way: int = 0
    by: str = ""
    where: str = ""


@dataclass(frozen=True, slots=True)
class Walked:
    """One action, and why it failed."""

    action: str
    outcome: Outcome
    error: str = ""


@dataclass(frozen=True, slots=True)
class AppProbeReport:
    """All actions and all elements of one app on one handset."""

    app: str
    package: str
    version: str
    described: str
    serial: str
    actions: tuple[Walked, ...]
    elements: tuple[ElementSeen, ...]

    @property
    def whole(self) -> bool:
        """Whether every action was done and no element was missing."""
        failed = any(each.outcome is Outcome.FAILED for each in self.actions)
        return not failed and not any(each.presence is Presence.MISSING for each in self.elements)

    def as_dict(self) -> dict[str, Any]:
        """JSON values."""
        return asdict(self)


class ProbedHandset(AndroidHandset):
    """The driver itself, which notes what of the description each look at the screen shows."""

    seen: dict[str, tuple[int, Match, str]]
    action = ""

    def dump(self, *, before: str = "", until: float | None = None) -> Dump:
        """The same; each element of the app that is in it is noted."""
        dump = super().dump(before=before, until=until)
        for name in Elements.model_fields:
            for number, way in enumerate(getattr(self.app.elements, name), 1):
                if name not in self.seen and dump.find([way]) is not None:
                    self.seen[name] = (number, way, self.action)
        return dump

    # The actions that no driver call makes

    def show_list(self) -> None:
        """The list of conversations."""
        self._show_list()
        self.dump()

    def name_a_group(self, numbers: tuple[str, ...]) -> None:
        """As far as the name of a group, and back without one."""
        until = time.monotonic() + self.ui_deadline
        self._show_list()
        button = self._seek("new_conversation", until)
        box = self._press_for(button, "new_conversation", "recipient_box", until)
        create = self._pick(box, numbers, "create_group", until)
        self._press_for(create, "create_group", "group_name_box", until)
        self._ok(_BACK)
        self.home()

    def draft(self, number: str) -> None:
        """A text in the compose box, and out of it again."""
        self.type_draft(number, "probe")
        self._seek("send_button", time.monotonic() + self.ui_deadline)
        self.erase_draft(number)

    def menu_of(self, number: str) -> None:
        """The menu of a conversation, and back."""
        self.open_conversation(number)
        until = time.monotonic() + self.ui_deadline
        either = [*self.elements("start_chat"), *self.app.elements.end_chat]
        menu = self._seek("menu", until)
        self._press(menu, "menu", lambda dump: dump.find(either), "a menu with start chat", until)
        self._ok(_BACK)


@dataclass(frozen=True, slots=True)
class _Action:
    """elements: those that have to be seen by its end, in the order of the way."""

    name: str
    act: Callable[[ProbedHandset], object]
    elements: tuple[str, ...]


def _looking(number: str, other: str) -> Iterator[_Action]:
    conversation = ("compose_box",)
    yield _Action("list", lambda it: it.show_list(), ("new_conversation",))
    named = ("new_conversation", "recipient_box", "recipient_chip", "create_group", "group_name_box")
    group = (*named, "group_name_done")
    yield _Action("name a group", lambda it: it.name_a_group((number, other)), group)
    yield _Action("open a conversation", lambda it: it.open_conversation(number), conversation)
    yield _Action("draft", lambda it: it.draft(number), ("compose_box", "send_button"))
    yield _Action("menu", lambda it: it.menu_of(number), ("menu", "start_chat"))


def _sending(number: str, other: str, third: str) -> Iterator[_Action]:
    for name, text in TEXTS.items():
        yield _Action(name, _sent(number, text), ("compose_box", "send_button", "message_text"))
    yield _Action("read messages with state", _read(number), ("message_text", "message_status"))
    yield _Action("chat", _chat(number), ("menu", "start_chat", "chat_mark", "end_chat"))
    of_file = ("draft_attachment", "send_button", "attachment_name")
    yield _Action("send a file", _file(number), of_file)
    yield _Action(
        "create a group", lambda it: it.create_group(GROUP, [number, other]), ("conversation_title",)
    )
    people = ("conversation_name", "menu", "group_details", "group_member")
    yield _Action("members of the group", lambda it: it.members_of_group(GROUP), people)
    added = ("add_people", "recipient_box", "add_people_done")
    yield _Action("add to the group", lambda it: it.add_to_group(GROUP, [third]), added)
    removed = ("group_member", "remove_member")
    yield _Action("remove from the group", lambda it: it.remove_from_group(GROUP, third), removed)
    yield _Action("leave the group", lambda it: it.leave_group(GROUP), ("leave_group",))


def _coming(number: str, seconds: float) -> Iterator[_Action]:
    yield _Action("decline what is offered", _declined(number, seconds), ("accept", "decline"))


def _declined(number: str, seconds: float) -> Callable[[ProbedHandset], object]:
    def act(handset: ProbedHandset) -> None:
        for name in ("accept", "decline"):
            handset.elements(name)
        screen = handset.wait_for_screen(
            lambda screen: bool(screen.offers or _offered_file(screen)),
            "an invitation or a file to accept",
            seconds,
            number,
        )
        handset.decline(handset.ui_deadline, None if screen.offers else _offered_file(screen))

    return act


def _offered_file(screen: Screen) -> str | None:
    offered = (each for each in screen.files if each.state is FileState.OFFERED and not each.outgoing)
    return next((each.name for each in offered), None)


def _sent(number: str, text: str) -> Callable[[ProbedHandset], object]:
    def act(handset: ProbedHandset) -> None:
        handset.send_text(number, text)
        handset.wait_for_text(text, handset.ui_deadline, outgoing=True)

    return act


def _read(number: str) -> Callable[[ProbedHandset], object]:
    def act(handset: ProbedHandset) -> None:
        handset.wait_for_screen(
            lambda screen: any(message.status is not TextStatus.NONE for message in screen.messages),
            "a text with its state",
            handset.ui_deadline,
            number,
        )

    return act


def _chat(number: str) -> Callable[[ProbedHandset], object]:
    def act(handset: ProbedHandset) -> None:
        handset.start_chat(number)
        handset.end_chat(number)

    return act


def _file(number: str) -> Callable[[ProbedHandset], object]:
    def act(handset: ProbedHandset) -> None:
        with tempfile.TemporaryDirectory(prefix="rcslab-probe-") as folder:
            file = Path(folder) / "rcslab-probe.txt"
            file.write_text("rcslab probe\n", "utf-8")
            handset.send_file(number, file, "text/plain")
        handset.wait_for_screen(
            lambda screen: any(each.name == file.name for each in screen.files),
            f"{file.name} in the conversation",
            handset.ui_deadline,
        )

    return act


def walk(
    handset: ProbedHandset,
    numbers: tuple[str, str, str],
    *,
    send: bool,
    incoming: float | None = None,
    on_action: Callable[[Walked], None] = lambda walked: None,
) -> AppProbeReport:
    """Take every action there is. numbers: the far party, and two more for groups. incoming: seconds to wait
    for an invitation or a file of the far party, which is declined.

    Raises: LabError, when the app is not there, or the handset is gone.
    """
    handset.seen = {}
    version = handset.app_version()
    if version is None:
        package, remedy = handset.app.package, "install it, or name another description"
        raise LabError("messaging app", handset.serial, f"{package} installed", "it is not", remedy)
    handset.prepare()
    actions = [*_looking(*numbers[:2]), *(_sending(*numbers) if send else ())]
    actions += [] if incoming is None else _coming(numbers[0], incoming)
    walked: list[Walked] = []
    due: dict[str, Presence] = {}
    for action in actions:
        walked.append(_take(handset, action))
        on_action(walked[-1])
        if walked[-1].outcome is not Outcome.NOT_THERE:
            _note_due(action, walked[-1], handset.seen, due)
    handset.home()
    app = handset.app
    elements = tuple(_told(handset, name, due) for name in Elements.model_fields)
    return AppProbeReport(
        app.app, app.package, version, str(app.versions), handset.serial, tuple(walked), elements
    )


def _take(handset: ProbedHandset, action: _Action) -> Walked:
    handset.action = action.name
    try:
        action.act(handset)
    except NotOnBench as error:
        return Walked(action.name, Outcome.NOT_THERE, str(error))
    except HandsetError as error:
        handset.home()
        return Walked(action.name, Outcome.FAILED, str(error))
    return Walked(action.name, Outcome.DONE)


def _note_due(action: _Action, walked: Walked, seen: dict[str, Any], due: dict[str, Presence]) -> None:
    """An action that failed got as far as the first element it did not see."""
    unseen = [name for name in action.elements if name not in seen]
    reached = unseen[:1] if walked.outcome is Outcome.FAILED else unseen
    due.update(dict.fromkeys(reached, Presence.MISSING))


def _told(handset: ProbedHandset, name: str, due: dict[str, Presence]) -> ElementSeen:
    if name in handset.seen:
        number, way, where = handset.seen[name]
        by = ", ".join(
            f"{key} {value!r}" for key, value in way.model_dump(by_alias=True, exclude_none=True).items()
        )
        return ElementSeen(name, Presence.FOUND, number, by, where)
    if not getattr(handset.app.elements, name):
        return ElementSeen(name, Presence.NOT_DESCRIBED)
    return ElementSeen(name, due.get(name, Presence.NOT_REACHED))


def lines(report: AppProbeReport) -> Iterator[str]:
    """For people."""
    yield f"{report.app} on {report.serial}: {report.package} {report.version}"
    yield f"described for {report.described}"
    yield ""
    for action in report.actions:
        yield f"{action.outcome:16} {action.action:26} {action.error}".rstrip()
    yield ""
    for each in report.elements:
        how = f"by way {each.way}: {each.by} ({each.where})" if each.way else ""
        yield f"{each.presence:16} {each.element:26} {how}".rstrip()
