"""What a client may ask to be told: X's fields and expansions, and what comes unasked.

The names are those of X's OpenAPI description (as in xdk 0.10); of a tweet or a user, the embedded
X knows only some. As at X, what has no value is left out.
"""

from __future__ import annotations

from typing import Final

import msgspec

TWEET_FIELDS: Final = (
    "article",
    "attachments",
    "author_id",
    "card_uri",
    "community_id",
    "context_annotations",
    "conversation_id",
    "created_at",
    "display_text_range",
    "edit_controls",
    "edit_history_tweet_ids",
    "entities",
    "geo",
    "id",
    "in_reply_to_user_id",
    "lang",
    "matched_media_notes",
    "media_metadata",
    "non_public_metrics",
    "note_request_suggestions",
    "note_tweet",
    "organic_metrics",
    "paid_partnership",
    "possibly_sensitive",
    "promoted_metrics",
    "public_metrics",
    "referenced_tweets",
    "reply_settings",
    "scopes",
    "source",
    "suggested_source_links",
    "suggested_source_links_with_counts",
    "text",
    "withheld",
)
USER_FIELDS: Final = (
    "affiliation",
    "confirmed_email",
    "connection_status",
    "created_at",
    "description",
    "entities",
    "id",
    "is_identity_verified",
    "location",
    "most_recent_tweet_id",
    "name",
    "parody",
    "pinned_tweet_id",
    "profile_banner_url",
    "profile_image_url",
    "protected",
    "public_metrics",
    "receives_your_dm",
    "subscription",
    "subscription_type",
    "url",
    "username",
    "verified",
    "verified_followers_count",
    "verified_type",
    "withheld",
)
MEDIA_FIELDS: Final = (
    "alt_text",
    "duration_ms",
    "height",
    "media_key",
    "non_public_metrics",
    "organic_metrics",
    "preview_image_url",
    "promoted_metrics",
    "public_metrics",
    "type",
    "url",
    "variants",
    "width",
)
POLL_FIELDS: Final = ("duration_minutes", "end_datetime", "id", "options", "voting_status")
PLACE_FIELDS: Final = (
    "contained_within",
    "country",
    "country_code",
    "full_name",
    "geo",
    "id",
    "name",
    "place_type",
)
EXPANSIONS: Final = (
    "article.cover_media",
    "article.media_entities",
    "attachments.media_keys",
    "attachments.media_source_tweet",
    "attachments.poll_ids",
    "author_id",
    "edit_history_tweet_ids",
    "entities.mentions.username",
    "geo.place_id",
    "in_reply_to_user_id",
    "entities.note.mentions.username",
    "referenced_tweets.id",
    "referenced_tweets.id.attachments.media_keys",
    "referenced_tweets.id.author_id",
)
USER_EXPANSIONS: Final = ("affiliation.user_id", "most_recent_tweet_id", "pinned_tweet_id")

# Parameter -> the values that it may list, where an answer holds tweets, or users.
OF_TWEETS: Final = {
    "expansions": EXPANSIONS,
    "tweet.fields": TWEET_FIELDS,
    "media.fields": MEDIA_FIELDS,
    "poll.fields": POLL_FIELDS,
    "place.fields": PLACE_FIELDS,
    "user.fields": USER_FIELDS,
}
OF_USERS: Final = {
    "expansions": USER_EXPANSIONS,
    "tweet.fields": TWEET_FIELDS,
    "user.fields": USER_FIELDS,
}

TWEET_DEFAULTS: Final = frozenset({"id", "text", "edit_history_tweet_ids"})
USER_DEFAULTS: Final = frozenset({"id", "name", "username"})

# An expansion shows what it follows, also where the field was not asked for.
FIELD_OF_EXPANSION: Final = {
    "author_id": "author_id",
    "entities.mentions.username": "entities",
    "entities.note.mentions.username": "note_tweet",
    "in_reply_to_user_id": "in_reply_to_user_id",
    "referenced_tweets.id": "referenced_tweets",
    "referenced_tweets.id.author_id": "referenced_tweets",
}


class Selection(msgspec.Struct, frozen=True, kw_only=True):
    """What an answer is to show: the fields of its tweets and users, and whom it includes."""

    tweet_fields: frozenset[str] = TWEET_DEFAULTS
    user_fields: frozenset[str] = USER_DEFAULTS
    expansions: frozenset[str] = frozenset()


def select(listed: dict[str, list[str]]) -> Selection:
    """Return the selection that these parameters, all legal, make."""
    expansions = frozenset(listed.get("expansions", ()))
    shown = {FIELD_OF_EXPANSION[name] for name in expansions if name in FIELD_OF_EXPANSION}
    return Selection(
        tweet_fields=TWEET_DEFAULTS.union(listed.get("tweet.fields", ()), shown),
        user_fields=USER_DEFAULTS.union(listed.get("user.fields", ())),
        expansions=expansions,
    )
