"""Signs that end sentences and clauses in the languages we speak, written as escapes where they look like others."""

SENTENCE_ENDS = ".!?\u2026\u061f\u3002\uff01\uff1f"
QUESTION_MARKS = "?\u061f\uff1f"
CLAUSE_ENDS = ",;:\u060c\u061b\u3001\uff0c\uff1a\u2013\u2014"
CLOSING_QUOTES = "\"'\u00bb\u201d\u2019)"
