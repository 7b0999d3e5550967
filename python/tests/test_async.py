"""The same beside an event loop."""

import asyncio
import time

import pytest

import populace


def run(work):
    return asyncio.run(asyncio.wait_for(work, 120))


def test_statements_wait_beside_the_loop(db):
    async def work():
        results = await asyncio.gather(*(db.sql_async("SELECT $1 AS a", [at]) for at in range(8)))
        with pytest.raises(populace.SqlSyntaxError):
            await db.sql_async("SELECT 1 +")
        ran = await db.generate_async("usa", 5, seed=1, narrator="outline", progress=False)
        found = await db.search_async("nurse", table="usa", k=2)
        people = await db.sample("usa", 5, seed=1).collect_async()
        return [result.scalar() for result in results], ran.written, len(found), len(people)

    assert run(work()) == (list(range(8)), 5, 2, 5)
    with pytest.raises(TypeError, match="unknown options: coutn"):
        run(db.generate_async("usa", 5, coutn=3))


def test_a_task_that_is_cancelled_ends_its_statement(db):
    async def work():
        task = asyncio.create_task(db.sql_async("SELECT max(age) FROM sample_persona('usa', 100000000000)"))
        await asyncio.sleep(0.3)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    began = time.monotonic()
    # The loop ends when the thread that waited for the statement has.
    run(work())
    assert time.monotonic() - began < 10
