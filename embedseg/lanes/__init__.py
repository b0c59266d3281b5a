"""Lanes: polylines of a picture, their files, masks, curves, tracks and homographies."""

from embedseg.lanes.polylines import Lanes, lanes_of

__all__ = ["Lanes", "lanes_of"]
