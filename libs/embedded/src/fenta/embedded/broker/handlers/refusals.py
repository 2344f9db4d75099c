"""What is offered, and Kafka's own code for what is not."""

from fenta.embedded.broker import wire
from fenta.embedded.broker.errors import Code
from fenta.embedded.broker.wire import Message

from .call import Call


async def api_versions(call: Call) -> Message:
    known = call.request.version <= wire.API_VERSIONS.maximum
    return {"error_code": Code.NONE if known else Code.UNSUPPORTED_VERSION, "apis": wire.OFFERED}


# The code that Kafka itself answers where no authorizer is set.
NO_ACLS: Message = {"error_code": Code.SECURITY_DISABLED, "error_message": "the embedded broker keeps no ACLs"}


async def describe_acls(call: Call) -> Message:
    return NO_ACLS


async def create_acls(call: Call) -> Message:
    return {"results": [NO_ACLS for _ in call.body["creations"] or []]}


async def delete_acls(call: Call) -> Message:
    return {"results": [NO_ACLS for _ in call.body["filters"] or []]}
