"""The one place where OpenCV is imported: at its first use; a clear sentence where it cannot be.

Its import takes as long as that of all the rest that `embedseg --help` needs.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import cv2
else:

    class _OpenCV:
        """What stands for the module `cv2`; names are looked up there once."""

        def __getattr__(self, name: str) -> Any:
            value = getattr(_opencv(), name)
            setattr(self, name, value)
            return value

    cv2 = _OpenCV()


def _opencv() -> Any:
    try:
        import cv2 as module
    except ImportError as error:
        raise ImportError(
            f"OpenCV could not be loaded ({error}). Either install the system library it names "
            "(Debian: apt-get install libgl1 libglib2.0-0) or replace the package by the build "
            "that needs none: pip uninstall opencv-python && pip install opencv-python-headless"
        ) from error
    return module


__all__ = ["cv2"]
