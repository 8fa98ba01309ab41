"""The rule language: what matches, by X's own examples, by a slow evaluator, and by hand."""

from __future__ import annotations

import pytest
from hypothesis import event, given
from hypothesis import strategies as st

from actors.systems.x_platform.rules.rule_lexer import InvalidRule
from actors.systems.x_platform.rules.rule_parser import parse_rule
from tests.systems.x_platform.rules import slow_rules
from tests.systems.x_platform.rules.rule_trees import posts, trees, written
from tests.systems.x_platform.rules.slow_rules import would_match_nearly_everything
from tests.systems.x_platform.tweets import matches, subject

# rule, tweets that match, tweets that do not
EXAMPLES = [
    ("gnip", ["I need to call gnip", "Check out gnip's documentation.", "@gnip"], ["#gniprocks"]),
    ("cola", ["Ice cold cola", "I like coca-cola!"], ["I like cocacola!"]),
    ("cat", ["cat", "CAT", "a Cat."], ["catalogue", "concat", "cats"]),
    ('"coca cola"', ["Coca-Cola", "coca cola"], ["cola coca", "coca and cola"]),
    ('"toys \\"R\\" us"', ['Toys "R" Us', "toys r us"], ["toys us"]),
    ("diacrítica", ["Diacrítica", "DIACRI\u0301TICA"], ["diacritica"]),
    ("snow day #NoSchool", ["day of snow #noschool"], ["snow day", "#NoSchool snow"]),
    ("grumpy OR cat OR #meme", ["grumpy", "cat", "#MEME"], ["meme", "dog"]),
    ("cat #meme -grumpy", ["cat #meme"], ["grumpy cat #meme"]),
    (
        "(grumpy cat) OR (#meme has:images)",
        ["a cat, grumpy", "#meme https://pic.x.com/1"],
        ["cat", "#meme https://example.com/pic.x.com"],
    ),
    ("apple OR iphone ipad", ["apple", "ipad iphone"], ["iphone", "ipad"]),
    ("ipad iphone OR android", ["android", "ipad iphone"], ["iphone", "ipad"]),
    ("skiing -(snow OR day OR noschool)", ["skiing"], ["skiing day", "snow"]),
    ('"X data" has:mentions (has:media OR has:links)', ["X data @ada http://a.b"], ["X data @ada"]),
    ("(\U0001f603 OR \U0001f621) \U0001f62c", ["\U0001f603\U0001f62c"], ["\U0001f62c"]),
    ("\u2764", ["\u2764\ufe0f!"], ["love"]),
    ("\U0001f44d", ["ok\U0001f44d\U0001f3fd"], ["ok"]),
    ("$twtr", ["buy $TWTR now"], ["twtr", "$twtrx", "US$twtr"]),
    ("@ada", ["hi @Ada!", ".@ada"], ["ada", "mail@ada", "@adam"]),
    ("#day", ["#Day", "(#day)"], ["#daylight", "a#day", "day"]),
    ("#日本", ["見て #日本 です"], ["日本"]),
    ("日本", ["これは日本です"], ["本日"]),
    ("c++", ["I love C++!", "C"], ["cc"]),
    ("acme", ["Acme™ it", "acme_corp", "ACME\u2019s"], ["acmetm"]),
    ('url:"https://example.com/a"', ["see https://example.com/a/b"], ["example.com/a", "a"]),
    ("the cat", ["the cat"], ["cat"]),
    ("x -a", ["x"], ["x a"]),
]


@pytest.mark.parametrize(("rule", "yes", "no"), EXAMPLES, ids=[each[0] for each in EXAMPLES])
def test_a_rule_matches_what_it_says(rule: str, yes: list[str], no: list[str]) -> None:
    """X's and Gnip's own examples, and what this platform has decided by itself."""
    assert [text for text in yes if not matches(rule, text)] == []
    assert [text for text in no if matches(rule, text)] == []


ABOUT = [
    ("from:ada", {"author": ("1", "Ada")}, {"author": ("2", "bob")}),
    ("from:1", {"author": ("1", "Ada")}, {"author": ("2", "bob")}),
    ("to:bob", {"reply_to": ("2", "Bob")}, {}),
    ("to:2", {"reply_to": ("2", "Bob")}, {"reply_to": ("22", "eve")}),
    ("retweets_of:bob", {"retweets_of": ("2", "Bob")}, {"reply_to": ("2", "Bob")}),
    ("x is:reply", {"reply_to": ("2", "Bob")}, {}),
    ("x is:retweet", {"retweets_of": ("2", "Bob")}, {"quoted": "y"}),
    ("x is:quote", {"quoted": "y"}, {"retweets_of": ("2", "Bob")}),
    ("x -is:retweet", {}, {"retweets_of": ("2", "Bob")}),
    ("x lang:de", {"lang": "de"}, {"lang": "en"}),
    ("x LANG:DE", {"lang": "de"}, {"lang": "en"}),
    ("y", {"quoted": "so y"}, {}),
    ('x -"x y"', {"quoted": "y"}, {"quoted": "x y"}),
    ("conversation_id:71", {"reply_to": ("2", "Bob")}, {}),
    ("in_reply_to_tweet_id:71", {"reply_to": ("2", "Bob")}, {}),
    ("retweets_of_tweet_id:72", {"retweets_of": ("2", "Bob")}, {}),
    ("quotes_of_tweet_id:73", {"quoted": "y"}, {}),
    ("x -is:nullcast -is:verified -has:geo", {}, {"author": ("1", "no x")}),
]


@pytest.mark.parametrize(("rule", "yes", "no"), ABOUT[:-1], ids=[each[0] for each in ABOUT[:-1]])
def test_an_operator_looks_at_what_is_known_of_a_tweet(
    rule: str, yes: dict[str, object], no: dict[str, object]
) -> None:
    """Whose it is, what it answers, its language: by username, whatever its case, or by id."""
    assert matches(rule, "x", **yes)
    assert not matches(rule, "x", **no)


def test_what_nobody_has_here_is_legal_and_never_there() -> None:
    """No advertisement, no verified user, no place."""
    assert matches("x -is:nullcast -is:verified -has:geo", "x")
    assert not matches("x (is:verified OR has:geo)", "x")


@given(st.data(), trees, st.lists(posts, min_size=3, max_size=6))
def test_rules_mean_what_the_slow_evaluator_says(
    data: st.DataObject, tree: slow_rules.Tree, tweets: list[slow_rules.Post]
) -> None:
    """However they are written. A word that is in every tweet lets X have any rule."""
    rule = data.draw(written(slow_rules.And((slow_rules.Words(("zz",)), tree))), label="rule")
    test = parse_rule(rule)
    for tweet in tweets:
        expected = slow_rules.matches(tree, tweet)
        event(f"matches: {expected}")
        assert test(subject(tweet._replace(text=f"{tweet.text} zz"))) == expected, (rule, tweet)


@given(st.data(), trees)
def test_a_rule_is_refused_if_nearly_everything_would_match(
    data: st.DataObject, tree: slow_rules.Tree
) -> None:
    """And only then: a tweet that has none of its words or people, and whatever else it asks."""
    rule = data.draw(written(tree), label="rule")
    try:
        parse_rule(rule)
        refused = False
    except InvalidRule:
        refused = True
    event(f"refused: {refused}")
    assert refused == would_match_nearly_everything(tree)
