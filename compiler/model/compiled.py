"""Terms and searches turned into Python functions: the quick evaluator.

A quantifier becomes a search for a witness, or for a counterexample, that walks from row to
row of the relations it speaks of (`joins` chooses the way) and stops at the first it finds.
Each search is a function of its own, so that finding is `return`. Names of the model never
enter the generated text: symbols, sorts and constants are numbered and handed in beside it.

What it computes is what `evaluate` computes; tests compare the two on random formulas.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, assert_never

from compiler.model.indexes import Indexes
from compiler.model.joins import (
    Assign,
    Conjunct,
    Elements,
    Planner,
    Rows,
    Split,
    components,
    cost_of_test,
    open_conjuncts,
)
from compiler.model.normal import Normalizer
from compiler.model.structure import Structure, Value
from compiler.model.system import Model
from compiler.model.term import (
    BOOL,
    And,
    Apply,
    Element,
    Equal,
    Iff,
    Implies,
    Ite,
    Not,
    Or,
    Quantified,
    Sort,
    Symbol,
    Term,
    Truth,
    Var,
    free_variables,
    symbols_of,
)

_MAX_SPLITS = 4
"""How often one search may be divided by disjuncts; the code grows with each."""


@dataclass(frozen=True, slots=True)
class Compiled:
    """A term as a function; call it with a structure and the values of the parameters.

    `footprint` are the symbols its value depends on; carriers of the sorts it quantifies over
    are not in it. `source` is the Python text, for reading.
    """

    footprint: frozenset[Symbol]
    source: str
    function: Callable[..., Any] = field(repr=False)

    def __call__(self, structure: Structure, *values: Value) -> Value:
        """Return the value of the term."""
        result: Value = self.function(structure, *values)
        return result


def compile_formula(
    term: Term,
    parameters: Sequence[Var] = (),
    indexes: Indexes | None = None,
    sizes: Mapping[Sort, int] | None = None,
) -> Compiled:
    """Return `term`, of any sort, as a function of a structure and `parameters`.

    Functions that are compiled with the same `indexes` share them. `sizes` are the carriers
    known in advance, as `enum_sizes` gives them; they only help to plan.
    """
    program = Program(parameters, indexes or Indexes(), sizes or {})
    result = program.expression(program.normalizer.term(term))
    program.lines.append(f"return {result}")
    source, function = program.build()
    return Compiled(symbols_of(term), source, function)


def enum_sizes(model: Model) -> dict[Sort, int]:
    """Return the sizes of the enums of a model."""
    return {d.sort: len(d.elements) for d in model.sorts if d.kind == "enum"}


@dataclass(frozen=True, slots=True)
class Determined:
    """Variables that are the one row of which `formula` holds, or anything if there is none.

    In a search they take the first elements of their carriers if there is no row.
    """

    variables: tuple[Var, ...]
    formula: Term
    inputs: frozenset[Var]


@dataclass(slots=True)
class _Search:
    """What is left to do at one point of a search.

    `outputs` are the variables that `leaf`, the code at a solution, needs. `fail` leaves the
    present point without a solution. `locked` may be bound through `determined` alone.
    """

    pending: list[Conjunct]
    unbound: list[Var]
    bound: set[Var]
    outputs: frozenset[Var]
    leaf: Callable[[], list[str]]
    fail: str
    lines: list[str]
    indent: int
    splits: int = 0
    determined: list[Determined] = field(default_factory=list)
    locked: frozenset[Var] = frozenset()

    def emit(self, line: str) -> None:
        self.lines.append("    " * self.indent + line)

    def loop(self, line: str) -> None:
        self.emit(line)
        self.indent += 1
        self.fail = "continue"


class Program:
    """One Python function in the making.

    `lines` are its body, after the lines that fetch what it uses from the structure and the
    functions of its searches.
    """

    def __init__(
        self, parameters: Sequence[Var], indexes: Indexes, sizes: Mapping[Sort, int]
    ) -> None:
        self.normalizer = Normalizer()
        self.lines: list[str] = []
        self.namespace: dict[str, object] = {"NOTHING": (), "ONCE": (None,)}
        self._indexes = indexes
        self._planner = Planner(sizes)
        self._parameters = tuple(parameters)
        self._prologue: list[str] = []
        self._functions: list[str] = []
        self._fetched: dict[object, str] = {}
        self._names: dict[Var, str] = {}
        self._numbers = 0
        for parameter in self._parameters:
            self.name(parameter)

    def build(self) -> tuple[str, Callable[..., Any]]:
        """Return the text and the function; the latter takes a structure and the parameters."""
        arguments = ["structure", *(self._names[p] for p in self._parameters)]
        body = [
            "relations = structure.relations",
            "functions = structure.functions",
            "carriers = structure.carriers",
            *self._prologue,
            *self._functions,
            *self.lines,
        ]
        text = f"def run({', '.join(arguments)}):\n" + "".join(f"    {x}\n" for x in body)
        exec(compile(text, "<compiled formula>", "exec"), self.namespace)
        # The namespace holds values of all kinds; under this name it has what was just compiled.
        function: Callable[..., Any] = self.namespace["run"]  # type: ignore[assignment]
        return text, function

    # --- what is fetched from the structure ---------------------------------------------

    def name(self, variable: Var) -> str:
        """Return the Python name of a variable."""
        return self._names.setdefault(variable, f"v{len(self._names)}")

    def constant(self, value: object) -> str:
        """Return a name for any object."""
        name = self._fresh("K")
        self.namespace[name] = value
        return name

    def relation(self, symbol: Symbol) -> str:
        """Return the name of the rows of a relation."""
        return self._fetch(("relation", symbol), "r", lambda key: f"relations[{key}]", symbol)

    def function(self, symbol: Symbol) -> str:
        """Return the name of the rows of a function."""
        return self._fetch(("function", symbol), "f", lambda key: f"functions[{key}]", symbol)

    def carrier(self, sort: Sort) -> str:
        """Return the name of a carrier."""
        if sort == BOOL:
            return "(False, True)"
        return self._fetch(("carrier", sort), "c", lambda key: f"carriers[{key}]", sort)

    def _value(self, symbol: Symbol) -> str:
        rows = self.function(symbol)
        key = ("value", symbol)
        if key not in self._fetched:
            self._fetched[key] = self._fresh("n")
            self._prologue.append(f"{self._fetched[key]} = {rows}[()]")
        return self._fetched[key]

    def index(self, symbol: Symbol, columns: tuple[int, ...]) -> str:
        """Return the name of the table of an index."""
        index: object
        if symbol.result == BOOL:
            rows, index = self.relation(symbol), self._indexes.relation(symbol, columns)
        else:
            rows, index = self.function(symbol), self._indexes.function(symbol, columns)
        return self._fetch(
            ("index", symbol, columns),
            "i",
            lambda key: f"{key}.table if {key}.source is {rows} else {key}.refresh({rows})",
            index,
        )

    def _fetch(self, key: object, letter: str, code: Callable[[str], str], value: object) -> str:
        if key not in self._fetched:
            name = self._fresh(letter)
            self._prologue.append(f"{name} = {code(self.constant(value))}")
            self._fetched[key] = name
        return self._fetched[key]

    def _fresh(self, letter: str) -> str:
        self._numbers += 1
        return f"{letter}{self._numbers}"

    # --- terms whose variables are bound ------------------------------------------------

    def expression(self, term: Term) -> str:
        """Return Python for a term in normal form; of a formula it gives a `bool`."""
        match term:
            case Var():
                return self._names[term]
            case Truth(value=value):
                return str(value)
            case Element(name=name):
                return repr(name)
            case Apply(symbol=symbol, arguments=arguments):
                if symbol.result == BOOL:
                    return f"({self._row(arguments)} in {self.relation(symbol)})"
                if not arguments:
                    return self._value(symbol)
                return f"{self.function(symbol)}[{self._row(arguments)}]"
            case Equal(left=left, right=right) | Iff(left=left, right=right):
                return f"({self.expression(left)} == {self.expression(right)})"
            case Not(operand=Equal(left=left, right=right) | Iff(left=left, right=right)):
                return f"({self.expression(left)} != {self.expression(right)})"
            case Not(operand=Apply(symbol=symbol, arguments=arguments)):
                return f"({self._row(arguments)} not in {self.relation(symbol)})"
            case Not(operand=operand):
                return f"(not {self.expression(operand)})"
            case And(operands=operands):
                return "(" + " and ".join(self._tests(operands)) + ")"
            case Or(operands=operands):
                return "(" + " or ".join(self._tests(operands)) + ")"
            case Ite(condition=condition, then=then, otherwise=otherwise):
                return (
                    f"({self.expression(then)} if {self.expression(condition)}"
                    f" else {self.expression(otherwise)})"
                )
            case Quantified(kind="exists", variables=variables, body=body):
                return self._exists(variables, (body,))
            case Implies() | Quantified():
                raise AssertionError("not in normal form")
        assert_never(term)

    def _row(self, arguments: Iterable[Term]) -> str:
        return "(" + "".join(f"{self.expression(argument)}, " for argument in arguments) + ")"

    def _tests(self, operands: Iterable[Term]) -> list[str]:
        return [self.expression(operand) for operand in sorted(operands, key=cost_of_test)]

    def _exists(self, variables: Sequence[Var], terms: Sequence[Term]) -> str:
        """Return Python for `exists variables. terms`, of which the other variables are bound."""
        pending, unbound = open_conjuncts(terms, variables, self.normalizer)
        free = sorted(
            frozenset().union(*(c.free for c in pending)) - set(unbound), key=lambda v: v.name
        )
        simple = self._some_row(pending, unbound)
        if simple is not None:
            return simple
        return self._search_function(
            free, pending, unbound, frozenset(), lambda: ["return True"], "return False"
        )

    def _search_function(
        self,
        arguments: Sequence[Var],
        pending: list[Conjunct],
        unbound: list[Var],
        outputs: frozenset[Var],
        leaf: Callable[[], list[str]],
        fail: str,
    ) -> str:
        """Write a search as a function of `arguments` and return a call of it."""
        name = self._fresh("q")
        names = ", ".join(self._names[variable] for variable in arguments)
        lines = [f"def {name}({names}):"]
        self.search(_Search(pending, unbound, set(arguments), outputs, leaf, fail, lines, 1))
        self._functions.extend([*lines, f"    {fail}"])
        return f"{name}({names})"

    def _some_row(self, pending: Sequence[Conjunct], unbound: Sequence[Var]) -> str | None:
        """Return a plain look-up if the search asks only whether a relation has a row."""
        if len(pending) != 1 or not isinstance(pending[0].term, Apply):
            return None
        symbol, arguments = pending[0].term.symbol, pending[0].term.arguments
        targets = [argument for argument in arguments if argument in unbound]
        keys = tuple(i for i, a in enumerate(arguments) if not free_variables(a) & set(unbound))
        if len(set(targets)) < len(targets) or len(targets) + len(keys) < len(arguments):
            return None
        if not keys:
            return f"bool({self.relation(symbol)})"
        return f"({self._index_key(arguments, keys)} in {self.index(symbol, keys)})"

    def _index_key(self, columns: Sequence[Term], keys: tuple[int, ...]) -> str:
        if len(keys) == 1:
            return self.expression(columns[keys[0]])
        return self._row(columns[i] for i in keys)

    # --- searches -----------------------------------------------------------------------

    def collect(
        self,
        variables: Sequence[Var],
        terms: Sequence[Term],
        bound: Iterable[Var],
        leaf: Callable[[], list[str]],
        determined: Sequence[Determined] = (),
    ) -> None:
        """Add code that runs `leaf` at least once for every solution for `variables`.

        `terms`, in normal form, may mention `variables` and `bound`; so may the code of `leaf`.
        """
        pending, unbound = open_conjuncts(terms, variables, self.normalizer)
        search = _Search(
            pending,
            unbound,
            set(bound),
            frozenset(variables),
            leaf,
            "continue",
            self.lines,
            1,
            determined=list(determined),
            locked=frozenset(v for d in determined for v in d.variables),
        )
        self.lines.append("for _ in ONCE:")
        self.search(search)

    def search(self, search: _Search) -> None:
        """Write the code of a search from the present point on."""
        while True:
            self._test_ready(search)
            if self._bind_determined(search):
                continue
            search.unbound = [
                v
                for v in search.unbound
                if v in search.outputs or any(v in c.free for c in search.pending)
            ]
            if self._separate(search):
                continue
            if not search.unbound:
                for line in search.leaf():
                    search.emit(line)
                return
            free = [v for v in search.unbound if v not in search.locked]
            binder = self._planner.choose(
                search.pending, free, search.bound, search.splits < _MAX_SPLITS
            )
            match binder:
                case Assign(conjunct=conjunct, variable=variable, value=value):
                    search.pending.remove(conjunct)
                    search.emit(f"{self.name(variable)} = {self.expression(value)}")
                    self._bind(search, variable)
                case Rows():
                    self._rows(search, binder)
                case Elements(variable=variable):
                    search.loop(f"for {self.name(variable)} in {self.carrier(variable.sort)}:")
                    self._bind(search, variable)
                case Split(conjunct=conjunct, disjuncts=disjuncts):
                    self._split(search, conjunct, disjuncts)
                    return
                case _:
                    assert_never(binder)

    def _bind(self, search: _Search, variable: Var) -> None:
        search.unbound.remove(variable)
        search.bound.add(variable)

    def _test_ready(self, search: _Search) -> None:
        ready = [c.term for c in search.pending if c.free <= search.bound]
        if ready:
            search.pending = [c for c in search.pending if not c.free <= search.bound]
            search.emit(f"if not ({' and '.join(self._tests(ready))}):")
            search.emit(f"    {search.fail}")

    def _bind_determined(self, search: _Search) -> bool:
        for determined in search.determined:
            if determined.inputs <= search.bound:
                break
        else:
            return False
        search.determined.remove(determined)
        variables = determined.variables
        row = self._first(determined)
        names = "".join(f"{self.name(v)}, " for v in variables)
        search.emit(f"row = {row}")
        if all(v in search.bound for v in variables):
            search.emit(f"if row is not None and row != ({names}):")
            search.emit(f"    {search.fail}")
            return True
        firsts = "".join(
            f"{self.name(v) if v in search.bound else self.carrier(v.sort) + '[0]'}, "
            for v in variables
        )
        known = [i for i, v in enumerate(variables) if v in search.bound]
        if known:
            test = " or ".join(f"row[{i}] != {self.name(variables[i])}" for i in known)
            search.emit(f"if row is not None and ({test}):")
            search.emit(f"    {search.fail}")
        search.emit(f"({names}) = ({firsts}) if row is None else row")
        for variable in variables:
            if variable not in search.bound:
                self._bind(search, variable)
        return True

    def _first(self, determined: Determined) -> str:
        """Return Python for the first row of which the formula holds, or None."""
        row = determined.variables
        pending, unbound = open_conjuncts((determined.formula,), row, self.normalizer)
        return self._search_function(
            sorted(determined.inputs, key=lambda v: v.name),
            pending,
            unbound,
            frozenset(row),
            lambda: [f"return {self._row(row)}"],
            "return None",
        )

    def _separate(self, search: _Search) -> bool:
        """Turn what does not hang together with the rest into tests of their own."""
        groups = components(search.pending, set(search.unbound))
        apart = [
            (conjuncts, variables)
            for conjuncts, variables in groups
            if not search.outputs & set(variables)
        ]
        # A search for one solution goes on with a single group where it stands.
        if not apart or (not search.outputs and len(groups) == 1):
            return False
        for conjuncts, variables in apart:
            for conjunct in conjuncts:
                search.pending.remove(conjunct)
            search.unbound = [v for v in search.unbound if v not in variables]
            test = self._exists(variables, [c.term for c in conjuncts])
            search.emit(f"if not {test}:")
            search.emit(f"    {search.fail}")
        return True

    def _rows(self, search: _Search, rows: Rows) -> None:
        if rows.complete:
            search.pending.remove(rows.conjunct)
        pattern: list[str] = []
        again: list[str] = []
        for i, column in enumerate(rows.columns):
            if i not in rows.targets:
                pattern.append("_")
                continue
            assert isinstance(column, Var)
            if column in search.bound:
                copy = self._fresh("w")
                again.append(f"{copy} != {self.name(column)}")
                pattern.append(copy)
            else:
                pattern.append(self.name(column))
                self._bind(search, column)
        symbol = rows.symbol
        target = "(" + "".join(f"{part}, " for part in pattern) + ")"
        if rows.keys:
            key = self._index_key(rows.columns, rows.keys)
            source = f"{self.index(symbol, rows.keys)}.get({key}, NOTHING)"
        elif symbol.result == BOOL:
            source = self.relation(symbol)
        else:
            target = "((" + "".join(f"{part}, " for part in pattern[:-1]) + f"), {pattern[-1]})"
            source = f"{self.function(symbol)}.items()"
        search.loop(f"for {target} in {source}:")
        if again:
            search.emit(f"if {' or '.join(again)}:")
            search.emit("    continue")

    def _split(self, search: _Search, conjunct: Conjunct, disjuncts: Sequence[Term]) -> None:
        rest = [c for c in search.pending if c is not conjunct]
        for disjunct in disjuncts:
            pending, unbound = open_conjuncts((disjunct,), search.unbound, self.normalizer)
            search.emit("for _ in ONCE:")
            self.search(
                _Search(
                    [*pending, *rest],
                    unbound,
                    set(search.bound),
                    search.outputs,
                    search.leaf,
                    "continue",
                    search.lines,
                    search.indent + 1,
                    search.splits + 1,
                    list(search.determined),
                    search.locked,
                )
            )
