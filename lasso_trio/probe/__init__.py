"""`lasso probe`: what an endpoint can do, found out by asking it politely.

Nothing here runs in the proxy. Questions are few, paced and counted; what an answer means is decided by pure functions
(`answer`, `search`, `verdicts`, `proposal`), and `run` is the one place that opens nurseries.
"""
