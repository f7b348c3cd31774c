"""The documentation as a site: `nox -s docs`. The pages are plain Markdown and read well without it."""

from lasso_trio import __version__

project = "lasso_trio"
author = "the lasso_trio authors"
copyright = "2026, the lasso_trio authors"  # noqa: A001  (Sphinx's word)
release = version = __version__

extensions = ["myst_parser"]
source_suffix = {".md": "markdown"}
exclude_patterns = ["images"]
myst_heading_anchors = 4
myst_links_external_new_tab = True

highlight_language = "none"  # a block without a language is an answer, a picture or a path

html_theme = "furo"
html_title = f"lasso_trio {release}"
html_show_sphinx = False
html_copy_source = False
nitpicky = True
