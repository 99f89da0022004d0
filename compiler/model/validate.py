"""The rules that every model obeys.

A model is made by the compiler, so a broken rule is the compiler's own mistake and never the
user's. Checking costs little, and finds a slip of lowering at once instead of as a proof that
says nothing.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from collections.abc import Set as AbstractSet
from typing import assert_never

from compiler.model.layout import (
    RoleLayout,
    SignatureLayout,
    Stored,
    StoredLeaf,
    StoredMap,
    StoredOption,
    StoredProduct,
    StoredSet,
    leaves,
)
from compiler.model.system import (
    Action,
    Arithmetic,
    Boolean,
    Comparison,
    Condition,
    Linear,
    Model,
    Number,
    Quantity,
    Received,
    Requested,
    SortDeclaration,
    TimedOut,
    Update,
)
from compiler.model.term import (
    BOOL,
    FALSE,
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


def validate(model: Model) -> list[str]:
    """Return every broken rule, in words, with where it is broken; empty if there is none."""
    return list(dict.fromkeys(_Validator(model).flaws()))


class _Validator:
    def __init__(self, model: Model) -> None:
        self._model = model
        self._sorts: Mapping[Sort, SortDeclaration] = {d.sort: d for d in model.sorts}
        self._symbols = frozenset(model.symbols)
        self._parameters = frozenset(a.parameter for a in model.assumptions)

    def flaws(self) -> Iterator[str]:
        model = self._model
        yield from self._sort_flaws()
        yield from self._symbol_flaws()
        for axiom in model.axioms:
            where = f"axiom {axiom.name}"
            yield from self._sentence(axiom.formula, where)
            yield from self._rigid(axiom.formula, where)
        yield from self._initial_flaws()
        yield from _repeated("action", (action.name for action in model.actions))
        for action in model.actions:
            yield from self._action_flaws(action)
        names = [p.name for p in model.properties] + [p.name for p in model.possibilities]
        yield from _repeated("property", names)
        for property_ in model.properties:
            yield from self._sentence(property_.formula, f"property {property_.name}")
        for possibility in model.possibilities:
            where = f"property {possibility.name}"
            yield from self._sentence(possibility.formula, where)
            for role in possibility.without:
                if role not in (layout.name for layout in model.roles):
                    yield f"{where}: {role} is not a role"
        yield from self._quorum_flaws()
        yield from self._layout_flaws()

    # --- declarations ----------------------------------------------------------------------

    def _sort_flaws(self) -> Iterator[str]:
        yield from _repeated("sort", (d.sort.name for d in self._model.sorts))
        for declaration in self._model.sorts:
            sort, kind = declaration.sort, declaration.kind
            where = f"sort {sort}"
            if sort == BOOL:
                yield f"{where}: is built in"
            if (kind == "enum") != bool(declaration.elements):
                yield f"{where}: only an enum has elements, and it has one or more"
            yield from _repeated(f"{where}: element", declaration.elements)
            expected: list[tuple[str, Symbol | None, tuple[Sort, ...] | None, Sort | None, bool]]
            expected = [
                ("less", declaration.less, (sort, sort), BOOL, kind == "ordered"),
                ("zero", declaration.zero, (), sort, kind == "ordered"),
                ("member", declaration.member, None, BOOL, kind in ("quorum", "set")),
            ]
            if kind == "ordered" and declaration.owner is not None:
                expected.append(("owner", declaration.owner, (sort,), None, True))
            elif declaration.owner is not None:
                yield f"{where}: only an ordered sort has an owner"
            if kind == "ordered" and declaration.next is not None:
                expected.append(("next", declaration.next, (sort, sort), BOOL, True))
            elif declaration.next is not None:
                yield f"{where}: only an ordered sort counts"
            if kind == "role" and declaration.the is not None:
                expected.append(("the", declaration.the, (), sort, True))
            elif declaration.the is not None:
                yield f"{where}: only a role has a single node"
            for name, symbol, arguments, result, wanted in expected:
                if (symbol is not None) != wanted:
                    yield f"{where}: {name} {'is missing' if wanted else 'is out of place'}"
                elif symbol is not None:
                    yield from self._declared(symbol, where)
                    if symbol.mutable:
                        yield f"{where}: {symbol} is mutable"
                    if (arguments is not None and symbol.arguments != arguments) or (
                        result is not None and symbol.result != result
                    ):
                        yield f"{where}: {symbol} has the wrong signature"
            yield from self._relative_flaws(declaration)

    def _relative_flaws(self, declaration: SortDeclaration) -> Iterator[str]:
        """Yield what is wrong with the roles that owners and members belong to."""
        where = f"sort {declaration.sort}"
        if declaration.owner is not None:
            role = self._sorts.get(declaration.owner.result)
            if role is None or role.kind != "role":
                yield f"{where}: its owner is not a role"
        member = declaration.member
        if declaration.kind == "set":
            element = declaration.element
            if element is None:
                yield f"{where}: its sets have elements of no shape"
            elif member is not None and member.arguments != (*leaves(element), declaration.sort):
                yield f"{where}: {member} does not take an element and a set"
        elif member is not None:
            role = self._sorts.get(member.arguments[0]) if len(member.arguments) == 2 else None
            if role is None or role.kind != "role" or member.arguments[1] != declaration.sort:
                yield f"{where}: {member} does not take a node and a quorum"

    def _symbol_flaws(self) -> Iterator[str]:
        yield from _repeated("symbol", (symbol.name for symbol in self._model.symbols))
        for symbol in self._model.symbols:
            where = f"symbol {symbol}"
            for sort in (*symbol.arguments, symbol.result):
                yield from self._known_sort(sort, where)
            if symbol.unique < 0 or symbol.unique > len(symbol.arguments):
                yield f"{where}: has fewer arguments than are unique"
            if symbol.unique and symbol.result != BOOL:
                yield f"{where}: only a relation has unique arguments"

    def _known_sort(self, sort: Sort, where: str) -> Iterator[str]:
        if sort != BOOL and sort not in self._sorts:
            yield f"{where}: the sort {sort} is not declared"

    def _declared(self, symbol: Symbol, where: str) -> Iterator[str]:
        if symbol not in self._symbols:
            yield f"{where}: the symbol {symbol} is not declared"

    # --- terms -----------------------------------------------------------------------------

    def _term(self, term: Term, where: str) -> Iterator[str]:
        """Yield what is wrong with the sorts of a term."""
        match term:
            case Var(name=name, sort=sort):
                yield from self._known_sort(sort, f"{where}: variable {name}")
            case Truth():
                pass
            case Element(name=name, sort=sort):
                if sort not in self._sorts or name not in self._sorts[sort].elements:
                    yield f"{where}: {sort} has no element {name}"
            case Apply(symbol=symbol, arguments=arguments):
                yield from self._declared(symbol, where)
                yield from self._terms(arguments, where)
                if tuple(argument.sort for argument in arguments) != symbol.arguments:
                    yield f"{where}: {symbol} is applied to arguments of other sorts"
            case Equal(left=left, right=right):
                yield from self._terms((left, right), where)
                if left.sort != right.sort:
                    yield f"{where}: an equation between {left.sort} and {right.sort}"
            case Not(operand=operand):
                yield from self._formulas((operand,), where)
            case And(operands=operands) | Or(operands=operands):
                yield from self._formulas(operands, where)
                if len(operands) < 2:
                    yield f"{where}: a connective with fewer than two operands"
            case Implies(left=left, right=right) | Iff(left=left, right=right):
                yield from self._formulas((left, right), where)
            case Ite(condition=condition, then=then, otherwise=otherwise):
                yield from self._formulas((condition,), where)
                yield from self._terms((then, otherwise), where)
                if then.sort != otherwise.sort:
                    yield f"{where}: if-then-else of {then.sort} and {otherwise.sort}"
            case Quantified(variables=variables, body=body):
                yield from self._terms(variables, where)
                if not variables or len(set(variables)) < len(variables):
                    yield f"{where}: a quantifier whose variables are missing or repeated"
                yield from self._formulas((body,), where)
            case _:
                assert_never(term)

    def _terms(self, terms: Iterable[Term], where: str) -> Iterator[str]:
        for term in terms:
            yield from self._term(term, where)

    def _formulas(self, terms: Iterable[Term], where: str) -> Iterator[str]:
        for term in terms:
            yield from self._term(term, where)
            if term.sort != BOOL:
                yield f"{where}: a term of sort {term.sort} where a formula should be"

    def _formula(self, term: Term, where: str, scope: AbstractSet[Var]) -> Iterator[str]:
        yield from self._formulas((term,), where)
        yield from _scoped(term, where, scope)

    def _sentence(self, term: Term, where: str) -> Iterator[str]:
        yield from self._formula(term, where, frozenset())

    def _rigid(self, term: Term, where: str) -> Iterator[str]:
        for symbol in sorted(symbols_of(term), key=str):
            if symbol.mutable:
                yield f"{where}: reads {symbol}, which is mutable"

    # --- initial states and actions ----------------------------------------------------------

    def _updates(
        self, updates: Iterable[Update], where: str, scope: AbstractSet[Var]
    ) -> Iterator[str]:
        listed = list(updates)
        yield from _repeated(f"{where}: update of", (u.symbol.name for u in listed))
        for update in listed:
            place = f"{where}: update of {update.symbol}"
            yield from self._declared(update.symbol, place)
            if not update.symbol.mutable:
                yield f"{place}: is rigid"
            if tuple(formal.sort for formal in update.formals) != update.symbol.arguments:
                yield f"{place}: its formals have other sorts than its arguments"
            if len(set(update.formals)) < len(update.formals):
                yield f"{place}: a formal is repeated"
            if scope & set(update.formals):
                yield f"{place}: a formal is also a parameter"
            yield from self._term(update.value, place)
            if update.value.sort != update.symbol.result:
                yield f"{place}: its value is of sort {update.value.sort}"
            yield from _scoped(update.value, place, scope | set(update.formals))

    def _initial_flaws(self) -> Iterator[str]:
        yield from self._updates(self._model.initial, "initial state", frozenset())
        for update in self._model.initial:
            yield from self._rigid(update.value, f"initial value of {update.symbol}")
        defined = {update.symbol for update in self._model.initial}
        for symbol in self._model.symbols:
            if symbol.mutable and symbol not in defined:
                yield f"initial state: {symbol} has no value"

    def _action_flaws(self, action: Action) -> Iterator[str]:
        where = f"action {action.name}"
        scope = frozenset(action.parameters)
        yield from self._terms(action.parameters, where)
        yield from _repeated(f"{where}: parameter", (v.name for v in action.parameters))
        if action.name != f"{action.role}.{action.handler}":
            yield f"{where}: is not named after its role and handler"
        if action.node.sort.name != action.role:
            yield f"{where}: its node is not of its role"
        named: list[Var] = [action.node, *self._triggered(action)]
        for choice in action.choices:
            named.extend(choice.variables)
        for content in action.contents:
            named.extend(content.variables)
            place = f"{where}: content"
            yield from self._formula(content.formula, place, scope)
            if not content.variables:
                yield f"{place}: has no variables"
            for variable in content.variables:
                if variable not in free_variables(content.formula) and content.formula != FALSE:
                    yield f"{place}: {variable.name} is not determined by its formula"
        for variable in dict.fromkeys(named):
            if variable not in scope:
                yield f"{where}: {variable.name} is not a parameter"
        yield from _repeated(
            f"{where}: content", (v.name for c in action.contents for v in c.variables)
        )
        yield from self._formula(action.guard, f"{where}: guard", scope)
        yield from self._formula(action.assumption, f"{where}: assumption", scope)
        yield from self._formula(action.sets, f"{where}: sets", scope)
        yield from self._updates(action.updates, where, scope)
        for assertion in action.assertions:
            yield from self._formula(assertion.formula, f"{where}: {assertion.name}", scope)

    def _triggered(self, action: Action) -> Iterator[Var]:
        match action.trigger:
            case Received(sender=sender, fields=fields):
                yield sender
            case Requested(fields=fields) | TimedOut(fields=fields):
                pass
            case _:
                return
        for parameters in fields:
            yield from parameters.variables
            if parameters.present is not None:
                yield parameters.present

    # --- quorums ---------------------------------------------------------------------------

    def _quorum_flaws(self) -> Iterator[str]:
        model = self._model
        yield from _repeated("quorum", (quorum.sort.name for quorum in model.quorums))
        for quorum in model.quorums:
            where = f"quorum {quorum.sort}"
            declaration = self._sorts.get(quorum.sort)
            if declaration is None or declaration.kind != "quorum":
                yield f"{where}: its sort is not declared as a quorum"
            elif declaration.member != quorum.member:
                yield f"{where}: its sort has another member relation"
            if quorum.member.arguments != (quorum.role, quorum.sort):
                yield f"{where}: {quorum.member} does not take its nodes"
            yield from self._condition(quorum.threshold, where, sized=True)
        laid_out = {quorum.sort for quorum in model.quorums}
        for declaration in model.sorts:
            if declaration.kind == "quorum" and declaration.sort not in laid_out:
                yield f"quorum {declaration.sort}: has no threshold"
        yield from _repeated("assumption on", (a.parameter for a in model.assumptions))
        for assumption in model.assumptions:
            where = f"assumption on {assumption.parameter}"
            yield from self._condition(assumption.condition, where, sized=False)
        yield from _repeated("fact", (fact.name for fact in model.facts))
        for fact in model.facts:
            where = f"fact {fact.name}"
            if fact.formula is not None:
                yield from self._sentence(fact.formula, where)
                yield from self._rigid(fact.formula, where)
            elif fact.quorum is None or fact.crashes is None:
                yield f"{where}: claims nothing"
            else:
                if fact.quorum not in laid_out:
                    yield f"{where}: {fact.quorum} is not a quorum"
                yield from self._linear(fact.crashes, where, sized=False)

    def _condition(self, condition: Condition, where: str, sized: bool) -> Iterator[str]:
        match condition:
            case Comparison(left=left, right=right):
                yield from self._linear(left, where, sized)
                yield from self._linear(right, where, sized)
            case Boolean(operator=operator, operands=operands):
                expected = {"not": len(operands) == 1, "true": not operands}
                if not expected.get(operator, len(operands) >= 1):
                    yield f"{where}: `{operator}` with {len(operands)} operands"
                for operand in operands:
                    yield from self._condition(operand, where, sized)
            case _:
                assert_never(condition)

    def _linear(self, term: Linear, where: str, sized: bool) -> Iterator[str]:
        match term:
            case Number():
                pass
            case Quantity(kind="size"):
                if not sized:
                    yield f"{where}: `size` where there is no set"
            case Quantity(kind="total", name=name):
                declaration = self._sorts.get(Sort(name))
                if declaration is None or declaration.kind != "role":
                    yield f"{where}: `total {name}`, which is not a role"
            case Quantity(kind="parameter", name=name):
                if name not in self._parameters:
                    yield f"{where}: {name} is not a parameter"
            case Quantity():
                yield f"{where}: a quantity of no known kind"
            case Arithmetic(operator=operator, left=left, right=right):
                yield from self._linear(left, where, sized)
                yield from self._linear(right, where, sized)
                if operator == "*" and not (_is_number(left) or _is_number(right)):
                    yield f"{where}: multiplies what are not numbers"
                if operator == "//" and not isinstance(right, Number):
                    yield f"{where}: divides by what is not a number"
            case _:
                assert_never(term)

    # --- layouts ---------------------------------------------------------------------------

    def _layout_flaws(self) -> Iterator[str]:
        model = self._model
        yield from _repeated("layout of role", (role.name for role in model.roles))
        for role in (*model.roles, model.ghosts):
            yield from self._role_flaws(role)
        for kind, signatures in (
            ("message", model.messages),
            ("request", model.requests),
            ("output", model.outputs),
        ):
            yield from _repeated(kind, (signature.name for signature in signatures))
            for signature in signatures:
                yield from self._signature_flaws(signature, f"{kind} {signature.name}")

    def _role_flaws(self, role: RoleLayout) -> Iterator[str]:
        where = f"layout of {role.name or 'the ghosts'}"
        prefix: tuple[Sort, ...] = ()
        if role.sort is not None:
            prefix = (role.sort,)
            declaration = self._sorts.get(role.sort)
            if declaration is None or declaration.kind != "role":
                yield f"{where}: {role.sort} is not a role"
        yield from _repeated(f"{where}: variable", (v.name for v in role.variables))
        for variable in role.variables:
            place = f"{where}: {variable.name}"
            yield from self._stored_flaws(variable.stored, prefix, variable.kind != "const", place)

    def _stored_flaws(
        self, stored: Stored, prefix: tuple[Sort, ...], mutable: bool, where: str
    ) -> Iterator[str]:
        match stored:
            case StoredLeaf(symbol=symbol):
                yield from self._placed(symbol, prefix, mutable, where)
            case StoredOption(symbol=symbol, content=content):
                columns = leaves(content)
                yield from self._placed(symbol, prefix + columns, mutable, where)
                if symbol.result == BOOL and symbol.unique != len(columns):
                    yield f"{where}: {symbol} does not determine its content"
            case StoredSet(symbol=symbol, element=element):
                yield from self._placed(symbol, prefix + leaves(element), mutable, where)
            case StoredMap(key=key, value=value):
                yield from self._stored_flaws(value, prefix + leaves(key), mutable, where)
            case StoredProduct(parts=parts, names=names):
                if names and len(names) != len(parts):
                    yield f"{where}: a record with other fields than parts"
                for part in parts:
                    yield from self._stored_flaws(part, prefix, mutable, where)
            case _:
                assert_never(stored)

    def _placed(
        self, symbol: Symbol, arguments: tuple[Sort, ...], mutable: bool, where: str
    ) -> Iterator[str]:
        yield from self._declared(symbol, where)
        if symbol.arguments != arguments:
            yield f"{where}: {symbol} has other columns"
        if symbol.mutable != mutable:
            yield f"{where}: {symbol} is {'rigid' if mutable else 'mutable'}"

    def _signature_flaws(self, signature: SignatureLayout, where: str) -> Iterator[str]:
        options = sum(field.optional for field in signature.fields)
        yield from _repeated(f"{where}: field", (field.name for field in signature.fields))
        for history in signature.histories:
            place = f"{where}: {history.symbol}"
            if len(history.present) != options:
                yield f"{place}: does not say which options are there"
                continue
            columns = [history.sender]
            if history.receiver is not None:
                columns.append(history.receiver)
            present = iter(history.present)
            for field in signature.fields:
                if not field.optional or next(present):
                    columns.extend(leaves(field.shape))
            yield from self._placed(history.symbol, tuple(columns), True, place)
            if history.receiver is not None and history.broadcast_to is not None:
                yield f"{place}: has a receiver and is broadcast"


def _is_number(term: Linear) -> bool:
    match term:
        case Number():
            return True
        case Quantity():
            return False
        case Arithmetic(left=left, right=right):
            return _is_number(left) and _is_number(right)
    assert_never(term)


def _scoped(term: Term, where: str, scope: AbstractSet[Var]) -> Iterator[str]:
    for variable in sorted(free_variables(term) - scope, key=lambda v: v.name):
        yield f"{where}: the variable {variable.name} is free"


def _repeated(what: str, names: Iterable[str]) -> Iterator[str]:
    for name, times in Counter(names).items():
        if times > 1:
            yield f"{what} {name}: declared {times} times"
