"""Runs a command until it ends or standard input closes: `python -m gridwarden.tether COMMAND…`.

Standard input is the tether: the parent holds its other end, and however the parent ends, killed
included, the pipe closes. The command then gets SIGTERM, and SIGKILL if it does not end.
"""

import os
import signal
import subprocess
import sys
import threading

GRACE_S = 10.0
STDIN = 0


def main(command: list[str]) -> int:
    """The command's exit code; 128 and the signal's number where a signal killed it."""
    child = subprocess.Popen(command, stdin=subprocess.DEVNULL)  # noqa: S603 - our parent's own
    signal.signal(signal.SIGTERM, lambda *_: child.terminate())
    threading.Thread(target=_watch, args=(child,), daemon=True).start()
    code = child.wait()
    return code if code >= 0 else 128 - code


def _watch(child: subprocess.Popen[bytes]) -> None:
    # Not sys.stdin: its lock, held while waiting, would abort the interpreter at its end.
    while os.read(STDIN, 1024):
        pass
    child.terminate()
    try:
        child.wait(GRACE_S)
    except subprocess.TimeoutExpired:
        child.kill()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
