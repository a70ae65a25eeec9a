/** Frames between page and server; see protocol.py for their layout. */

const token = new URLSearchParams(location.search).get("token") ?? "";

/** An address of the server, with the token that the page was opened with, and with `query`. */
export function address(path, query = {}) {
  const asked = new URLSearchParams(token ? { token, ...query } : query).toString();
  return asked ? `${path}?${asked}` : path;
}

/** A frame of a header and arrays or buffers. */
export function pack(header, ...payload) {
  let text = new TextEncoder().encode(JSON.stringify(header));
  const length = Math.ceil(text.length / 4) * 4;
  const parts = payload.map((part) => (ArrayBuffer.isView(part) ? new Uint8Array(part.buffer, part.byteOffset, part.byteLength) : new Uint8Array(part)));
  const frame = new Uint8Array(4 + length + parts.reduce((sum, part) => sum + part.length, 0));
  new DataView(frame.buffer).setUint32(0, length, true);
  frame.fill(32, 4, 4 + length);
  frame.set(text, 4);
  let at = 4 + length;
  for (const part of parts) {
    frame.set(part, at);
    at += part.length;
  }
  return frame;
}

/** `[header, payload's offset]` of a frame in an ArrayBuffer. */
export function unpack(buffer) {
  const length = new DataView(buffer).getUint32(0, true);
  return [JSON.parse(new TextDecoder().decode(new Uint8Array(buffer, 4, length))), 4 + length];
}

/** Posts a photo, which may have at most so many bytes, and gives `unpack`'s answer with its buffer. */
export async function postPhoto(path, file, most, query) {
  if (file.size > most) throw new Error(`at most ${most >> 20} MB can be sent`);
  const buffer = await (await post(path, file, query)).arrayBuffer();
  const [header, offset] = unpack(buffer);
  return { header, buffer, offset };
}

/** Posts to the server; what it refuses becomes an Error with its one line. */
export async function post(path, body, query) {
  const response = await fetch(address(path, query), { method: "POST", body });
  if (!response.ok) throw new Error(await response.text());
  return response;
}

/**
 * The socket. Of each kind one request is on its way and at most one waits, the newest. A lost connection is opened
 * again, with growing pauses.
 */
export class Link {
  /**
   * `on` holds functions `(header, buffer, offset, started)` by the kind of answer, `state(connected, ever)`, and
   * `waiting(yes)` for whether an answer is awaited or being shown. After `refused` no socket is opened again.
   */
  constructor(on) {
    this.on = on;
    this.number = 0;
    this.lanes = {};
    this.showing = 0;
    this.pause = 250;
    this.ever = this.refused = false;
    this.open();
  }

  open() {
    const url = new URL(address("socket"), location.href);
    url.protocol = url.protocol === "https:" ? "wss:" : "ws:";
    this.socket = new WebSocket(url);
    this.socket.binaryType = "arraybuffer";
    this.socket.onopen = () => {
      this.pause = 250;
      this.ever = true;
      this.on.state(true, true);
    };
    this.socket.onmessage = (event) => this.hear(event.data);
    this.socket.onclose = () => {
      this.lanes = {};
      this.tell();
      if (this.refused) return;
      this.on.state(false, this.ever);
      setTimeout(() => this.open(), this.pause);
      this.pause = Math.min(this.pause * 2, 8000);
    };
  }

  /** Asks for something. `started` is when the hand moved (performance.now()); the answer's function gets it back. */
  ask(kind, header, payload, started = performance.now()) {
    const lane = (this.lanes[kind] ??= { sent: null, waiting: null });
    const request = { kind, header, payload, started };
    if (lane.sent) lane.waiting = request;
    else this.send(lane, request);
    this.tell();
  }

  tell() {
    this.on.waiting(this.showing > 0 || Object.values(this.lanes).some((lane) => lane.sent));
  }

  send(lane, request) {
    if (this.socket.readyState !== WebSocket.OPEN) return;
    lane.sent = { id: this.number++, started: request.started };
    this.socket.send(pack({ kind: request.kind, id: lane.sent.id, ...request.header }, request.payload));
  }

  async hear(buffer) {
    const [header, offset] = unpack(buffer);
    this.refused ||= header.kind === "refused";
    const lane = this.lanes[header.of] ?? Object.values(this.lanes).find((one) => one.sent?.id === header.id);
    const started = lane?.sent?.started ?? performance.now();
    if (lane?.sent) {
      const next = lane.waiting;
      lane.sent = lane.waiting = null;
      if (next) this.send(lane, next);
    }
    this.showing += 1;
    try {
      await this.on[header.kind]?.(header, buffer, offset, started);
    } finally {
      this.showing -= 1;
      this.tell();
    }
  }
}
