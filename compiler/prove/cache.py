"""What was proved before, kept on disk.

An entry is found by a key: the digest of an obligation's own formulas (guard and negated goal, over
canonical names), with the versions of the encoder and of the solver. Its value is the unsat
core: the digests of the hypotheses that the proof used.

Why a hit is sound. The solver found: these formulas and these hypotheses have no model. A set of
formulas that contains an unsatisfiable one is unsatisfiable. So if the present obligation has the
same formulas, and each hypothesis of the core is among the present hypotheses, then the present
obligation holds, whatever other hypotheses have come or gone. Digests are of the formulas' text,
which determines them; that two texts share a SHA-256 is not considered. Whether a hypothesis is
itself proved is the business of its own obligations, now as before.

Hence a changed comment, name of a variable or line number proves nothing again, and a changed
invariant only what it is the goal of and what leaned on it. Only proofs are stored; a refutation or
a solver that gave up is found out anew.

One file an entry. Files are written under a temporary name and renamed, so a reader in another
process sees a whole entry or none; the last of two writers wins, which loses at most a core.
An entry that cannot be read is no entry.
"""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
from collections.abc import Iterable, Set
from pathlib import Path

ENCODER = "1"
"""The version of the encoding: change it when the meaning of a digest changes."""

_CORES = 4  # how many different cores of one obligation are kept


def default_directory() -> Path:
    """Return where proofs are kept: `ACCORDANT_CACHE`, or `.accordant/cache` here."""
    named = os.environ.get("ACCORDANT_CACHE")
    return Path(named) if named else Path(".accordant") / "cache"


def solver_version() -> str:
    """Return the solver's version, without loading it; empty if it is not installed."""
    import importlib.metadata

    try:
        return importlib.metadata.version("z3-solver")
    except importlib.metadata.PackageNotFoundError:
        return ""


class Cache:
    """Proofs in a directory, which is made when the first is stored."""

    def __init__(self, directory: Path, version: str | None = None) -> None:
        """`version`: of the solver; the installed one if None."""
        self._directory = directory
        self._version = solver_version() if version is None else version

    def find(self, digest: str, hypotheses: Set[str]) -> frozenset[str] | None:
        """Return a stored core of `digest` that lies within `hypotheses`, or None."""
        fitting = [core for core in self._read(digest) if core <= hypotheses]
        return min(fitting, key=lambda core: (len(core), sorted(core)), default=None)

    def near(self, digest: str) -> tuple[frozenset[str], ...]:
        """Return all stored cores of `digest`: where to look first for a new proof."""
        return self._read(digest)

    def store(self, digest: str, core: Iterable[str]) -> None:
        """Store that the formulas of `digest` contradict the hypotheses of `core`.

        Where the directory cannot be written nothing is stored: the next run proves again.
        """
        new = frozenset(core)
        kept = [new, *(old for old in self._read(digest) if not new <= old)][:_CORES]
        text = json.dumps({"proved": digest, "cores": [sorted(core) for core in kept]})
        path = self._path(digest)
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            with tempfile.NamedTemporaryFile(
                "w", dir=path.parent, prefix=".new-", encoding="utf-8", delete=False
            ) as file:
                file.write(text)
            os.replace(file.name, path)
        except OSError:
            return

    def _path(self, digest: str) -> Path:
        key = hashlib.sha256(f"{ENCODER}\n{self._version}\n{digest}".encode()).hexdigest()
        return self._directory / key[:2] / f"{key[2:]}.json"

    def _read(self, digest: str) -> tuple[frozenset[str], ...]:
        try:
            entry = json.loads(self._path(digest).read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return ()
        if not isinstance(entry, dict) or entry.get("proved") != digest:
            return ()
        cores = entry.get("cores")
        if not isinstance(cores, list):
            return ()
        return tuple(
            frozenset(core)
            for core in cores
            if isinstance(core, list) and all(isinstance(item, str) for item in core)
        )
