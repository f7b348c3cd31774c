"""Writes docs/metrics.md, every metric there is, from the register: `python scripts/metrics_page.py`."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from lasso_trio.access.gate import MOST_CLIENTS
from lasso_trio.metrics.latencies import BOUNDS, MOST_METHODS
from lasso_trio.metrics.registry import PROCESS, ROOMS
from lasso_trio.telemetry.prometheus import Family

PAGE = Path(__file__).resolve().parent.parent / "docs" / "metrics.md"
INTRODUCTION = f"""\
# Metrics

Made from the register in `lasso_trio/metrics` by `scripts/metrics_page.py`; do not edit this page.

`GET /metrics` tells Prometheus what the node counts, as text 0.0.4 or OpenMetrics 1.0, gzipped for those who take it.
It is on the main port, or with `LASSO_OPS_PORT` on that port only. Calls pay nothing for it: what is told is counted
anyway, copied in slices of a millisecond, and written in a thread. A page is kept for a second.

```yaml
scrape_configs:
  - job_name: lasso
    static_configs: [{{targets: ["localhost:4000"]}}]
```

`deploy/grafana/lasso.json` is a dashboard, `deploy/prometheus/lasso.rules.yml` has [alerts](alerts.md).

* Counters begin at the start of the process; those of a chain also when a reload changes that chain.
* `upstream` is one physical endpoint (`<chain id>:<host>:<digest>`), which several profiles may share;
  `lasso_provider_info` says which provider of which profile it stands for:
  `lasso_breaker_state * on (instance, upstream) group_left (provider) lasso_provider_info`.
* Labels are bounded. Methods come from clients, so the first {MOST_METHODS} of an upstream's transport have lines of
  their own and the others share `other`. Clients that show a key or token are called by
  its name, the first {MOST_CLIENTS} of a profile. Nothing else of what clients send is a label, and no URL or key is.
* With [workers](scaling.md#workers) the page is the node's, whichever worker answers. *Of workers* says what is made of
  their values: the `sum`, the `most` or `least`, the `keeper`'s (the worker that watches the providers), or `each` with
  a label `worker`, as the process' own figures have it then. A worker that does not tell within a second is in the sums
  with its last figures and named in `lasso_worker_missing`. What a worker has told stays in the counters when it dies;
  what it counted since the last scrape, of any worker, is lost. If the workers' parent does not answer, the page is
  503.
* Latencies are within 2 %, buckets (seconds): {", ".join(f"{bound:g}" for bound in BOUNDS)}.
"""


def render() -> str:
    """The page."""
    return "\n".join(
        [INTRODUCTION, *(line for title, room in ROOMS.items() for line in _room(title, room)), *_process()]
    )


def _room(title: str, families: tuple[Family, ...]) -> Iterator[str]:
    yield f"## {title}\n"
    yield "| Metric | Kind | Labels | Of workers | What it tells |"
    yield "|---|---|---|---|---|"
    for family in families:
        labels = ", ".join(f"`{label}`" for label in family.labels) or "–"
        yield f"| `{family.name}` | {family.kind} | {labels} | {family.across} | {family.help} |"
    yield ""


def _process() -> Iterator[str]:
    yield "## The process\n"
    yield "As every Prometheus client tells them, on Linux: " + ", ".join(f"`{name}`" for name in PROCESS) + "."


def main() -> None:
    PAGE.write_text(render() + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
