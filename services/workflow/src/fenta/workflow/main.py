"""Builds the workflow service and runs it; nothing imports this."""

from fenta.chassis.health import Check
from fenta.chassis.http import create_app
from fenta.chassis.identity import Verifier
from fenta.chassis.service import open_service
from fenta.chassis.settings import load
from fenta.chassis.storage import Storage, open_storage
from fenta.workflow import api, handlers, jobs
from fenta.workflow.hearing import Hearing
from fenta.workflow.limits import ROOMS
from fenta.workflow.planning import Planner
from fenta.workflow.service import WorkflowService
from fenta.workflow.settings import Settings
from fenta.workflow.views import LINK_SECONDS, Link, Views


async def main() -> None:
    settings = load(Settings)
    room = ROOMS[settings.default_plan]
    async with open_service("workflow", settings) as service, open_storage(settings, service="workflow") as storage:
        planner = Planner(room=room, publish_lossy=service.relay.publish_lossy)
        hearing = Hearing(service.relay.reaches_kafka)
        workflow = WorkflowService(
            database=service.database, storage=storage, planner=planner, room=room, hearing=hearing
        )
        service.consume(handlers.routes(workflow))
        service.consume(handlers.live_routes(workflow), lossy=True)
        service.background("wake", jobs.wake(workflow))
        service.background("listen", jobs.listen(hearing))
        service.background("gauges", jobs.measure(workflow))
        service.health.add("storage", lambda: _storage_check(storage))
        app = create_app("workflow", verifier=Verifier(settings.identity_public_keys))
        app.include_router(api.router(workflow, service.database, Views(_linker(storage))))
        await service.serve(app)


def _linker(storage: Storage) -> Link:
    def link(org_id: str, sha256: str, filename: str) -> str:
        return storage.link(org_id, sha256, seconds=LINK_SECONDS, filename=filename)

    return link


async def _storage_check(storage: Storage) -> Check:
    await storage.ping()
    return Check("ok", "Object storage answers.")
