"""Timelines become finished videos: frames, captions, sound, checks."""
