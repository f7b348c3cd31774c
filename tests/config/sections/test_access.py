from __future__ import annotations

from collections.abc import Callable
from ipaddress import ip_network

import pytest

from lasso_trio.config.access import Auth, Names
from lasso_trio.config.profile import Profile

CHAINS = "chains: {eth: {chain_id: 1, aliases: [main], providers: [{id: a, url: 'http://a'}]}}\n"
Faults = Callable[..., list[str]]
Read = Callable[..., Profile]


def test_everything_is_open_unless_it_is_written(read: Read) -> None:
    assert read(CHAINS).access.is_open


def test_networks_origins_and_methods_are_read(read: Read) -> None:
    text = (
        'networks: [10.0.0.0/8, "::1"]\ncors: {origins: ["https://*.a.example:8443"]}\nmethods: {deny: [eth_sign*]}\n'
    )
    access = read(text + CHAINS).access
    assert access.networks == (ip_network("10.0.0.0/8"), ip_network("::1"))
    assert (access.origins, access.methods) == (("https://*.a.example:8443",), Names(deny=("eth_sign*",)))
    assert access.auth is None


def test_auth_without_keys_keeps_everybody_out(read: Read) -> None:
    assert read("auth: {keys: []}\n" + CHAINS).access.auth == Auth()


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("auth: {}", "1: 'auth' needs one of keys, keys_file, jwt"),
        ("auth: yes", "1: 'auth' must hold `key: value` lines, found 'yes'"),
        ("auth: {key: []}", "1: unknown key 'key' in auth (did you mean 'keys'?)"),
        ("networks: []", "1: 'networks' must name a network; leave it out to let everybody in"),
        ("networks: [10.0.0.1/8]", "1: 'networks': 10.0.0.1/8 has host bits set"),
        ("cors: {}", "1: cors needs 'origins'"),
        ("cors: {origins: [a.example]}", "1: 'a.example' is no origin"),
        ("cors: {origins: ['https://a.example/']}", "1: 'https://a.example/' is no origin"),
        ("cors: {origins: ['https://a.*.example']}", "1: 'https://a.*.example' is no origin"),
        ("cors: {origin: ['*'], origins: ['*']}", "1: unknown key 'origin' in cors (did you mean 'origins'?)"),
        ("methods: eth_call", "1: 'methods' must hold `key: value` lines"),
        ("methods: {alow: [eth_call]}", "1: unknown key 'alow' in methods (did you mean 'allow'?)"),
    ],
)
def test_what_is_wrong_is_said_with_its_line(faults: Faults, text: str, problem: str) -> None:
    assert faults(f"{text}\n{CHAINS}")[0].startswith(problem)
