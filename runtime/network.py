"""The simulated network's latencies: a table of samples of their distribution.

To sample a distribution at each send would cost more than the rest of the send. The table
holds the distribution's quantiles, so a uniform index into it is a sample.
"""

from __future__ import annotations

import math
from typing import Final

from runtime.faults import Latency

TABLE_BITS: Final = 10
TABLE_SIZE: Final = 1 << TABLE_BITS
CUTOFF: Final = 10.0


def latency_table(latency: Latency) -> list[int]:
    """Return `TABLE_SIZE` quantiles of the latency, in microseconds."""
    scale = latency.mean - latency.low
    quantiles = ((index + 0.5) / TABLE_SIZE for index in range(TABLE_SIZE))
    return [latency.low + int(min(-math.log1p(-q), CUTOFF) * scale) for q in quantiles]
