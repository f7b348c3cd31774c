from __future__ import annotations

import json
import socket
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from click.testing import CliRunner

from lasso_trio import cli
from lasso_trio.loadtest import command
from lasso_trio.loadtest.tally import Tally


class Node(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["content-length"]))
        body = b'{"jsonrpc":"2.0","id":1,"result":"0x1"}' if self.path == "/" else b'{"id":1,"error":{"code":1}}'
        self.send_response(200)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def node() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Node)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    yield f"http://127.0.0.1:{server.server_address[1]}/"
    server.shutdown()
    thread.join()
    server.server_close()


def test_a_table_for_people(node: str) -> None:
    result = CliRunner().invoke(cli.main, ["bench", node, "-n", "20", "-c", "2"])
    assert result.exit_code == 0
    assert "20 calls in" in result.stdout


def test_json_for_programs_and_a_picture_beside_it(node: str, tmp_path: Path) -> None:
    picture = tmp_path / "a.svg"
    result = CliRunner().invoke(cli.main, ["bench", node, "-n", "20", "--json", "--plot", str(picture)])
    assert json.loads(result.stdout)["outcomes"] == {"ok": 20}
    assert picture.exists()


def test_more_than_one_in_a_hundred_failed_is_exit_code_1(node: str) -> None:
    result = CliRunner().invoke(cli.main, ["bench", node + "bad", "-n", "5"])
    assert result.exit_code == 1
    assert "error 1" in result.stdout


def test_nobody_there_is_an_outcome() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
        result = CliRunner().invoke(cli.main, ["bench", f"http://127.0.0.1:{port}", "-n", "2"])
    assert result.exit_code == 1
    assert "ConnectFault refused" in result.stdout


def test_a_wrong_command_line_is_exit_code_2() -> None:
    result = CliRunner().invoke(cli.main, ["bench", "ftp://nowhere", "--plot", "a.svg"])
    assert result.exit_code == 2
    assert "lasso bench: not an http(s) URL" in result.stderr


def test_ctrl_c_shows_what_there_is(node: str, monkeypatch: pytest.MonkeyPatch) -> None:
    async def interrupted(order: object, tally: Tally, tell: object) -> None:
        tally.add("ok", 0.1)
        raise KeyboardInterrupt

    monkeypatch.setattr(command, "drive", interrupted)
    result = CliRunner().invoke(cli.main, ["bench", node])
    assert result.exit_code == 0
    assert "1 calls in" in result.stdout
