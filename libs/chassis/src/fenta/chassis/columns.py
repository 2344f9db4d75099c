"""Many rows as parameters of one statement: each of their columns is one text.

The driver asks each element of an array whether it is an array itself, which costs more than writing the row.
"""

import re
from collections.abc import Iterable

from fenta.chassis.errors import PermanentError

# ASCII's unit separator; JSON never contains it, since it escapes control characters.
SEPARATOR = "\x1f"
_COLUMN = re.compile(r"COLUMN\((\S+), (\w+)\)")


def spelt_out(sql: str) -> str:
    """The statement with `COLUMN(:ids, uuid)` as the array that `joined` made the text of; empty texts are NULL."""
    return _COLUMN.sub(rf"CAST(string_to_array(\1, '{SEPARATOR}', '') AS \2[])", sql)


def joined(values: Iterable[str]) -> str:
    """The parameter for these values. Raises PermanentError where one contains the separator itself."""
    texts = list(values)
    together = SEPARATOR.join(texts)
    if texts and together.count(SEPARATOR) != len(texts) - 1:
        raise PermanentError("a value contains the control character U+001F, which no name of ours does")
    return together
