"""Frames come out as they went in, however the stream is cut; what is none is refused."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runtime.wire.frames import FrameError, FrameReader, frame

FRAMES = st.lists(st.tuples(st.integers(0, 65535), st.binary(max_size=40)), max_size=8)


@given(FRAMES, st.lists(st.integers(0, 400), max_size=10))
def test_any_cuts_give_the_same_frames(frames: list[tuple[int, bytes]], cuts: list[int]) -> None:
    stream = b"".join(frame(kind, body) for kind, body in frames)
    ends = sorted({min(cut, len(stream)) for cut in cuts} | {len(stream)})
    reader, found, start = FrameReader(), [], 0
    for end in ends:
        found += list(reader.feed(stream[start:end]))
        start = end
    assert found == frames
    assert reader.pending == 0


@given(st.binary(max_size=100))
def test_any_bytes_are_frames_or_refused(data: bytes) -> None:
    reader = FrameReader(64)
    try:
        found = list(reader.feed(data))
    except FrameError:
        return
    assert sum(len(body) + 6 for _, body in found) + reader.pending == len(data)


@pytest.mark.parametrize("length", [0, 1, 65, 2**31, 2**32 - 1])
def test_impossible_lengths_are_refused_before_the_body_comes(length: int) -> None:
    with pytest.raises(FrameError, match=f"a frame of {length} bytes; 2 to 64 are possible"):
        list(FrameReader(64).feed(length.to_bytes(4, "big") + b"\0\0"))


def test_a_large_frame_in_small_pieces_takes_time_in_proportion() -> None:
    body = bytes(2_000_000)
    stream = frame(20, body)
    reader, found = FrameReader(), []
    for start in range(0, len(stream), 1000):
        found += list(reader.feed(stream[start : start + 1000]))
    assert found == [(20, body)]


def test_a_frame_that_has_begun_is_pending() -> None:
    reader = FrameReader()
    assert list(reader.feed(frame(1, b"abc")[:-1])) == []
    assert reader.pending == 8
