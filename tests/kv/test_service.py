"""What the service does about leaders that go, refuse, or do not answer, on a scripted node."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from types import SimpleNamespace
from typing import Any

import pytest
from prometheus_client import CollectorRegistry

from generated import raft
from runtime.host.logs import node_logger
from runtime.kv.batch import Header, pack, pack_commands, read_header
from runtime.kv.connection import Connection
from runtime.kv.options import Options
from runtime.kv.remote import pack_replies
from runtime.kv.resp import OK
from runtime.kv.service import KeyValue
from tests.kv.engine import request


class Transport:
    """Keeps what is written."""

    def __init__(self) -> None:
        self.written = b""
        self.closed = False

    def write(self, data: bytes) -> None:
        self.written += data

    def close(self) -> None:
        self.closed = True

    abort = close

    def pause_reading(self) -> None:
        pass

    def resume_reading(self) -> None:
        pass

    def get_extra_info(self, name: str) -> Any:
        return ("127.0.0.1", 1)


class Told:
    """A node that does what it is told, and keeps what it was asked."""

    def __init__(self, leads: str | None) -> None:
        self.id = "s1"
        self.peers = ("s2", "s3")
        self.module = raft
        self.code = SimpleNamespace(leads=leads)
        self.clients_address = None
        self.client_tls = None
        self.registry = CollectorRegistry()
        self.logger = node_logger("s1", "error")
        self.requests: list[Any] = []
        self.sent: list[tuple[str, bytes]] = []
        self.connected = True

    def request(self, request: Any) -> None:
        self.requests.append(request)

    def send(self, peer: str, body: bytes) -> bool:
        if self.connected:
            self.sent.append((peer, body))
        return self.connected


class Case:
    """A service on such a node, with a client."""

    def __init__(self, leads: str | None, patience: float = 5.0) -> None:
        self.node = Told(leads)
        self.service = KeyValue(Options(patience=patience, check=0.001, resend=0.05))
        self.transport = Transport()
        self.connection = Connection(self.service)

    async def send(self, *words: str) -> None:
        self.connection.data_received(request(*words))
        await asyncio.sleep(0.005)

    async def until(self, condition: Callable[[], object]) -> None:
        async with asyncio.timeout(10):
            while not condition():
                await asyncio.sleep(0.001)


def run(
    body: Callable[[Case], Coroutine[Any, Any, None]], leads: str | None, patience: float = 5.0
) -> None:
    async def main() -> None:
        case = Case(leads, patience)
        await case.service.start(case.node)  # type: ignore[arg-type]
        case.connection.connection_made(case.transport)  # type: ignore[arg-type]
        try:
            await body(case)
        finally:
            await case.service.stop()

    asyncio.run(main())


def test_a_leader_submits_and_answers_when_it_is_applied() -> None:
    async def body(case: Case) -> None:
        await case.send("SET", "a", "1")
        (submitted,) = case.node.requests
        assert case.transport.written == b""
        case.service.output(raft.Applied(1, submitted.command))
        assert case.transport.written == b"+OK\r\n"

    run(body, "s1")


def test_what_was_refused_is_sent_to_the_next_leader_and_executed_once() -> None:
    async def body(case: Case) -> None:
        await case.send("INCR", "n")
        (submitted,) = case.node.requests
        case.service.output(raft.Refused(submitted.command))
        case.node.code.leads = "s2"
        await case.until(lambda: case.node.sent)
        assert case.node.sent[0] == ("s2", b"S" + submitted.command)
        # It was in the log twice: a leader had died, and its entry lived on.
        case.service.output(raft.Applied(1, submitted.command))
        case.service.output(raft.Applied(2, submitted.command))
        assert case.transport.written == b":1\r\n"
        assert case.service.machine.keys.get(b"n") == b"1"

    run(body, "s1")


def test_what_is_not_answered_is_sent_again() -> None:
    async def body(case: Case) -> None:
        await case.send("INCR", "n")
        await case.until(lambda: len(case.node.sent) >= 2)
        assert len(set(case.node.sent)) == 1

    run(body, "s2")


def test_the_results_that_a_leader_sends_are_the_clients() -> None:
    async def body(case: Case) -> None:
        await case.send("SET", "a", "1")
        ((leader, sent),) = case.node.sent
        header = read_header(sent[1:])
        id = header.incarnation.to_bytes(8, "big") + header.number.to_bytes(8, "big")
        with pytest.raises(ValueError, match="do not fit"):
            case.service.received(leader, b"R" + id + pack_replies([OK, OK]))
        case.service.received(leader, b"R" + id + pack_replies([OK]))
        case.service.received(leader, b"R" + id + pack_replies([OK]))
        assert case.transport.written == b"+OK\r\n"
        # Applied here later, it has nobody to answer.
        case.service.output(raft.Applied(1, sent[1:]))
        assert case.transport.written == b"+OK\r\n"
        assert case.service.machine.keys.get(b"a") == b"1"

    run(body, "s2")


def test_without_a_leader_nothing_was_executed() -> None:
    async def body(case: Case) -> None:
        await case.send("SET", "a", "1")
        await case.until(lambda: case.transport.written)
        assert case.transport.written.startswith(b"-CLUSTERDOWN")
        await case.send("GET", "a")
        await case.until(lambda: b"\r\n-" in case.transport.written)
        assert not case.node.requests
        assert not case.node.sent

    run(body, None, patience=0.05)


def test_a_leader_without_a_connection_was_sent_nothing() -> None:
    async def body(case: Case) -> None:
        case.node.connected = False
        await case.send("SET", "a", "1")
        await case.until(lambda: case.transport.written)
        assert case.transport.written.startswith(b"-CLUSTERDOWN")

    run(body, "s2", patience=0.05)


def test_what_was_sent_and_is_not_answered_is_uncertain() -> None:
    async def body(case: Case) -> None:
        await case.send("SET", "a", "1")
        await case.until(lambda: case.transport.written)
        assert case.transport.written.startswith(b"-UNCERTAIN")
        first = read_header(case.node.sent[0][1][1:])
        await case.send("SET", "a", "2")
        # The next batch says that the one before is settled: it will not be executed after it.
        assert read_header(case.node.sent[-1][1][1:]).floor > first.number

    run(body, "s2", patience=0.05)


def test_a_read_waits_until_so_much_is_applied() -> None:
    async def body(case: Case) -> None:
        await case.send("GET", "a")
        (read,) = case.node.requests
        case.service.output(raft.Answered(read.query, 1))
        assert case.transport.written == b""
        case.service.output(raft.Applied(1, pack(Header("s2", 1, 1, 1, 1), [[b"SET", b"a", b"1"]])))
        assert case.transport.written == b"$1\r\n1\r\n"

    run(body, "s1")


def test_a_read_that_was_declined_is_asked_again() -> None:
    async def body(case: Case) -> None:
        await case.send("GET", "a")
        case.service.output(raft.Declined(case.node.requests[0].query))
        await case.until(lambda: len(case.node.requests) == 2)
        case.service.output(raft.Answered(case.node.requests[1].query, 0))
        assert case.transport.written == b"$-1\r\n"

    run(body, "s1")


def test_a_leader_reads_for_others() -> None:
    async def body(case: Case) -> None:
        id = bytes(15) + b"\x07"
        case.service.received("s3", b"Q" + id + pack_commands([[b"GET", b"a"], [b"DBSIZE"]]))
        (read,) = case.node.requests
        case.service.output(raft.Answered(read.query, 0))
        assert case.node.sent == [("s3", b"R" + id + pack_replies([None, 0]))]
        with pytest.raises(ValueError, match="may write"):
            case.service.received("s3", b"Q" + id + pack_commands([[b"SET", b"a", b"1"]]))
        case.node.code.leads = "s2"
        case.service.received("s3", b"Q" + id + pack_commands([[b"GET", b"a"]]))
        assert case.node.sent[-1] == ("s3", b"N" + id)

    run(body, "s1")


def test_a_leader_sends_results_back_to_who_has_sent_the_batch() -> None:
    async def body(case: Case) -> None:
        batch = pack(Header("s3", 9, 4, 4, 1), [[b"INCR", b"n"]])
        case.service.received("s3", b"S" + batch)
        (submitted,) = case.node.requests
        case.service.output(raft.Applied(1, submitted.command))
        id = (9).to_bytes(8, "big") + (4).to_bytes(8, "big")
        assert case.node.sent == [("s3", b"R" + id + pack_replies([1]))]
        with pytest.raises(ValueError, match="made by s3"):
            case.service.received("s2", b"S" + batch)

    run(body, "s1")


@pytest.mark.parametrize("body", [b"", b"X", b"S", b"Sshort", b"Q1", b"R" + bytes(15), b"N1"])
def test_what_is_nothing_is_refused(body: bytes) -> None:
    async def receive(case: Case) -> None:
        with pytest.raises(ValueError, match=r"."):
            case.service.received("s2", body)

    run(receive, "s1")


def test_the_leader_proposes_an_entry_when_a_key_is_due() -> None:
    async def body(case: Case) -> None:
        await case.send("SET", "a", "1", "PX", "30")
        case.service.output(raft.Applied(1, case.node.requests[0].command))
        await case.until(lambda: len(case.node.requests) == 2)
        assert b"a" in case.service.machine.keys
        case.service.output(raft.Applied(2, case.node.requests[1].command))
        assert b"a" not in case.service.machine.keys

    run(body, "s1")


def test_a_clock_behind_the_log_is_put_forward() -> None:
    async def body(case: Case) -> None:
        ahead = case.service.clock.now() + 3_600_000
        case.service.output(raft.Applied(1, pack(Header("s2", 1, 1, 1, ahead), [])))
        assert case.service.clock.now() >= ahead

    run(body, "s2")


def test_too_many_clients_are_told() -> None:
    async def body(case: Case) -> None:
        case.service.options = Options(most_clients=1)
        other, transport = Connection(case.service), Transport()
        other.connection_made(transport)  # type: ignore[arg-type]
        assert transport.written == b"-ERR max number of clients reached\r\n"
        assert transport.closed
        other.connection_lost(None)
        assert list(case.service.connections.values()) == [case.connection]
        case.connection.connection_lost(None)
        assert not case.service.connections

    run(body, "s1")


def test_a_client_that_does_not_read_is_not_executed_further() -> None:
    async def body(case: Case) -> None:
        case.connection.pause_writing()
        await case.send("SET", "a", "1")
        assert not case.node.requests
        case.connection.resume_writing()
        await case.until(lambda: case.node.requests)

    run(body, "s1")


def test_a_connection_has_one_batch_at_a_time() -> None:
    async def body(case: Case) -> None:
        await case.send("INCR", "n")
        await case.send("INCR", "n")
        await case.send("GET", "n")
        assert len(case.node.requests) == 1
        case.service.output(raft.Applied(1, case.node.requests[0].command))
        await case.until(lambda: len(case.node.requests) == 2)
        case.service.output(raft.Applied(2, case.node.requests[1].command))
        assert case.transport.written == b":1\r\n:2\r\n$1\r\n2\r\n"

    run(body, "s1")
