"""redis-py's clients, without its types, which say of most replies that they may be awaitable."""

from __future__ import annotations

from typing import Any

import redis
import redis.asyncio


def connect(**options: Any) -> Any:
    """Return a `redis.Redis`."""
    return redis.Redis(**options)


def connect_async(**options: Any) -> Any:
    """Return a `redis.asyncio.Redis`."""
    return redis.asyncio.Redis(**options)
