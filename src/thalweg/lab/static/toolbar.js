// The buttons above each chart: pictures, editing, zooming, turning. All by keyboard.

import { element } from "./dom.js";

const TURN = 15; // degrees

export function chartButtons(lab) {
  const box = (name) => document.querySelector(`[data-chart="${name}"] .chart-buttons`);
  const button = (label, spoken, onclick) => element("button", { type: "button", className: "small", "aria-label": spoken, title: spoken, onclick }, label);

  const edit = button("Edit points", "Edit points with the pointer", () => {
    const on = edit.getAttribute("aria-pressed") !== "true";
    edit.setAttribute("aria-pressed", String(on));
    lab.rowsPanel.edit(on);
    hint.hidden = !on;
  });
  edit.setAttribute("aria-pressed", "false");
  const hint = element("p", { className: "hint", hidden: true }, "Click adds a point, dragging moves one, a right click removes it. By keyboard: Edit the rows, under Data.");
  box("data").append(edit);
  document.querySelector('[data-chart="data"] figcaption').append(hint);

  const plane = element("select", { id: "plane", "aria-label": "Plane of the map" });
  plane.onchange = () => lab.view({ along: plane.value === "auto" ? null : JSON.parse(plane.value), ranges: null });
  const zoom = (factor) => {
    const ranges = lab.shown.plane.ranges.map(([low, high]) => {
      const [middle, half] = [(low + high) / 2, ((high - low) / 2) * factor];
      return [middle - half, middle + half];
    });
    lab.view({ ranges });
  };
  box("map").append(
    plane,
    button("+", "Look closer at the map", () => zoom(0.5)),
    button("−", "Look at the map from further away", () => zoom(2)),
    button("All", "Show all of the paths on the map", () => lab.view({ ranges: null })),
  );

  const { charts } = lab;
  box("surface").append(
    button("←", "Turn the surface left", () => charts.turn(-TURN, 0, 1)),
    button("→", "Turn the surface right", () => charts.turn(TURN, 0, 1)),
    button("↑", "Look from higher up", () => charts.turn(0, TURN, 1)),
    button("↓", "Look from lower down", () => charts.turn(0, -TURN, 1)),
    button("+", "Look closer at the surface", () => charts.turn(0, 0, 0.85)),
    button("−", "Look at the surface from further away", () => charts.turn(0, 0, 1 / 0.85)),
  );
  for (const name of ["data", "loss", "map", "surface"]) {
    box(name).append(button("PNG", `Save ${document.querySelector(`[data-chart="${name}"] h2`).textContent.toLowerCase()} as PNG`, () => lab.take.png(name)));
  }

  lab.toolbar = ({ rows, plane: { along } }) => {
    edit.disabled = !(rows.one && rows.whole);
    document.querySelector('[data-chart="data"] h2').textContent = rows.one ? "Data and line" : "Predicted and actual";
    plane.hidden = rows.one;
    if (rows.one || plane.dataset.for === rows.parameters.join()) return;
    plane.dataset.for = rows.parameters.join();
    const option = (value, label) => element("option", { value }, label);
    const pairs = rows.parameters.flatMap((a, i) => rows.parameters.slice(i + 1).map((b) => [a, b]));
    plane.replaceChildren(
      option("auto", "what suits the path"),
      option(JSON.stringify("curvature"), "steepest and flattest"),
      ...pairs.slice(0, 60).map((pair) => option(JSON.stringify(pair), pair.join(" and "))),
    );
    plane.value = lab.state.view.along ? JSON.stringify(lab.state.view.along) : "auto";
    if (!plane.value) plane.value = JSON.stringify(along);
  };
}
