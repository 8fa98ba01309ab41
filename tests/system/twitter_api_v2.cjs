// The stock npm client against the embedded X: prints one JSON object of what it saw.
// Usage: node twitter_api_v2.cjs MODULE, with BASE_URL and the KEYS in the environment.
//
// The client calls https.request with X's host, which is all that is changed here: the request is
// sent to the embedded X, after the client has made and signed it.
"use strict";

const http = require("http");
const https = require("https");

const base = new URL(process.env.BASE_URL);
https.request = ({ agent, ...options }) => {
  if (options.host !== "api.x.com" && options.host !== "api.twitter.com") {
    throw new Error(`${options.host} is not X`);
  }
  return http.request({ ...options, protocol: "http:", host: base.hostname, port: base.port });
};

const { TwitterApi, ETwitterStreamEvent, ApiResponseError } = require(process.argv[2]);
const keys = JSON.parse(process.env.KEYS);

async function failure(promise) {
  try {
    await promise;
  } catch (error) {
    return {
      isApiError: error instanceof ApiResponseError,
      code: error.code,
      title: error.data && error.data.title,
      issue: error.data && error.data.connection_issue,
      isAuthError: error.isAuthError,
      rateLimitError: error.rateLimitError,
    };
  }
  return null;
}

async function main() {
  const app = new TwitterApi(keys.bearer_token).v2;
  const user = new TwitterApi({
    appKey: keys.consumer_key,
    appSecret: keys.consumer_secret,
    accessToken: keys.access_token,
    accessSecret: keys.access_token_secret,
  }).v2;
  const seen = {};
  seen.noRules = await failure(app.searchStream());
  seen.empty = await app.streamRules();
  seen.added = await app.updateStreamRules({ add: [{ value: "cats", tag: "pets" }] });
  seen.again = await app.updateStreamRules({ add: [{ value: "cats" }, { value: "(" }] });
  seen.listed = await app.streamRules();

  const stream = await app.searchStream({ "tweet.fields": ["created_at"], expansions: ["author_id"] });
  seen.second = await failure(app.searchStream({ autoConnect: true }));
  const found = new Promise((resolve) => stream.once(ETwitterStreamEvent.Data, resolve));
  const me = (await user.me()).data;
  const tweet = (await user.tweet("cats are fine")).data;
  seen.streamed = await found;
  const next = new Promise((resolve) => stream.once(ETwitterStreamEvent.Data, resolve));
  seen.reply = (await user.reply("cats, indeed", tweet.id)).data;
  seen.repliedTo = await next;
  seen.liked = (await user.like(me.id, tweet.id)).data;
  seen.unliked = (await user.unlike(me.id, tweet.id)).data;
  stream.close();

  seen.me = me;
  seen.tweet = tweet;
  seen.found = await app.singleTweet(tweet.id, { "tweet.fields": ["author_id"] });
  seen.lost = await app.tweets(["7", tweet.id]);
  seen.duplicate = await failure(user.tweet("cats are fine"));
  seen.unauthorized = await failure(new TwitterApi("wrong").v2.streamRules());
  seen.forbidden = await failure(app.tweet("as nobody"));
  seen.invalid = await failure(app.singleTweet("x"));
  const ids = seen.listed.data.map((rule) => rule.id);
  seen.deleted = await app.updateStreamRules({ delete: { ids } });
  console.log(JSON.stringify(seen));
}

main().catch((error) => {
  console.error(error);
  process.exit(1);
});
