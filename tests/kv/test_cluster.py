"""Real clients against three real nodes, in one process."""

from __future__ import annotations

import asyncio
import shutil
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import redis

from runtime.host.certificates import make_authority, make_client, make_node
from runtime.kv.options import Options
from tests.kv.clients import connect, connect_async
from tests.kv.clusters import NODES, Nodes


@pytest.fixture(scope="module")
def nodes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Nodes]:
    with Nodes(tmp_path_factory.mktemp("kv")) as running:
        yield running


@pytest.fixture
def client(nodes: Nodes) -> Iterator[Any]:
    with connect(port=nodes.port(nodes.wait_for_leader())) as connected:
        connected.flushall()
        yield connected


def test_the_commands_that_everybody_uses(client: Any) -> None:
    assert client.set("a", 1)
    assert client.set("a", 2, nx=True) is None
    assert client.set("a", "two", xx=True, get=True) == b"1"
    assert client.get("a") == b"two"
    assert client.append("a", "!") == 4
    assert client.strlen("a") == 4
    assert client.incr("n") == 1
    assert client.decr("n", 5) == -4
    assert client.mset({"b": "1", "c": "2"})
    assert client.mget("b", "x", "c") == [b"1", None, b"2"]
    assert sorted(client.keys("[bc]")) == [b"b", b"c"]
    assert sorted(client.scan_iter(count=1)) == [b"a", b"b", b"c", b"n"]
    assert client.dbsize() == 4
    assert client.type("a") == b"string"
    assert client.delete("a", "b", "x") == 2
    assert client.exists("a", "c") == 1
    client.set("t", "text")
    with pytest.raises(redis.ResponseError, match="not an integer"):
        client.incr("t")
    with pytest.raises(redis.ResponseError, match="unknown command 'LPUSH'"):
        client.lpush("l", "x")


@pytest.mark.parametrize("protocol", [2, 3])
def test_what_a_connection_is_told(nodes: Nodes, protocol: int) -> None:
    port = nodes.port("s2")
    with connect(port=port, protocol=protocol, client_name="me") as client:
        assert client.ping()
        assert client.client_getname() in ("me", b"me")
        assert client.client_id() > 0
        assert client.config_get("append*")["appendonly"] == "yes"
        assert client.info("raft")["raft_state"] in ("Leader", "Follower")
        assert client.command_count() > 40
        assert client.echo("hello") == b"hello"


def test_a_pipeline_is_a_transaction(client: Any) -> None:
    with client.pipeline() as pipeline:
        replies = pipeline.set("a", 1).incr("a").get("a").ping().ttl("a").execute()
    assert replies == [True, 2, b"2", True, -1]
    with client.pipeline(transaction=False) as pipeline:
        for number in range(3000):
            pipeline.incr("n")
            assert number >= 0
        assert pipeline.execute() == list(range(1, 3001))


def test_a_watched_key_that_changes_stops_the_transaction(client: Any) -> None:
    client.set("a", 1)
    with client.pipeline() as pipeline:
        pipeline.watch("a")
        client.set("a", 2)
        pipeline.multi()
        pipeline.set("a", 3)
        with pytest.raises(redis.WatchError):
            pipeline.execute()
    assert client.get("a") == b"2"
    with client.pipeline() as pipeline:
        pipeline.watch("a", "b")
        assert pipeline.get("a") == b"2"
        pipeline.multi()
        pipeline.set("a", 3)
        assert pipeline.execute() == [True]


def test_every_node_answers_with_the_latest(nodes: Nodes) -> None:
    clients = [connect(port=nodes.port(id)) for id in NODES]
    for number in range(30):
        assert clients[number % 3].set("latest", number)
        for client in clients:
            assert client.get("latest") == b"%d" % number
    for client in clients:
        client.close()


def test_many_clients_count_together(nodes: Nodes) -> None:
    async def count() -> bytes | None:
        clients = [connect_async(port=nodes.port(id)) for id in NODES for _ in range(4)]
        await clients[0].delete("counter")

        async def some(client: Any) -> list[int]:
            return [await client.incr("counter") for _ in range(20)]

        seen = await asyncio.gather(*(some(client) for client in clients))
        assert sorted(number for numbers in seen for number in numbers) == list(range(1, 241))
        value: bytes | None = await clients[5].get("counter")
        for client in clients:
            await client.aclose()
        return value

    assert asyncio.run(count()) == b"240"


def test_an_asynchronous_pipeline(nodes: Nodes) -> None:
    async def work() -> list[object]:
        client = connect_async(port=nodes.port(nodes.followers()[0]), protocol=3)
        async with client.pipeline(transaction=True) as pipeline:
            replies: list[object] = await (
                pipeline.set("async", 1).incr("async").get("async").execute()
            )
        await client.aclose()
        return replies

    assert asyncio.run(work()) == [True, 2, b"2"]


