"""The programs under test, as processes: how each is configured, started on its core, watched and stopped.

Everything a run writes (profiles, nginx's files, logs, the throwaway certificate) is in one temporary folder. Nothing
outlives `Stage`: every process is ended, killed when it does not end.
"""

from __future__ import annotations

import contextlib
import os
import re
import socket
import ssl
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable
from pathlib import Path

import attrs
import trustme
from machine import ROOT, Cores, nginx_path, process_tree
from wire import CALL, Connection, WrongAnswer

HERE = Path(__file__).parent
READY_S = 15.0
UNWANTED = re.compile(r"LASSO_.*|PHX_.*|PORT|.*_proxy", re.IGNORECASE)
CLEAN_ENV = {key: value for key, value in os.environ.items() if not UNWANTED.fullmatch(key)}

NGINX = """
{user} worker_processes 1; daemon off; pid {folder}/nginx.pid; error_log {folder}/nginx.log;
events {{ worker_connections 1024; }}
http {{
    access_log off; keepalive_requests 1000000000; keepalive_timeout 75; client_body_buffer_size 256k; tcp_nodelay on;
    client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy; fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi; scgi_temp_path {folder}/scgi;
    upstream plain {{ server 127.0.0.1:{plain}; keepalive 64; keepalive_requests 1000000000; }}
    upstream secure {{ server 127.0.0.1:{tls}; keepalive 64; keepalive_requests 1000000000; }}
    proxy_http_version 1.1; proxy_set_header Connection ""; proxy_max_temp_file_size 0;
    server {{
        listen 127.0.0.1:{port};
        location /plain {{ proxy_pass http://plain; }}
        location /tls {{
            proxy_pass https://secure; proxy_ssl_verify on; proxy_ssl_trusted_certificate {ca};
            proxy_ssl_name localhost; proxy_ssl_server_name on;
        }}
    }}
}}
"""

PROFILE = """---
name: Benchmark
slug: public
rps_limit: 10000000
burst_limit: 10000000
---
chains:
  bench:
    chain_id: 31337
    name: Benchmark
    block_time_ms: 2000
    providers:
"""


class NotStarted(Exception):
    """A target did not come up; its last words are the text."""


@attrs.frozen
class Target:
    """A running program. Rows append their path to `base`; `pids` is its whole process tree."""

    name: str
    base: str
    pids: list[int]


