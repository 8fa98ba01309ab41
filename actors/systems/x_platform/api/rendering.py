"""Tweets and users as X's JSON objects, with the fields and the company that were asked for."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

from actors.systems.x_platform.api.written import (
    escaped_entities,
    is_long,
    shown_text,
    with_entities,
)
from actors.systems.x_platform.api.written_entities import mentioned
from actors.systems.x_platform.api.x_problems import not_found

if TYPE_CHECKING:
    from collections.abc import Iterable

    from actors.systems.x_platform.api.fields import Selection
    from actors.systems.x_platform.messages import Matched, Things, XRule, XTweet, XUser

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
Object = dict[str, Any]


class Renderer:
    """Knows what an answer is about, and what its client wants of it."""

    def __init__(self, about: Things, selection: Selection) -> None:
        self._selection = selection
        self._tweets = {tweet.id: tweet for tweet in about.tweets}
        self._users = {user.id: user for user in about.users}
        self._usernames = {user.username.lower(): user for user in about.users}

    def matched(self, match: Matched) -> Object:
        """Return what the stream says of a match; a rule without a tag has an empty one here."""
        rules = [{"id": rule.id, "tag": rule.tag or ""} for rule in match.rules]
        company, errors = self._company([match.tweet])
        return {
            "data": self.tweet(match.tweet),
            **({"includes": company} if company else {}),
            **({"errors": errors} if errors else {}),
            "matching_rules": rules,
        }

    def tweets(self, tweets: list[XTweet]) -> tuple[list[Object], Object, list[Object]]:
        """Return the objects, their `includes` and the `errors` of what they refer to in vain."""
        company, errors = self._company(tweets)
        return [self.tweet(tweet) for tweet in tweets], company, errors

    def tweet(self, tweet: XTweet) -> Object:
        """Return the fields selected that have a value."""
        wanted = self._selection.tweet_fields
        text = shown_text(tweet)
        shown: Object = {
            "id": tweet.id,
            "text": with_entities(text),
            "edit_history_tweet_ids": edit_history(tweet),
            "author_id": tweet.author_id,
            "conversation_id": tweet.conversation_id,
            "created_at": timestamp(tweet.created_at_us),
            "lang": tweet.lang,
            "possibly_sensitive": False,
            "reply_settings": tweet.reply_settings,
        }
        if tweet.in_reply_to_user_id is not None:
            shown["in_reply_to_user_id"] = tweet.in_reply_to_user_id
        if tweet.references:
            references = [{"type": each.type, "id": each.id} for each in tweet.references]
            shown["referenced_tweets"] = references
        if "entities" in wanted and (entities := self._entities(text)):
            shown["entities"] = entities
        if "note_tweet" in wanted and is_long(tweet):
            shown["note_tweet"] = self._note(tweet.text)
        return {name: value for name, value in shown.items() if name in wanted}

    def user(self, user: XUser) -> Object:
        """Return the fields selected that have a value."""
        shown: Object = {
            "id": user.id,
            "name": user.name,
            "username": user.username,
            "created_at": timestamp(user.created_at_us),
            "description": "",
            "protected": False,
            "verified": False,
            "verified_type": "none",
        }
        return {name: shown[name] for name in shown if name in self._selection.user_fields}

    def _entities(self, text: str) -> Object:
        entities = escaped_entities(text)
        for mention in entities.get("mentions", ()):
            user = self._usernames.get(mention["username"].lower())
            if user is not None:
                mention["id"] = user.id
        return entities

    def _note(self, text: str) -> Object:
        """Return all of a long text."""
        entities = self._entities(text)
        return {"text": with_entities(text), **({"entities": entities} if entities else {})}

    def _company(self, tweets: list[XTweet]) -> tuple[Object, list[Object]]:
        """Return `includes`, each tweet and user once, and what could not be included."""
        expansions = self._selection.expansions
        # The author of a referenced tweet is only told apart with the tweet.
        of_references = "referenced_tweets.id.author_id" in expansions
        ids = _referenced(tweets) if of_references or "referenced_tweets.id" in expansions else []
        referenced = [self._tweets[each] for each in ids if each in self._tweets]
        company: Object = {}
        users = self._included_users(tweets, referenced if of_references else [])
        if users:
            company["users"] = users
        if referenced:
            company["tweets"] = [self.tweet(tweet) for tweet in referenced]
        lost = [each for each in ids if each not in self._tweets]
        return company, [not_found("tweet", "referenced_tweets.id", each) for each in lost]

    def _included_users(self, tweets: list[XTweet], referenced: list[XTweet]) -> list[Object]:
        expansions = self._selection.expansions
        found: dict[str, XUser] = {}
        for tweet in tweets:
            if "author_id" in expansions:
                self._add(found, [tweet.author_id])
            if "in_reply_to_user_id" in expansions:
                self._add(found, [tweet.in_reply_to_user_id])
            texts = []
            if "entities.mentions.username" in expansions:
                texts.append(shown_text(tweet))
            if "entities.note.mentions.username" in expansions and is_long(tweet):
                texts.append(tweet.text)
            for text in texts:
                names = (name.lower() for name in mentioned(text))
                users = [self._usernames[name] for name in names if name in self._usernames]
                self._add(found, [user.id for user in users])
        self._add(found, [tweet.author_id for tweet in referenced])
        return [self.user(user) for user in found.values()]

    def _add(self, found: dict[str, XUser], ids: Iterable[str | None]) -> None:
        for each in ids:
            user = None if each is None else self._users.get(each)
            if user is not None:
                found[user.id] = user


def edit_history(tweet: XTweet) -> list[str]:
    """Return the ids of its versions, the oldest first: itself, where it was never edited."""
    return list(tweet.history) or [tweet.id]


def rule_object(rule: XRule) -> Object:
    """Return a rule; one without a tag has no such field."""
    shown = {"id": rule.id, "value": rule.value}
    return shown if rule.tag is None else {**shown, "tag": rule.tag}


def timestamp(us: int) -> str:
    """Return microseconds of the epoch as X writes them: ISO 8601, UTC, to the millisecond."""
    moment = _EPOCH + timedelta(microseconds=us)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _referenced(tweets: list[XTweet]) -> list[str]:
    return list(dict.fromkeys(each.id for tweet in tweets for each in tweet.references))
