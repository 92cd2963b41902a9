"""Settings: language, privacy, what the workspace takes on the disk, and what runs here."""

from ui import cache
from ui.components import errors_as_sentences, page_header
from ui.settings_views import draw_appearance, draw_privacy, draw_storage, draw_versions


def main() -> None:
    """Draws the page."""
    page_header("settings.heading", "settings.caption")
    with errors_as_sentences():
        draw_appearance()
        draw_privacy(cache.workspace())
        draw_storage(cache.workspace())
        draw_versions()


main()
