"""What earlier jobs made is found again by their family and their organisation, and by nobody else."""

from typing import Any

from fenta.chassis.database import Database
from fenta.contracts.ids import new_id
from fenta.workflow.models import Job
from fenta.workflow.plan import Remember
from fenta.workflow.repository import ResultRepository
from tests.conftest import DatabaseOf
from tests.workflow.makers import make_job

PURE, PAID = "fingerprint-of-what-is-pure", "fingerprint-of-what-was-paid"


async def remember_both(database: Database, job: Job) -> None:
    async with database.transaction() as session:
        for fingerprint, scope in ((PURE, "org"), (PAID, "family")):
            command = Remember(fingerprint, scope, "step_1", {"image": {"asset_id": "asset_1"}}, [])
            await ResultRepository(session).remember(job, command)


async def found(database: Database, job: Job) -> set[str]:
    async with database.transaction() as session:
        results: dict[str, Any] = await ResultRepository(session).look_up(job, [PURE, PAID])
    return {fingerprint for fingerprint, result in results.items() if result}


async def test_a_family_finds_all_and_the_organisation_what_is_pure(database_of: DatabaseOf) -> None:
    database, first = await database_of("workflow"), make_job()
    await remember_both(database, first)

    assert await found(database, make_job(org_id=first.org_id, root_job_id=first.id)) == {PURE, PAID}
    assert await found(database, make_job(org_id=first.org_id)) == {PURE}


async def test_nobody_gets_what_another_organisation_made(database_of: DatabaseOf) -> None:
    database, first = await database_of("workflow"), make_job()
    await remember_both(database, first)

    assert await found(database, make_job(org_id=new_id("org"))) == set()
    assert await found(database, make_job(org_id=new_id("org"), root_job_id=first.id)) == set()
