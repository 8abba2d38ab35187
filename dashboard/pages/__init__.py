"""The pages, in the order of the navigation. A page is a function of a View; what it draws is made by `dashboard.charts`."""

from __future__ import annotations

from dataclasses import dataclass
from importlib import import_module

from dashboard.view import Page
from evergreen.core.access import Need


@dataclass(frozen=True)
class PageSpec:
    name: str
    """Also its module and its section of the texts."""
    icon: str
    need: Need = Need.READ
    """Who does not have it does not see the page."""

    @property
    def path(self) -> str:
        """Where the browser finds it. The first page is the site's root."""
        return "/" if self is PAGES[0] else f"/{self.name}"

    def load(self) -> Page:
        found: Page = import_module(f"dashboard.pages.{self.name}").page
        return found


PAGES = (
    PageSpec("home", ":material/home:"),
    PageSpec("performance", ":material/insights:"),
    PageSpec("search", ":material/search:"),
    PageSpec("drift", ":material/monitoring:"),
    PageSpec("models", ":material/deployed_code:"),
    PageSpec("decisions", ":material/account_tree:"),
    PageSpec("recommendations", ":material/recommend:"),
    PageSpec("system", ":material/monitor_heart:"),
    PageSpec("admin", ":material/admin_panel_settings:", Need.ACT),
)
