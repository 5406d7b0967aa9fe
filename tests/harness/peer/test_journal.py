"""What the peer remembers: bounded, numbered on, and found from any point of the timeline."""

from __future__ import annotations

from harness.evidence.timeline import Layer, Timeline
from harness.peer.journal import KEPT, EventKind, Journal


def test_a_journal_keeps_the_newest_and_numbers_on() -> None:
    timeline = Timeline()
    journal = Journal(timeline)
    for _ in range(2 * KEPT + 10):
        timeline.event(Layer.LAB, "note")
        journal.add(EventKind.ANSWERED, "MESSAGE with 200")
    assert KEPT <= len(journal.events) < 2 * KEPT
    assert journal.events[-1].number == 2 * KEPT + 10
    assert journal.events[0].number == 2 * KEPT + 11 - len(journal.events)


def test_events_later_than_a_point_of_the_timeline() -> None:
    timeline = Timeline()
    journal = Journal(timeline)
    journal.add(EventKind.REGISTERED, "before anything")
    mark = timeline.event(Layer.LAB, "note").number
    journal.add(EventKind.REGISTERED, "at the mark")
    timeline.event(Layer.LAB, "note")
    late = [journal.add(EventKind.ANSWERED, "x"), journal.add(EventKind.REGISTERED, "y")]
    assert journal.since(mark) == late
    assert journal.since(mark, EventKind.REGISTERED) == late[1:]
    assert len(journal.since(0)) == 3
