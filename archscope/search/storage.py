"""The storage of Optuna for the trials of a study."""

from __future__ import annotations

from urllib.parse import urlsplit

import optuna

from archscope.errors import OptionError

PATIENCE = 10  # seconds for a proxy to answer
PORT = 13000  # default of Optuna's proxy server


def opened(url: str) -> str | optuna.storages.BaseStorage:
    """Open the storage at the URL of a database, or of a proxy as `grpc://HOST:PORT`.

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
