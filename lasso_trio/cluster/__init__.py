"""Several nodes seen as one: they find each other by DNS and tell each other what they know, over HTTP and signed.

For people who look, and for `/api/health`. Routing stays local: no call waits for anything in this room.
"""