@attrs.define
class Stage:
    """Owns the temporary folder's contents and every process started here."""

    folder: Path
    cores: Cores
    plain_port: int = 0
    tls_port: int = 0
    _processes: list[subprocess.Popen[bytes]] = attrs.field(factory=list)

    @property
    def ca(self) -> Path:
        return self.folder / "ca.pem"

    def start_upstreams(self) -> None:
        authority = trustme.CA()
        authority.cert_pem.write_to_path(self.ca)
        certificate = self.folder / "upstream.pem"
        authority.issue_cert("localhost", "127.0.0.1").private_key_and_cert_chain_pem.write_to_path(certificate)
        self.plain_port = self._upstream()
        self.tls_port = self._upstream("--tls", str(certificate))

    def _upstream(self, *arguments: str) -> int:
        command = [sys.executable, str(HERE / "upstream.py"), *arguments]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, preexec_fn=pin_to(self.cores.load))
        self._processes.append(process)
        assert process.stdout is not None
        return int(process.stdout.readline())

    def counted(self) -> int:
        """How many of the benchmark's calls have reached the upstreams."""
        urls = (f"http://127.0.0.1:{self.plain_port}/count", f"https://localhost:{self.tls_port}/count")
        return sum(arrived(url, self.ca) for url in urls)

    def echo_floor(self) -> Target:
        port = free_port()
        return self._start("echo floor", f"http://127.0.0.1:{port}/", [sys.executable, HERE / "echo_floor.py", port])

    def plain_stack(self) -> Target:
        port = free_port()
        command = [sys.executable, HERE / "plain_stack.py", port, f"http://127.0.0.1:{self.plain_port}/"]
        return self._start("plain stack", f"http://127.0.0.1:{port}/rpc", command)

    def nginx(self) -> Target:
        nginx = nginx_path()
        if nginx is None:
            raise NotStarted("nginx is not installed (Debian: apt-get install nginx-light)")
        port, config = free_port(), self.folder / "nginx.conf"
        user = "user root;" if os.getuid() == 0 else ""  # else its worker could not enter our folder
        ports = {"port": port, "plain": self.plain_port, "tls": self.tls_port}
        config.write_text(NGINX.format(user=user, folder=self.folder, ca=self.ca, **ports))
        command = [nginx, "-p", self.folder, "-e", self.folder / "nginx.log", "-c", config]
        return self._start("nginx", f"http://127.0.0.1:{port}/", command, probe="plain")

    def lasso(self, name: str, providers: int = 3, tls: bool = False, logs: bool = True, workers: int = 1) -> Target:
        port = free_port()
        profiles = self.folder / name.replace(" ", "-")
        profiles.mkdir()
        url = f"https://localhost:{self.tls_port}" if tls else f"http://127.0.0.1:{self.plain_port}"
        listed = "".join(f"      - id: p{n}\n        url: {url}/p{n}\n" for n in range(1, providers + 1))
        (profiles / "public.yml").write_text(PROFILE + listed)
        env = {"SSL_CERT_FILE": str(self.ca), "PYTHONPATH": str(ROOT), "LASSO_PROBES": "off"} | (
            {} if logs else {"LASSO_LOG_SAMPLE_RATE": "0"}
        )
        env |= {"LASSO_WORKERS": str(workers), "LASSO_STANDBY": "off"} if workers > 1 else {}
        command = [sys.executable, "-m", "lasso_trio", "serve", "--port", port, "--profiles", profiles]
        return self._start(name, f"http://127.0.0.1:{port}/rpc/", command, probe="fastest/bench", env=env)

    def _start(
        self, name: str, base: str, command: list[object], probe: str = "", env: dict[str, str] | None = None
    ) -> Target:
        log = self.folder / f"{name.replace(' ', '-')}.log"
        with log.open("wb") as sink:
            process = subprocess.Popen(
                [str(part) for part in command],
                cwd=self.folder,
                env=CLEAN_ENV | (env or {}),
                stdout=sink,
                stderr=subprocess.STDOUT,
                preexec_fn=pin_to(self.cores.server),
            )
        self._processes.append(process)
        wait_until_it_answers(process, base + probe, log)
        return Target(name, base, process_tree(process.pid))

    def close(self) -> None:
        for process in self._processes:
            process.terminate()
        for process in self._processes:
            try:
                process.wait(5)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
            if process.stdout is not None:
                process.stdout.close()


def pin_to(core: int) -> Callable[[], None]:
    return lambda: os.sched_setaffinity(0, {core})


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def arrived(url: str, ca: Path) -> int:
    with urllib.request.urlopen(url, context=ssl.create_default_context(cafile=ca), timeout=5) as reply:
        return int(reply.read())


def wait_until_it_answers(process: subprocess.Popen[bytes], url: str, log: Path) -> None:
    """Until one real call is answered rightly."""
    end = time.monotonic() + READY_S
    reason = "no answer"
    while time.monotonic() < end and process.poll() is None:
        try:
            connection = Connection(url, CALL)
        except OSError:
            time.sleep(0.05)
            continue
        with contextlib.closing(connection):
            reason = first_call(connection)
        if not reason:
            return
        time.sleep(0.1)
    raise NotStarted(f"{reason}\n{log.read_text(errors='replace')[-1500:]}")


def first_call(connection: Connection) -> str:
    """Empty when it was answered, else what went wrong."""
    connection.sock.settimeout(5)
    try:
        connection.ask(1)
        while not connection.collect():
            pass
    except (OSError, WrongAnswer) as problem:
        return str(problem) or type(problem).__name__
    return ""
