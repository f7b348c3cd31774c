"""The dashboard's door in the web application: who may pass, and what every answer of it carries.

    everything below /dashboard   logged in, if there is a password; the login page and the files are free
    POST                          from our own pages only: another origin's are refused, whatever cookies they bring
    every answer                  no foreign scripts, no frames, no sniffing, no referrer abroad; stored if it may be

Cookies are HttpOnly and SameSite=Lax, and Secure when the browser speaks https to us or to a proxy that we trust.
"""

from __future__ import annotations

from typing import Final
from urllib.parse import quote, urlsplit

import attrs
import structlog
import trio
from quart import Response, request
from quart_trio import QuartTrio

from lasso_trio.config.settings import Settings
from lasso_trio.dashboard.access import COOKIE, PATH, SESSION_S, Access
from lasso_trio.dashboard.assets import Assets, templates
from lasso_trio.server.client_address import client_address, is_trusted

log = structlog.get_logger(__name__)

HEADERS: Final = {
    "content-security-policy": "default-src 'self'; img-src 'self' data:; object-src 'none'; base-uri 'none'; "
    "form-action 'self'; frame-ancestors 'none'",
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "same-origin",  # with no-referrer a browser sends our own forms with `Origin: null`
    "cross-origin-resource-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
}
LOGIN: Final = f"{PATH}/login"
_FREE: Final = (LOGIN, f"{PATH}/static/")
FORM: Final = "application/x-www-form-urlencoded"
MOST_FORM_BYTES: Final = 8192
"""Of what anybody may send here, without a session: room for the longest name and password."""


@attrs.frozen(eq=False)
class Gate:
    access: Access
    settings: Settings
    assets: Assets

    @property
    def host(self) -> str:
        """The client's address, as far as our proxies are to be believed."""
        forwarded = ",".join(request.headers.getlist("x-forwarded-for"))
        return client_address(request.remote_addr or "", forwarded, self.settings.trusted_proxies)

    @property
    def scheme(self) -> str:
        """How the browser speaks."""
        told = request.headers.get("x-forwarded-proto", "").partition(",")[0].strip().lower()
        believed = told in ("http", "https") and is_trusted(request.remote_addr or "", self.settings.trusted_proxies)
        return told if believed else request.scheme

    @property
    def user(self) -> str | None:
        return None if self.access.is_open else self.access.user(request.cookies.get(COOKIE, ""))

    def serve(self, app: QuartTrio) -> None:
        """Let `app` have the login, and hold to the rules above."""
        app.before_request(self._check)
        app.after_request(self._complete)
        app.add_url_rule(LOGIN, "dashboard_login", self._page, methods=["GET"])
        app.add_url_rule(LOGIN, "dashboard_enter", self._enter, methods=["POST"])
        app.add_url_rule(f"{PATH}/logout", "dashboard_leave", self._leave, methods=["POST"])

    async def _check(self) -> Response | None:
        path = request.path
        if not is_ours(path):
            return None
        if request.method == "OPTIONS":
            return Response(b"", 405)
        if request.method == "POST" and not self._is_same_origin():
            return Response(b'{"error":"Forbidden"}', 403, content_type="application/json")
        if path.startswith(_FREE) or self.access.permits(request.cookies.get(COOKIE, "")):
            return None
        if path.startswith((f"{PATH}/api/", f"{PATH}/events/")) or request.method != "GET":
            return Response(b'{"error":"Unauthorized"}', 401, content_type="application/json")
        return moved(f"{LOGIN}?next={quote(path, safe='/')}")

    def _is_same_origin(self) -> bool:
        """Browsers tell where a POST comes from; what tells nothing is no browser, and has no cookie to abuse."""
        site = request.headers.get("sec-fetch-site")
        if site is not None and site not in ("same-origin", "none"):
            return False
        origin = request.headers.get("origin")
        return origin is None or urlsplit(origin).netloc.lower() == request.host.lower()

    async def _complete(self, response: Response) -> Response:
        if is_ours(request.path):
            for name, value in HEADERS.items():
                response.headers.setdefault(name, value)
            response.headers.setdefault("cache-control", "no-store")
        return response

    # The login…

    async def _page(self) -> Response:
        if self.access.permits(request.cookies.get(COOKIE, "")):
            return moved(_safe_next(request.args.get("next", "")))
        return self._form(200, _safe_next(request.args.get("next", "")))

    def _form(self, status: int, next_: str, error: str = "") -> Response:
        text = (
            templates()
            .get_template("login.html")
            .render(static=self.assets.prefix, next=next_, error=error, named=self.access.named)
        )
        return Response(text, status, content_type="text/html; charset=utf-8")

    async def _enter(self) -> Response:
        if request.mimetype != FORM:  # others may hold files
            return self._form(415, PATH, "That is no login form.")
        if len(await request.get_data(as_text=False)) > MOST_FORM_BYTES:  # before it is taken apart
            return self._form(413, PATH, "That is too much for a login form.")
        form = await request.form
        next_ = _safe_next(form.get("next", ""))
        # Only now, and without a wait up to the verdict: whoever holds back a body is not let past the count so.
        now, host = trio.current_time(), self.host
        wait_s = self.access.attempts.wait_s(host, now)
        if wait_s:
            refused = self._form(429, next_, "Too many tries. Wait a moment.")
            refused.headers["retry-after"] = str(int(wait_s) + 1)
            return refused
        cookie = self.access.login(form.get("user", ""), form.get("password", ""))
        if cookie is None:
            self.access.attempts.failed(host, now)
            log.warning("dashboard.login_refused", client=host)
            return self._form(401, next_, "That is not right.")
        return self._let_in(moved(next_), cookie)

    def _let_in(self, response: Response, cookie: str) -> Response:
        secure = self.scheme == "https"
        response.set_cookie(COOKIE, cookie, SESSION_S, path=PATH, secure=secure, httponly=True, samesite="Lax")
        return response

    async def _leave(self) -> Response:
        response = moved(LOGIN)
        response.delete_cookie(COOKIE, path=PATH, httponly=True, samesite="Lax")
        return response


def is_ours(path: str) -> bool:
    return path == PATH or path.startswith(f"{PATH}/")


def moved(where: str) -> Response:
    """See other: a page of ours."""
    return Response(b"", 303, {"location": where})


def _safe_next(given: str) -> str:
    """A page of ours; anything else is the first one."""
    plain = given.isascii() and given.isprintable() and "\\" not in given and ".." not in given
    return given if plain and is_ours(given) and not given.startswith(LOGIN) else PATH
