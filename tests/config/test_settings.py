from __future__ import annotations

from ipaddress import ip_network
from pathlib import Path

import pytest

from lasso_trio.config.secret import Secret
from lasso_trio.config.settings import KNOWN, LogFormat, Mode, Settings
from lasso_trio.errors import ConfigError

PROD = {
    "LASSO_ENV": "prod",
    "SECRET_KEY_BASE": "s" * 64,
    "PHX_HOST": "rpc.example.com",
    "LASSO_NODE_ID": "us-east-1",
}


def told(environ: dict[str, str]) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        Settings.from_env(environ)
    return [str(problem).removeprefix("environment: ") for problem in caught.value.problems]


def test_an_empty_environment_is_a_developers_machine() -> None:
    assert Settings.from_env({}) == Settings()
    assert (Settings().host, Settings().port, Settings().public_scheme) == ("127.0.0.1", 4000, "http")


def test_production_listens_everywhere_and_speaks_of_https() -> None:
    settings = Settings.from_env(PROD)
    assert settings.mode is Mode.PROD
    assert (settings.host, settings.public_scheme) == ("0.0.0.0", "https")
    assert (settings.public_host, settings.node_id) == ("rpc.example.com", "us-east-1")
    assert settings.secret_key_base == Secret("s" * 64)


def test_production_demands_what_it_needs_all_at_once() -> None:
    found = told({"LASSO_ENV": "prod", "PHX_HOST": ""})
    assert [line.split(" is required")[0] for line in found] == ["SECRET_KEY_BASE", "PHX_HOST", "LASSO_NODE_ID"]


def test_a_short_secret_is_refused_in_production_without_showing_it() -> None:
    found = told(PROD | {"SECRET_KEY_BASE": "topsecret"})
    assert found == ["SECRET_KEY_BASE must be at least 64 bytes, found 9 (`lasso secret` makes one)"]
    assert Settings.from_env({"SECRET_KEY_BASE": "topsecret"}).secret_key_base == Secret("topsecret")


def test_bytes_count_and_not_characters() -> None:
    assert Settings.from_env(PROD | {"SECRET_KEY_BASE": "é" * 32}).mode is Mode.PROD
    assert told(PROD | {"SECRET_KEY_BASE": "\udcff" * 63})[0].startswith("SECRET_KEY_BASE must be at least 64 bytes")


def test_every_variable_arrives() -> None:
    settings = Settings.from_env(
        {
            "PORT": "5000",
            "PHX_SERVER": "false",
            "PHX_SCHEME": "https",
            "LASSO_PROFILES_DIR": "/etc/lasso",
            "LASSO_CATALOGUE_FILE": "/etc/errors.toml",
            "LASSO_NODE_ID": "iad",
            "LASSO_GRACE_S": "2.5",
            "LASSO_LOG_SAMPLE_RATE": "0.1",
            "LASSO_LOG_LEVEL": "DEBUG",
            "LASSO_LOG_FORMAT": "json",
            "LASSO_TRUSTED_PROXIES": "10.0.0.0/8",
            "LASSO_MAX_BATCH": "7",
            "LASSO_MAX_BODY_BYTES": "8",
            "LASSO_BYTE_BUDGET": "9",
            "LASSO_MAX_RESPONSE_BYTES": "10",
            "LASSO_HTTP_POOL_SIZE": "11",
            "LASSO_GZIP_MIN_BYTES": "0",
            "LASSO_MAX_CONNECTIONS": "12",
            "LASSO_MAX_CONNECTIONS_PER_IP": "3",
            "LASSO_MAX_IN_FLIGHT_PER_IP": "4",
            "LASSO_MAX_BODY_BYTES_PER_IP": "5",
            "LASSO_VM_METRICS_ENABLED": "0",
            "LASSO_PROBES": "off",
        }
    )
    assert settings == Settings(
        port=5000,
        listen=False,
        public_scheme="https",
        profiles_dir=Path("/etc/lasso"),
        catalogue_file=Path("/etc/errors.toml"),
        node_id="iad",
        grace_s=2.5,
        log_sample_rate=0.1,
        log_level="debug",
        log_format=LogFormat.JSON,
        trusted_proxies=(ip_network("10.0.0.0/8"),),
        max_batch=7,
        max_body_bytes=8,
        byte_budget=9,
        max_response_bytes=10,
        http_pool_size=11,
        gzip_min_bytes=0,
        max_connections=12,
        max_connections_per_ip=3,
        max_in_flight_per_ip=4,
        max_body_bytes_per_ip=5,
        vm_metrics=False,
        probes=False,
    )


def test_who_may_look_at_the_dashboard_and_where_is_read() -> None:
    given = {
        "LASSO_DASHBOARD": "off",
        "LASSO_DASHBOARD_PASSWORD": "correct horse",
        "LASSO_DASHBOARD_USERS": "ann:ann's word, bob:with:colon:s",
        "LASSO_OPS_PORT": "4001",
    }
    settings = Settings.from_env(given)
    assert (settings.dashboard, settings.ops_port) == (False, 4001)
    assert settings.dashboard_password == Secret("correct horse")
    assert settings.dashboard_users == {"ann": Secret("ann's word"), "bob": Secret("with:colon:s")}
    assert "horse" not in repr(settings)
    assert "ann's word" not in repr(settings)


@pytest.mark.parametrize(
    "given",
    [
        {"LASSO_DASHBOARD_PASSWORD": "short"},
        {"LASSO_DASHBOARD_PASSWORD": "long enough" + "x" * 1014},
        {"LASSO_DASHBOARD_PASSWORD": "é" * 513},
        {"LASSO_DASHBOARD_USERS": "ann:" + "x" * 1025},
        {"LASSO_DASHBOARD_USERS": "ann:short"},
        {"LASSO_DASHBOARD_USERS": "ann"},
        {"LASSO_DASHBOARD_USERS": ":long enough"},
        {"LASSO_DASHBOARD_USERS": "ann:long enough,ann:long enough"},
        {"LASSO_OPS_PORT": "65536"},
    ],
)
def test_what_would_let_the_wrong_people_look_is_a_mistake_and_no_password_is_shown(given: dict[str, str]) -> None:
    (line,) = told(given)
    (name,) = given
    assert line.startswith(name)
    assert "short" not in line
    assert "long enough" not in line


def test_every_mistake_is_listed_at_once() -> None:
    never_wrong = {"LASSO_PROFILES_DIR", "LASSO_CATALOGUE_FILE", "LASSO_NODE_ID"}
    wrong = dict.fromkeys(KNOWN - never_wrong, "?") | {"PORT": "x", "PHX_HOST": "a b"}
    found = told(wrong)
    assert sorted(line.split(" ")[0] for line in found) == sorted(wrong)


def test_an_unknown_variable_of_ours_is_a_warning_with_the_nearest_name() -> None:
    settings = Settings.from_env({"LASSO_MAX_BACH": "1", "OTHER": "2"})
    assert [str(warning) for warning in settings.warnings] == [
        "environment: LASSO_MAX_BACH is not a variable of this version (did you mean 'LASSO_MAX_BATCH'?)"
    ]


def test_settings_never_show_the_secret() -> None:
    assert "topsecret" not in repr(Settings(secret_key_base=Secret("topsecret")))
