import platform
import subprocess
import sys

import pytest

SCRIPT = """
import ctypes, os, socket
from artcluster.images.sandbox.messages import deny_what_no_decoder_needs
ours, theirs = socket.socketpair()
assert deny_what_no_decoder_needs()
def refused(what):
    try:
        what()
    except PermissionError:
        return True
assert refused(lambda: socket.socket())
assert refused(lambda: os.execv("/bin/true", ["true"]))
libc = ctypes.CDLL(None, use_errno=True)
assert libc.ptrace(0, 0, 0, 0) == -1 and ctypes.get_errno() == 1
ours.sendall(b"still open")
assert theirs.recv(99) == b"still open"
assert open("/proc/self/status").read().count("Seccomp:\\t2") == 1
if os.fork() == 0:
    os._exit(0 if refused(lambda: socket.socket()) else 1)
assert os.wait()[1] == 0
"""


@pytest.mark.skipif(
    sys.platform != "linux" or platform.machine() not in ("x86_64", "aarch64"),
    reason="the filter is Linux's, for two kinds of machines",
)
def test_the_network_and_other_programs_are_refused() -> None:
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
