"""What a step has changed of a node's variables, in the model's terms.

To map all variables of a node after each step costs as much as the node has state, and a log
grows. So the values that were last compared with the model are kept, and a step is compared by
what is different from them: if the node was equal to the model before the step, and both have
changed in the same rows in the same way, it is so after it. Where a comparison by changes
fails, the caller compares everything, and that decides.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from typing import Any

from compiler.model.layout import Stored, StoredMap, StoredSet
from compiler.model.stepping import Change
from compiler.model.structure import Row
from compiler.model.term import BOOL, Symbol
from runtime.checking.abstraction import Abstraction, Rows
from runtime.contract import NodeId, Role


class Tracker:
    """The values of all nodes' variables as they were last compared."""

    def __init__(self, abstraction: Abstraction) -> None:
        self._abstraction = abstraction
        self._known: dict[NodeId, dict[str, Any]] = {}
        self._stored: dict[str, list[tuple[str, Stored]]] = {}

    def forget(self, node: NodeId) -> None:
        """Compare the node as a whole the next time."""
        self._known.pop(node, None)

    def note(self, code: Role) -> None:
        """Keep the values of a node that is equal to the model."""
        self._known[code.id] = {
            name: _copy(stored, getattr(code, code.VARIABLES[name]))
            for name, stored in self._variables(code)
        }

    def changes(self, code: Role) -> Changes | None:
        """Return what is different from the values that are kept; None if there are none.

        Values that are new are put into their carriers. Raises Foreign.
        """
        known = self._known.get(code.id)
        if known is None:
            return None
        changes = Changes(self._abstraction)
        for name, stored in self._variables(code):
            old, new = known[name], getattr(code, code.VARIABLES[name])
            if old is not new and old != new:
                changes.values[name] = (stored, new)
                entries = changes.compare(stored, old, new, (code.id,))
                if entries is not None:
                    changes.entries[name] = entries
        return changes

    def keep(self, code: Role, changes: Changes) -> None:
        """Keep the values that `changes` were found in."""
        known = self._known[code.id]
        for name, (stored, new) in changes.values.items():
            if isinstance(stored, StoredMap) and name in changes.entries:
                table = known[name]
                for key in changes.entries[name]:
                    table[key] = _copy(stored.value, new[key])
            else:
                known[name] = _copy(stored, new)

    def _variables(self, code: Role) -> list[tuple[str, Stored]]:
        found = self._stored.get(code.ROLE)
        if found is None:
            found = self._stored[code.ROLE] = self._abstraction.stored(code.ROLE)
        return found


class Changes:
    """Rows that a node's variables gained and lost, and functions' rows with their new values."""

    def __init__(self, abstraction: Abstraction) -> None:
        self._abstraction = abstraction
        self.gained: dict[Symbol, set[Row]] = {}
        self.lost: dict[Symbol, set[Row]] = {}
        self.put: dict[Symbol, dict[Row, Hashable]] = {}
        self.values: dict[str, tuple[Stored, Any]] = {}
        self.entries: dict[str, list[Any]] = {}

    def compare(self, stored: Stored, old: Any, new: Any, prefix: Row) -> list[Any] | None:
        """Add the differences of two values of a variable or of an entry.

        Returns the keys that differ, if it is a map of which none is gone.
        """
        abstraction = self._abstraction
        match stored:
            case StoredMap(key=key, value=inner):
                entries = []
                for entry, value in new.items():
                    if entry not in old:
                        entries.append(entry)
                        row = prefix + abstraction.columns(key, entry)
                        before = abstraction.initial_rows_at(inner, row)
                        self._add(before, abstraction.rows_at(inner, value, row))
                    elif (was := old[entry]) is not value and was != value:
                        entries.append(entry)
                        self.compare(inner, was, value, prefix + abstraction.columns(key, entry))
                gone = old.keys() - new.keys()
                for entry in gone:
                    row = prefix + abstraction.columns(key, entry)
                    before = abstraction.rows_at(inner, old[entry], row)
                    self._add(before, abstraction.initial_rows_at(inner, row))
                return None if gone else entries
            case StoredSet(symbol=symbol, element=shape):
                for element in new - old:
                    row = prefix + abstraction.columns(shape, element)
                    self.gained.setdefault(symbol, set()).add(row)
                for element in old - new:
                    row = prefix + abstraction.columns(shape, element)
                    self.lost.setdefault(symbol, set()).add(row)
            case _:
                self._add(
                    abstraction.rows_at(stored, old, prefix),
                    abstraction.rows_at(stored, new, prefix),
                )
        return None

    def _add(self, before: Rows, after: Rows) -> None:
        for symbol, table in after.items():
            was = before[symbol]
            if symbol.result == BOOL:
                if gained := table.keys() - was.keys():
                    self.gained.setdefault(symbol, set()).update(gained)
                if lost := was.keys() - table.keys():
                    self.lost.setdefault(symbol, set()).update(lost)
            else:
                put = {row: value for row, value in table.items() if was.get(row) != value}
                if put:
                    self.put.setdefault(symbol, {}).update(put)

    def agree(self, model: Mapping[Symbol, Change], symbols: frozenset[Symbol]) -> bool:
        """Whether the model has changed `symbols`, those of the role, in the same way."""
        own = self.gained.keys() | self.lost.keys() | self.put.keys()
        for symbol in symbols & (model.keys() | own):
            change = model.get(symbol, _UNCHANGED)
            if change.gained != self.gained.get(symbol, _NOTHING):
                return False
            if change.lost != self.lost.get(symbol, _NOTHING):
                return False
            if change.put != self.put.get(symbol, {}):
                return False
        return True


_UNCHANGED = Change()
_NOTHING: frozenset[Row] = frozenset()


def _copy(stored: Stored, value: Any) -> Any:
    """Return a value that stays as it is when the node goes on."""
    match stored:
        case StoredMap(value=inner):
            return {key: _copy(inner, entry) for key, entry in value.items()}
        case StoredSet():
            return frozenset(value)
        case _:
            return value
