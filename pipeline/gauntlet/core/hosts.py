"""This module provides what kind of host a name or an address stands for."""

from __future__ import annotations

import ipaddress
import socket


def is_loopback(host: str | None) -> bool:
    """Return whether a host is this machine: ``localhost``, or an address of its loopback interface."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host or "").is_loopback
    except ValueError:
        return False


def is_inside(host: str | None) -> bool:
    """Return whether a host is this machine or one of a private network; names are looked up.

    A name that cannot be looked up is not: nobody can connect to it.
    """
    try:
        found = socket.getaddrinfo(host or "", None)
    except (OSError, UnicodeError):
        return False
    return any(not ipaddress.ip_address(str(entry[4][0]).partition("%")[0]).is_global for entry in found)
