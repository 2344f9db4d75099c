"""Graphs that ship with Fenta: versioned data."""

from typing import Any

from fenta.workflow.graph import Graph

BRIEF_TO_VIDEO = "fenta/brief-to-video"

_DOCUMENTS: dict[tuple[str, int], dict[str, Any]] = {
    (BRIEF_TO_VIDEO, 1): {
        "schema": "fenta.workflow/1",
        "name": "Brief to video",
        "inputs": {"brief": {"type": "brief", "required": True}},
        "nodes": [
            {
                "id": "script",
                "type": "Script.Generate",
                "params": {"language": {"$ref": "inputs.brief.language"}},
            },
            {
                "id": "board",
                "type": "Storyboard.Generate",
                "params": {"style": {"$ref": "inputs.brief.style"}, "aspect": "9:16"},
            },
            {
                "id": "image",
                "type": "Input.KAI.GenerateImage",
                "params": {"prompt": "{{ports.scene.prompt}}", "style": {"$ref": "inputs.brief.style"}},
                "settings": {"max_items": 40},
            },
            {
                "id": "voice",
                "type": "Voice.TTS",
                "params": {
                    "voice": {"$ref": "inputs.brief.voice.voice_id"},
                    "speed": {"$ref": "inputs.brief.voice.speed"},
                    "language": {"$ref": "inputs.brief.language"},
                },
                "settings": {"max_items": 40},
            },
            {
                "id": "subs",
                "type": "Subtitle.Auto",
                "params": {"language": {"$ref": "inputs.brief.language"}},
                "when": {"ref": "inputs.brief.captions", "is": "not_equal", "to": False},
                "settings": {"max_items": 40},
            },
            {
                "id": "music",
                "type": "Music.Generate",
                "params": {
                    "style": {"$ref": "inputs.brief.music.mood"},
                    "prompt": "{{inputs.brief.tone}}",
                    "seconds": 30,
                },
                "when": {"ref": "inputs.brief.music", "is": "not_equal", "to": False},
            },
            {
                "id": "timeline",
                "type": "Edit.Timeline",
                "params": {
                    "template": {"$ref": "inputs.brief.template_id"},
                    "slots": {"$ref": "inputs.brief.slots"},
                    "captions": {"$ref": "inputs.brief.captioned"},
                    "caption_style": {"$ref": "inputs.brief.look.style"},
                    "caption_colour": {"$ref": "inputs.brief.look.colour"},
                    "caption_accent": {"$ref": "inputs.brief.look.accent"},
                    "caption_emoji": {"$ref": "inputs.brief.look.emoji"},
                    "target_seconds": {"$ref": "inputs.brief.duration_seconds"},
                },
            },
            {"id": "render", "type": "Output.Render"},
            {"id": "done", "type": "Output.Download"},
        ],
        "edges": [
            {"from": "inputs.brief", "to": "script.brief"},
            {"from": "script.script", "to": "board.script"},
            {"from": "board.storyboard", "to": "image.scene", "each": True},
            {"from": "script.script", "to": "voice.scene", "each": True},
            {"from": "voice.speech", "to": "subs.speech"},
            {"from": "image.image", "to": "timeline.visuals"},
            {"from": "script.script", "to": "timeline.script"},
            {"from": "voice.speech", "to": "timeline.voice"},
            {"from": "subs.subtitles", "to": "timeline.subtitles"},
            {"from": "music.music", "to": "timeline.music"},
            {"from": "timeline.timeline", "to": "render.timeline"},
            {"from": "render.video", "to": "done.files"},
        ],
        "outputs": {
            "video": "render.video",
            "thumbnail": "render.thumbnail",
            "srt": "render.srt",
            "vtt": "render.vtt",
            "script": "script.script",
        },
    }
}


def load(workflow_id: str, version: int = 1) -> Graph:
    """A fresh copy. Raises KeyError for a graph that does not ship."""
    return Graph.model_validate(_DOCUMENTS[workflow_id, version])


def names() -> list[tuple[str, int]]:
    return list(_DOCUMENTS)
