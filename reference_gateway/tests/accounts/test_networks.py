from ipaddress import ip_address

import pytest

from reference_gateway.accounts.networks import address, admits, caller, network

HOME, PROXY, OTHER_PROXY = "203.0.113.9", "10.0.0.1", "10.0.0.2"
TRUSTED = (network("10.0.0.0/8"), network("fd00::/8"))


@pytest.mark.parametrize(
    ("text", "shown"),
    [("203.0.113.7", "203.0.113.7/32"), ("203.0.113.0/24", "203.0.113.0/24"), ("2001:db8::/32", "2001:db8::/32"), ("::1", "::1/128")],
)
def test_a_network_is_an_address_or_a_cidr(text: str, shown: str) -> None:
    assert str(network(text)) == shown


@pytest.mark.parametrize(
    ("text", "mend"), [("203.0.113.7/24", "203.0.113.0/24"), ("300.1.1.1", "CIDR"), ("", "CIDR"), ("10.0.0.0/33", "CIDR")]
)
def test_what_is_no_network_says_how_to_mend_it(text: str, mend: str) -> None:
    with pytest.raises(ValueError, match=mend):
        network(text)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        (" 203.0.113.9 ", "203.0.113.9"),
        ("203.0.113.9:4711", "203.0.113.9"),
        ("2001:db8::1", "2001:db8::1"),
        ("[2001:db8::1]:443", "2001:db8::1"),
        ("fe80::1%eth0", "fe80::1"),
        ("::ffff:203.0.113.9", "203.0.113.9"),
        ("unknown", None),
        ("", None),
        ("203.0.113.9, 1.1.1.1", None),
    ],
)
def test_an_address_as_sockets_and_proxies_write_it(text: str, found: str | None) -> None:
    assert address(text) == (found and ip_address(found))


def test_deny_wins_and_an_empty_allow_list_allows_all() -> None:
    here = ip_address(HOME)
    net, other = network("203.0.113.0/24"), network("2001:db8::/32")
    assert admits(here, allow=(), deny=())
    assert admits(here, allow=(other, net), deny=())
    assert admits(here, allow=(), deny=(other,))
    assert not admits(here, allow=(other,), deny=())
    assert not admits(here, allow=(net,), deny=(network(HOME),))
    assert admits(None, allow=(), deny=())
    assert not admits(None, allow=(), deny=(other,))
    assert not admits(None, allow=(net,), deny=())


@pytest.mark.parametrize(
    ("peer", "forwarded_for", "found"),
    [
        (HOME, [], HOME),
        (HOME, [b"198.51.100.1"], HOME),  # whoever is no proxy may write what they like
        (PROXY, [], PROXY),
        (PROXY, [HOME.encode()], HOME),
        (PROXY, [b"198.51.100.1, " + HOME.encode()], HOME),  # the left one is only HOME's word
        (PROXY, [b"198.51.100.1", HOME.encode() + b", " + OTHER_PROXY.encode()], HOME),
        (PROXY, [OTHER_PROXY.encode()], OTHER_PROXY),
        (PROXY, [b"203.0.113.9, nonsense"], None),
        ("fd00::1", [b"[2001:db8::7]:99"], "2001:db8::7"),
        ("::ffff:10.0.0.1", [HOME.encode()], HOME),
    ],
)
def test_the_right_most_address_that_no_trusted_proxy_has_is_the_callers(peer: str, forwarded_for: list[bytes], found: str | None) -> None:
    assert caller(peer, forwarded_for, TRUSTED) == (found and ip_address(found))


def test_with_no_trusted_proxy_the_header_says_nothing() -> None:
    assert caller(PROXY, [HOME.encode()], ()) == ip_address(PROXY)
