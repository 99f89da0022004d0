"""Random programs get the same replies from this service and from Redis, byte for byte.

Where no redis-server is installed, the recording of one is what they are compared with
(`python -m tests.kv.record` makes it anew).
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings

from tests.kv.engine import Engine, request
from tests.kv.programs import Line, programs
from tests.kv.reference import REDIS_SERVER, Reference
from tests.kv.replies import comparable, split_replies

RECORDING = Path(__file__).with_name("recording.jsonl")


def replies_here(program: list[Line], protocol: int) -> list[list[bytes]]:
    engine = Engine()
    clients = [engine.connect(), engine.connect()]
    if protocol == 3:
        for client in clients:
            client.send(request("HELLO", 3))
    answers = []
    for number, pipeline in program:
        engine.now += 1
        sent = b"".join(request(*words) for words in pipeline)
        replies = split_replies(clients[number].send(sent))
        answers.append(
            [comparable(words, reply) for words, reply in zip(pipeline, replies, strict=True)]
        )
    return answers


def replies_there(reference: Reference, program: list[Line], protocol: int) -> list[list[bytes]]:
    clients = [reference.connect(), reference.connect()]
    try:
        clients[0].send(request("FLUSHALL"), 1)
        if protocol == 3:
            for client in clients:
                client.send(request("HELLO", 3), 1)
        answers = []
        for number, pipeline in program:
            sent = b"".join(request(*words) for words in pipeline)
            replies = clients[number].send(sent, len(pipeline))
            answers.append(
                [comparable(words, reply) for words, reply in zip(pipeline, replies, strict=True)]
            )
        return answers
    finally:
        for client in clients:
            client.close()


@pytest.fixture(scope="module")
def reference() -> Iterator[Reference | None]:
    if REDIS_SERVER is None:
        yield None
        return
    with Reference() as server:
        yield server


@pytest.mark.parametrize("protocol", [2, 3])
def test_replies_are_those_of_a_server(reference: Reference | None, protocol: int) -> None:
    @settings(
        max_examples=150,
        deadline=None,
        suppress_health_check=[HealthCheck.too_slow],
        derandomize=True,
    )
    @given(programs)
    def same(program: list[Line]) -> None:
        here = replies_here(program, protocol)
        if reference is not None:
            assert here == replies_there(reference, program, protocol)

    same()


def recorded() -> list[tuple[int, list[Line], list[list[bytes]]]]:
    entries = []
    for text in RECORDING.read_text("ascii").splitlines():
        entry = json.loads(text)
        program = [
            (number, [[word.encode("latin-1") for word in words] for words in pipeline])
            for number, pipeline in entry["program"]
        ]
        answers = [[reply.encode("latin-1") for reply in replies] for replies in entry["replies"]]
        entries.append((entry["protocol"], program, answers))
    return entries


def test_replies_are_those_that_were_recorded() -> None:
    entries = recorded()
    assert len(entries) >= 200
    for protocol, program, answers in entries:
        assert replies_here(program, protocol) == answers, program
