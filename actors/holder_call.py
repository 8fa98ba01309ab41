"""What a command asks of the process that uses a data folder: as its operator, over HTTP."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from typing import TYPE_CHECKING, Any

from actors.errors import HolderSaysNo
from actors.store.files.directory_lock import address_of_holder

if TYPE_CHECKING:
    from pathlib import Path


def ask_holder(data_dir: Path, method: str, path: str, body: Any, *, timeout_s: float) -> Any:
    """Return the answer's JSON. Raises HolderSaysNo, which says why there is none."""
    address = address_of_holder(data_dir)
    if address is None:
        raise HolderSaysNo("it has no address yet at which it could be asked: try again")
    try:
        token = (data_dir / "admin.token").read_text(encoding="utf-8").strip()
    except OSError as error:
        message = (
            f"{data_dir / 'admin.token'} cannot be read: {error.strerror}; start the process "
            f"again, which makes it anew"
        )
        raise HolderSaysNo(message) from error
    try:
        request = urllib.request.Request(  # noqa: S310 - what our own process wrote into its lock
            f"{address}{path}",
            method=method,
            data=None if body is None else json.dumps(body).encode(),
            headers={"Authorization": f"Bearer {token}", "Content-Type": "application/json"},
        )
        # No proxy that the environment names: it would be given the token.
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        with opener.open(request, timeout=timeout_s) as answer:
            return json.load(answer)
    except urllib.error.HTTPError as error:
        with error:
            detail = _detail(error.read())
        message = f"the process that uses {data_dir} says no ({error.code}): {detail}"
        raise HolderSaysNo(message) from error
    except (OSError, ValueError) as error:
        message = f"the process that uses {data_dir} cannot be asked at {address}: {error}"
        raise HolderSaysNo(message) from error


def _detail(body: bytes) -> str:
    try:
        return str(json.loads(body)["detail"])
    except (ValueError, LookupError, TypeError):
        return body[:500].decode(errors="replace")
