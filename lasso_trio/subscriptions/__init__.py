"""What WebSocket clients subscribe to: keepers, feeds, streams and their fan-out."""
