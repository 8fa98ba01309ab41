import asyncio, time, msgspec
from actors.systems.tweets.reader import ReaderService
from actors.systems.tweets.reader_messages import TweetRead
from tests.systems.tweets.reading import reading
from tests.systems.tweets.rough_x import *
async def test_it(tmp_path, monkeypatch):
    spec = ReaderService.handlers[TweetRead]; log=[]
    def poisoned(self, tx, cmd):
        log.append((round(time.monotonic(),3), cmd.external_id[-1], id(self)%10000))
        if cmd.external_id.endswith("2"): raise ValueError("poison")
        return spec.function(self, tx, cmd)
    monkeypatch.setitem(ReaderService.handlers, TweetRead, msgspec.structs.replace(spec, function=poisoned))
    async with rough_x() as x:
        x.held = opens(*[tweet_line(n) for n in (1,2,3)], then="hold")
        async with reading(tmp_path, x.url) as on:
            st = await on.stored(2)
            l1 = len(await on.system.dead_letters(limit=10)); n1=len(log)
            await asyncio.sleep(2)
            l2 = len(await on.system.dead_letters(limit=10)); n2=len(log)
            print("RESULT", st, l1, l2, n1, n2, on.stats().restarts, log)
            assert l1
