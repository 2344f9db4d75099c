"""Which frame becomes the thumbnail."""

from pathlib import Path
from typing import Any

import cv2
import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from fenta.contracts.timeline import AssetSource, Timeline, VideoClip, VideoTrack
from fenta.render.captions.burn import install_fonts
from fenta.render.errors import RenderInterrupted
from fenta.render.faces import SIDE
from fenta.render.thumbnail import render_thumbnail, worth
from fenta.render.timeline import frame_plan
from tests.render.media import SMALL, Shelf

SCENES = ("fine", "stark", "face")


def picture(name: str) -> np.ndarray:
    """Fine lines of little contrast, two flat halves of much, and a grey patch which the test's network takes for a
    face, as it is the only one whose blue is strong."""
    seen = np.full((480, 270, 3), 90, np.uint8)
    if name == "fine":
        seen[::2, ::2] = 130
    elif name == "stark":
        seen[:240], seen[240:] = 20, 140
    else:
        seen[100:300, 60:200] = (255, 100, 100)
    return seen


@pytest.fixture
def film(shelf: Shelf) -> Timeline:
    clips = []
    for number, name in enumerate(SCENES):
        cv2.imwrite(str(shelf.folder / f"{name}.png"), picture(name))
        media = shelf.keep(f"{name}.png")
        source = AssetSource(asset_id=media.asset_id, sha256=media.sha256, media="image")
        clips.append(VideoClip(id=name, start_ms=number * 1000, duration_ms=1000, source=source))
    track = VideoTrack(id="v", clips=clips)
    return Timeline(duration_ms=3000, canvases=[SMALL], tracks=[track])


@pytest.fixture
def model(tmp_path: Path) -> Path:
    """A network of YuNet's shape that takes strong blue for a face: every answer is the mean of its field."""
    nodes: list[Any] = []
    inputs: list[Any] = [helper.make_tensor("last", TensorProto.INT64, [1], [1])]
    outputs: list[Any] = []
    numbers = helper.make_tensor("weights", TensorProto.FLOAT, [1, 3, 1, 1], [1 / 255, 0, 0])
    nodes.append(helper.make_node("Conv", ["input", "weights"], ["blue"]))
    for stride in (8, 16, 32):
        fields = (SIDE // stride) ** 2
        shape = helper.make_tensor(f"shape{stride}", TensorProto.INT64, [3], [1, fields, 1])
        inputs.append(shape)
        pooled = {"kernel_shape": [stride, stride], "strides": [stride, stride]}
        nodes.append(helper.make_node("AveragePool", ["blue"], [f"mean{stride}"], **pooled))
        nodes.append(helper.make_node("Reshape", [f"mean{stride}", f"shape{stride}"], [f"cls_{stride}"]))
        for name, width in (("obj", 1), ("bbox", 4), ("kps", 10)):
            by = helper.make_tensor(f"{name}{stride}", TensorProto.FLOAT, [width], [float(name == "obj")] * width)
            inputs.append(by)
            nodes.append(helper.make_node("Mul", [f"cls_{stride}", by.name], [f"{name}_{stride}"]))
        outputs += [(f"{name}_{stride}", [1, fields, width]) for name, width in SHAPES]
    given = helper.make_tensor_value_info("input", TensorProto.FLOAT, [1, 3, SIDE, SIDE])
    told = [helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name, shape in sorted(outputs)]
    graph = helper.make_graph(nodes, "faces", [given], told, [numbers, *inputs])
    network = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 11)], ir_version=8)
    onnx.checker.check_model(network)
    onnx.save(network, tmp_path / "faces.onnx")
    return tmp_path / "faces.onnx"


SHAPES = (("cls", 1), ("obj", 1), ("bbox", 4), ("kps", 10))


def chosen(film: Timeline, shelf: Shelf, folder: Path, by: Any, model: Path | None = None) -> str:
    """The scene that the thumbnail shows."""
    folder.mkdir()
    install_fonts(folder)
    path = render_thumbnail(frame_plan(film, SMALL), shelf.files, folder, worth(by, model))
    seen = cv2.imread(str(path)).astype(float)
    return min(SCENES, key=lambda name: float(np.abs(seen - picture(name)).mean()))


@pytest.mark.parametrize(("by", "scene"), [("sharpness", "fine"), ("contrast", "stark"), ("faces", "face")])
def test_the_best_frame_is_taken(  # noqa: PLR0917
    film: Timeline, shelf: Shelf, tmp_path: Path, model: Path, by: str, scene: str
) -> None:
    assert chosen(film, shelf, tmp_path / "out", by, model) == scene


def test_without_weights_or_faces_it_is_the_sharpest(film: Timeline, shelf: Shelf, tmp_path: Path, model: Path) -> None:
    assert chosen(film, shelf, tmp_path / "one", "faces") == "fine"
    pictures = film.tracks[0]
    faceless = film.model_copy(update={"tracks": [pictures.model_copy(update={"clips": pictures.clips[:2]})]})
    assert chosen(faceless, shelf, tmp_path / "two", "faces", model) == "fine"


def test_weights_that_are_none_are_told(film: Timeline, shelf: Shelf, tmp_path: Path) -> None:
    (tmp_path / "weights.onnx").write_bytes(b"not a network")
    with pytest.raises(RenderInterrupted, match=r"weights\.onnx"):
        chosen(film, shelf, tmp_path / "out", "faces", tmp_path / "weights.onnx")
