/* The player of one recording: an <audio> without a face, and a face that the keyboard works.
   Nothing is fetched before somebody presses play, since fetching is listening and goes on record:
   neither the audio nor the waveform, which tells when somebody spoke. */
"use strict";
(() => {
  const player = document.querySelector("[data-player]");
  if (!player) return;
  const audio = player.querySelector("audio");
  const part = (name) => player.querySelector(`[data-part="${name}"]`);
  const [play, seek, elapsed, total, speed, trouble] = ["play", "seek", "elapsed", "total", "speed", "trouble"].map(part);
  const SPEEDS = [0.75, 1, 1.25, 1.5, 2];
  const known = Number(player.dataset.durationMs) / 1000;
  const SVG = "http://www.w3.org/2000/svg";
  const wave = part("wave");
  let dragging = false;
  let shown = null; // the part of the waveform that was heard
  let sides = null; // the gains of a recording with two sides, once it plays

  const two = (number) => String(number).padStart(2, "0");
  const clock = (seconds) => `${Math.floor(seconds / 60)}:${two(Math.floor(seconds % 60))}`;
  const length = () => (Number.isFinite(audio.duration) ? audio.duration : known);

  function draw() {
    if (!dragging) seek.value = String(audio.currentTime);
    shown?.setAttribute("width", String((1000 * audio.currentTime) / length() || 0));
    elapsed.textContent = clock(audio.currentTime);
    seek.setAttribute("aria-valuetext", `${clock(audio.currentTime)} / ${clock(length())}`);
  }
  function state() {
    const paused = audio.paused;
    play.querySelector("[data-when=paused]").hidden = !paused;
    play.querySelector("[data-when=playing]").hidden = paused;
  }
  function move(seconds) {
    audio.currentTime = Math.min(Math.max(0, audio.currentTime + seconds), length());
    draw();
  }
  function faster(step) {
    const at = SPEEDS.indexOf(audio.playbackRate);
    audio.playbackRate = SPEEDS[Math.min(Math.max(0, at + step), SPEEDS.length - 1)];
    speed.textContent = `${audio.playbackRate}×`;
  }
  async function toggle() {
    trouble.textContent = "";
    if (!audio.paused) return audio.pause();
    try {
      route();
      outline();
      await audio.play();
    } catch (error) {
      if (error.name !== "AbortError") failed();
    }
  }
  /* The waveform: one band for each channel, drawn twice, the heard part over the rest. */
  async function outline() {
    const from = player.dataset.peaks;
    delete player.dataset.peaks;
    if (!from) return;
    const answer = await fetch(from);
    const channels = answer.ok ? (await answer.json()).channels : [];
    if (!channels.length) return void (part("wave-note").textContent = "波形无法显示。 No waveform can be shown.");
    const svg = made("svg", { viewBox: `0 0 1000 ${100 * channels.length}`, preserveAspectRatio: "none", "aria-hidden": "true" });
    const clip = made("clipPath", { id: "heard" });
    shown = made("rect", { width: 0, height: 100 * channels.length });
    clip.append(shown);
    svg.append(clip);
    for (const [at, pairs] of channels.entries()) {
      const d = band(pairs, 100 * at + 50);
      svg.append(made("path", { d, class: "ahead" }), made("path", { d, class: "heard", "clip-path": "url(#heard)" }));
    }
    wave.replaceChildren(svg);
    svg.addEventListener("click", (event) => {
      const box = svg.getBoundingClientRect();
      audio.currentTime = (length() * (event.clientX - box.left)) / box.width;
    });
    draw();
  }
  function made(name, attributes) {
    const element = document.createElementNS(SVG, name);
    for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, String(value));
    return element;
  }
  function band(pairs, middle) {
    const loudest = Math.max(8, ...pairs.flat().map(Math.abs));
    const y = (value) => (middle - (46 * value) / loudest).toFixed(1);
    const x = (index) => ((1000 * index) / pairs.length).toFixed(1);
    const upper = pairs.map(([, high], index) => `${x(index)} ${y(Math.max(high, 1))}`);
    const lower = pairs.map(([low], index) => `${x(index)} ${y(Math.min(low, -1))}`).reverse();
    return `M${upper.join("L")}L${lower.join("L")}Z`;
  }

  /* Two sides: each can be heard alone, in both ears. Made at the first play, as browsers ask. */
  function route() {
    if (sides || !player.querySelector("[data-act=left]")) return;
    const context = new AudioContext();
    const source = context.createMediaElementSource(audio);
    const splitter = context.createChannelSplitter(2);
    sides = { both: context.createGain(), left: context.createGain(), right: context.createGain() };
    source.connect(splitter);
    source.connect(sides.both);
    splitter.connect(sides.left, 0);
    splitter.connect(sides.right, 1);
    for (const gain of Object.values(sides)) gain.connect(context.destination);
    hear(player.querySelector("[aria-pressed=true]").dataset.act);
    context.resume();
  }
  function hear(side) {
    const buttons = player.querySelectorAll("[aria-pressed]");
    for (const button of buttons) button.setAttribute("aria-pressed", String(button.dataset.act === side));
    for (const [name, gain] of Object.entries(sides ?? {})) gain.gain.value = Number(name === side);
  }
  function failed() {
    trouble.textContent = "无法播放：授权可能已过期，请刷新页面查看。 Cannot be played; the grant may be over. Reload to see.";
  }

  seek.max = String(known);
  audio.addEventListener("loadedmetadata", () => {
    seek.max = String(length());
    total.textContent = clock(length());
  });
  audio.addEventListener("timeupdate", draw);
  audio.addEventListener("error", failed);
  for (const name of ["play", "pause", "ended"]) audio.addEventListener(name, state);
  seek.addEventListener("input", () => {
    dragging = true;
    elapsed.textContent = clock(Number(seek.value));
  });
  seek.addEventListener("change", () => {
    dragging = false;
    audio.currentTime = Number(seek.value);
  });

  const acts = { play: toggle, back: () => move(-5), forward: () => move(5), slower: () => faster(-1), faster: () => faster(1) };
  const keys = { k: "play", j: "back", l: "forward", ArrowLeft: "back", ArrowRight: "forward", "<": "slower", ">": "faster" };
  if (player.querySelector("[data-act=left]")) {
    for (const [key, side] of [["=", "both"], ["[", "left"], ["]", "right"]]) {
      keys[key] = side;
      acts[side] = () => hear(side);
    }
  }
  player.addEventListener("click", (event) => acts[event.target.closest("[data-act]")?.dataset.act]?.());
  document.addEventListener("keydown", (event) => {
    if (event.altKey || event.ctrlKey || event.metaKey || document.querySelector("dialog[open]")) return;
    const onButton = event.target.closest("button, a, input:not([type=range]), textarea, select");
    const act = event.key === " " && !onButton ? "play" : keys[event.key];
    if (!act || (onButton && event.key.startsWith("Arrow"))) return;
    event.preventDefault();
    acts[act]();
  });
  state();
})();
