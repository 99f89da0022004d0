"""Holding runs to the model: the one room of the runtime that knows the compiler.

Of the compiler it knows the model alone: its structures, its layouts, and the evaluator that
says what an action does. `monitor` compares each step of a run with the model, `abstraction`
says what the code's values are in the model's terms.
"""

from compiler.model.system import Model
from runtime.checking.abstraction import CheckingError
from runtime.checking.monitor import Monitor, Violation

__all__ = ["CheckingError", "Model", "Monitor", "Violation"]
