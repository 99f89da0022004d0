"""What one client may do: log in, change the protocol, queue a transaction; and what it may not."""

from __future__ import annotations

from collections import deque

import pytest

from runtime.kv import session as sessions
from runtime.kv.resp import Bounds, Parser
from tests.kv.engine import Engine, request
from tests.kv.replies import split_replies


def test_without_the_password_nothing_is_done() -> None:
    engine = Engine(password="secret")
    client = engine.connect()
    assert client.send(request("SET", "a", "1")) == b"-NOAUTH Authentication required.\r\n"
    assert client.send(request("PING")).startswith(b"-NOAUTH")
    assert client.send(request("HELLO", 3)).startswith(b"-NOAUTH HELLO must be called")
    assert client.send(request("AUTH", "wrong")).startswith(b"-WRONGPASS")
    assert client.send(request("AUTH", "nobody", "secret")).startswith(b"-WRONGPASS")
    assert client.send(request("HELLO", 3, "AUTH", "default", "no")).startswith(b"-WRONGPASS")
    assert client.client.protocol == 2
    assert client.send(request("HELLO", 3, "AUTH", "default", "secret")).startswith(b"%7\r\n")
    assert client.send(request("SET", "a", "1")) == b"+OK\r\n"
    assert client.send(request("RESET")) == b"+RESET\r\n"
    assert client.send(request("GET", "a")) == b"-NOAUTH Authentication required.\r\n"
    assert client.send(request("AUTH", "default", "secret")) == b"+OK\r\n"
    assert len(engine.log) == 1


def test_what_was_asked_before_hello_is_answered_in_the_old_protocol() -> None:
    client = Engine().connect()
    sent = request("GET", "a") + request("HELLO", 3, "SETNAME", "me") + request("GET", "a")
    replies = split_replies(client.send(sent))
    assert (replies[0], replies[2]) == (b"$-1\r\n", b"_\r\n")
    assert client.client.name == b"me"


def test_a_pipeline_is_one_entry_of_the_log() -> None:
    engine = Engine()
    client = engine.connect()
    sent = request("SET", "a", "1") + request("GET", "a") + request("PING") + request("INCR", "a")
    assert client.send(sent) == b"+OK\r\n$1\r\n1\r\n+PONG\r\n:2\r\n"
    assert len(engine.log) == 1


def test_a_transaction_is_one_entry_whatever_comes_between() -> None:
    engine = Engine()
    one, two = engine.connect(), engine.connect()
    one.send(request("MULTI") + request("INCR", "a") + request("ECHO", "x"))
    assert two.send(request("INCR", "a")) == b":1\r\n"
    assert one.send(request("GET", "a")) == b"+QUEUED\r\n"
    assert one.send(request("EXEC")) == b"*3\r\n:2\r\n$1\r\nx\r\n$1\r\n2\r\n"
    assert len(engine.log) == 2


def test_a_transaction_that_only_reads_is_a_read() -> None:
    engine = Engine()
    client = engine.connect()
    client.send(request("MULTI") + request("GET", "a") + request("DBSIZE"))
    assert client.send(request("EXEC")) == b"*2\r\n$-1\r\n:0\r\n"
    assert engine.log == []


def test_a_transaction_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sessions, "LONGEST_TRANSACTION", 1000)
    client = Engine().connect()
    client.send(request("MULTI"))
    assert client.send(request("SET", "a", "x" * 500)) == b"+QUEUED\r\n"
    assert b"too long" in client.send(request("SET", "a", "x" * 500))
    assert client.send(request("EXEC")).startswith(b"-EXECABORT")


def test_what_waits_for_a_client_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sessions, "LARGEST_REPLY", 1000)
    client = Engine().connect()
    client.send(request("SET", "a", "x" * 300))
    assert client.send(request("MGET", "a", "a")) != b""
    assert not client.session.closing
    assert client.send(request("GET", "a") * 4) == b""
    assert client.session.closing


def test_a_long_pipeline_is_cut_into_turns() -> None:
    client = Engine().connect()
    waiting = deque([[b"GET", b"a"] for _ in range(sessions.LONGEST_TURN + 5)])
    assert len(client.session.take(waiting).commands) == sessions.LONGEST_TURN
    assert len(client.session.take(waiting).commands) == 5


def test_quit_and_wrong_bytes_end_the_connection() -> None:
    client = Engine().connect()
    assert client.send(request("QUIT") + request("SET", "a", "1")) == b"+OK\r\n"
    assert client.session.closing
    client = Engine().connect()
    client.parser = Parser(Bounds(arguments=2))
    said = client.send(request("PING") + b"*9\r\n")
    assert said == b"+PONG\r\n-ERR Protocol error: invalid multibulk length\r\n"


def test_what_a_browser_was_made_to_send_is_not_executed() -> None:
    engine = Engine()
    client = engine.connect()
    client.send(b"POST / HTTP/1.1\r\nHost: localhost\r\n\r\nset a 1\r\n")
    assert client.session.closing
    assert engine.log == []


def test_the_time_that_is_left_runs_between_entries_of_the_log() -> None:
    engine = Engine()
    client = engine.connect()
    client.send(request("SET", "a", "1", "PX", 5000))
    engine.now += 2000
    assert client.send(request("PTTL", "a")) == b":3000\r\n"
    engine.now += 9000
    # No entry has said that it is gone: it is there, and has no time left.
    assert client.send(request("PTTL", "a") + request("EXISTS", "a")) == b":0\r\n:1\r\n"
    client.send(request("SET", "b", "1"))
    assert client.send(request("EXISTS", "a")) == b":0\r\n"


def test_names_of_clients() -> None:
    engine = Engine()
    client = engine.connect()
    sent = request("CLIENT", "SETNAME", "me") + request("CLIENT", "SETINFO", "LIB-NAME", "lib")
    assert client.send(sent) == b"+OK\r\n+OK\r\n"
    assert client.send(request("CLIENT", "GETNAME")) == b"$2\r\nme\r\n"
    assert b"name=me" in client.send(request("CLIENT", "LIST"))
    assert b"lib-name=lib" in client.send(request("CLIENT", "INFO"))
    assert client.send(request("CLIENT", "SETINFO", "LIB-NAME", "a b")).startswith(b"-ERR lib-name")
    assert client.send(request("CLIENT", "SETINFO", "X", "a")).startswith(b"-ERR Unrecognized")
    assert client.send(request("CLIENT", "HELP")).startswith(b"*1\r\n+CLIENT")


def test_what_libraries_ask_first() -> None:
    client = Engine().connect()
    assert client.send(request("CONFIG", "GET", "save", "append*")).startswith(b"*4\r\n")
    assert client.send(request("CONFIG", "SET", "save", "x")).startswith(b"-ERR Unknown option")
    assert client.send(request("COMMAND", "COUNT")).startswith(b":")
    assert client.send(request("COMMAND", "INFO", "get", "nothing")).endswith(b"$-1\r\n")
    assert b"Returns the value" in client.send(request("COMMAND", "DOCS", "get"))
    assert client.send(request("COMMAND")).startswith(b"*")
    assert client.send(request("COMMAND", "LIST")).startswith(b"*")
    assert client.send(request("TIME")).startswith(b"*2\r\n")
    assert client.send(request("INFO")).startswith(b"$")
