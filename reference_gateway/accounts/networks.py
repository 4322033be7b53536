"""From where a key may be used: lists of networks (contract:031, contract:037), and whose address a request came from.

A list decides by the caller's own address. That is the socket's, unless the socket's is one of the proxies the operator trusts: then it is
the right-most address of X-Forwarded-For that no trusted proxy has, since everything left of that one is only the caller's word.
"""

from __future__ import annotations

from collections.abc import Iterable
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network
Networks = tuple[Network, ...]


def network(text: str) -> Network:
    """An address or a CIDR. Raises ValueError with one sentence that says how to mend it."""
    try:
        return ip_network(text)
    except ValueError:
        try:
            meant = ip_network(text, strict=False)
        except ValueError:
            raise ValueError(f"{text!r} is not a network; write an address or a CIDR such as 203.0.113.0/24 or 2001:db8::/32.") from None
        raise ValueError(f"{text!r} has bits set after its prefix; write {meant}.") from None


def address(text: str) -> Address | None:
    """An address as a socket or a proxy writes it: with a port, a zone or brackets, or as IPv4 in IPv6. None for what is none."""
    text = text.strip()
    if text.startswith("["):
        text = text[1:].partition("]")[0]
    elif text.count(":") == 1:
        text = text.partition(":")[0]
    try:
        found = ip_address(text.partition("%")[0])
    except ValueError:
        return None
    if isinstance(found, IPv6Address) and found.ipv4_mapped is not None:
        return found.ipv4_mapped
    return found


def within(caller: Address, networks: Iterable[Network]) -> bool:
    return any(caller in network for network in networks)


def admits(caller: Address | None, *, allow: Networks, deny: Networks) -> bool:
    """Deny wins over allow; an empty allow list allows all. An address nobody knows passes no list."""
    if not allow and not deny:
        return True
    if caller is None or within(caller, deny):
        return False
    return not allow or within(caller, allow)


def caller(peer: str, forwarded_for: Iterable[bytes], trusted: Networks) -> Address | None:
    """`forwarded_for` are the values of all X-Forwarded-For lines in order."""
    here = address(peer)
    if not trusted or here is None or not within(here, trusted):
        return here
    hops = [hop for line in forwarded_for for hop in line.decode("latin-1").split(",") if hop.strip()]
    for hop in reversed(hops):
        here = address(hop)
        if here is None or not within(here, trusted):
            return here
    return here
