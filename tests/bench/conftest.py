"""The benchmark's modules are scripts that import each other by their bare names: their folder joins the path's end."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.append(str(Path(__file__).parent))
