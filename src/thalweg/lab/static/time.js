// Play, pause, step and the epoch's slider. `moved` is told the epoch (null: the end) and whether
// the hand rests. Not here: what is drawn at an epoch.

import { byId } from "./dom.js";

const SECONDS = 6; // to play all of it
const STILL_STEPS = 10; // where motion is not wanted: so many, one a second

const still = matchMedia("(prefers-reduced-motion: reduce)");

export class Time {
  constructor(moved) {
    this.moved = moved;
    this.slider = byId("epoch");
    this.button = byId("play");
    this.slider.oninput = () => this.go(Number(this.slider.value), false);
    this.slider.onchange = () => this.go(Number(this.slider.value), true);
    this.button.onclick = () => (this.playing ? this.pause() : this.play());
    byId("step-back").onclick = () => this.step(-1);
    byId("step-forward").onclick = () => this.step(1);
  }

  // Show an epoch of so many.
  show(epoch, last) {
    this.last = last;
    this.epoch = epoch;
    this.slider.max = last;
    this.slider.value = epoch ?? last;
    this.slider.setAttribute("aria-valuetext", `epoch ${epoch ?? last} of ${last}`);
    byId("epoch-shown").textContent = `${epoch ?? last} of ${last}`;
  }

  go(epoch, rests) {
    if (this.playing && !rests) this.stop();
    const bounded = Math.min(this.last, Math.max(0, epoch));
    this.moved(bounded >= this.last ? null : bounded, rests);
  }

  step(by) {
    if (this.playing) this.pause();
    this.go((this.epoch ?? this.last) + by, true);
  }

  play() {
    this.playing = true;
    this.label();
    const from = this.epoch === null || this.epoch >= this.last ? 0 : this.epoch;
    const began = performance.now();
    const tick = (now) => {
      if (!this.playing) return;
      const passed = Math.max(0, now - began) / 1000;
      const share = still.matches ? Math.floor(passed) / STILL_STEPS : passed / SECONDS;
      const at = from + share * this.last;
      if (at >= this.last) {
        this.stop();
        this.moved(null, true);
        return;
      }
      const epoch = Math.floor(at);
      if (epoch !== this.epoch) this.moved(epoch, false);
      requestAnimationFrame(tick);
    };
    requestAnimationFrame(tick);
  }

  pause() {
    this.stop();
    this.moved(this.epoch, true);
  }

  stop() {
    this.playing = false;
    this.label();
  }

  label() {
    this.button.textContent = this.playing ? "Pause" : "Play";
    this.button.setAttribute("aria-pressed", String(this.playing));
  }
}
