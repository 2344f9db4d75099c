"""What a font is to those who only name it."""

from dataclasses import dataclass
from pathlib import Path

FOLDER = Path(__file__).parent.parent / "fonts"


@dataclass(frozen=True)
class Face:
    """A font file; `family` is the name by which libass finds it. One that people brought has its whole path."""

    family: str
    file: str

    @property
    def path(self) -> Path:
        return FOLDER / self.file

    @property
    def own(self) -> bool:
        return Path(self.file).is_absolute()
