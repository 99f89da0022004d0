"""Cluster files are read back as written, and each mistake in one is told."""

from __future__ import annotations

from pathlib import Path

import pytest

from runtime.host.config import (
    Address,
    ClusterConfig,
    ConfigError,
    NodeConfig,
    TlsFiles,
    dump_config,
    parse_address,
    read_config,
)
from tests.host.modules import generated

GOOD = """
protocol = "FlexiblePaxos"
[parameters]
q1 = 2
q2 = 2
[nodes.p1]
role = "Proposer"
address = "127.0.0.1:7101"
clients = "[::1]:7201"
metrics = "localhost:7301"
[nodes.a1]
role = "Acceptor"
address = "127.0.0.1:7102"
[nodes.a2]
role = "Acceptor"
address = "127.0.0.1:7103"
[nodes.a3]
role = "Acceptor"
address = "127.0.0.1:7104"
[nodes.l1]
role = "Learner"
address = "127.0.0.1:7105"
"""


def read(tmp_path: Path, text: str) -> ClusterConfig:
    (tmp_path / "cluster.toml").write_text(text)
    return read_config(tmp_path / "cluster.toml")


def test_a_file_and_its_cluster(tmp_path: Path) -> None:
    module = generated("flexible_paxos")
    config = read(tmp_path, GOOD)
    assert config.nodes["p1"] == NodeConfig(
        "p1",
        "Proposer",
        Address("127.0.0.1", 7101),
        Address("::1", 7201),
        Address("localhost", 7301),
    )
    cluster = config.cluster(module)
    assert cluster == module.Cluster(("p1",), ("a1", "a2", "a3"), ("l1",), 2, 2)
    assert config.tls is None


def test_what_is_written_is_read_back(tmp_path: Path) -> None:
    config = read(tmp_path, GOOD)
    tls = TlsFiles(tmp_path / "a" / "ca.pem", tmp_path / "b")
    nodes = {
        id: NodeConfig(id, n.role, n.address, n.clients, n.metrics, {"x": [1, "p1"], "y": True})
        for id, n in config.nodes.items()
    }
    config = ClusterConfig(config.protocol, nodes, config.parameters, tls)
    assert read(tmp_path, dump_config(config)) == config


def test_paths_are_relative_to_the_file(tmp_path: Path) -> None:
    config = read(tmp_path, GOOD + '[tls]\nca = "certs/ca.pem"\n')
    assert config.tls == TlsFiles(tmp_path / "certs/ca.pem", tmp_path / "certs")
    assert config.tls.key("a1") == tmp_path / "certs/a1-key.pem"


@pytest.mark.parametrize(
    ("old", "new", "problem"),
    [
        ('protocol = "FlexiblePaxos"', "", "needs `protocol"),
        ("q1 = 2", "q1 = -1", "`q1` should be a whole number"),
        ("q1 = 2", "q1 = true", "`q1` should be a whole number"),
        ("[nodes.p1]", "[nodes.'p 1']", "'p 1' cannot name a node"),
        ("[nodes.p1]", "[nodes.p1]\nroles = 1", "node p1 has no entry `roles`"),
        ('role = "Proposer"', "", "node p1 needs a `role`"),
        ('"127.0.0.1:7102"', '"127.0.0.1"', "node a1, address: '127.0.0.1' is not of the form"),
        ('"127.0.0.1:7102"', "7102", "is not of the form host:port"),
        ('"127.0.0.1:7102"', '"127.0.0.1:7101"', "nodes p1 and a1 both use 127.0.0.1:7101"),
        ('"127.0.0.1:7102"', '"127.0.0.1:70000"', "is not of the form host:port"),
        ("[parameters]", "[tls]\n[parameters]", "[tls] needs `ca`"),
        ("[parameters]", "[tls]\nca = 1\n[parameters]", "`ca` should be a path"),
        ("[parameters]", "[parameter]", "the file has no entry `parameter`"),
        ("[nodes.p1]", "[nodes.p1", "is not TOML"),
        (GOOD, 'protocol = "X"', "has no nodes"),
        (GOOD, 'protocol = "X"\nnodes = 1', "`nodes` should be a table"),
        (GOOD, 'protocol = "X"\nnodes.a = 1', "node a should be a table"),
    ],
)
def test_mistakes_in_the_file(tmp_path: Path, old: str, new: str, problem: str) -> None:
    with pytest.raises(ConfigError) as caught:
        read(tmp_path, GOOD.replace(old, new, 1))
    assert problem in str(caught.value)
    assert str(tmp_path / "cluster.toml") in str(caught.value)


def test_a_file_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot read"):
        read_config(tmp_path / "none.toml")
    (tmp_path / "binary.toml").write_bytes(b"\xff\xfe")
    with pytest.raises(ConfigError, match="not UTF-8"):
        read_config(tmp_path / "binary.toml")


@pytest.mark.parametrize(
    ("old", "new", "problem"),
    [
        ("FlexiblePaxos", "Paxos", "for the protocol Paxos, and the module is FlexiblePaxos"),
        ('role = "Learner"', 'role = "Reader"', "no role is called `Reader`"),
        ('role = "Learner"', 'role = "Acceptor"', "no node has the role Learner"),
        ("q1 = 2\n", "", "the parameter `q1` needs a value"),
        ("q1 = 2", "q1 = 2\nq3 = 1", "has no parameter `q3`"),
    ],
)
def test_mistakes_about_the_module(tmp_path: Path, old: str, new: str, problem: str) -> None:
    config = read(tmp_path, GOOD.replace(old, new, 1))
    with pytest.raises(ConfigError, match=problem):
        config.cluster(generated("flexible_paxos"))


def test_a_single_role_has_one_node(tmp_path: Path) -> None:
    text = 'protocol = "TwoPhaseCommit"\n'
    for index, (id, role) in enumerate(
        [("c1", "Coordinator"), ("c2", "Coordinator"), ("p1", "Participant")]
    ):
        text += f'[nodes.{id}]\nrole = "{role}"\naddress = "127.0.0.1:{7000 + index}"\n'
    with pytest.raises(ConfigError, match="exactly one node, not c1, c2"):
        read(tmp_path, text).cluster(generated("two_phase_commit"))


@pytest.mark.parametrize("text", ["localhost", ":1", "a:b:1", "[::1]", "::1:80", "x:", "x:-1"])
def test_what_is_no_address(text: str) -> None:
    with pytest.raises(ConfigError, match="not of the form host:port"):
        parse_address(text, "here")
