"""The one place where OpenCV is imported, with a clear sentence when it cannot be."""

try:
    import cv2
except ImportError as error:
    raise ImportError(
        f"OpenCV could not be loaded ({error}). Either install the system library it names "
        "(Debian: apt-get install libgl1 libglib2.0-0) or replace the package by the build that "
        "needs none: pip uninstall opencv-python && pip install opencv-python-headless"
    ) from error

__all__ = ["cv2"]
