"""With TLS nodes know each other by certificate, and whoever has none, or another's, is refused."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from runtime.host.certificates import (
    CertificateError,
    make_authority,
    make_client,
    make_node,
)
from runtime.host.config import Address, ClusterConfig, ConfigError, TlsFiles
from runtime.host.host import Host, Options
from runtime.host.logs import node_logger
from runtime.wire.frames import REFUSAL, FrameReader
from runtime.wire.hello import FORMAT, Hello, encode_hello
from tests.host.applications import Recorder, eventually
from tests.host.clusters import configure, running
from tests.host.modules import generated

PAXOS = generated("paxos")
SIZES = {"Proposer": 1, "Acceptor": 1, "Learner": 1}


def authority(directory: Path) -> TlsFiles:
    files = make_authority(directory)
    for node in ("p1", "a1", "l1"):
        make_node(directory, node)
    return files


def test_a_cluster_decides_over_tls(tmp_path: Path) -> None:
    files = authority(tmp_path / "certs")

    async def main() -> None:
        apps: dict[str, Recorder] = {}
        async with running(
            PAXOS, SIZES, tmp_path, lambda id: apps.setdefault(id, Recorder()), tls=files
        ) as hosts:
            assert await hosts["p1"].request(PAXOS.Propose("tea"))
            await apps["l1"].until(lambda: apps["l1"].outputs)
            assert apps["l1"].outputs[0] == PAXOS.Decided("tea")
            for host in hosts.values():
                assert host.statistics.refused == {}
                assert host.client_tls is not None
                assert host.client_tls.verify_mode == ssl.CERT_REQUIRED

    asyncio.run(main())


@asynccontextmanager
async def one_node(directory: Path, files: TlsFiles) -> AsyncIterator[Host]:
    config, sockets = configure(PAXOS, SIZES, files)
    for id in ("a1", "l1"):
        sockets[id].close()
    async with Host(
        PAXOS,
        "p1",
        config,
        directory / "p1",
        listener=sockets["p1"],
        logger=node_logger("p1", "error"),
    ) as host:
        yield host


async def try_to_greet(host: Host, context: ssl.SSLContext | None, sender: str) -> bytes:
    """Connect and say hello as `sender`; return all that the node says until it closes."""
    reader, writer = await asyncio.open_connection(
        "127.0.0.1", host.config.address.port, ssl=context
    )
    writer.write(encode_hello(Hello(FORMAT, "Paxos", PAXOS.SPEC_SHA256, sender, "p1")))
    try:
        async with asyncio.timeout(10):
            return await reader.read()
    except OSError:
        return b""
    finally:
        writer.close()


def context(ca: Path, certificate: Path | None) -> ssl.SSLContext:
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    made.check_hostname = False
    made.load_verify_locations(ca)
    if certificate is not None:
        made.load_cert_chain(certificate, certificate.with_name(f"{certificate.stem}-key.pem"))
    return made


def test_who_has_no_certificate_or_anothers_is_refused(tmp_path: Path) -> None:
    files = authority(tmp_path / "certs")
    make_client(tmp_path / "certs", "alice")
    make_authority(tmp_path / "foreign")
    make_node(tmp_path / "foreign", "a1")
    certs = tmp_path / "certs"

    async def main() -> None:
        async with one_node(tmp_path, files) as host:
            refused = host.statistics.refused
            # No certificate; one of another authority; an older version of TLS; none at all.
            assert await try_to_greet(host, context(files.ca, None), "a1") == b""
            await eventually(lambda: refused == {"tls": 1})
            foreign = context(files.ca, tmp_path / "foreign" / "a1.pem")
            assert await try_to_greet(host, foreign, "a1") == b""
            await eventually(lambda: refused == {"tls": 2})
            old = context(files.ca, certs / "a1.pem")
            old.maximum_version = ssl.TLSVersion.TLSv1_2
            with pytest.raises(OSError):  # noqa: PT011 - an alert, or a reset
                await try_to_greet(host, old, "a1")
            await eventually(lambda: refused == {"tls": 3})
            assert await try_to_greet(host, None, "a1") == b""
            await eventually(lambda: refused == {"tls": 4})
            # A certificate of the authority, but for another node, or for a client.
            answer = await try_to_greet(host, context(files.ca, certs / "l1.pem"), "a1")
            ((kind, body),) = FrameReader().feed(answer)
            assert kind == REFUSAL
            assert b"it says it is a1, and its certificate is for l1" in body
            assert refused == {"tls": 4, "certificate": 1}
            assert await try_to_greet(host, context(files.ca, certs / "alice.pem"), "a1") == b""
            assert refused == {"tls": 4, "certificate": 2}
            assert set(host.statistics.connected.values()) == {0}
            assert not host.failed

    asyncio.run(main())


def test_a_node_dials_nobody_but_the_node_it_means(tmp_path: Path) -> None:
    files = authority(tmp_path / "certs")

    async def main() -> None:
        config, sockets = configure(PAXOS, SIZES, files)
        sockets["l1"].close()

        async def anything(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            writer.close()

        server_context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        server_context.load_cert_chain(
            tmp_path / "certs" / "l1.pem", tmp_path / "certs" / "l1-key.pem"
        )
        server = await asyncio.start_server(anything, sock=sockets["p1"], ssl=server_context)
        async with Host(
            PAXOS,
            "a1",
            config,
            tmp_path / "a1",
            listener=sockets["a1"],
            logger=node_logger("a1", "critical"),
        ) as host:
            await eventually(lambda: host.statistics.refused.get("certificate"))
            assert host.statistics.connected["p1"] == 0
        server.close()
        await server.wait_closed()

    asyncio.run(main())


def test_a_missing_or_broken_certificate_is_told(tmp_path: Path) -> None:
    files = make_authority(tmp_path / "certs")

    async def start(files: TlsFiles) -> None:
        async with one_node(tmp_path, files):
            raise AssertionError("it has started")

    with pytest.raises(ConfigError, match=r"p1\.pem is missing; `accordant certs node` makes it"):
        asyncio.run(start(files))
    make_node(tmp_path / "certs", "p1")
    with pytest.raises(ConfigError, match=r"cannot read .*none\.pem"):
        asyncio.run(start(TlsFiles(tmp_path / "none.pem", files.directory)))
    (tmp_path / "certs" / "p1.pem").write_text("nonsense")
    with pytest.raises(ConfigError, match=r"p1\.pem cannot be used"):
        asyncio.run(start(files))


# --- listening without TLS ------------------------------------------------------------------------


def elsewhere(config: ClusterConfig, **addresses: Any) -> ClusterConfig:
    nodes = dict(config.nodes)
    nodes["p1"] = replace(nodes["p1"], **addresses)
    return replace(config, nodes=nodes)


@pytest.mark.parametrize("which", ["address", "clients", "metrics"])
def test_without_tls_a_node_listens_on_the_loopback_only(which: str, tmp_path: Path) -> None:
    async def main() -> None:
        config, sockets = configure(PAXOS, SIZES)
        for socket in sockets.values():
            socket.close()
        config = elsewhere(config, **{which: Address("0.0.0.0", 0)})
        with pytest.raises(ConfigError, match=r"0\.0\.0\.0:0 can be reached from other machines"):
            await Host(PAXOS, "p1", config, tmp_path).start()
        async with Host(
            PAXOS, "p1", config, tmp_path, options=Options(insecure_listen=True)
        ) as host:
            assert not host.failed

    asyncio.run(main())


def test_with_tls_a_node_may_listen_elsewhere_but_not_its_metrics(tmp_path: Path) -> None:
    files = authority(tmp_path / "certs")

    async def main() -> None:
        config, sockets = configure(PAXOS, SIZES, files)
        for socket in sockets.values():
            socket.close()
        config = elsewhere(config, address=Address("0.0.0.0", 0), clients=Address("::", 0))
        async with Host(PAXOS, "p1", config, tmp_path / "p1") as host:
            assert not host.failed
        config = elsewhere(config, metrics=Address("0.0.0.0", 0))
        with pytest.raises(ConfigError, match="can be reached"):
            await Host(PAXOS, "p1", config, tmp_path / "p1").start()

    asyncio.run(main())


# --- certificates ---------------------------------------------------------------------------------


def test_keys_are_their_owners_and_nothing_is_overwritten(tmp_path: Path) -> None:
    authority(tmp_path / "certs")
    make_client(tmp_path / "certs", "alice")
    for key in (tmp_path / "certs").glob("*-key.pem"):
        assert key.stat().st_mode & 0o777 == 0o600
    before = {path: path.read_bytes() for path in (tmp_path / "certs").iterdir()}
    for again in (
        lambda: make_authority(tmp_path / "certs"),
        lambda: make_node(tmp_path / "certs", "p1"),
        lambda: make_node(tmp_path / "certs", "alice"),
        lambda: make_client(tmp_path / "certs", "p1"),
    ):
        with pytest.raises(CertificateError, match="exists; nothing is overwritten"):
            again()
    assert {path: path.read_bytes() for path in (tmp_path / "certs").iterdir()} == before


@pytest.mark.parametrize("name", ["", "a/b", "../x", "ca", "a b", "x" * 64])
def test_names_that_no_node_can_have(name: str, tmp_path: Path) -> None:
    make_authority(tmp_path)
    with pytest.raises(CertificateError, match="cannot be the name of a node or client"):
        make_node(tmp_path, name)


def test_an_authority_that_is_not_there_or_broken(tmp_path: Path) -> None:
    with pytest.raises(CertificateError, match="`accordant certs init` makes the authority"):
        make_node(tmp_path, "p1")
    make_authority(tmp_path)
    (tmp_path / "ca.pem").write_text("nonsense")
    with pytest.raises(CertificateError, match="cannot be used"):
        make_node(tmp_path, "p1")


def test_hosts_in_a_certificate(tmp_path: Path) -> None:
    make_authority(tmp_path)
    make_node(tmp_path, "p1", hosts=["example.org", "10.0.0.1"])
    with pytest.raises(CertificateError, match="is no host name or IP address"):
        make_node(tmp_path, "p2", hosts=["not a host"])
    decoded = ssl._ssl._test_decode_cert(str(tmp_path / "p1.pem"))  # type: ignore[attr-defined]
    assert set(decoded["subjectAltName"]) == {
        ("URI", "accordant:node:p1"),
        ("DNS", "example.org"),
        ("IP Address", "10.0.0.1"),
    }
