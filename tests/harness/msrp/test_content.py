"""Where content is kept and read from, without files."""

from __future__ import annotations

import io
import tracemalloc

from hypothesis import given
from hypothesis import strategies as st

from harness.msrp.content import FileSource, MemorySink, MemorySource, PieceSource


@given(st.lists(st.tuples(st.integers(0, 40), st.binary(max_size=12)), max_size=20), st.integers(0, 60))
def test_what_was_written_last_is_what_is_there(writes, octets: int) -> None:
    sink, expected = MemorySink(), bytearray(60)
    for position, data in writes:
        sink.write(position, memoryview(data))
        expected[position : position + len(data)] = data
    end = max((position + len(data) for position, data in writes), default=0)
    sink.finish(min(octets, end))
    there = {place for position, data in writes for place in range(position, position + len(data))}
    content = sink.content
    assert all(content[place] == expected[place] for place in there if place < len(content))
    assert sink.written == sum(len(data) for _, data in writes)
    sink.discard()
    assert sink.parts == [(0, b"")]


def test_tiny_chunks_take_no_more_room_than_large_ones() -> None:
    tracemalloc.start()
    try:
        sink = MemorySink()
        for place in range(100_000):
            sink.write(place, b"x")
        sink.finish(100_000)
        assert sink.content == b"x" * 100_000
        assert tracemalloc.get_traced_memory()[1] < 1_000_000
    finally:
        tracemalloc.stop()


class Trickle(io.BytesIO):
    """A file that gives less than it is asked for."""

    def read(self, size: int | None = -1, /) -> bytes:
        return super().read(min(size or 0, 3))


@given(st.binary(max_size=50), st.lists(st.integers(1, 12), min_size=60, max_size=60), st.integers(0, 20))
def test_sources_give_everything_in_pieces_of_the_size_asked_for(content, sizes, cut) -> None:
    sources = [
        MemorySource(content), FileSource(io.BytesIO(content)), FileSource(Trickle(content), len(content)),
        PieceSource([content[:cut], b"", content[cut:]]),
    ]  # fmt: skip
    for source in sources:
        found, place = b"", 0
        for size in sizes:
            piece = source.read(size)
            assert len(piece) == min(size, len(content) - place)
            found, place = found + piece, place + len(piece)
        assert found == content
