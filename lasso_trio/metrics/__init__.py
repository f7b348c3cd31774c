"""What Prometheus is told: readers of the live counters, one room per noun, and the page that is made of them.

Calls pay nothing for it: whatever is told here is counted anyway. The room reads everything and is read by nobody but
the composition root; how the page is written is `telemetry.prometheus`'s.
"""
