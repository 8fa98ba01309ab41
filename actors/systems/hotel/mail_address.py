"""What is a mail address, for every way in; nobody's mail server is asked."""

from __future__ import annotations

import re
from typing import Final

from actors.kernel.messages import Refusal

_BREAKS_A_HEADER: Final = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029]")


def refuse_address(address: str, *, field: str) -> Refusal | None:
    """Return why this is no address, naming `field`; None where it is one."""
    # Here, for its patterns take 25 ms: the first address pays them, and no start.
    from email_validator import EmailNotValidError, validate_email  # noqa: PLC0415

    try:
        # RFC 6761's .test is for such as us: a rehearsal's guests may live there.
        validate_email(address, check_deliverability=False, test_environment=True)
    except EmailNotValidError as error:
        return Refusal.invalid(f"{field} is no mail address: {error}", field=field)
    return None


def fits_a_header(text: str) -> bool:
    """Whether it stays one header's: an address of before there was `refuse_address` may not."""
    return _BREAKS_A_HEADER.search(text) is None
