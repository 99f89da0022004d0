"""Holding runs to the model: the one room of the runtime that knows the compiler.

Of the compiler it knows the model alone: its structures, its layouts, and the evaluator that
says what an action does. `monitor` compares each step of a run with the model, `abstraction`
says what the code's values are in the model's terms. `recorded` reads what the nodes of a real run
have written down, `trace` makes one execution of it and holds that to the model, and `explain`
says of a step that is none of the model's what came closest.
"""

from compiler.model.system import Model
from runtime.checking.abstraction import CheckingError
from runtime.checking.monitor import Monitor, Violation

__all__ = ["CheckingError", "Model", "Monitor", "Violation"]
