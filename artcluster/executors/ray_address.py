"""Whether anybody answers at a cluster's address, asked before Ray does: it tries for minutes."""

import ipaddress
import socket
from collections.abc import Callable

_TIMEOUT_S = 10.0


def require_reachable(address: str) -> None:
    """Check that an address of the form host:port takes connections.

    A head that listens on the loopback interface alone is joined there: else Ray turns 127.0.0.1
    into an address that other machines reach, at which such a head does not answer.

    Raises:
        OSError: Nobody answers.
    """
    host, _, port = address.rpartition(":")
    if "://" in address or not host or not port.isdigit():
        return
    host = host.strip("[]")
    socket.create_connection((host, int(port)), timeout=_TIMEOUT_S).close()
    if not _is_loopback(host):
        return
    from ray._private import ray_constants, services

    own_address: Callable[[], str] = services.get_node_ip_address
    try:
        others_reach = own_address()
        socket.create_connection((others_reach, int(port)), timeout=_TIMEOUT_S).close()
    except OSError:
        ray_constants.ENABLE_RAY_CLUSTER = False


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
