"""Tells of the front door and of the clients' WebSockets: connections, requests, refusals, time-outs, bytes held."""

from __future__ import annotations

from typing import Final

from lasso_trio.server.budget import ByteBudget
from lasso_trio.server.door_counters import DoorCounters
from lasso_trio.server.front_door import FrontDoor
from lasso_trio.server.ws_lane import WsLane
from lasso_trio.server.ws_limits import WsCounters
from lasso_trio.telemetry.prometheus import Table, counter, gauge

CONNECTIONS = gauge("lasso_door_connections", "", "Clients' connections.")
IN_FLIGHT = gauge("lasso_door_requests_in_flight", "", "Requests being answered on the rpc lane.")
ACCEPTED = counter("lasso_door_connections_accepted_total", "", "Connections taken from the kernel.")
TURNED_AWAY = counter(
    "lasso_door_connections_turned_away_total", "", "Connections beyond a limit, answered 503 or 429."
)
PER_ADDRESS = counter(
    "lasso_address_refused_total", "what", "Refused because its address held too much: connection, call, body."
)
BYTES = counter("lasso_door_bytes_total", "direction", "Bytes from clients (in) and to them (out), on every lane.")
HANDED_OVER = counter("lasso_door_connections_handed_over_total", "", "Connections given to another lane.")
REQUESTS = counter("lasso_door_requests_total", "", "Requests on the rpc lane.")
REFUSED = counter("lasso_door_requests_refused_total", "", "Requests that were malformed, too large or without room.")
BROKEN = counter("lasso_door_broken_answers_total", "", "Streamed answers that broke off after their head was sent.")
HANGUPS = counter("lasso_door_hangups_total", "", "Calls cancelled because their client had gone.")
TIMEOUTS = counter("lasso_door_timeouts_total", "phase", "Clients' time limits that ran out: head, body, idle, write.")
CRASHES = counter(
    "lasso_crashes_total", "where", "Errors of our own, contained: in a handler, connection, websocket or afterwork."
)
BODY_BYTES = gauge("lasso_body_bytes", "", "Bytes of request bodies held.")
BODY_LIMIT = gauge("lasso_body_bytes_limit", "", "Bytes of request bodies that may be held.")
BODY_REFUSED = counter("lasso_bodies_refused_total", "", "Request bodies that there was no room for.")
WS_CLIENTS = gauge("lasso_ws_clients", "", "WebSocket clients.")
WS_BEHIND = gauge("lasso_ws_clients_behind", "", "WebSocket clients that have not yet taken all that was written.")
WS_OPENED = counter("lasso_ws_opened_total", "", "WebSocket handshakes that were accepted.")
WS_REFUSED = counter("lasso_ws_refused_total", "", "WebSocket handshakes that were refused.")
WS_MESSAGES = counter("lasso_ws_messages_total", "", "Messages from WebSocket clients.")
WS_CALLS = counter("lasso_ws_calls_total", "", "Calls in these messages, those of batches one by one.")
WS_SUBSCRIBED = counter("lasso_ws_subscribed_total", "", "Subscriptions that were given to clients.")
WS_PUBLISHED = counter("lasso_ws_published_total", "", "Notifications written or queued for clients.")
WS_CONFLATED = counter("lasso_ws_conflated_total", "", "Queued notifications that a newer one has replaced.")
WS_OVERFLOWS = counter("lasso_ws_overflows_total", "", "Clients closed because they did not read.")
WS_TIMEOUTS = counter(
    "lasso_ws_timeouts_total", "phase", "WebSocket clients' time limits that ran out: heartbeat, idle, message, write."
)

FAMILIES: Final = (CONNECTIONS, IN_FLIGHT, ACCEPTED, TURNED_AWAY, PER_ADDRESS, BYTES, HANDED_OVER, REQUESTS, REFUSED,
                   BROKEN, HANGUPS, TIMEOUTS, CRASHES, BODY_BYTES, BODY_LIMIT, BODY_REFUSED, WS_CLIENTS, WS_BEHIND,
                   WS_OPENED, WS_REFUSED, WS_MESSAGES, WS_CALLS, WS_SUBSCRIBED, WS_PUBLISHED, WS_CONFLATED,
                   WS_OVERFLOWS, WS_TIMEOUTS)  # fmt: skip


def read_door(door: FrontDoor, table: Table, now: float) -> tuple[()]:
    table.add(CONNECTIONS, door.active)
    table.add(IN_FLIGHT, door.in_flight)
    table.add(BYTES, door.traffic.received, "in")
    table.add(BYTES, door.traffic.sent, "out")
    _counters(door.counters, table)
    _bodies(door.budget, table)
    table.add(PER_ADDRESS, door.per_address.refused, "connection")
    table.add(PER_ADDRESS, door.calls_per_address.refused, "call")
    table.add(PER_ADDRESS, door.budget.each.refused, "body")
    return ()


def _counters(counters: DoorCounters, table: Table) -> None:
    table.add(ACCEPTED, counters.accepted)
    table.add(TURNED_AWAY, counters.turned_away)
    table.add(HANDED_OVER, counters.handed_over)
    table.add(REQUESTS, counters.requests)
    table.add(REFUSED, counters.refused)
    table.add(BROKEN, counters.broken_answers)
    table.add(HANGUPS, counters.hangups)
    for phase in ("head", "body", "idle", "write"):
        table.add(TIMEOUTS, getattr(counters, f"{phase}_timeouts"), phase)
    table.add(CRASHES, counters.handler_crashes, "handler")
    table.add(CRASHES, counters.connection_crashes, "connection")


def _bodies(budget: ByteBudget, table: Table) -> None:
    table.add(BODY_BYTES, budget.used)
    table.add(BODY_LIMIT, budget.limit)
    table.add(BODY_REFUSED, budget.refused)


def read_websockets(lane: WsLane, table: Table, now: float) -> tuple[()]:
    table.add(WS_CLIENTS, len(lane.sessions))
    table.add(WS_BEHIND, lane.behind)
    _ws_counters(lane.counters, table)
    return ()


def _ws_counters(counters: WsCounters, table: Table) -> None:
    table.add(WS_OPENED, counters.opened)
    table.add(WS_REFUSED, counters.refused)
    table.add(WS_MESSAGES, counters.messages)
    table.add(WS_CALLS, counters.calls)
    table.add(WS_SUBSCRIBED, counters.subscribed)
    table.add(WS_PUBLISHED, counters.published)
    table.add(WS_CONFLATED, counters.conflated)
    table.add(WS_OVERFLOWS, counters.overflows)
    for phase in ("heartbeat", "idle", "message", "write"):
        table.add(WS_TIMEOUTS, getattr(counters, f"{phase}_timeouts"), phase)
    table.add(CRASHES, counters.call_crashes, "websocket")
