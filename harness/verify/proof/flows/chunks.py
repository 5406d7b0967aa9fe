"""Messages in chunks, in the chat in place of what is said there after its opening (RFC 4975 5.1, 7.1.1)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from harness.verify.proof.changes import chunk, chunked, instead, text_of, uninterrupted
from harness.verify.proof.flows.msrp import answered, chat, ok
from harness.verify.proof.script import Script


def chunked_chat() -> Script:
    """A message of the handset in three chunks (8, 10, 12), each 200 telling what it answers."""
    script = instead(*chunked(2048, 2048, 100))(chat())
    for index in (8, 10, 12):
        told = "\r\n".join(script.steps[index].text.split("\r\n")[3:5])
        text = script.steps[index + 1].text
        script.change(index + 1, text=text.replace("\r\n-------", f"\r\n{told}\r\n-------"))
    return script


def large_chunks_chat() -> Script:
    """The first of two chunks is above 2048 octets, so that it may be interrupted."""
    first = chunk(1, 1, 3000, "4000", "+", end="*", body=text_of(4000)[:3000])
    return instead(*answered(first, chunk(2, 3001, 1000, "4000", "$")))(chat())


def long_chunk_chat() -> Script:
    """A message of the far end comes in the middle of a long chunk, which is over soon."""
    return instead(*uninterrupted(1.0))(chat())


def stopped_chat() -> Script:
    """413 crosses the second chunk, with which the handset gives its message up."""
    first = chunk(1, 1, 2048, "8000", "+", body=text_of(8000)[:2048])
    second = chunk(2, 2049, 2048, "8000", "#")
    return instead(first, ok(first, "413 Enough"), second, replace(ok(second, "413 Enough"), after=0.05))(
        chat()
    )


CHUNK_FLOWS: dict[str, Callable[[], Script]] = {
    "chunked_chat": chunked_chat,
    "large_chunks_chat": large_chunks_chat,
    "long_chunk_chat": long_chunk_chat,
    "stopped_chat": stopped_chat,
}
