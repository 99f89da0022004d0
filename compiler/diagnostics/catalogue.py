"""The catalogue of diagnostics: one stable code a kind of mistake.

Codes are part of the interface: scripts may match on them, so a code is never renumbered or
reused. `E0xx` are mistakes of form, `E1xx` of names, `E2xx` of types, `E3xx` of meaning (what
a handler or property may do), `E4xx` of quorums and assumptions, `E5xx` of use (files and
options); `W` codes are warnings.
"""

from __future__ import annotations

from enum import Enum


class Code(Enum):
    """A kind of mistake; the value is its stable code."""

    # Form.
    SYNTAX = "E001"
    BAD_CHARACTER = "E002"
    BAD_INDENTATION = "E003"
    MISSING_COLON = "E004"
    EQUALS_FOR_ASSIGNMENT = "E005"
    ASSIGNMENT_FOR_EQUALS = "E006"
    UNCLOSED_STRING = "E007"
    UNCLOSED_BRACKET = "E008"
    NO_PROTOCOL = "E009"
    EMPTY_BODY = "E010"
    FOREIGN_OPERATOR = "E011"
    # Names.
    UNKNOWN_NAME = "E101"
    DUPLICATE_NAME = "E102"
    SHADOWED_NAME = "E103"
    UNKNOWN_TYPE = "E104"
    UNKNOWN_MESSAGE = "E105"
    UNKNOWN_ROLE = "E106"
    UNKNOWN_FIELD = "E107"
    UNKNOWN_STATE = "E108"
    UNKNOWN_QUORUM = "E109"
    UNKNOWN_TIMER = "E110"
    UNKNOWN_EVENT = "E111"
    RESERVED_NAME = "E112"
    # Types.
    TYPE_MISMATCH = "E201"
    WRONG_ARGUMENT_COUNT = "E202"
    NOT_ORDERED = "E203"
    NOT_A_SET = "E204"
    NOT_A_MAP = "E205"
    NOT_AN_OPTION = "E206"
    UNSUPPORTED_TYPE = "E207"
    NO_DEFAULT_VALUE = "E208"
    CANNOT_INFER_TYPE = "E209"
    BAD_PATTERN = "E210"
    # Meaning.
    FOREIGN_VARIABLE = "E301"
    QUANTIFIER_IN_CODE = "E302"
    FORMULA_IN_CODE = "E303"
    CODE_IN_FORMULA = "E304"
    ASSIGN_TO_CONSTANT = "E305"
    NOT_ASSIGNABLE = "E306"
    GHOST_IN_CODE = "E307"
    CHOICE_AFTER_EFFECT = "E308"
    LOOP_DEPENDENCE = "E309"
    NO_REPLY = "E310"
    AMBIGUOUS_SENDER = "E311"
    NOT_EXECUTABLE = "E312"
    BAD_STATE_DECLARATION = "E313"
    PATTERN_NOT_ALLOWED = "E314"
    CIRCULAR_DEFINITION = "E315"
    NEVER_CRASHES = "E316"
    DUPLICATE_CHOICE = "E317"
    UNREACHABLE_HANDLER = "E318"
    NO_SENDER = "E319"
    BAD_INITIAL_VALUE = "E320"
    BAD_DELAY = "E321"
    NEIGHBOUR_IN_FORMULA = "E322"
    # Quorums and assumptions.
    NOT_LINEAR = "E401"
    BAD_THRESHOLD = "E402"
    BAD_FACT = "E403"
    ARITHMETIC_IN_CODE = "E404"
    # Use.
    CANNOT_READ = "E501"
    BAD_OPTION = "E502"
    UNPROVED = "E503"
    CANNOT_WRITE = "E504"
    BAD_MODULE = "E505"
    # Warnings.
    NEVER_SENT = "W101"
    NEVER_HANDLED = "W102"
    UNUSED_NAME = "W103"
