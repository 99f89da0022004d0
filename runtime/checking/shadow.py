"""The module's code beside the record of a node: what its variables were, step by step.

A trace holds what a node did and not what it thought. The code, given the same events, thinks it
again. As long as its effects are those recorded, its variables are the node's. Where they are not,
the durable variables are those that the record tells of, and the others the code's.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, assert_never

from compiler.model.layout import (
    Flat,
    Leaf,
    Product,
    RoleLayout,
    Stored,
    StoredLeaf,
    StoredMap,
    StoredOption,
    StoredProduct,
    StoredSet,
    VariableLayout,
)
from runtime.checking.recorded import NodeTrace, RecordedStep
from runtime.codec import Codec, CodecError, Json
from runtime.contract import Effects, Module, Role
from runtime.node import Node
from runtime.step import call
from runtime.types import OpaqueShape


class ForeignEffects(Exception):
    """Recorded effects are none that the protocol has."""


class Shadow:
    """The code of one node, and what it has made durable (`node.store`)."""

    def __init__(
        self, module: Module, codec: Codec, layout: RoleLayout, cluster: Any, trace: NodeTrace
    ) -> None:
        self.node = Node(module, cluster, trace.node, trace.role, trace.constants)
        self._module = module
        self._codec = codec
        self._layout = layout
        self._cluster = cluster
        self._constants = trace.constants
        self._members = {
            node for role in module.ROLES for node in getattr(cluster, module.CLUSTER_FIELDS[role])
        }

    def step(self, recorded: RecordedStep) -> Effects | None:
        """Take a step; return the effects that were recorded.

        Raises ForeignEffects.
        """
        node, step = self.node, recorded.step
        effects = call(node.code, step, dict(step.answers))
        done = None if effects is None else [self._codec.encode_effect(e) for e in effects]
        if done != recorded.effects:
            try:
                effects = self._as_recorded(effects, recorded)
            except (CodecError, ValueError, TypeError, LookupError) as error:
                raise ForeignEffects(str(error)) from None
        return effects

    def keep(self, effects: Effects | None) -> None:
        """Make durable what a step has written."""
        for effect in effects or ():
            if isinstance(effect, self._module.Persist):
                for write in effect.writes:
                    self.node.store[write.variable, write.keys] = write

    def _make(self, durable: Iterable[Any]) -> Role:
        code: Role = self._module.ROLES[self.node.role](
            self.node.id, self._cluster, durable, **self._constants
        )
        return code

    def _as_recorded(self, effects: Effects | None, recorded: RecordedStep) -> Effects | None:
        """Return the recorded effects, and give the node the variables that they tell of.

        The durable ones are those before the step with the recorded writes; the others are the
        code's, after it has taken the step in its own way.
        """
        module, codec, node = self._module, self._codec, self.node
        if recorded.effects is None:
            node.code = self._mixed([])
            return None
        found: list[object] = []
        writes: list[Any] = []
        own = {} if effects is None else {_key(codec.encode_effect(e)): e for e in effects}
        for data in recorded.effects:
            if not isinstance(data, dict):
                raise CodecError(f"{data!r} is not an effect")
            known = own.get(_key(data))
            if known is not None:
                found.append(known)
                if isinstance(known, module.Persist):
                    writes += known.writes
            elif "send" in data:
                message = codec.decode_message(module.MESSAGES, data["send"])
                if data.get("to") not in self._members:
                    raise CodecError(f"no node is called {data.get('to')!r}")
                found.append(module.Send(data["to"], message))
            elif "tell" in data:
                found.append(module.Tell(codec.decode_message(module.OUTPUTS, data["tell"])))
            elif "persist" in data:
                writes += [self._write(write) for write in data["persist"]]
                found.append(module.Persist(tuple(writes)))
            elif not {"arm", "disarm"} & data.keys():
                raise CodecError(f"{data!r} is not an effect")
        node.code = self._mixed(writes)
        return found

    def _mixed(self, writes: list[Any]) -> Role:
        node = self.node
        store = dict(node.store)
        store.update(((write.variable, write.keys), write) for write in writes)
        code = self._make(store.values())
        for variable in self._layout.variables:
            attribute = node.code.VARIABLES.get(variable.name)
            if attribute is not None and not self._is_durable(variable):
                setattr(code, attribute, getattr(node.code, attribute))
        return code

    def _is_durable(self, variable: VariableLayout) -> bool:
        if variable.kind != "control":
            return variable.kind == "durable"
        state = getattr(self.node.code, self.node.code.VARIABLES[variable.name])
        try:
            self._make([self._module.Write(variable.name, (), state)])
        except ValueError:
            return False
        return True

    def _write(self, data: Json) -> Any:
        """Return a recorded write; types come from the layout of the variable in the model."""
        name, keys, value = data
        stored = next((v.stored for v in self._layout.variables if v.name == name), None)
        if stored is None:
            raise CodecError(f"{self.node.role} has no variable {name!r}")
        if name == "state":
            code = self.node.code
            states: Any = type(getattr(code, code.VARIABLES[name]))
            return self._module.Write(name, (), states(value))
        known: list[object] = []
        for key in keys:
            if not isinstance(stored, StoredMap):
                raise CodecError(f"{name!r} has no entries")
            known.append(self._flat(stored.key, key))
            stored = stored.value
        return self._module.Write(name, tuple(known), self._stored(stored, value))

    def _stored(self, stored: Stored, data: Json) -> Any:
        match stored:
            case StoredLeaf(symbol=symbol):
                return self._flat(Leaf(symbol.result), data)
            case StoredProduct(parts=parts):
                return tuple(self._stored(p, d) for p, d in zip(parts, data, strict=True))
            case StoredOption(content=content):
                return None if data is None else self._flat(content, data)
            case StoredSet(element=element):
                return frozenset(self._flat(element, d) for d in data)
            case StoredMap():
                raise CodecError("a map is not written whole")
            case _:
                assert_never(stored)

    def _flat(self, shape: Flat, data: Json) -> Any:
        if isinstance(shape, Product):
            return tuple(self._flat(p, d) for p, d in zip(shape.parts, data, strict=True))
        name = shape.sort.name
        zero = self._module.ORDEREDS.get(name)
        if isinstance(zero, tuple) and isinstance(data, list):
            return type(zero)(*data)
        if name in self._module.ENUMS:
            return self._module.ENUMS[name](data)
        return self._codec.decode(OpaqueShape(name), data)


def _key(effect: Json) -> str:
    return repr(effect)
