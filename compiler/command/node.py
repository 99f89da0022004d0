"""`accordant node`: one node of a generated module, as this process."""

from __future__ import annotations

import argparse

from compiler.command.mistakes import UsageError
from runtime.host.config import ConfigError, read_config
from runtime.host.host import Options
from runtime.host.process import application_factory, run_node
from runtime.load import LoadError, load
from runtime.storage.directory import StorageError


def run(options: argparse.Namespace) -> int:
    """Run a node until it is told to stop; return 0, or 1 if it has failed."""
    try:
        factory = None if options.app is None else application_factory(options.app)
        return run_node(
            load(options.module),
            options.id,
            read_config(options.cluster),
            options.data,
            factory,
            Options(insecure_listen=options.insecure_listen, trace=options.trace),
            options.log_level,
        )
    except (LoadError, ConfigError, StorageError) as error:
        raise UsageError(str(error)) from None
