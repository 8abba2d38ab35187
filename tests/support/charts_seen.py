"""What a chart in the browser holds, read from plotly itself. Streamlit makes its title bold."""

from __future__ import annotations

from typing import Any

from playwright.sync_api import expect

from tests.support.browser import Visitor

_READ = r"""key => {
  const drawn = document.querySelector(`.st-key-${key} .js-plotly-plot`);
  const plain = values => Array.from(values || []);
  return {
    traces: drawn.data.map(one => ({x: plain(one.x), y: plain(one.y), mode: one.mode})),
    shapes: (drawn.layout.shapes || []).map(one => ({type: one.type, x0: one.x0, x1: one.x1})),
    notes: (drawn.layout.annotations || []).map(one => one.text),
    title: drawn.layout.title.text.replace(/<\/?b>/g, ""), x_title: drawn.layout.xaxis.title.text, y_title: drawn.layout.yaxis.title.text,
  };
}"""


def chart(seen: Visitor, key: str) -> dict[str, Any]:
    """Of `st.plotly_chart(key=…)`, once it is drawn."""
    expect(seen.page.locator(f".st-key-{key} .main-svg").first).to_be_visible()
    found: dict[str, Any] = seen.page.evaluate(_READ, key)
    return found
