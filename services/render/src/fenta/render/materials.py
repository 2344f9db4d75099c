"""What a step is given: its input values become documents, and those the bindings of a template."""

from collections.abc import Mapping, Sequence
from typing import Any, TypeVar

from fenta.chassis.storage import Storage
from fenta.contracts.documents import MediaRef, Music, Script, Speech, Subtitles
from fenta.contracts.events import RenderRequested
from fenta.contracts.nodes import RenderParams, TimelineParams
from fenta.contracts.timeline import Aspect, AssetSource, Canvas, Resolution, Timeline, Transition
from fenta.contracts.values import KeyedValue, PortValue, Value
from fenta.render import subtitles
from fenta.render.errors import RenderRefused
from fenta.render.faults import parsed
from fenta.render.templates.bindings import Bindings, SubtitleFile, Visual

Document = TypeVar("Document", Script, Speech, Subtitles, Music)

FILMS = frozenset({"video", "render"})
FILE_SLOTS = ("logo", "font")
TRANSITION_MS = 400


class Materials:
    """Reads the inputs of one request; storage is asked once per document."""

    def __init__(self, storage: Storage, request: RenderRequested) -> None:
        self._storage = storage
        self._request = request

    async def bindings(self) -> Bindings:
        """What the template is filled with. Raises RenderRefused, NotFound, pydantic.ValidationError."""
        params = TimelineParams.model_validate(self._request.params)
        script = await self._script()
        own, file = await self._subtitles()
        target = params.target_seconds * 1000 if params.target_seconds else script.duration_ms or None
        return Bindings(
            script=script,
            visuals={key: _visual(value) for key, value in self._many("visuals").items()},
            speech={key: await self.read(Speech, value) for key, value in self._many("voice").items()},
            subtitles=own,
            subtitle_file=file,
            music=await self._music(),
            title=str(self._text("title")),
            target_ms=target,
            canvases=canvases_of(params.aspects, "1080p"),
            fps=params.fps,
            gap_ms=params.gap_ms,
            min_scene_ms=params.min_scene_ms,
            transition=Transition(kind=params.transition, duration_ms=TRANSITION_MS) if params.transition else None,
            captions=params.captions,
            caption_style=params.caption_style,
            colour=params.caption_colour,
            accent=params.caption_accent,
            centre_y=params.caption_centre_y,
            emoji=params.caption_emoji,
            slots={**params.slots, **self._files()},
        )

    async def timeline(self) -> tuple[Timeline, Value]:
        value = self._one("timeline")
        if value is None:
            raise RenderRefused("input_missing", "There is no timeline to render.")
        inline = value.value is not None
        return parsed(value.value if inline else await self._storage.get(self._request.org_id, value.sha256)), value

    async def read(self, kind: type[Document], value: Value) -> Document:
        """A document, given itself or by its digest."""
        if value.value is not None:
            return kind.model_validate(value.value)
        return kind.model_validate_json(await self._storage.get(self._request.org_id, value.sha256))

    async def _subtitles(self) -> tuple[dict[str, Subtitles], SubtitleFile | None]:
        """Those of scenes, and a file that speaks for the whole film."""
        found: dict[str, Subtitles] = {}
        for key, value in self._many("subtitles").items():
            if value.type == "subtitles":
                found[key] = await self.read(Subtitles, value)
                continue
            source = AssetSource(asset_id=value.asset_id or "", sha256=value.sha256, media="subtitles")
            return {}, SubtitleFile(source, subtitles.read(await self._storage.get(self._request.org_id, value.sha256)))
        return found, None

    async def _script(self) -> Script:
        value = self._one("script")
        if value is None:
            raise RenderRefused("input_missing", "The template needs a script.", "Connect one to the timeline.")
        return await self.read(Script, value)

    async def _music(self) -> Music | None:
        value = self._one("music")
        return await self.read(Music, value) if value else None

    def _files(self) -> dict[str, MediaRef]:
        """Of the slots that take files, which have ports of their own."""
        given = {key: self._one(key) for key in FILE_SLOTS}
        return {key: MediaRef(asset_id=one.asset_id or "", sha256=one.sha256) for key, one in given.items() if one}

    def _text(self, port: str) -> Any:
        value = self._one(port)
        return value.value if value and value.value is not None else ""

    def _one(self, port: str) -> Value | None:
        given = self._request.inputs.get(port)
        if isinstance(given, list):
            return given[0].value if given else None
        return given

    def _many(self, port: str) -> Mapping[str, Value]:
        """By key. A single value in a list port belongs to the first scene."""
        given = self._request.inputs.get(port, [])
        return {entry.key: entry.value for entry in given} if isinstance(given, list) else {"": given}


def _visual(value: Value) -> Visual:
    asset = MediaRef(asset_id=value.asset_id or "", sha256=value.sha256)
    return Visual(asset, media="video" if value.type in FILMS else "image")


def canvases_of(aspects: Sequence[Aspect], resolution: Resolution) -> tuple[Canvas, ...]:
    """One per aspect, in the order asked for."""
    return tuple(Canvas.of(aspect, resolution) for aspect in aspects)


def render_params(request: RenderRequested) -> RenderParams:
    return RenderParams.model_validate(request.params)


def template_name(request: RenderRequested) -> str:
    """`fenta/short@1`, or one of the organisation's own with its version."""
    return TimelineParams.model_validate(request.params).template


def assets_in(inputs: Mapping[str, PortValue]) -> list[str]:
    """The ids of everything that went in, for the lineage."""
    values = [value for given in inputs.values() for value in (_entries(given))]
    return sorted({value.asset_id for value in values if value.asset_id})


def _entries(given: PortValue) -> list[Value]:
    return [entry.value for entry in given if isinstance(entry, KeyedValue)] if isinstance(given, list) else [given]
