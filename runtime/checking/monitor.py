"""Holding a run to the model: every step of the code must be a step of what was proved.

The monitor keeps the state of the model beside the run. Before the run it is the model's
initial state; after each step it is what the model's own evaluator makes of the same action
with the same parameters. The code's variables, mapped into the model's symbols by the layouts,
must then be equal to it, and so must what the step sent and told. Nothing here shares code
with the emitter: the evaluator is the second opinion.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal, assert_never

from compiler.model import system
from compiler.model.layout import Flat, Leaf, Product, SignatureLayout
from compiler.model.stepping import Change
from compiler.model.structure import Row, Structure
from compiler.model.successors import Machine
from compiler.model.system import Action, FieldParameters, Model
from compiler.model.term import BOOL, TRUE, And, Sort, Symbol, Term, Var, conjunction
from runtime.checking.abstraction import (
    Abstraction,
    CheckingError,
    Foreign,
    Rows,
    field_values,
    symbols_in,
)
from runtime.checking.changes import Changes, Tracker
from runtime.checking.explain import Candidate, Difference, Failure
from runtime.contract import Effects, Message, Module, NodeId, Role
from runtime.membership import nodes
from runtime.step import Crash, Deliver, Handled, Recover, Request, Restart, Start, Step, Timeout
from runtime.types import ClassShape, OptionShape, Shape, TupleShape, Types


@dataclass(frozen=True, slots=True)
class Violation:
    """Something that must not be.

    `property`: the property called `name` fails in the state after the step; `assertion`: the
    assertion called `name` fails in the step; `mismatch`: the code's step is not one of the
    model's, `name` is the handler's or the variable's; `nondeterminism`: two runs of one seed
    differ. `step` counts the steps of the run from 1, crashes and restarts among them; it is
    0 for the initial state. `detail` is for a person.
    """

    kind: Literal["property", "mismatch", "assertion", "nondeterminism"]
    name: str
    step: int
    detail: str


class Monitor:
    """An observer that compares a run with the model and evaluates the model's properties.

    `check`: `every` evaluates all properties after each step (those that the step can have
    changed), `end` only in the last state. `invariants`: whether invariants count as well as
    safety properties; in a protocol that is wrong they often fail long before safety does.
    The run is stopped at the first violation; `failure` is then what is known of a mismatch.
    """

    def __init__(
        self,
        model: Model,
        *,
        check: Literal["every", "end"] = "every",
        invariants: bool = True,
    ) -> None:
        self.model = model
        self.violations: list[Violation] = []
        self.failure: Failure | None = None
        self.step = 0
        self._check = check
        self._machine = Machine(model)
        self._checked = [p.name for p in model.properties if invariants or p.kind == "safety"]
        self._actions: dict[tuple[str, type, str], list[Action]] = defaultdict(list)
        # All sets are there: a carrier just has those that the run has come to speak of.
        actions = [replace(action, guard=action.enabling) for action in model.actions]
        for action in actions:
            key = (action.role, type(action.trigger), _trigger_name(action))
            self._actions[key].append(action)
        self._assuming = {a.name: _unassumed(a) for a in actions if a.assumption != TRUE}
        self._messages = {signature.name: signature for signature in model.messages}
        self._requests = {signature.name: signature for signature in model.requests}
        self._outputs = {signature.name: signature for signature in model.outputs}
        self._histories = frozenset(
            history.symbol
            for signature in (*model.messages, *model.requests, *model.outputs)
            for history in signature.histories
        )

    @property
    def structure(self) -> Structure:
        """The state of the model, equal to the run's."""
        return self._abstraction.structure

    @property
    def assumes(self) -> bool:
        """Whether the spec assumes something: only then does a run depend on its being watched."""
        return bool(self._assuming)

    # --- the observer ----------------------------------------------------------------------

    def begin(self, module: Module, cluster: Any, code: Mapping[NodeId, Role]) -> None:
        """Set the model to its initial state and compare the nodes with it."""
        if self.model.name != module.PROTOCOL:
            raise CheckingError(f"{module.PROTOCOL} is not the model's {self.model.name}")
        self.violations.clear()
        self.failure = None
        self.step = 0
        self._module = module
        self._roles = nodes(module, cluster)
        self._names: dict[object, str] = {
            class_: name
            for table in (module.MESSAGES, module.REQUESTS, module.OUTPUTS)
            for name, class_ in table.items()
        }
        self._names |= {class_: timer for (_, timer), class_ in module.TIMERS.items()}
        types = Types(module)
        self._shapes = {a.name: self._shapes_of(types, module, a) for a in self.model.actions}
        self._abstraction = Abstraction(self.model, module, cluster, code)
        self._tracker = Tracker(self._abstraction)
        self._symbols = {
            role: frozenset(
                symbol
                for _, stored in self._abstraction.stored(role)
                for symbol in symbols_in(stored)
            )
            for role in module.ROLES
        }
        for node in code.values():
            self._compare_node(node)
        if self._check == "every":
            self._check_properties(self.structure, None)

    def before(self, step: Step, code: Role) -> None:
        """Do nothing: the state before the step is known."""

    def permits(self, step: Step) -> bool:
        """Whether the step does not break what the spec assumes of the environment.

        It does if the handler that takes it is enabled but for its `assume`.
        """
        if isinstance(step, Crash | Restart) or not self._assuming:
            return True
        for action, known in list(self._candidates(step)):
            free = self._assuming.get(action.name)
            if any(True for _ in self._machine.enabled(action, self.structure, known)):
                return True
            if free is not None and any(
                True for _ in self._machine.enabled(free, self.structure, known)
            ):
                return False
        return True

    def after(self, step: Step, code: Role, effects: Effects | None) -> bool:
        """Compare a step with the model; return True at the first violation."""
        self.step += 1
        match step:
            case Crash(node=node):
                self._tracker.forget(node)
                self._crash(node)
            case Restart():
                self._compare_node(code)
            case _:
                try:
                    if effects is None:
                        self._ignored(step)
                    else:
                        self._taken(step, code, effects)
                except Foreign as error:
                    self._report("mismatch", self._label(step), str(error))
        return bool(self.violations)

    def end(self) -> None:
        """Evaluate all properties in the last state.

        On the way, one is not evaluated where no symbol in it has changed. A carrier that grew
        may make it fail all the same: that shows here.
        """
        self.evaluate()

    def evaluate(self) -> None:
        """Evaluate all properties in the present state, whatever has changed."""
        if not self.violations:
            self._check_properties(self.structure, None)

    # --- steps -------------------------------------------------------------------------------

    def _crash(self, node: NodeId) -> None:
        """Take the model's crash; where it has none, a crash changes nothing in it.

        A node that is down already has no crash in the model, and another one changes nothing.
        """
        before = self.structure
        for action in self._actions[self._roles[node], system.Crashed, ""]:
            for arguments in self._machine.enabled(action, before, {action.node: node}):
                self._move(before, self._machine.apply(action, before, arguments))
                return

    def _ignored(self, step: Handled) -> None:
        """Check that the model, too, has no step here."""
        for action, known in list(self._candidates(step)):
            for arguments in self._machine.enabled(action, self.structure, known):
                if action.skips:
                    before = self.structure
                    self._move(before, self._machine.apply(action, before, arguments))
                    return
                ignored = Difference(None, "the code ignored it")
                found = (Candidate(action, known, (ignored,)),)
                self.failure = Failure(self.model, self._machine, self.structure, found)
                self._report(
                    "mismatch",
                    action.name,
                    f"{step.node} ignored what the model's {action.name} handles",
                )
                return

    def _taken(self, step: Handled, code: Role, effects: Effects) -> None:
        """Find the model's step that is the code's, and take it."""
        candidates = list(self._candidates(step))
        difference = self._take(candidates, step, code, effects)
        if difference is None:
            return
        picks = [v for action, _ in candidates for v in _picked(action)]
        if picks:  # it may have picked a value that the run has not spoken of
            self._abstraction.provide_all(picks, step.node)
            difference = self._take(candidates, step, code, effects)
            if difference is None:
                return
        if not self.permits(step):
            difference = f"{step.node} took a step that breaks what the spec assumes by `assume`"
        self._report("mismatch", self._label(step), difference)

    def _take(
        self,
        candidates: Sequence[tuple[Action, dict[Var, Hashable]]],
        step: Handled,
        code: Role,
        effects: Effects,
    ) -> str | None:
        """Take the step of the model that is the code's, or return in words why there is none."""
        emitted = self._emitted(step, effects)
        changes = self._tracker.changes(code)
        rows = self._abstraction.rows(code) if changes is None else None
        before = self.structure
        differences: list[str] = []
        nearest: list[Candidate] = []
        for action, known in candidates:
            if action.skips:
                continue  # code that takes a step has a handler for it
            found: list[Difference] = []
            nearest.append(Candidate(action, known, found))
            for arguments in self._machine.enabled(action, before, known):
                after, change = self._machine.change(action, before, arguments)
                if changes is not None and self._agree(code, changes, emitted, before, change):
                    difference = None
                    self._tracker.keep(code, changes)
                else:
                    if rows is None:
                        rows = self._abstraction.rows(code)
                    difference = self._difference(code, rows, emitted, before, after)
                    if difference is None:
                        self._tracker.note(code)
                if difference is None:
                    self._check_assertions(action, before, arguments)
                    self._move(before, after)
                    self.failure = None
                    return None
                found.append(difference)
                differences.append(f"{action.name}: {difference.text}")
        self.failure = Failure(self.model, self._machine, before, tuple(nearest))
        if differences:
            return "; or ".join(dict.fromkeys(differences))
        return f"{step.node} took a step that the model does not have in this state"

    def _move(self, before: Structure, after: Structure) -> None:
        self._abstraction.structure = after
        if self._check == "every":
            changed = {
                symbol
                for symbol, rows in after.relations.items()
                if rows is not before.relations[symbol]
            }
            changed |= {
                symbol
                for symbol, table in after.functions.items()
                if table is not before.functions[symbol]
            }
            self._check_properties(after, changed)

    def _check_properties(self, structure: Structure, changed: set[Symbol] | None) -> None:
        for name in self._checked:
            compiled = self._machine.properties[name]
            if changed is not None and changed.isdisjoint(compiled.footprint):
                continue
            if not compiled(structure):
                self._report("property", name, f"`{name}` does not hold after this step")

    def _check_assertions(
        self, action: Action, before: Structure, arguments: Mapping[Var, Hashable]
    ) -> None:
        for assertion in action.assertions:
            holds = self._machine.compile(assertion.formula, action.parameters)
            if not holds(before, *(arguments[p] for p in action.parameters)):
                self._report("assertion", assertion.name, f"`assert` fails in {action.name}")

    def _report(
        self, kind: Literal["property", "mismatch", "assertion"], name: str, detail: str
    ) -> None:
        self.violations.append(Violation(kind, name, self.step, detail))

    def _label(self, step: Handled) -> str:
        return f"{self._roles[step.node]}.{type(step).__name__.lower()}"

    # --- comparing -----------------------------------------------------------------------------

    def _compare_node(self, code: Role) -> None:
        """Compare a node that was just made with the state of the model."""
        try:
            difference = self._node_difference(code, self._abstraction.rows(code), self.structure)
        except Foreign as error:
            detail = str(error)
        else:
            if difference is None:
                self._tracker.note(code)
                return
            detail = difference.text
        self._report("mismatch", f"{self._roles[code.id]}.restart", detail)

    def _agree(
        self,
        code: Role,
        changes: Changes,
        emitted: Mapping[Symbol, set[Row]],
        before: Structure,
        model: Mapping[Symbol, Change],
    ) -> bool:
        """Whether the code has changed, sent and told what the model has; False if unsure."""
        for symbol in self._histories & (emitted.keys() | model.keys()):
            known = before.relations[symbol]
            new = {row for row in emitted.get(symbol, ()) if row not in known}
            change = model.get(symbol)
            if change is None:
                if new:
                    return False
            elif change.lost or change.gained != new:
                return False
        return changes.agree(model, self._symbols[code.ROLE])

    def _difference(
        self,
        code: Role,
        rows: Rows,
        emitted: Mapping[Symbol, set[Row]],
        before: Structure,
        after: Structure,
    ) -> Difference | None:
        """Return in words how the code's step and the model's differ, None if they do not."""
        for symbol in self._histories:
            expected, old = after.relations[symbol], before.relations[symbol]
            new = emitted.get(symbol)
            if new is None:
                if expected is not old and expected != old:
                    text = f"the model records {_few(expected - old)} in {symbol}"
                    return Difference(symbol, text)
            elif expected != old | new:
                code_adds, model_adds = _few(new - old), _few(expected - old)
                text = f"{symbol}: the code adds {code_adds}, the model {model_adds}"
                return Difference(symbol, text)
        return self._node_difference(code, rows, after)

    def _node_difference(self, code: Role, rows: Rows, structure: Structure) -> Difference | None:
        node = code.id
        for symbol, table in rows.items():
            if symbol.result == BOOL:
                holds = {row for row in structure.relations[symbol] if row[0] == node}
                if holds != table.keys():
                    text = f"{symbol}: the code has {_few(table)}, the model {_few(holds)}"
                    return Difference(symbol, text)
                continue
            function = structure.functions[symbol]
            for row, value in table.items():
                if function[row] != value:
                    place = f"{symbol}({', '.join(map(str, row))})"
                    text = f"{place}: the code has {value}, the model {function[row]}"
                    return Difference(symbol, text)
        return None

    # --- the code's step in the model's terms ----------------------------------------------------

    def _candidates(self, step: Handled) -> Iterator[tuple[Action, dict[Var, Hashable]]]:
        """Yield the actions that may be `step`, with all parameters that it determines."""
        role = self._roles[step.node]
        kind: type[system.Trigger]
        name, signature = "", None
        match step:
            case Deliver(message=message):
                kind, name, signature = system.Received, self._names[type(message)], message
            case Request(request=request):
                kind, name, signature = system.Requested, self._names[type(request)], request
            case Timeout(timer=timer):
                kind, name, signature = system.TimedOut, self._names[type(timer)], timer
            case Start():
                kind = system.Started
            case Recover():
                kind = system.Recovered
            case _:
                assert_never(step)
        answers = dict(step.answers)
        for action in self._actions.get((role, kind, name), ()):
            known: dict[Var, Hashable] = {action.node: step.node}
            trigger, shapes = action.trigger, self._shapes[action.name]
            if isinstance(trigger, system.Received) and isinstance(step, Deliver):
                if step.sender not in self._abstraction.members[trigger.sender.sort]:
                    continue  # a handler of the same message from another role
                known[trigger.sender] = step.sender
            if isinstance(trigger, system.Received | system.Requested | system.TimedOut):
                values = field_values(signature)
                for parameter, shape, value in zip(
                    trigger.fields, shapes.fields, values, strict=True
                ):
                    known |= self._field(parameter, shape, value)
            for choice in action.choices:
                if choice.kind == "ask" and choice.name in answers:
                    shape = shapes.answers[choice.name]
                    columns = self._abstraction.columns(shape, answers[choice.name])
                    known |= zip(choice.variables, columns, strict=True)
            self._abstraction.provide(_picked(action), step.node)
            yield action, known

    def _field(self, parameter: FieldParameters, shape: Flat, value: object) -> dict[Var, Hashable]:
        if parameter.present is not None and value is None:
            unused = {v: self._abstraction.some_element(v.sort) for v in parameter.variables}
            return {parameter.present: False, **unused}
        known = dict(zip(parameter.variables, self._abstraction.columns(shape, value), strict=True))
        return known if parameter.present is None else {parameter.present: True, **known}

    def _emitted(self, step: Handled, effects: Effects) -> dict[Symbol, set[Row]]:
        """Return the rows that a step adds to the histories."""
        module, rows = self._module, defaultdict[Symbol, set[Row]](set)
        broadcasts: dict[tuple[Symbol, Sort, Row], set[NodeId]] = defaultdict(set)
        sender = Sort(self._roles[step.node])
        for effect in effects:
            if isinstance(effect, module.Send):
                layout = self._messages[self._names[type(effect.message)]]
                receiver = Sort(self._roles[effect.receiver])
                present, columns = self._abstraction.content(layout, effect.message)
                for history in layout.histories:
                    if history.sender != sender or history.present != present:
                        continue
                    if history.receiver == receiver:
                        rows[history.symbol].add((step.node, effect.receiver, *columns))
                    elif history.broadcast_to == receiver:
                        row = (step.node, *columns)
                        rows[history.symbol].add(row)
                        broadcasts[history.symbol, receiver, row].add(effect.receiver)
            elif isinstance(effect, module.Tell):
                layout = self._outputs[self._names[type(effect.output)]]
                self._note(rows, layout, step.node, effect.output)
        if isinstance(step, Request):
            layout = self._requests[self._names[type(step.request)]]
            self._note(rows, layout, step.node, step.request)
        for (symbol, role, _), receivers in broadcasts.items():
            if receivers != self._abstraction.members[role]:
                missing = _few(self._abstraction.members[role] - receivers)
                raise Foreign(f"{symbol} is broadcast to all of {role}, but not sent to {missing}")
        return rows

    def _note(
        self,
        rows: dict[Symbol, set[Row]],
        layout: SignatureLayout,
        node: NodeId,
        message: Message,
    ) -> None:
        """Add a request or output to its history, if it has one."""
        present, columns = self._abstraction.content(layout, message)
        for history in layout.histories:
            if history.sender.name == self._roles[node] and history.present == present:
                rows[history.symbol].add((node, *columns))

    # --- the code's state in the model's terms ---------------------------------------------------

    # --- carriers ---------------------------------------------------------------------------

    def _shapes_of(self, types: Types, module: Module, action: Action) -> _Shapes:
        trigger, class_ = action.trigger, None
        match trigger:
            case system.Received(message=name):
                class_ = module.MESSAGES[name]
            case system.Requested(request=name):
                class_ = module.REQUESTS[name]
            case system.TimedOut(timer=name):
                class_ = module.TIMERS[action.role, name]
            case system.Started() | system.Recovered() | system.Crashed():
                pass
            case _:
                assert_never(trigger)
        fields_: tuple[Flat, ...] = ()
        if isinstance(trigger, system.Received | system.Requested | system.TimedOut):
            parts = types.of_class(class_).parts
            fields_ = tuple(
                _flat(part, iter(parameter.variables))
                for part, parameter in zip(parts, trigger.fields, strict=True)
            )
        answers = {
            choice.name: _flat(types.of(module.ANSWERS[choice.name]), iter(choice.variables))
            for choice in action.choices
            if choice.kind == "ask"
        }
        return _Shapes(fields_, answers)


