"""lasso_trio: a smart proxy between applications and Ethereum JSON-RPC providers."""

__version__ = "0.1.0"
