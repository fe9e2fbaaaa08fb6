"""Reading what `--save` wrote: witnesses and certificates are JSON files."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from mechkit.errors import InputError


def read_json(path: Path) -> Any:
    """The JSON value in a file; InputError where there is no file or no JSON in it."""
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise InputError(f"{path}: no such file; give a file that `--save` wrote") from None
    except (OSError, ValueError, RecursionError) as error:
        raise InputError(f"{path} is not a JSON file: {error}") from None
