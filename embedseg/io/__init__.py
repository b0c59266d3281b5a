"""Files in and out: pictures, label images, and writing that leaves nothing half done."""

from embedseg.errors import InputError
from embedseg.io.atomic import atomic_path, check_folder, make_folder, write_text
from embedseg.io.images import read_image, write_image
from embedseg.io.label_files import read_labels, write_labels
from embedseg.io.listing import list_images
from embedseg.io.rows import read_rows, write_rows

__all__ = [
    "InputError",
    "atomic_path",
    "check_folder",
    "list_images",
    "make_folder",
    "read_image",
    "read_labels",
    "read_rows",
    "write_image",
    "write_labels",
    "write_rows",
    "write_text",
]
