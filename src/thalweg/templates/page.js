// Draws the page's figures from the JSON beside them, in the reader's light or dark theme.
"use strict";

const themes = JSON.parse(document.getElementById("themes").textContent);
const prefersDark = matchMedia("(prefers-color-scheme: dark)");
const config = { responsive: true, displaylogo: false };
const plots = [...document.querySelectorAll(".plot")];

const theme = () => themes[prefersDark.matches ? "dark" : "light"];

async function draw(plot) {
  const source = document.querySelector(`script[data-for="${plot.id}"]`);
  const { data, layout, frames } = JSON.parse(source.textContent);
  await Plotly.newPlot(plot, data, layout, config);
  await Plotly.relayout(plot, theme());
  if (frames?.length) await Plotly.addFrames(plot, frames);
  plot.style.minHeight = "";
  plot.dataset.drawn = "true";
}

async function drawAll() {
  for (const plot of plots) {
    await draw(plot);
    await new Promise((next) => setTimeout(next)); // let the reader scroll meanwhile
  }
  document.documentElement.dataset.ready = "true";
}

function paint(patch) {
  for (const plot of plots) if (plot.dataset.drawn) Plotly.relayout(plot, patch);
}

prefersDark.addEventListener("change", () => paint(theme()));
addEventListener("beforeprint", () => paint(themes.light));
addEventListener("afterprint", () => paint(theme()));
drawAll();
