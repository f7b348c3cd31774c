"""The plain stack, as one would write it in an afternoon: a Quart-Trio route, httpx, hypercorn's trio worker.

python plain_stack.py PORT UPSTREAM_URL
"""

from __future__ import annotations

import sys
from collections.abc import AsyncGenerator

import httpx
import hypercorn.config
import hypercorn.trio
import trio
from quart import Response, request
from quart_trio import QuartTrio


def build(upstream: str) -> QuartTrio:
    app = QuartTrio("plain_stack")

    @app.while_serving
    async def client() -> AsyncGenerator[None, None]:
        async with httpx.AsyncClient(timeout=30) as app.config["client"]:
            yield

    @app.post("/rpc")
    async def forward() -> Response:
        reply = await app.config["client"].post(
            upstream, content=await request.get_data(), headers={"content-type": "application/json"}
        )
        return Response(reply.content, reply.status_code, content_type="application/json")

    return app


async def main(port: int, upstream: str) -> None:
    config = hypercorn.config.Config()
    config.bind = [f"127.0.0.1:{port}"]
    config.accesslog = None
    config.backlog = 1024
    config.keep_alive_timeout = 75
    config.keep_alive_max_requests = 1_000_000_000
    await hypercorn.trio.serve(build(upstream), config)


if __name__ == "__main__":
    trio.run(main, int(sys.argv[1]), sys.argv[2])
