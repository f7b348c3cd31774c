"""`lasso bench`: how fast and how reliably a URL answers JSON-RPC, measured from outside. No part of the proxy."""
