"""Local clusters: nodes as processes on this machine, watched, disturbed, and driven by tests.

`cluster.py` starts, watches and stops the processes; `proxy.py` has the links between them, which
can be cut and clogged; `child.py` is what runs in each process. `driver.py` is what a test may do
to a cluster, whether its nodes are processes or simulated (`simulated.py`); `testing.py` has the
fixtures for pytest. `control.py` lets other processes drive a cluster, `view.py` shows it, and
`torture/` tortures the key-value service on one.
"""

from runtime.cluster.cluster import Cluster
from runtime.cluster.driver import Driver, NodeDown, Told
from runtime.cluster.errors import ClusterFailure
from runtime.cluster.simulated import SimulatedCluster

__all__ = ["Cluster", "ClusterFailure", "Driver", "NodeDown", "SimulatedCluster", "Told"]
