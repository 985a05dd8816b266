// Why the descent went that way, in the library's words, and the setting it recommends.

import { byId, element } from "./dom.js";

// `same` tells that the recommended setting is the current one.
export function showWhy(found, same, tryIt) {
  const parts = found.text.split("\n").filter(Boolean).map((text) => element("p", {}, text));
  if (found.recommended && !same) {
    const words = Object.entries(found.recommended).map(([name, value]) => `${name} = ${value}`).join(", ");
    parts.push(element("button", { type: "button", id: "recommended", className: "primary", onclick: tryIt }, `Try it: ${words}`));
  }
  byId("why").replaceChildren(...parts);
}
