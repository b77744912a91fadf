"""The emulator's process: it prints its port, and quits when its standard input closes.

So it never outlives what started it.
"""

from __future__ import annotations

import argparse
import logging
import os
import socket
import sys
import tempfile
import threading
from pathlib import Path
from typing import Any

from backends.emulator.process import CONTROL, LOG, RECORD


def main() -> None:
    """Serve fakesnow, adapted or raw, on one port of this machine."""
    options = _options()
    logging.basicConfig(filename=options.folder / LOG, level=logging.INFO)
    # Its stages are temporary files.
    tempfile.tempdir = str(options.folder)
    # With its protocol named asyncio sends small answers at once, which else take 40 ms.
    listening = socket.socket(proto=socket.IPPROTO_TCP)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listening.bind(("127.0.0.1", options.port))
    listening.listen()
    import uvicorn

    application = _application(options)
    # A client that thinks for a while is not gone.
    config = uvicorn.Config(application, log_config=None, timeout_keep_alive=3600)
    print(listening.getsockname()[1], flush=True)
    threading.Thread(target=_quit_with_parent, daemon=True).start()
    uvicorn.Server(config).run(sockets=[listening])


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path, help="for its log, and record of all that arrives")
    parser.add_argument("databases", nargs="+", help="databases that exist")
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--raw", action="store_true", help="fakesnow as it is")
    return parser.parse_args()


def _application(options: argparse.Namespace) -> Any:
    from backends.emulator.adaptations import adapt
    from backends.emulator.front import Front
    from backends.emulator.patched import server

    if options.raw:
        return server.app
    adapt(options.databases)
    return Front(options.folder / RECORD, options.folder / CONTROL).application()


def _quit_with_parent() -> None:
    sys.stdin.read()
    os._exit(0)


if __name__ == "__main__":
    main()
