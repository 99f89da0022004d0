"""Records what a real redis-server answers: `python -m tests.kv.record` writes recording.jsonl."""

from __future__ import annotations

import json
import sys
import warnings

from hypothesis import HealthCheck, Phase, given, settings

from tests.kv.programs import Line, programs
from tests.kv.reference import REDIS_SERVER, Reference
from tests.kv.test_same_as_redis import RECORDING, replies_there

PROGRAMS = 150


def main() -> int:
    """Write the recording; the exit code is 2 if there is no redis-server."""
    if REDIS_SERVER is None:
        print("there is no redis-server on the PATH", file=sys.stderr)
        return 2
    drawn: list[list[Line]] = []

    @settings(
        max_examples=PROGRAMS,
        derandomize=True,
        deadline=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(programs)
    def draw(program: list[Line]) -> None:
        drawn.append(program)

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        draw()
    lines = []
    with Reference() as reference:
        for protocol in (2, 3):
            for program in drawn:
                answers = replies_there(reference, program, protocol)
                entry = {
                    "protocol": protocol,
                    "program": [
                        [number, [[word.decode("latin-1") for word in words] for words in pipeline]]
                        for number, pipeline in program
                    ],
                    "replies": [[reply.decode("latin-1") for reply in part] for part in answers],
                }
                lines.append(json.dumps(entry))
    RECORDING.write_text("\n".join(lines) + "\n", "ascii")
    print(f"{len(lines)} programs are in {RECORDING.name}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
