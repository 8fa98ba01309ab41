"""Runs a command as a user to whom file modes apply, root or not: `python mortal.py COMMAND ...`.

Root may write to any file. Without the capability for that it may not, and needs no other user,
who in turn would need to be let into the checkout.
"""

from __future__ import annotations

import ctypes
import os
import sys

# linux/prctl.h and linux/capability.h; removed from the bounding set, exec gives them to nobody.
PR_CAPBSET_DROP = 24
CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH = 1, 2


def main() -> None:
    """Give the capability up where there is one; become the command."""
    if os.geteuid() == 0:
        prctl = ctypes.CDLL(None, use_errno=True).prctl
        for capability in (CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH):
            if prctl(PR_CAPBSET_DROP, capability, 0, 0, 0) != 0:
                raise OSError(ctypes.get_errno(), "cannot give a capability up")
    os.execv(sys.argv[1], sys.argv[1:])  # noqa: S606 - that is what it is for


if __name__ == "__main__":
    main()
