"""A real nginx: in front of the proxy, as operators run it, or before a node to give it TLS. Everything it writes is in
one folder; it stays in the foreground, with one worker, and ends with the block.
"""

from __future__ import annotations

import os
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from tests.e2e import toolbox

START_S: Final = 60.0
BUSY_S: Final = 10

_MAIN: Final = """
{user} worker_processes 1; daemon off; pid {folder}/pid; error_log {folder}/error.log;
events {{ worker_connections 256; }}
http {{
    access_log off; proxy_http_version 1.1; proxy_set_header Connection "";
    client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy; fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi; scgi_temp_path {folder}/scgi;
    {body}
}}
"""


@contextmanager
def running(folder: Path, body: str, *ports: int) -> Iterator[None]:
    """nginx with `body` inside its http block, once it listens on all of `ports`."""
    folder.mkdir(parents=True)
    config = folder / "nginx.conf"
    user = "user root;" if os.getuid() == 0 else ""  # else its worker could not enter our folder
    config.write_text(_MAIN.format(user=user, folder=folder, body=body))
    log = folder / "error.log"
    process = subprocess.Popen([toolbox.nginx(), "-p", folder, "-e", log, "-c", config], stderr=subprocess.DEVNULL)
    try:
        for port in ports:
            _wait(port, process, log)
        yield
    finally:
        process.terminate()
        process.wait()


def _wait(port: int, process: subprocess.Popen[bytes], log: Path) -> None:
    end = time.monotonic() + START_S
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            told = log.read_text(errors="replace") if log.exists() else ""
            assert process.poll() is None, f"nginx ended:\n{told}"
            assert time.monotonic() < end, f"nginx does not listen:\n{told}"
            time.sleep(0.02)
        else:
            return


def in_front_of(lasso_port: int, port: int) -> str:
    """A server on `port` that forwards to the proxy over kept connections and says for whom, as the manual has it."""
    return f"""
    upstream lasso {{ server 127.0.0.1:{lasso_port}; keepalive 8; }}
    server {{
        listen 127.0.0.1:{port};
        location / {{ proxy_pass http://lasso; proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for; }}
    }}
    """


def tls_for(node_port: int, port: int, certificate: Path, log: Path) -> str:
    """A TLS server on `port` before a node; `certificate` holds key and chain, `log` gets a line per request."""
    return f"""
    server {{
        listen 127.0.0.1:{port} ssl; ssl_certificate {certificate}; ssl_certificate_key {certificate};
        access_log {log};
        location / {{ proxy_pass http://127.0.0.1:{node_port}; }}
    }}
    """


def moody_for(node_port: int, port: int, folder: Path) -> str:
    """A server on `port` before a node. A file in `folder` spoils it: `broken`, 502 with nginx's page; `busy`, 429 with
    a Retry-After of `BUSY_S`.
    """
    return f"""
    server {{
        listen 127.0.0.1:{port};
        if (-f {folder}/broken) {{ return 502; }}
        if (-f {folder}/busy) {{ return 429; }}
        error_page 429 @busy;
        location @busy {{ add_header Retry-After {BUSY_S} always; return 429; }}
        location / {{ proxy_pass http://127.0.0.1:{node_port}; }}
    }}
    """
