"""What type checkers make of the module; `scripts/python.py` has mypy read it, nothing runs it."""

from typing import Any

from typing_extensions import assert_type

import populace

people = populace.sample("usa", 10, seed=42, given="age >= 65")
assert_type(people, populace.People)
assert_type(people.seed, int)
assert_type(populace.probability("usa", "age > 95"), float)
assert_type(populace.countries()[0].population, float)

with populace.connect("populace-data", allow_models=["openai:MODEL"]) as db:
    assert_type(db.sql("SELECT $1", [1]).to_dicts(), list[dict[str, Any]])
    assert_type(db["usa"]["uuid"].twin(sex="Male"), populace.Person)
    assert_type(db["usa"]["uuid"].prompt(), str)
    assert_type(db.search("nurse", k=3).column("score"), list[Any])
    assert_type(db.generate("usa", 10, max_cost=5.0).cost_usd, float | None)


async def work(db: populace.Database) -> populace.Result:
    try:
        return await db.sql_async("SELECT $n", n=1)
    except populace.Error as error:
        assert_type(error.hint, str | None)
        assert_type(error.position, tuple[int, int] | None)
        raise
