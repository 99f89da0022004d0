"""What has to be shown, as formulas: weakest preconditions of the encoded model.

For each property P the initial state must satisfy P, and each action must keep it: if all
properties hold and the guard does, P holds of the updated symbols. The updated symbols are
put into P (`P[updates]`, the weakest precondition), so that an obligation has one copy of the
state, not two. An action that changes no symbol of P, or whose weakest precondition is P
again, keeps it and nothing is sent to the solver.

A `Task` holds the *negation* of what is to be shown, in negation normal form, miniscoped, its
outermost existentials turned into constants (free variables): the obligation holds if the task's
formulas and the hypotheses together have no model.

All names of variables are canonical (`a1`, `p1`, `c1`, …), so the text of a formula, and the
digest of that text, do not depend on how the spec names its variables, on spans or on order of
declaration. This is what the cache's keys are made of.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import assert_never

from compiler.model.system import Action, Axiom, Model, Update
from compiler.model.term import (
    BOOL,
    FALSE,
    TRUE,
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
    conjunction,
    equivalence,
    free_variables,
    symbols_of,
)
from compiler.prove.normal import (
    conjuncts,
    instantiate,
    lift_conditionals,
    members,
    miniscope,
    negation_normal,
    numbered,
    rebuild,
    rename,
    transform,
    without_finite,
)
from compiler.prove.verdict import Obligation


@dataclass(frozen=True, slots=True)
class Hypothesis:
    """A closed formula that may be used: an axiom, a proved fact, or a property before the step.

    `formula` is in the form the solver is given; `digest` is of its text, so equal for formulas
    that differ only in the names of variables.
    """

    name: str
    formula: Term
    digest: str
    symbols: frozenset[Symbol]


@dataclass(frozen=True, slots=True)
class Task:
    """One obligation for the solver.

    The obligation holds if `formulas` (the guard and the negated goal, over constants that are
    free variables) contradict the axioms and, if `inductive`, the properties. `digest` is of
    `formulas` alone. `given` names the assertions that are among them: a proof leans on these.
    """

    obligation: Obligation
    formulas: tuple[Term, ...]
    inductive: bool
    digest: str
    symbols: frozenset[Symbol]
    given: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Obligations:
    """All that must be shown of a model: `tasks` by a solver, `untouched` not.

    `model` is the encoded model, whose symbols the formulas use. `axioms` and `properties` are the
    hypotheses. `total` are the relations of it that stand for a function of the original model.
    """

    model: Model
    axioms: tuple[Hypothesis, ...]
    properties: tuple[Hypothesis, ...]
    tasks: tuple[Task, ...]
    untouched: tuple[Obligation, ...]
    total: tuple[Symbol, ...]
    members: Mapping[Sort, tuple[Element, ...]] = field(repr=False)


def obligations(
    model: Model, encoded: Model, facts: Iterable[Axiom] = (), *, lemmas: bool = True
) -> Obligations:
    """Return everything to be shown so that all properties of `encoded` are inductive.

    `encoded` is `model` after `relationalise` (or `model` itself); the obligations name the
    actions of `model`. `facts` are the quorum facts that were proved. With `lemmas`, an action's
    assertions are given to what it has to show besides them.
    """
    enums = members(encoded)
    axioms = tuple(
        _hypothesis(axiom.name, axiom.formula, enums) for axiom in (*encoded.axioms, *facts)
    )
    properties = tuple(_hypothesis(p.name, p.formula, enums) for p in encoded.properties)
    symbols = {p.name: symbols_of(p.formula) for p in encoded.properties}
    lifted = {p.name: lift_conditionals(_apart(p.formula)) for p in encoded.properties}
    originals = {action.name: action for action in model.actions}
    tasks: list[Task] = []
    untouched: list[Obligation] = []
    initial = Transition(None, encoded.initial, enums)
    for property_ in encoded.properties:
        obligation = Obligation("initial", property_.name, None)
        tasks.append(initial.task(obligation, initial.after(property_.formula)))
    for action in encoded.actions:
        step = Transition(action, action.updates, enums)
        for assertion in action.assertions:
            obligation = Obligation("assertion", assertion.name, originals[action.name])
            tasks.append(step.task(obligation, step.before(assertion.formula)))
            if lemmas:
                step.give(assertion.name, assertion.formula)
        for property_ in encoded.properties:
            obligation = Obligation("preserved", property_.name, originals[action.name])
            after = None
            if action.changed & symbols[property_.name]:
                after = step.after(property_.formula)
            if after is None or after == lifted[property_.name]:
                untouched.append(obligation)
            else:
                tasks.append(step.task(obligation, after))
    total = tuple(
        after
        for before, after in zip(model.symbols, encoded.symbols, strict=True)
        if before != after
    )
    return Obligations(encoded, axioms, properties, tuple(tasks), tuple(untouched), total, enums)


def exclusion(work: Obligations, action: Action) -> Task:
    """Return the task to show that the properties exclude the guard of `action` (encoded)."""
    step = Transition(action, action.updates, work.members)
    return step.task(Obligation("assertion", "never", action), FALSE)


def consequence(work: Obligations, name: str) -> Obligations:
    """Return the work of showing that a property follows from the others, without a step."""
    formula = next(p.formula for p in work.model.properties if p.name == name)
    step = Transition(None, (), work.members)
    task = step.task(Obligation("assertion", name, None), step.before(formula))
    others = tuple(p for p in work.properties if p.name != name)
    return replace(work, properties=others, tasks=(replace(task, inductive=True),), untouched=())


def _hypothesis(name: str, formula: Term, enums: Mapping[Sort, tuple[Element, ...]]) -> Hypothesis:
    canonical = _apart(_solver_form(_apart(formula), True, enums))
    return Hypothesis(name, canonical, digest((canonical,), enums), symbols_of(canonical))


def _apart(formula: Term) -> Term:
    """Give the bound variables of a formula names of their own, the same whatever theirs were."""
    return rename(formula, numbered("a"), {})


class Transition:
    """The initial state or one action, with variables renamed, ready to be put into properties."""

    def __init__(
        self,
        action: Action | None,
        updates: Iterable[Update],
        enums: Mapping[Sort, tuple[Element, ...]],
    ) -> None:
        self.enums = enums
        self.inductive = action is not None
        name = numbered("p")
        parameters = action.parameters if action is not None else ()
        self.constants: dict[Var, Term] = {parameter: name(parameter) for parameter in parameters}
        formal = numbered("f")
        bound = numbered("u")
        self.conditions: dict[Term, Var] = {}
        self.updates: dict[Symbol, tuple[tuple[Var, ...], Term]] = {}
        for update in updates:
            formals = {variable: formal(variable) for variable in update.formals}
            value = rename(update.value, bound, {**self.constants, **formals})
            value = _name_conditions(value, frozenset(formals.values()), self.conditions)
            self.updates[update.symbol] = (tuple(formals.values()), value)
        guard = action.guard if action is not None else TRUE
        apart = rename(guard, numbered("g"), self.constants)
        named = [equivalence(name_, condition) for condition, name_ in self.conditions.items()]
        self.guard = conjuncts(_solver_form(conjunction((apart, *named)), True, enums))
        self.given: tuple[str, ...] = ()

    def give(self, name: str, formula: Term) -> None:
        """Let the tasks made from now on take an assertion for granted.

        An assertion is an obligation of its own: it holds wherever the action is enabled and the
        properties hold. So what follows from it and them follows from them alone, if it is proved;
        each assertion is shown without itself and without those behind it.
        """
        named = _put_names(self.before(formula), self.conditions)
        self.guard += conjuncts(_solver_form(named, True, self.enums))
        self.given += (name,)

    def after(self, formula: Term) -> Term:
        """Return the weakest precondition of a closed formula, its variables named apart."""
        return lift_conditionals(self._after(_apart(formula)))

    def before(self, formula: Term) -> Term:
        """Return a formula over the parameters as one over the constants that stand for them."""
        return rename(formula, numbered("a"), self.constants)

    def task(self, obligation: Obligation, goal: Term) -> Task:
        """Return the task for a goal that `after` or `before` has made."""
        # Instances of one update may have come into each other's arguments, so name apart again.
        negated = _solver_form(rename(goal, numbered("b"), {}), False, self.enums)
        constant = numbered("c")
        formulas: list[Term] = list(self.guard)
        for part in conjuncts(negated):
            formulas.extend(_open(part, constant))
        formulas = [_apart(part) for part in dict.fromkeys(formulas)]
        found = frozenset().union(*(symbols_of(part) for part in formulas))
        text = digest(formulas, self.enums)
        return Task(obligation, tuple(formulas), self.inductive, text, found, self.given)

    def _after(self, term: Term) -> Term:
        """Substitute the updates."""
        return transform(term, self._apply)

    def _apply(self, term: Apply) -> Term:
        found = self.updates.get(term.symbol)
        if found is None:
            return term
        formals, value = found
        actual: dict[Var, Term] = dict(zip(formals, term.arguments, strict=True))
        return instantiate(value, actual)


def _name_conditions(term: Term, formals: frozenset[Var], conditions: dict[Term, Var]) -> Term:
    """Put a Boolean constant for every quantified condition that does not depend on `formals`.

    A branch on "the votes include a majority" decides many updates, and each may occur many
    times in a property; the condition itself, with its quantifiers, then stands once, in the guard.
    """
    if isinstance(term, Quantified):
        canonical = _apart(term)
        if free_variables(canonical) & formals:
            return term
        if canonical not in conditions:
            conditions[canonical] = Var(f"d{len(conditions) + 1}", BOOL)
        return conditions[canonical]
    return rebuild(term, lambda child: _name_conditions(child, formals, conditions))


def _put_names(term: Term, conditions: Mapping[Term, Var]) -> Term:
    """Put the constants that stand for conditions into a formula that is no update."""
    if isinstance(term, Quantified):
        return conditions.get(_apart(term), term)
    return rebuild(term, lambda child: _put_names(child, conditions))


def _solver_form(formula: Term, positive: bool, enums: Mapping[Sort, tuple[Element, ...]]) -> Term:
    """Return the formula or its negation in the form the solver is given."""
    finite = without_finite(lift_conditionals(formula), enums)
    return miniscope(negation_normal(finite, positive))


def _open(formula: Term, constant: Callable[[Var], Var]) -> list[Term]:
    """Turn outermost existentials into constants; return the conjuncts."""
    if isinstance(formula, And):
        return [part for operand in formula.operands for part in _open(operand, constant)]
    if isinstance(formula, Quantified) and formula.kind == "exists":
        named: dict[Var, Term] = {v: constant(v) for v in formula.variables}
        return _open(instantiate(formula.body, named), constant)
    return [formula]


# --- text and digest ---------------------------------------------------------------------


def digest(formulas: Iterable[Term], enums: Mapping[Sort, tuple[Element, ...]]) -> str:
    """Return the SHA-256 of the formulas, as a set, and of the enums they speak of."""
    used: set[Sort] = set()
    lines = sorted(_text(formula, used) for formula in formulas)
    for sort in sorted((s for s in used if s in enums), key=str):
        lines.append(f"{sort}={','.join(element.name for element in enums[sort])}")
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()


def total_digest(symbol: Symbol) -> str:
    """Return the digest of the hypothesis that the function behind `symbol` is total."""
    columns = ",".join(str(sort) for sort in symbol.arguments)
    return hashlib.sha256(f"total {symbol.name}({columns})".encode()).hexdigest()


def _text(term: Term, used: set[Sort]) -> str:
    """Write a term so that equal texts mean equal terms."""
    match term:
        case Var(name=name, sort=sort):
            used.add(sort)
            return f"{name}:{sort}"
        case Truth(value=value):
            return str(value)
        case Element(name=name, sort=sort):
            used.add(sort)
            return f"{sort}.{name}"
        case Apply(symbol=symbol, arguments=arguments):
            used.add(symbol.result)
            columns = ",".join(_text(argument, used) for argument in arguments)
            return f"{symbol.name}/{symbol.result}[{columns}]"
        case Equal(left=left, right=right):
            return f"({_text(left, used)}={_text(right, used)})"
        case Not(operand=operand):
            return f"!{_text(operand, used)}"
        case And(operands=operands):
            return f"({'&'.join(_text(operand, used) for operand in operands)})"
        case Or(operands=operands):
            return f"({'|'.join(_text(operand, used) for operand in operands)})"
        case Implies(left=left, right=right):
            return f"({_text(left, used)}->{_text(right, used)})"
        case Iff(left=left, right=right):
            return f"({_text(left, used)}<->{_text(right, used)})"
        case Ite(condition=condition, then=then, otherwise=otherwise):
            parts = (condition, then, otherwise)
            return f"ite({';'.join(_text(part, used) for part in parts)})"
        case Quantified(kind=kind, variables=variables, body=body):
            names = ",".join(f"{v.name}:{v.sort}" for v in variables)
            used.update(v.sort for v in variables)
            return f"{kind} {names}.{_text(body, used)}"
    assert_never(term)
