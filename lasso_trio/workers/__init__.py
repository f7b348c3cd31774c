"""A node of several processes: a parent that keeps the workers going, and the bus between them.

To the outside such a node is one. Nothing in this room is imported by a node of a single process.
"""
