"""What a spec's global names stand for, with types: the table that the checkers look things up in.

It is filled in stages by `protocol`, each of which needs the one before: types, then messages
and the like, then variables, then definitions.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import count

from compiler.check import checked
from compiler.check.declarations import Declarations, kind_of
from compiler.check.names import suggest_or_list
from compiler.check.resolve import Types
from compiler.check.scope import Scope
from compiler.check.traffic import Traffic
from compiler.check.types import EnumType, RoleType
from compiler.diagnostics import Code, Diagnostics, Label, Span
from compiler.syntax import tree


@dataclass(slots=True)
class Symbols:
    """The global names of a spec.

    `senders` are the roles that send each message. `channels_known` is false while the
    channels are still being collected; nothing that depends on them is reported then.
    `definition` checks a definition on its first use.
    """

    declarations: Declarations
    types: Types
    diagnostics: Diagnostics
    channels_known: bool
    senders: dict[str, list[str]]
    traffic: Traffic = field(default_factory=Traffic)
    messages: dict[str, checked.Message] = field(default_factory=dict)
    requests: dict[str, checked.Request] = field(default_factory=dict)
    outputs: dict[str, checked.Output] = field(default_factory=dict)
    questions: dict[str, checked.Question] = field(default_factory=dict)
    timers: dict[str, dict[str, checked.Timer]] = field(default_factory=dict)
    variables: dict[str, dict[str, checked.Variable]] = field(default_factory=dict)
    ghosts: dict[str, checked.Variable] = field(default_factory=dict)
    states: dict[str, dict[str, checked.State]] = field(default_factory=dict)
    definition: Callable[[tree.DefinitionDeclaration, Span], checked.Definition | None] = field(
        default=lambda _declaration, _use: None
    )
    numbers: count[int] = field(default_factory=lambda: count(1))

    def scope(self, role: RoleType | None) -> Scope:
        """Return an empty scope in a handler of `role`, or in a property."""
        outer: dict[str, tuple[Span, str]] = {}
        for name, enums in self.declarations.members.items():
            for member in enums[0].members:
                if member.text == name:
                    outer[name] = (member.span, f"a value of enum {enums[0].name.text}")
        for name, declaration in self.declarations.names.items():
            if not isinstance(declaration, tree.SignatureDeclaration):
                outer[name] = (declaration.name.span, f"{kind_of(declaration)}")
        if role is not None:
            for name, variable in self.variables.get(role.name, {}).items():
                outer[name] = (variable.span, f"a variable of {role.name}")
        return Scope(self.numbers, outer)

    def message(self, name: tree.Name) -> checked.Message | None:
        """Return the message called `name`; report it if there is none."""
        found = self.messages.get(name.text)
        if found is None:
            self._unknown(name, list(self.messages), "message", Code.UNKNOWN_MESSAGE)
        return found

    def request(self, name: tree.Name) -> checked.Request | None:
        """Return the request called `name`; report it if there is none."""
        found = self.requests.get(name.text)
        if found is None:
            self._unknown(name, list(self.requests), "request", Code.UNKNOWN_EVENT)
        return found

    def output(self, name: tree.Name) -> checked.Output | None:
        """Return the output called `name`; report it if there is none."""
        found = self.outputs.get(name.text)
        if found is None:
            self._unknown(name, list(self.outputs), "output", Code.UNKNOWN_EVENT)
        return found

    def question(self, name: tree.Name) -> checked.Question | None:
        """Return the question called `name`; report it if there is none."""
        found = self.questions.get(name.text)
        if found is None:
            self._unknown(name, list(self.questions), "question", Code.UNKNOWN_EVENT)
        return found

    def timer(self, role: RoleType, name: tree.Name) -> checked.Timer | None:
        """Return the timer of `role` called `name`; report it if there is none."""
        own = self.timers.get(role.name, {})
        if name.text in own:
            return own[name.text]
        for other, timers in self.timers.items():
            if name.text in timers:
                self.diagnostics.error(
                    Code.UNKNOWN_TIMER,
                    f"`{name.text}` is a timer of {other}, not of {role.name}",
                    name.span,
                    labels=(Label(timers[name.text].span, "declared here"),),
                )
                return None
        self.diagnostics.error(
            Code.UNKNOWN_TIMER,
            f"{role.name} has no timer `{name.text}`",
            name.span,
            suggest_or_list(name.text, own, "timers")
            if own
            else f"declare it in the role: `timer {name.text}`",
        )
        return None

    def state(self, role: RoleType, name: tree.Name) -> str | None:
        """Return the name of a state of `role`; report it if there is none such."""
        own = self.states.get(role.name, {})
        if name.text in own:
            return name.text
        self.diagnostics.error(
            Code.UNKNOWN_STATE,
            f"{role.name} has no state `{name.text}`",
            name.span,
            suggest_or_list(name.text, own, "states")
            if own
            else f"only a node of a role that `stops` can be {name.text}"
            if name.text in ("up", "down")
            else f"{role.name} declares no states; write `state {name.text} (initial)` in it",
        )
        return None

    def enum(self, name: str) -> EnumType | None:
        """Return the enum called `name`."""
        declaration = self.declarations.names.get(name)
        if isinstance(declaration, tree.EnumDeclaration):
            found = self.types.named(declaration.name)
            return found if isinstance(found, EnumType) else None
        return None

    def is_single(self, role: RoleType) -> bool:
        """Whether `role` has exactly one node."""
        declaration = self.declarations.names.get(role.name)
        return isinstance(declaration, tree.RoleDeclaration) and declaration.single

    def stops(self, role: RoleType) -> bool:
        """Whether a crash ends the steps of a node of `role`, and no state has such a name."""
        declaration = self.declarations.names.get(role.name)
        own = self.states.get(role.name, {})
        return (
            isinstance(declaration, tree.RoleDeclaration)
            and declaration.stops
            and not {"up", "down"} & own.keys()
        )

    def _unknown(self, name: tree.Name, known: list[str], noun: str, code: Code) -> None:
        declaration = self.declarations.names.get(name.text)
        if declaration is None:
            self.diagnostics.error(
                code,
                f"there is no {noun} `{name.text}`",
                name.span,
                suggest_or_list(name.text, known, f"{noun}s")
                if known
                else f"this protocol declares no {noun}s",
            )
            return
        help_ = None
        article = "an" if noun == "output" else "a"
        if isinstance(declaration, tree.SignatureDeclaration):
            help_ = {
                "message": "messages are sent with `send`, `reply` and `broadcast`, "
                "and handled by `on M(…)`",
                "request": "requests come from clients, and are handled by `on request R(…)`",
                "output": "outputs are made with `output O(…)`",
                "ask": "questions are asked with `ask q(…)`",
            }[declaration.kind]
        self.diagnostics.error(
            code,
            f"`{name.text}` is {kind_of(declaration)}, not {article} {noun}",
            name.span,
            help_,
            (Label(declaration.name.span, "declared here"),),
        )