@dataclass(frozen=True, slots=True)
class _Shapes:
    """How the fields of an action's trigger, and the answers it asks for, lie in columns."""

    fields: tuple[Flat, ...]
    answers: Mapping[str, Flat]


def _flat(shape: Shape, columns: Iterator[Var]) -> Flat:
    """Return the shape of a module's value in the model, given the variables of its columns."""
    match shape:
        case OptionShape(content=content):
            return _flat(content, columns)
        case TupleShape(parts=parts):
            return Product(tuple(_flat(part, columns) for part in parts))
        case ClassShape(ordered=False, parts=parts):
            return Product(tuple(_flat(part, columns) for part in parts))
        case _:
            return Leaf(next(columns).sort)


def _picked(action: Action) -> tuple[Var, ...]:
    """Return the parameters that the node itself chooses."""
    return tuple(v for choice in action.choices if choice.kind == "pick" for v in choice.variables)


def _unassumed(action: Action) -> Action:
    """Return the action without its assumption: what the code checks."""
    assumed = _conjuncts(action.assumption)
    needed = [part for part in _conjuncts(action.guard) if part not in assumed]
    return replace(
        action, name=f"{action.name} unassumed", guard=conjunction(needed), assumption=TRUE
    )


def _conjuncts(term: Term) -> tuple[Term, ...]:
    return term.operands if isinstance(term, And) else (term,)


def _trigger_name(action: Action) -> str:
    match action.trigger:
        case system.Received(message=name) | system.Requested(request=name):
            return name
        case system.TimedOut(timer=name):
            return name
        case system.Started() | system.Recovered() | system.Crashed():
            return ""
        case _:
            assert_never(action.trigger)


def _few(rows: Iterable[object], limit: int = 4) -> str:
    """Return some of the rows in words, in an order that does not depend on hashes."""
    words = sorted(str(row) for row in rows)
    if not words:
        return "nothing"
    return ", ".join(words[:limit]) + (", …" if len(words) > limit else "")
