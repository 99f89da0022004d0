"""Transfers between banks by two-phase commit, while the banks and the coordinator are killed.

Each bank is a participant: a process with an SQLite database of its own, next to what the protocol
makes durable. A transaction is a transfer from an account of one bank to an account of another. A
bank votes yes when it has put a hold on the account, durably; the hold is carried out when the
protocol commits, and dropped when it aborts. Both can be done twice without harm.

The database and the protocol's own store are two stores, so a crash can come between them, on
either side of a step. Then the bank has missed what the protocol decided, and nobody tells it
again. It finds out when it starts: `catch_up` compares its holds with the durable variables of the
protocol. Without that the sum over all accounts would not be kept.

    python examples/bank.py --transfers 200 --kills 10 --seed 1
"""

from __future__ import annotations

import asyncio
import sqlite3
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import closing, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from random import Random
from typing import Annotated, Any, Final, NamedTuple

# A checkout will do; nothing of it has to be installed.
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from examples.common import (
    ANYWHERE,
    DIRECTORY,
    Help,
    Killer,
    Points,
    crash_point,
    data_directory,
    finish,
    parse,
    provided,
)
from runtime.cluster import Cluster, NodeDown
from runtime.host.application import Node

ROOT: Final = Path(__file__).resolve().parents[1]
COORDINATOR: Final = "c1"
BALANCE: Final = 100
"""Of each account at the beginning."""
POINTS: Final = {
    "Coordinator": (ANYWHERE, "decided"),
    "Participant": (ANYWHERE, "held", "finished", "settled"),
}


class Transfer(NamedTuple):
    """A transaction of the protocol, as its opaque value: a tuple of these."""

    number: int
    source: str
    source_account: int
    target: str
    target_account: int
    amount: int

    def leg(self, bank: str) -> tuple[int, int] | None:
        """Return the account of `bank` that it concerns, and what is added to it."""
        if bank == self.source:
            return self.source_account, -self.amount
        if bank == self.target:
            return self.target_account, self.amount
        return None


def connect(directory: Path, bank: str) -> sqlite3.Connection:
    """Open a bank's database."""
    database = sqlite3.connect(directory / f"{bank}.sqlite")
    database.execute("PRAGMA journal_mode = WAL")
    database.execute("PRAGMA synchronous = FULL")
    return database


# --- what runs in the processes --------------------------------------------------------------


class Bank:
    """The application of a participant. On the coordinator it has nothing to do."""

    async def start(self, node: Node) -> None:
        """Open the database, and do what was decided and not done before a crash."""
        self.node = node
        self.database: sqlite3.Connection | None = None
        if node.role == "Participant":
            self.database = connect(data_directory(), node.id)
            self.catch_up(self.database)

    def catch_up(self, database: sqlite3.Connection) -> None:
        """Settle the holds whose transactions are not in doubt."""
        code: Any = self.node.code
        status = {Transfer(*each).number: status.value for each, status in code.status.items()}
        for (number,) in database.execute("SELECT number FROM holds").fetchall():
            # Without a status, the vote was not durable when it crashed, so it has not left. If
            # the bank is asked again, it decides again.
            known = status.get(number, "Working")
            if known != "Prepared":
                self.settle(database, number, commit=known == "Committed")

    def answer(self, question: Any) -> bool:
        """Vote: put a hold on the account, if there is enough on it, or if it was held before."""
        transfer = Transfer(*question.transaction)
        leg = transfer.leg(self.node.id)
        database = self.database
        assert database is not None
        if leg is None:
            return True
        account, change = leg
        with database:  # one transaction of SQLite
            database.execute("BEGIN IMMEDIATE")
            held = "SELECT 1 FROM holds WHERE number = ?"
            if database.execute(held, (transfer.number,)).fetchone() is None:
                ((free,),) = database.execute(
                    "SELECT balance + (SELECT coalesce(sum(min(change, 0)), 0) FROM holds"
                    "  WHERE account = id) FROM accounts WHERE id = ?",
                    (account,),
                )
                if free + min(change, 0) < 0:
                    return False
                row = (transfer.number, account, change)
                database.execute("INSERT INTO holds VALUES (?, ?, ?)", row)
        crash_point(self.node.id, "held")
        return True

    def output(self, output: Any) -> None:
        """Do what was decided."""
        if self.database is None:
            crash_point(self.node.id, "decided")
            return
        crash_point(self.node.id, "finished")
        number = Transfer(*output.transaction).number
        self.settle(self.database, number, commit=output.status.value == "Committed")
        crash_point(self.node.id, "settled")

    def settle(self, database: sqlite3.Connection, number: int, commit: bool) -> None:
        """Carry out a hold or drop it; where there is none, that has been done before."""
        with database:
            if commit:
                database.execute(
                    "UPDATE accounts SET balance = balance +"
                    "  (SELECT change FROM holds WHERE number = :number)"
                    " WHERE id = (SELECT account FROM holds WHERE number = :number)",
                    {"number": number},
                )
                held = "INSERT INTO done SELECT number FROM holds WHERE number = ?"
                database.execute(held, (number,))
            database.execute("DELETE FROM holds WHERE number = ?", (number,))

    def received(self, peer: str, body: bytes) -> None:
        """Nothing comes from other banks but by the protocol."""

    async def stop(self) -> None:
        """Close the database."""
        if self.database is not None:
            self.database.close()


