"""What the running system says of itself is what stands in the repository."""

import json

import httpx

from tools.documents import ROOT


async def test_the_served_description_is_the_committed_one(client: httpx.AsyncClient) -> None:
    served = (await client.get("/v1/openapi.json")).json()
    committed = json.loads((ROOT / "docs/openapi.json").read_text())
    assert served | {"servers": []} == committed | {"servers": []}
