"""The tutorial's plan of a load: its `GET /insert`, as its own client sends it, each read back."""

from __future__ import annotations

from actors.load.drawn_values import DrawnValue
from actors.load.load_plan import LoadPlan, PlannedRequest, ReadBack

PLAN = LoadPlan(
    values={
        "author": DrawnValue(unique="a"),
        "text": DrawnValue(
            choice=(
                "I love this!",
                "It is what it is",
                "Awful: worse than ever",
                "hello world",
            )
        ),
    },
    request=(
        PlannedRequest(
            name="insert",
            listener="tweets",
            path="/insert/{author}/{text}",
            write=True,
            read=ReadBack(
                path="/api/v1/tweets?author={author}",
                items="items",
                match={"author": "{author}"},
                same={"text": "{text}"},
            ),
        ),
    ),
)
