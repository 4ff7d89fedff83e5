"""Which addresses lie on the open internet: the rule for every place that a stranger may send us to."""

import ipaddress
import re

OPEN_IPV6 = ipaddress.IPv6Network("2000::/3")
"""All of IPv6 that is global unicast (RFC 4291). Outside lies IPv4 in disguise or behind a gateway, too."""

LABEL = re.compile(r"^[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?$")
NUMBER = re.compile(r"^(\d+|0x[0-9a-f]*)$")
"""A last label that makes the whole host an IPv4 address to most resolvers, however odd it looks."""

PRIVATE_NAMES = (".localhost", ".local", ".internal", ".home.arpa", ".lan")
"""Ends of names that mean something only inside a network (RFC 6761, RFC 6762, RFC 8375)."""


def is_public(address: str) -> bool:
    """Whether an IP address is on the open internet: not private, loopback, link-local, metadata or reserved.

    Raises ValueError for what is no IP address.
    """
    ip = ipaddress.ip_address(address.partition("%")[0])
    if not ip.is_global or ip.is_multicast:
        return False
    if isinstance(ip, ipaddress.IPv4Address):
        return True
    return ip in OPEN_IPV6 and (ip.sixtofour is None or is_public(str(ip.sixtofour)))


def may_be_public(host: str) -> bool:
    """Whether a URL's host could be public, as far as can be told without asking a resolver."""
    name = host.lower().removesuffix(".")
    labels = name.split(".")
    if ":" in name or NUMBER.match(labels[-1]):
        try:
            return is_public(name)
        except ValueError:
            return False
    return len(labels) > 1 and all(map(LABEL.match, labels)) and not name.endswith(PRIVATE_NAMES)
