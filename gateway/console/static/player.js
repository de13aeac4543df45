/* The player of one recording: an <audio> without a face, and a face that the keyboard works.
   Nothing is fetched before somebody presses play, since fetching is listening and goes on record. */
"use strict";
(() => {
  const player = document.querySelector("[data-player]");
  if (!player) return;
  const audio = player.querySelector("audio");
  const part = (name) => player.querySelector(`[data-part="${name}"]`);
  const [play, seek, elapsed, total, speed, trouble] = ["play", "seek", "elapsed", "total", "speed", "trouble"].map(part);
  const SPEEDS = [0.75, 1, 1.25, 1.5, 2];
  const known = Number(player.dataset.durationMs) / 1000;
  let dragging = false;

  const two = (number) => String(number).padStart(2, "0");
  const clock = (seconds) => `${Math.floor(seconds / 60)}:${two(Math.floor(seconds % 60))}`;
  const length = () => (Number.isFinite(audio.duration) ? audio.duration : known);

  function draw() {
    if (!dragging) seek.value = String(audio.currentTime);
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
      await audio.play();
    } catch (error) {
      if (error.name !== "AbortError") failed();
    }
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
  player.addEventListener("click", (event) => acts[event.target.closest("[data-act]")?.dataset.act]?.());
  document.addEventListener("keydown", (event) => {
    if (event.altKey || event.ctrlKey || event.metaKey || document.querySelector("dialog[open]")) return;
    const onButton = event.target.closest("button, a, input:not([type=range]), textarea, select");
    const act = { " ": onButton ? null : "play", k: "play", j: "back", l: "forward", ArrowLeft: "back", ArrowRight: "forward", "<": "slower", ">": "faster" }[event.key];
    if (!act || (onButton && event.key.startsWith("Arrow"))) return;
    event.preventDefault();
    acts[act]();
  });
  state();
})();
