"""Make the page of `dvc plots show` and `diff` with Vega built in; DVC's own fetches it from a CDN.

usage   python -m commands.plots_page     with the packages of `make setup-dev`
writes  .dvc/plots/page.html, which .dvc/config names
"""

from pathlib import Path

import vl_convert

from workflow.base.errors import run

PAGE = Path(".dvc/plots/page.html")
VEGA_LITE = "5.21"  # the newest of version 5, which the templates in .dvc/plots are written for
# DVC calls vegaEmbed(place, chart). A chart becomes as wide as the page, and as high as its rows
# need; in a narrow page the two panels of a chart stand below each other. An error is shown in the
# place of the chart.
EMBED = """
window.vegaEmbed = (place, chart) => {
  const theme = matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : undefined;
  if (chart.spec) {
    chart.columns = innerWidth < 800 ? 1 : 2;
    chart.spec.width = Math.min(320, innerWidth - 130);
  } else {
    Object.assign(chart, {width: "container", height: {step: 16}});
  }
  const options = {actions: {editor: false}, config: {background: "transparent"}, theme};
  vegaEmbed(place, chart, options).catch((error) => {
    document.querySelector(place).textContent = `This chart cannot be drawn: ${error.message}`;
  });
};
"""


def page() -> str:
    """The page; DVC replaces {refresh_tag} and {plot_divs}."""
    html = Path(__file__).with_suffix(".html").read_text("utf-8")
    return html.replace("VEGA", vl_convert.javascript_bundle(EMBED, VEGA_LITE).strip(), 1)


def main() -> None:
    PAGE.write_text(page(), "utf-8", newline="\n")
    print(f"{PAGE}: {PAGE.stat().st_size:,} bytes")


if __name__ == "__main__":
    run(main)
