"""Make the page of `dvc plots show` and `diff` with Vega built in; DVC's own fetches it from a CDN.

usage   python -m commands.plots_page     with the packages of `make setup-dev`
writes  .dvc/plots/page.html, which .dvc/config names
"""

from pathlib import Path

import vl_convert

from workflow.base.errors import run

PAGE = Path(".dvc/plots/page.html")
VEGA_LITE = "5.21"  # the newest of version 5, which the templates in .dvc/plots are written for
# DVC calls vegaEmbed(place, chart). An error is shown in the place of the chart.
EMBED = """
window.vegaEmbed = (place, chart) =>
  vegaEmbed(place, chart, {actions: {editor: false}}).catch((error) => {
    document.querySelector(place).textContent = `This chart cannot be drawn: ${error.message}`;
  });
"""
HTML = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
{refresh_tag}
<title>DVC plots</title>
<!-- Made by python -m commands.plots_page: Vega, Vega-Lite and Vega-Embed, of BSD licence. -->
<script>(() => {
VEGA
})();</script>
<style>
  body { font-family: sans-serif; }
  .vega-embed { margin-bottom: 2em; }
  div:has(> div > img) { display: flex; flex-wrap: wrap; margin: 1em 0; }
  div:has(> div > img) > p { flex-basis: 100%; }
  div:has(> img) { box-sizing: border-box; max-width: calc(50% - 10px); }
  div:has(> img):only-of-type { max-width: calc(100% - 10px); }
  img { max-width: 100%; }
</style>
</head>
<body>
{plot_divs}
</body>
</html>
"""


def page() -> str:
    """The page; DVC replaces {refresh_tag} and {plot_divs}."""
    return HTML.replace("VEGA", vl_convert.javascript_bundle(EMBED, VEGA_LITE).strip(), 1)


def main() -> None:
    PAGE.write_text(page(), "utf-8", newline="\n")
    print(f"{PAGE}: {PAGE.stat().st_size:,} bytes")


if __name__ == "__main__":
    run(main)
