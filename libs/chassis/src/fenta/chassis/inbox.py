"""The inbox remembers every event a group has handled, so that the second arrival changes nothing."""

import re
from collections.abc import Sequence

from fenta.chassis.database import Session

# The ids stand in the statement itself: it goes to Postgres together with BEGIN, which takes no parameters.
_CLAIM = (
    "INSERT INTO inbox (event_id) SELECT unnest(CAST(string_to_array('{ids}', ',') AS uuid[])) ON CONFLICT DO NOTHING"
)
# A short list is planned in less time than an array is taken apart.
_CLAIM_FEW = "INSERT INTO inbox (event_id) VALUES ('{ids}') ON CONFLICT DO NOTHING"
_FEW = 20
_NO_IDS = re.compile("[^0-9a-f,-]")
# What this transaction has inserted.
_CLAIMED = (
    "SELECT CAST(event_id AS text) FROM inbox WHERE event_id = ANY(CAST(string_to_array($1, ',') AS uuid[])) "
    "AND xmin = CAST(pg_current_xact_id() AS xid)"
)


async def claim(session: Session, event_ids: Sequence[str]) -> set[str]:
    """The ids that were never seen before. Both the claim and the effects commit, or neither does.

    It is the first statement of its transaction. Raises ValueError for an id that is no UUID in lower case.
    """
    distinct = set(event_ids)
    if not distinct:
        return distinct
    ids = ",".join(sorted(distinct))
    if _NO_IDS.search(ids):
        raise ValueError(f"not ids of events: {ids[:200]}")
    few = len(distinct) <= _FEW
    statement = _CLAIM_FEW.format(ids=ids.replace(",", "'), ('")) if few else _CLAIM.format(ids=ids)
    if await session.begin_with(statement) == f"INSERT 0 {len(distinct)}":
        return distinct
    driver = await session.driver()
    return {row[0] for row in await driver.fetch(_CLAIMED, ids)}
