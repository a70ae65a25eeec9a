/** The browser's camera: images are sent as fast as faces are detected in them. */

const WIDTH = 480;

export class Camera {
  /** `send(jpeg)` gets an ArrayBuffer; `heard()` must be called after each answer. */
  constructor(video, send) {
    Object.assign(this, { video, send });
    this.canvas = document.createElement("canvas");
    this.running = false;
  }

  /** Whether the browser has a camera and lets this page use it. */
  static async present() {
    if (!navigator.mediaDevices?.getUserMedia) return false;
    const devices = await navigator.mediaDevices.enumerateDevices();
    return devices.some((device) => device.kind === "videoinput");
  }

  async start() {
    this.stream = await navigator.mediaDevices.getUserMedia({ video: { width: { ideal: 640 }, facingMode: "user" } });
    this.video.srcObject = this.stream;
    await this.video.play();
    this.video.hidden = false;
    this.running = true;
    this.shoot();
  }

  stop() {
    this.running = false;
    this.stream?.getTracks().forEach((track) => track.stop());
    this.video.srcObject = null;
    this.video.hidden = true;
  }

  heard() {
    if (this.running) requestAnimationFrame(() => this.shoot());
  }

  shoot() {
    if (!this.running) return;
    const { videoWidth, videoHeight } = this.video;
    this.canvas.width = Math.min(WIDTH, videoWidth);
    this.canvas.height = Math.round((videoHeight * this.canvas.width) / videoWidth);
    this.canvas.getContext("2d").drawImage(this.video, 0, 0, this.canvas.width, this.canvas.height);
    this.canvas.toBlob(async (blob) => this.running && this.send(await blob.arrayBuffer()), "image/jpeg", 0.85);
  }
}
