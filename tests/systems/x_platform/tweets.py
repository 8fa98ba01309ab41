"""Tweets to match rules against, without a store."""

from __future__ import annotations

from actors.systems.x_platform.messages import Reference, XTweet
from actors.systems.x_platform.rules.rule_parser import parse_rule
from actors.systems.x_platform.rules.subject import NOBODY, Subject, who
from tests.systems.x_platform.rules.slow_rules import Post


def subject(post: Post) -> Subject:
    references = []
    if post.reply_to is not None:
        references.append(Reference(type="replied_to", id="71"))
    if post.retweets_of is not None:
        references.append(Reference(type="retweeted", id="72"))
    if post.quoted is not None:
        references.append(Reference(type="quoted", id="73"))
    tweet = XTweet(
        id="80",
        text=post.text,
        author_id=post.author[0],
        created_at_us=0,
        lang=post.lang,
        conversation_id="71" if post.reply_to else "80",
        in_reply_to_user_id=None if post.reply_to is None else post.reply_to[0],
        references=tuple(references),
    )
    return Subject(
        tweet,
        author=who(*post.author),
        reply_to=NOBODY if post.reply_to is None else who(*post.reply_to),
        retweets_of=NOBODY if post.retweets_of is None else who(*post.retweets_of),
        quoted_text=post.quoted,
    )


def matches(rule: str, text: str, **about: object) -> bool:
    """Whether the rule matches such a tweet; raises InvalidRule."""
    return parse_rule(rule)(subject(Post(text, **about)))  # type: ignore[arg-type]