# --- what drives and judges them -------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Options:
    """How much of what."""

    transfers: Annotated[int, Help("how many transfers", 1)] = 200
    kills: Annotated[int, Help("how many processes to kill")] = 10
    banks: Annotated[int, Help("how many banks", 2)] = 3
    accounts: Annotated[int, Help("how many accounts each bank has", 1)] = 5
    clients: Annotated[int, Help("how many transfers are made at a time", 1)] = 8
    seed: Annotated[int, Help("of what is drawn")] = 1
    data: Annotated[Path | None, Help("a new directory, to keep all data in")] = None


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a run came to; `problems` are all that is wrong in the end."""

    committed: int
    aborted: int
    killed: str
    total: int
    expected: int
    seconds: float
    problems: tuple[str, ...]


def found(directory: Path, banks: list[str], options: Options) -> None:
    """Make the databases of the banks."""
    for bank in banks:
        with closing(connect(directory, bank)) as database, database:
            database.execute("CREATE TABLE accounts (id INTEGER PRIMARY KEY, balance INTEGER)")
            database.execute("CREATE TABLE holds (number INTEGER PRIMARY KEY, account, change)")
            database.execute("CREATE TABLE done (number INTEGER PRIMARY KEY)")
            rows = [(account, BALANCE) for account in range(options.accounts)]
            database.executemany("INSERT INTO accounts VALUES (?, ?)", rows)


def plan(banks: list[str], options: Options, random: Random) -> list[Transfer]:
    """Draw the transfers; some ask for more than there is."""

    def one(number: int) -> Transfer:
        source, target = random.sample(banks, 2)
        giver, taker = random.choices(range(options.accounts), k=2)
        return Transfer(number, source, giver, target, taker, random.randint(1, BALANCE // 2))

    return [one(number) for number in range(options.transfers)]


class Decisions:
    """What the coordinator has told so far; some of it may be lost in a crash."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster
        self._seen = 0
        self._known: dict[object, str] = {}

    def of(self, transfer: Transfer) -> str | None:
        """Return what was decided, if it is known."""
        module: Any = self._cluster.module
        for told in self._cluster.outputs[self._seen :]:
            self._seen += 1
            if isinstance(told.output, module.Decided):
                self._known[told.output.transaction] = told.output.decision.value
        return self._known.get(tuple(transfer))


async def client(
    cluster: Cluster, transfers: Iterator[Transfer], decisions: Decisions, done: list[Transfer]
) -> None:
    """Have one transfer after another decided."""
    module: Any = cluster.module
    nodes = cluster.members
    for transfer in transfers:
        while decisions.of(transfer) is None:
            cluster.check()
            with suppress(NodeDown, TimeoutError):
                if not await cluster.request(COORDINATOR, module.Begin(tuple(transfer))):
                    break  # it is decided, and the coordinator died before it had told
                await cluster.until(partial(decisions.of, transfer), 1.0)
            await asyncio.sleep(0.02)
        if decisions.of(transfer) != "Commit":
            # Perhaps one is down, and then the next transfer would be aborted as well.
            await cluster.until(lambda: all(s.state == "up" for s in map(cluster.process, nodes)))
        done.append(transfer)


