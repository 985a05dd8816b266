// Draws the page's figures from the JSON beside them, in the reader's light or dark theme, and
// lets the keyboard play them: arrows step through the epochs, Home and End jump, space plays.
"use strict";

const themes = JSON.parse(document.getElementById("themes").textContent);
const prefersDark = matchMedia("(prefers-color-scheme: dark)");
const narrow = matchMedia("(max-width: 30rem)");
const config = { responsive: true, displaylogo: false, logging: 0 };
const plots = [...document.querySelectorAll(".plot")];

const theme = () => themes[prefersDark.matches ? "dark" : "light"];

async function draw(plot) {
  const source = document.querySelector(`script[data-for="${plot.id}"]`);
  const { data, layout, frames } = JSON.parse(source.textContent);
  if (narrow.matches && layout.scene) fitPhone(layout);
  await Plotly.newPlot(plot, data, layout, config);
  await Plotly.relayout(plot, theme());
  if (frames?.length) await Plotly.addFrames(plot, frames);
  if (layout.sliders) listen(plot);
  plot.style.minHeight = "";
  plot.dataset.drawn = "true";
}

// A 3-D scene is as large as its height allows, and its axis titles stick out of it.
function fitPhone(layout) {
  layout.height = Math.min(layout.height, 440);
  for (const name of ["xaxis", "yaxis", "zaxis"]) {
    const axis = layout.scene[name];
    axis.title.font = { ...axis.title.font, size: 10 };
    axis.tickfont = { ...axis.tickfont, size: 9 };
  }
  layout.scene.zaxis.title.text = "loss";
  const eye = layout.scene.camera?.eye;
  if (eye) for (const side of ["x", "y", "z"]) eye[side] *= 1.2;
}

function listen(plot) {
  const steps = plot.layout.sliders[0].steps;
  plot.tabIndex = 0;
  const show = (index) => {
    Plotly.relayout(plot, { "sliders[0].active": index });
    Plotly.animate(plot, ...steps[index].args);
  };
  plot.addEventListener("keydown", (event) => {
    const now = plot.layout.sliders[0].active ?? 0;
    const last = steps.length - 1;
    const to = { ArrowLeft: now - 1, ArrowRight: now + 1, Home: 0, End: last }[event.key];
    if (to !== undefined) show(Math.min(last, Math.max(0, to)));
    else if (event.key === " ") Plotly.animate(plot, ...plot.layout.updatemenus[0].buttons[0].args);
    else return;
    event.preventDefault();
  });
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

// Pausing rejects Plotly's promise of a whole animation, with no reason: nothing went wrong.
addEventListener("unhandledrejection", (event) => {
  if (event.reason === undefined) event.preventDefault();
});
prefersDark.addEventListener("change", () => paint(theme()));
addEventListener("beforeprint", () => paint(themes.light));
addEventListener("afterprint", () => paint(theme()));
drawAll();
