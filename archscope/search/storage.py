"""Where Optuna keeps the trials of a study."""

from __future__ import annotations

from urllib.parse import urlsplit

import optuna

from archscope.errors import OptionError

PATIENCE = 10  # seconds for a proxy to answer
PORT = 13000  # of Optuna's own proxy server, if no other is named


def opened(url: str) -> str | optuna.storages.BaseStorage:
    """Return what Optuna takes for a URL: of a data base, or `grpc://HOST:PORT` of a proxy.

    Raises OptionError if no proxy answers.
    """
    if not url.startswith("grpc://"):
        return url
    try:
        place = urlsplit(url)
        host, port = place.hostname, place.port or PORT
    except ValueError:
        host = None
    if host is None:
        raise OptionError(f"--storage: expected grpc://HOST:PORT, got '{url}'")
    try:
        proxy = optuna.storages.GrpcStorageProxy(host=host, port=port)
        proxy.wait_server_ready(timeout=PATIENCE)
    except ImportError:
        raise OptionError("--storage: grpc:// needs grpcio; pip install grpcio") from None
    except ConnectionError as error:
        raise OptionError(f"--storage: no proxy answers at {host}:{port}: {error}") from None
    return proxy