async def work(
    cluster: Cluster, transfers: list[Transfer], clients: int, kills: int, killer: Killer
) -> None:
    """Carry out the transfers, and kill meanwhile; return when no bank is in doubt."""
    done: list[Transfer] = []
    queue, decisions = iter(transfers), Decisions(cluster)
    await asyncio.gather(
        *(client(cluster, queue, decisions, done) for _ in range(clients)),
        killer.run(kills, lambda: len(done) / len(transfers)),
    )
    async with asyncio.timeout(30):
        for node in cluster.members:
            while (await cluster.variables(node)).get("in_doubt"):
                cluster.check()
                await asyncio.sleep(0.1)


def audit(
    directory: Path,
    banks: list[str],
    transfers: list[Transfer],
    decided: Mapping[int, str],
    expected: int,
) -> tuple[int, list[str]]:
    """Return the sum of all balances, and what is wrong with the databases."""
    problems, total = [], 0
    done: dict[str, set[int]] = {}
    for bank in banks:
        with closing(connect(directory, bank)) as database:
            total += database.execute("SELECT sum(balance) FROM accounts").fetchone()[0]
            done[bank] = {number for (number,) in database.execute("SELECT number FROM done")}
            for (number,) in database.execute("SELECT number FROM holds"):
                problems.append(f"{bank} still holds money for transfer {number}")
    if total != expected:
        problems.append(f"the banks have {total}, and had {expected}")
    for transfer in transfers:
        sides = {bank: transfer.number in done[bank] for bank in (transfer.source, transfer.target)}
        if set(sides.values()) != {decided.get(transfer.number) == "Commit"}:
            what = decided.get(transfer.number, "not decided")
            problems.append(f"transfer {transfer.number} ({what}) was done so: {sides}")
    return total, problems


async def run(
    options: Options, application: str = "examples.bank:Bank", points: Points = POINTS
) -> Outcome:
    """Run the cluster and audit the banks; raises `ClusterFailure` and `OSError`."""
    began = time.monotonic()
    with provided(options.data) as directory:
        cluster = Cluster(
            ROOT / "generated" / "two_phase_commit.py",
            {"Participant": options.banks},
            data=directory / "cluster",
            app=application,
            tell=True,
            trace=options.data is not None,
            environment={DIRECTORY: str(directory)},
        )
        banks = [f"p{number}" for number in range(1, options.banks + 1)]
        found(directory, banks, options)
        transfers = plan(banks, options, Random(options.seed))
        async with cluster:
            killer = Killer(cluster, directory, points, Random(options.seed))
            await work(cluster, transfers, options.clients, options.kills, killer)
            decision = (await cluster.variables(COORDINATOR))["decision"]
        decided = {transaction[0]: what for transaction, what in decision}
        expected = options.banks * options.accounts * BALANCE
        total, problems = audit(directory, banks, transfers, decided, expected)
    outcomes = list(decided.values())
    return Outcome(
        outcomes.count("Commit"),
        outcomes.count("Abort"),
        killer.account(),
        total,
        expected,
        time.monotonic() - began,
        tuple(problems),
    )


def main(arguments: list[str] | None = None) -> int:
    """Run what the command line says; return the exit code."""
    outcome = finish(run(parse(Options, __doc__, arguments)))
    transfers = outcome.committed + outcome.aborted
    print(f"{transfers} transfers: {outcome.committed} committed, {outcome.aborted} aborted")
    print(outcome.killed)
    print(f"the banks have {outcome.total}, and had {outcome.expected} ({outcome.seconds:.1f} s)")
    for problem in outcome.problems:
        print("WRONG:", problem)
    if not outcome.problems:
        print("the sum is kept, nothing is in doubt, and no transfer is half done")
    return 1 if outcome.problems else 0


if __name__ == "__main__":
    sys.exit(main())
