"""Generated pages tell what the code says."""

import pytest

from tools.documents import ROOT, pages

PAGES = {str(path.relative_to(ROOT)): text for path, text in pages().items()}


@pytest.mark.parametrize("path", PAGES)
def test_a_generated_page_is_not_stale(path: str) -> None:
    assert (ROOT / path).read_text() == PAGES[path], f"{path} is stale; run make docs"
