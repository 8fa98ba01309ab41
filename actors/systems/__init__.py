"""The reference systems: what the command line boots if nobody names another."""

from __future__ import annotations

from typing import TYPE_CHECKING

from actors.systems.hotel.system import HOTEL
from actors.systems.tweets.system import TWEETS
from actors.systems.x_platform.system import X_PLATFORM

if TYPE_CHECKING:
    from actors.system import System

SYSTEMS: tuple[System, ...] = (HOTEL, TWEETS, X_PLATFORM)
