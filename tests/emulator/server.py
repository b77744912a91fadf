"""Start the emulator: `python tests/emulator/server.py --port 0` prints its port.

It quits when its standard input closes, so that it never outlives the test that started it.
"""

from __future__ import annotations

import argparse
import logging
import os
import socket
import sys
import threading
from pathlib import Path
from typing import Any

TESTS = Path(__file__).parent.parent


def main() -> None:
    """Serve fakesnow, adapted or raw, on one port of this machine."""
    options = _options()
    logging.basicConfig(filename=options.log or os.devnull, level=logging.INFO)
    # With its protocol named asyncio sends small answers at once, which else take 40 ms.
    listening = socket.socket(proto=socket.IPPROTO_TCP)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listening.bind(("127.0.0.1", options.port))
    listening.listen()
    sys.path[0] = str(TESTS)  # as pytest has it, instead of this file's folder
    import uvicorn

    application = _application(options)
    # A client that thinks for a while is not gone.
    config = uvicorn.Config(application, log_config=None, timeout_keep_alive=3600)
    print(listening.getsockname()[1], flush=True)
    threading.Thread(target=_quit_with_parent, daemon=True).start()
    uvicorn.Server(config).run(sockets=[listening])


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--raw", action="store_true", help="fakesnow as it is")
    parser.add_argument("--database", default="DB1", help="a database that exists")
    parser.add_argument("--log", type=Path, help="a file for fakesnow's log")
    parser.add_argument("--record", type=Path, help="a JSON-lines file of all that arrives")
    parser.add_argument("--control", type=Path, help="a JSON file of statements to fail or stall")
    return parser.parse_args()


def _application(options: argparse.Namespace) -> Any:
    from emulator.adaptations import adapt
    from emulator.front import Front
    from emulator.patched import server

    if options.raw:
        return server.app
    adapt(options.database)
    return Front(options.record, options.control).application()


def _quit_with_parent() -> None:
    sys.stdin.read()
    os._exit(0)


if __name__ == "__main__":
    main()
