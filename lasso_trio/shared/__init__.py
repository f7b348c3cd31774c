"""What several nodes share on one Redis or Valkey: client limits and kept answers.

No call waits for more than a few milliseconds for anything in this room, and none fails by it: an engine that is slow,
full or gone leaves each node to itself, which is said once, and is taken up again when it answers.
"""
