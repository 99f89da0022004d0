"""Clusters from sizes."""

from __future__ import annotations

import pytest

from runtime.membership import ClusterError, make_cluster, node_prefixes, nodes, parameters
from tests.runtime.building import ALL_CONSTRUCTS, PAXOS, TWO_PHASE_COMMIT, module_of


def test_nodes_are_called_after_their_role() -> None:
    module = module_of(PAXOS)
    cluster = make_cluster(module, {"Acceptor": 2})
    assert cluster.acceptor == ("a1", "a2")
    assert cluster.proposer == ("p1", "p2", "p3")
    assert nodes(module, cluster)["a2"] == "Acceptor"


def test_a_single_role_has_one_node() -> None:
    module = module_of(TWO_PHASE_COMMIT)
    assert make_cluster(module).coordinator == ("c1",)
    with pytest.raises(ClusterError, match="exactly one"):
        make_cluster(module, {"Coordinator": 2})


@pytest.mark.parametrize(
    ("sizes", "problem"),
    [
        ({"Acceptors": 3}, "no role or parameter is called `Acceptors`; there are: Proposer"),
        ({"Acceptor": 0}, "at least one"),
    ],
)
def test_impossible_sizes(sizes: dict[str, int], problem: str) -> None:
    with pytest.raises(ClusterError, match=problem):
        make_cluster(module_of(PAXOS), sizes)


def test_parameters_need_values() -> None:
    module = module_of(ALL_CONSTRUCTS)
    with pytest.raises(ClusterError, match="the parameter `f` needs a value"):
        make_cluster(module)
    assert parameters(module, make_cluster(module, {"f": 1, "spare": 1})) == {"f": 1, "spare": 1}


def test_prefixes_tell_roles_apart() -> None:
    assert node_prefixes(("Acceptor", "Learner")) == {"Acceptor": "a", "Learner": "l"}
    assert node_prefixes(("Server", "Sender")) == {"Server": "ser", "Sender": "sen"}
    assert node_prefixes(("Node", "NodeGroup")) == {"Node": "node_", "NodeGroup": "nodeg"}
