"""Frames: pictures under a moving camera, clips, transitions and shading, drawn on YUV 4:2:0 planes."""
