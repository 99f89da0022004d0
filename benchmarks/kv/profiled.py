"""Runs the command under cProfile: `python -m benchmarks.kv.profiled OUT.pstats node ...`."""

from __future__ import annotations

import cProfile
import sys
from time import process_time

from compiler.command.main import main


def run() -> int:
    """Run the command; write the profile, in processor time, when it ends."""
    place, *arguments = sys.argv[1:]
    profile = cProfile.Profile(process_time)
    try:
        code: int = profile.runcall(main, arguments)
    finally:
        profile.dump_stats(place)
    return code


if __name__ == "__main__":
    sys.exit(run())