def test_keys_expire_everywhere_without_a_write(nodes: Nodes) -> None:
    clients = [connect(port=nodes.port(id)) for id in NODES]
    assert clients[0].set("short", 1, px=400)
    assert clients[1].set("long", 1, ex=100)
    assert 0 < clients[2].pttl("short") <= 400
    assert clients[2].ttl("long") in (99, 100)
    deadline = time.monotonic() + 5
    while clients[1].exists("short"):
        assert time.monotonic() < deadline
        time.sleep(0.01)
    assert [client.get("short") for client in clients] == [None] * 3
    assert clients[0].persist("long") == 1
    for client in clients:
        client.close()


def test_all_is_there_after_a_restart(tmp_path: Path) -> None:
    with Nodes(tmp_path) as nodes:
        with connect(port=nodes.port(nodes.wait_for_leader())) as client:
            for number in range(50):
                client.set(f"key:{number}", number)
            client.incr("key:0")
        for id in NODES:
            nodes.stop(id, kill=True)
        for id in NODES:
            nodes.start(id)
        nodes.wait_for_leader()
        with connect(port=nodes.port("s3")) as client:
            assert client.dbsize() == 50
            assert client.get("key:0") == b"1"
            assert client.get("key:49") == b"49"


def test_after_a_leader_is_killed_the_next_write_comes_soon(tmp_path: Path) -> None:
    with Nodes(tmp_path) as nodes:
        leader = nodes.wait_for_leader()
        follower = nodes.followers()[0]
        with connect(port=nodes.port(follower), socket_timeout=20) as client:
            assert client.set("a", 1)
            nodes.stop(leader, kill=True)
            began = time.monotonic()
            assert client.incr("a") == 2
            assert time.monotonic() - began < 3
            nodes.start(leader)
            assert client.incr("a") == 3
        with connect(port=nodes.port(leader), socket_timeout=20) as client:
            assert client.get("a") == b"3"


def test_without_a_majority_clients_are_told(tmp_path: Path) -> None:
    with Nodes(tmp_path, Options(patience=0.6)) as nodes:
        follower, other = nodes.followers()
        with connect(port=nodes.port(follower), socket_timeout=20, retry=None) as client:
            client.set("a", 1)
            leader = nodes.wait_for_leader()
            nodes.stop(leader, kill=True)
            nodes.stop(other, kill=True)
            with pytest.raises(redis.ResponseError, match=r"no server leads|may or may not"):
                client.set("a", 2)
            with pytest.raises(redis.ResponseError, match="no server leads"):
                client.get("a")
            nodes.start(other)
            nodes.wait_for_leader()
            assert client.get("a") in (b"1", b"2")


def test_a_password_and_certificates(tmp_path: Path) -> None:
    certificates = tmp_path / "certs"
    certificates.mkdir()
    tls = make_authority(certificates)
    for id in NODES:
        make_node(certificates, id)
    make_client(certificates, "client")
    with Nodes(tmp_path, Options(password="secret"), tls) as nodes:
        port = nodes.port(nodes.wait_for_leader())
        common: dict[str, Any] = {
            "port": port,
            "ssl": True,
            "ssl_ca_certs": str(tls.ca),
            "ssl_check_hostname": False,
            "retry": None,
        }
        own: dict[str, Any] = {
            "ssl_certfile": str(tls.certificate("client")),
            "ssl_keyfile": str(tls.key("client")),
        }
        with connect(**common, **own, password="secret") as client:
            assert client.set("a", 1)
            assert client.get("a") == b"1"
        with (
            connect(**common, **own, password="wrong") as client,
            pytest.raises(redis.AuthenticationError),
        ):
            client.ping()
        with (
            connect(**common, **own) as client,
            pytest.raises(redis.AuthenticationError, match="HELLO must be called"),
        ):
            client.ping()
        with connect(**common) as client, pytest.raises(redis.RedisError):
            client.ping()


@pytest.mark.skipif(shutil.which("redis-cli") is None, reason="there is no redis-cli")
def test_redis_cli(nodes: Nodes) -> None:
    port = str(nodes.port("s1"))
    run = ["redis-cli", "-p", port]
    lines = "set cli 1\nincr cli\nget cli\nhello 3\nconfig get save\n"
    said = subprocess.run(run, input=lines, capture_output=True, text=True, timeout=20, check=True)
    assert said.stdout.startswith("OK\n2\n2\n")
    assert "proto" in said.stdout
    assert said.stderr == ""


@pytest.mark.skipif(shutil.which("redis-benchmark") is None, reason="there is no redis-benchmark")
def test_redis_benchmark(nodes: Nodes) -> None:
    port = str(nodes.port("s2"))
    for pipeline in ("1", "16"):
        said = subprocess.run(
            [
                *("redis-benchmark", "-p", port, "-t", "set,get,incr", "--csv"),
                *("-n", "400", "-c", "8", "-P", pipeline),
            ],
            capture_output=True,
            text=True,
            timeout=120,
            check=True,
        )
        names = [line.split(",")[0] for line in said.stdout.splitlines()]
        assert names == ['"test"', '"SET"', '"GET"', '"INCR"']
        assert "rror" not in said.stderr
