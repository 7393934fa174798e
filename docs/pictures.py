"""For the gallery: the pictures of an example that pyplot knows nothing of."""

from typing import Any

from matplotlib.figure import Figure
from sphinx_gallery.scrapers import figure_rst


def scrape(block: Any, block_vars: dict[str, Any], gallery_conf: dict[str, Any]) -> str:
    """Save the figures that the program holds in its variables, each of them once."""
    names = []
    for value in block_vars["example_globals"].values():
        if isinstance(value, Figure) and not (hasattr(value, "number") or hasattr(value, "saved")):
            value.saved = True  # type: ignore[attr-defined]
            names.append(next(block_vars["image_path_iterator"]))
            value.savefig(names[-1])
    return str(figure_rst(names, gallery_conf["src_dir"]))
