"""Logs: JSON lines on standard error, one a happening, each bound to its node."""

from __future__ import annotations

import logging
import sys
from typing import Any, Final, TextIO

import structlog

LEVELS: Final = ("debug", "info", "warning", "error")


def node_logger(node: str, level: str = "info", stream: TextIO | None = None) -> Any:
    """Return a structlog logger for `node`, which writes what is of `level` or above.

    Nothing is configured globally, so that several nodes of one process, and the program around
    them, each log as they like.
    """
    return structlog.wrap_logger(
        structlog.PrintLogger(stream or sys.stderr),
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            structlog.processors.JSONRenderer(),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(
            logging.getLevelNamesMapping()[level.upper()]
        ),
        cache_logger_on_first_use=False,
    ).bind(node=node)
