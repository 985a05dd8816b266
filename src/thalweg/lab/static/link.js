// The socket: one request of each kind in flight, the newest waiting, reconnection.
// Not here: what the messages say (messages.py describes them), what is done with answers.

import { decode } from "./codec.js";

const RETRY = [250, 500, 1000, 2000, 4000]; // milliseconds until the next try

export class Link {
  // `lanes` names which requests wait for one another: { move: "fit", show: "fit", … }.
  constructor({ lanes, version, hello, lost, trouble }) {
    Object.assign(this, { lanes, version, hello, lost, trouble });
    this.busy = new Map(); // lane → the request in flight
    this.next = new Map(); // lane → the newest one waiting
    this.lastId = 0;
    this.tries = 0;
    this.connect();
  }

  connect() {
    const scheme = location.protocol === "https:" ? "wss" : "ws";
    const socket = new WebSocket(`${scheme}://${location.host}/socket`);
    socket.binaryType = "arraybuffer";
    socket.onmessage = (event) => this.receive(event.data);
    socket.onclose = () => this.reconnect();
    this.socket = socket;
  }

  reconnect() {
    this.busy.clear();
    this.next.clear();
    this.lost();
    setTimeout(() => this.connect(), RETRY[Math.min(this.tries, RETRY.length - 1)]);
    this.tries += 1;
  }

  get open() {
    return this.socket.readyState === WebSocket.OPEN;
  }

  // Ask; a newer request of the same lane takes the place of one that still waits.
  ask(message, answered) {
    const lane = this.lanes[message.type];
    const request = { message, answered };
    if (!this.open || this.busy.has(lane)) this.next.set(lane, request);
    else this.send(lane, request);
  }

  send(lane, request) {
    this.lastId += 1;
    request.id = this.lastId;
    this.busy.set(lane, request);
    this.socket.send(JSON.stringify({ version: this.version, id: request.id, ...request.message }));
  }

  receive(data) {
    const answer = typeof data === "string" ? JSON.parse(data) : decode(data);
    if (answer.type === "hello") {
      this.tries = 0;
      this.version = answer.version;
      this.hello(answer);
      return;
    }
    for (const [lane, request] of this.busy) {
      if (request.id !== answer.id) continue;
      this.busy.delete(lane);
      const waiting = this.next.get(lane);
      if (waiting) {
        this.next.delete(lane);
        this.send(lane, waiting);
      }
      if (answer.type === "error") this.trouble(answer.text, request.message);
      else request.answered(answer);
      return;
    }
    if (answer.type === "error") this.trouble(answer.text, null);
  }
}
