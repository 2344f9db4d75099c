"""How much of a picture is faces, by YuNet: a small network that OpenCV runs by itself. Its weights are no part of
Fenta; `RENDER_FACE_MODEL` says where they lie."""

from pathlib import Path

import cv2
import numpy as np

from fenta.render.compose.frame import Frame
from fenta.render.errors import RenderInterrupted

SIDE = 640
SURE = 0.6


class Faces:
    """Raises RenderInterrupted `face_model_broken` for weights that are no YuNet."""

    def __init__(self, model: Path) -> None:
        try:
            self._net = cv2.FaceDetectorYN.create(str(model), "", (SIDE, SIDE), SURE)
        except cv2.error as error:
            raise RenderInterrupted("face_model_broken", f"{model.name} cannot be used to find faces.") from error

    def share(self, frame: Frame) -> float:
        """Of the frame's area, each face as far as the network is sure of it."""
        picture = cv2.cvtColor(frame.data.reshape(-1, frame.width), cv2.COLOR_YUV2BGR_I420)
        scale = SIDE / max(picture.shape[:2])
        small = cv2.resize(picture, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)[:SIDE, :SIDE]
        square = np.zeros((SIDE, SIDE, 3), np.uint8)
        square[: small.shape[0], : small.shape[1]] = small
        _, found = self._net.detect(square)
        if found is None:
            return 0.0
        areas = np.clip(found[:, 2], 0, SIDE) * np.clip(found[:, 3], 0, SIDE) * found[:, -1]
        covered: float = areas.sum() / small[..., 0].size
        return covered
