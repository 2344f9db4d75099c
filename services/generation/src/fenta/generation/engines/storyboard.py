"""Turns a script into shots: for each scene a composition that suits it and is new, and a camera that keeps moving."""

from pathlib import Path

from fenta.contracts.digest import digest_of
from fenta.contracts.documents import Scene, Script, Storyboard
from fenta.contracts.timeline import Camera
from fenta.generation.engines.cleaning import cleaned
from fenta.generation.engines.pictures.choosing import COMPOSITIONS, scores
from fenta.generation.providers.products import Product
from fenta.generation.providers.requests import StoryboardRequest

CAMERAS: tuple[Camera, ...] = (
    "push_in",
    "pan_right",
    "pull_out",
    "tilt_up",
    "push_in",
    "pan_left",
    "pull_out",
    "tilt_down",
)
SHOTS = ("wide", "medium", "close", "wide", "close", "medium")
LONGEST_STOCK_QUERY = 80


def make(request: StoryboardRequest, _folder: Path) -> Product:
    """A storyboard document and no files."""
    return Product(document=draw(request.script, cleaned(request.style)[:200], request.aspect).model_dump(mode="json"))


def draw(script: Script, style: str, aspect: str) -> Storyboard:
    used: list[str] = []
    shots = []
    for number, scene in enumerate(script.scenes()):
        used.append(_composition(script, scene, used))
        shots.append(_shot(scene, number, COMPOSITIONS[used[-1]].phrase, style))
    return Storyboard(title=script.title, style=style, language=script.language, aspect=aspect, shots=shots)


def _shot(scene: Scene, number: int, phrase: str, style: str) -> Scene:
    shown = cleaned(scene.visual_direction)
    prompt = "; ".join(part for part in (phrase, shown, style) if part)
    return scene.model_copy(
        update={
            "prompt": prompt,
            "camera": CAMERAS[number % len(CAMERAS)],
            "shot": SHOTS[number % len(SHOTS)],
            "stock_query": shown.replace(",", "")[:LONGEST_STOCK_QUERY].strip(),
        }
    )


def _composition(script: Script, scene: Scene, used: list[str]) -> str:
    """Of those used least, the one that the words call for most; one of the script's own world before a stranger."""
    by_scene = scores(f"{scene.narration} {scene.visual_direction}")
    world = _world(script)

    def rank(name: str) -> tuple[int, int, str]:
        at_home = int(COMPOSITIONS[name].world == world)
        return used.count(name), -(2 * by_scene[name] + at_home), digest_of([script.title, name])

    return min(COMPOSITIONS, key=rank)


def _world(script: Script) -> str:
    """Sky, land or forms: where the whole script is at home."""
    called = scores(" ".join(f"{scene.narration} {scene.visual_direction}" for scene in script.scenes()))
    totals: dict[str, int] = {}
    for name, score in called.items():
        totals[COMPOSITIONS[name].world] = totals.get(COMPOSITIONS[name].world, 0) + score
    return max(totals, key=lambda world: (totals[world], world == "form"))
