"""Generated pages tell what the code says."""

import pytest

from tools.documents import ROOT, pages


@pytest.mark.parametrize("path", [str(path.relative_to(ROOT)) for path in pages()])
def test_a_generated_page_is_not_stale(path: str) -> None:
    assert (ROOT / path).read_text() == pages()[ROOT / path], f"{path} is stale; run make docs"
