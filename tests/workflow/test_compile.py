"""What a request says of its output reaches every node that it concerns."""

from typing import Any

from fenta.contracts.nodes import CATALOGUE
from fenta.contracts.units import size_of_brief
from fenta.workflow.compile import compile_request
from fenta.workflow.schemas import JobRequest, VideoRequest
from fenta.workflow.validation import validate
from tests.workflow.makers import brief

GRAPH = {
    "nodes": [
        {"id": "cut", "type": "Edit.Timeline", "params": {"aspects": ["1:1"]}},
        {"id": "film", "type": "Output.Render", "params": {"aspects": ["1:1"], "resolution": "720p"}},
        {"id": "script", "type": "Script.Generate"},
        {"id": "image", "type": "Input.KAI.GenerateImage", "params": {"prompt": "a lake", "width": 512}},
    ],
    "edges": [
        {"from": "inputs.brief", "to": "script.brief"},
        {"from": "script.script", "to": "cut.script"},
        {"from": "image.image", "to": "cut.visuals"},
        {"from": "cut.timeline", "to": "film.timeline"},
    ],
    "inputs": {"brief": {"type": "brief", "required": True}},
    "outputs": {"video": "film.video"},
}


def params(request: dict[str, Any]) -> dict[str, dict[str, Any]]:
    compiled = compile_request(JobRequest.model_validate(request))
    return {node.id: node.params for node in compiled.graph.nodes}


def test_without_a_word_a_film_is_tall() -> None:
    found = params(brief())
    assert found["render"]["aspects"] == found["timeline"]["aspects"] == ["9:16"]
    assert (found["image"]["width"], found["image"]["height"], found["board"]["aspect"]) == (1080, 1920, "9:16")


def test_a_brief_names_its_aspects_and_one_picture_serves_all() -> None:
    found = params(brief(aspects=["16:9", "1:1", "9:16"]))
    assert found["render"]["aspects"] == found["timeline"]["aspects"] == ["16:9", "1:1", "9:16"]
    assert (found["image"]["width"], found["image"]["height"], found["board"]["aspect"]) == (1920, 1920, "16:9")


def test_the_output_is_stronger_than_the_brief_and_settings_are_strongest() -> None:
    request = brief(aspects=["1:1"]) | {"output": {"aspects": ["16:9"], "resolution": "2160p", "fps": 60}}
    found = params(request | {"settings": {"image": {"width": 640, "height": 360}}})
    assert (found["render"]["aspects"], found["render"]["resolution"]) == (["16:9"], "2160p")
    assert found["timeline"]["fps"] == 60
    assert (found["image"]["width"], found["image"]["height"]) == (640, 360)


def test_a_quick_request_keeps_its_aspects_beside_an_output() -> None:
    request = VideoRequest.model_validate(brief(aspects=["16:9"])["brief"] | {"output": {"resolution": "720p"}})
    nodes = compile_request(request.job()).graph.nodes
    render = next(node.params for node in nodes if node.id == "render")
    assert (render["aspects"], render["resolution"]) == (["16:9"], "720p")


def test_a_graph_of_ones_own_is_left_alone_unless_the_request_speaks_of_its_output() -> None:
    request = {"workflow": GRAPH, "inputs": {"brief": {"topic": "A lake at dawn"}}}
    own = params(request)
    assert (own["film"]["aspects"], own["film"]["resolution"], own["cut"]["aspects"]) == (["1:1"], "720p", ["1:1"])

    told = params(request | {"output": {"aspects": ["4:5"]}})
    assert (told["film"]["aspects"], told["film"]["resolution"], told["cut"]["aspects"]) == (["4:5"], "1080p", ["4:5"])
    assert told["image"]["width"] == 512

    silent = params(request | {"output": {"resolution": "1080p"}})
    assert (silent["film"]["aspects"], silent["cut"]["aspects"]) == (["1:1"], ["1:1"])


def test_each_aspect_costs_as_much_as_the_first() -> None:
    size = size_of_brief(seconds=30, facts=100, max_segments=None)
    render = CATALOGUE["Output.Render"]
    assert render.cost is not None
    one = render.cost({"aspects": ["9:16"], "resolution": "720p"}, [], size)
    three = render.cost({"aspects": ["9:16", "1:1", "16:9"], "resolution": "720p"}, [], size)
    assert [high["render_seconds"] for high in three] >= [3 * (low["render_seconds"] - 1) for low in one]
    assert three[1]["render_seconds"] == 3 * one[1]["render_seconds"]


def outputs(request: dict[str, Any]) -> dict[str, str]:
    return compile_request(JobRequest.model_validate(request)).graph.outputs


def test_a_job_gives_away_what_its_render_is_asked_for_and_no_more() -> None:
    plain = outputs(brief())
    assert set(plain) == {"video", "thumbnail", "srt", "vtt", "script"}
    asked = outputs(
        brief()
        | {
            "output": {
                "subtitles": ["srt"],
                "documents": ["otio"],
                "previews": ["gif", "sprite"],
                "audio": "mp3",
                "thumbnail": False,
            }
        }
    )
    assert set(asked) == {"video", "srt", "otio", "gif", "sprite", "sprite_vtt", "audio", "script"}
    assert asked["otio"] == "render.otio"


def test_without_captions_there_are_no_caption_files() -> None:
    assert set(outputs(brief(captions=False))) == {"video", "thumbnail", "script"}


def test_a_graph_that_names_what_its_render_does_not_make_is_refused_before_it_costs() -> None:
    document = GRAPH | {"outputs": {"video": "film.video", "preview": "film.gif"}}
    _, findings = validate(document)
    assert [(finding.code, finding.path) for finding in findings if finding.severity == "error"] == [
        ("output_unmade", "/outputs/preview")
    ]
