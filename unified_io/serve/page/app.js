// The page of the server: inputs to one request, and its answer as it comes.
import { pad, replay, simplify } from "./strokes.js";
import { spectrogram } from "./spectrogram.js";
import { record } from "./recorder.js";

const $ = (id) => document.getElementById(id);
const inputs = { image: null, audio: null };
let strokes = null;
let longestAction = Infinity;
let running = null;

const uriOf = (blob) =>
  new Promise((resolve, reject) => {
    const reader = new FileReader();
    reader.onload = () => resolve(reader.result);
    reader.onerror = () => reject(reader.error);
    reader.readAsDataURL(blob);
  });

function say(text, wrong = false) {
  $("status").textContent = text;
  $("status").classList.toggle("error", wrong);
}

// Pictures and sounds

async function take(name, blob) {
  if (!blob) return;
  if (!blob.type.startsWith(`${name}/`)) {
    say(`That is ${blob.type || "of no known type"}; give ${name === "image" ? "a picture" : "a sound"}.`, true);
    return;
  }
  inputs[name] = await uriOf(blob);
  show(name);
}

function show(name) {
  const shown = $(`${name}-shown`);
  shown.hidden = $(`${name}-clear`).hidden = !inputs[name];
  if (inputs[name]) shown.src = inputs[name];
  else shown.removeAttribute("src");
}

for (const name of ["image", "audio"]) {
  const drop = $(`${name}-drop`);
  const file = $(`${name}-file`);
  file.addEventListener("change", () => take(name, file.files[0]));
  drop.addEventListener("dragover", (event) => {
    event.preventDefault();
    drop.classList.add("over");
  });
  drop.addEventListener("dragleave", () => drop.classList.remove("over"));
  drop.addEventListener("drop", (event) => {
    event.preventDefault();
    drop.classList.remove("over");
    take(name, event.dataTransfer.files[0]);
  });
  $(`${name}-clear`).addEventListener("click", () => {
    inputs[name] = null;
    file.value = "";
    show(name);
    file.focus();
  });
}

let recording = null;
$("audio-record").addEventListener("click", async () => {
  const button = $("audio-record");
  try {
    if (recording) {
      const blob = await recording.stop();
      recording = null;
      await take("audio", blob);
    } else {
      recording = await record();
    }
  } catch (error) {
    recording = null;
    say(`Nothing can be recorded here: ${error.message}`, true);
  }
  button.setAttribute("aria-pressed", String(Boolean(recording)));
  button.textContent = recording ? "Stop recording" : "Record";
});

// Asking and the answer

function request() {
  const given = {};
  if ($("text").value.trim()) given.text = $("text").value;
  for (const name of ["image", "audio"]) if (inputs[name]) given[name] = inputs[name];
  if (strokes && strokes.points.length) given.action = simplify(strokes.points, longestAction);
  const options = { seed: Number($("seed").value) };
  if ($("temperature").value !== "") options.temperature = Number($("temperature").value);
  return { output: $("output").value, inputs: given, options, stream: true };
}

async function* events(response) {
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  let buffer = "";
  for (;;) {
    const { value, done } = await reader.read();
    if (done) return;
    buffer += value;
    const lines = buffer.split("\n\n");
    buffer = lines.pop();
    for (const line of lines) yield JSON.parse(line.replace(/^data: /, ""));
  }
}

async function ask(event) {
  event.preventDefault();
  if (running) running.abort();
  const asked = (running = new AbortController());
  const begun = performance.now();
  $("stop").disabled = false;
  $("answer").replaceChildren();
  say("Asking …");
  try {
    const body = request();
    const response = await fetch("v1/generate", {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify(body),
      signal: asked.signal,
    });
    if (!response.ok) throw new Error((await response.json()).error.message);
    for await (const part of events(response)) {
      if (part.error) throw new Error(part.error.message);
      $("progress").hidden = part.done;
      $("progress").value = part.tokens / part.of;
      await render(part, body);
      const seconds = ((performance.now() - begun) / 1000).toFixed(1);
      if (part.done) say(`Done: ${part.tokens} tokens in ${seconds} s.`);
    }
  } catch (error) {
    if (error.name === "AbortError") say("Stopped.");
    else say(error.message, true);
  } finally {
    $("progress").hidden = true;
    if (running === asked) {
      running = null;
      $("stop").disabled = true;
    }
  }
}

function element(name, properties) {
  return Object.assign(document.createElement(name), properties);
}

async function render(part, body) {
  const answer = $("answer");
  if (Array.isArray(part.value)) {
    if (!part.done) return;
    const canvas = element("canvas", { width: 320, height: 320 });
    canvas.setAttribute("role", "img");
    canvas.setAttribute("aria-label", `Strokes of ${part.value.length} points`);
    answer.replaceChildren(canvas);
    replay(canvas, part.value);
  } else if (part.value.startsWith("data:image/")) {
    const image = answer.querySelector("img") || element("img", {});
    image.src = part.value;
    image.alt = part.done ? "The picture that the model made" : "The picture so far";
    if (!image.isConnected) answer.replaceChildren(image);
  } else if (part.value.startsWith("data:audio/")) {
    if (!part.done) return;
    const canvas = element("canvas", { width: 480, height: 160 });
    canvas.setAttribute("role", "img");
    canvas.setAttribute("aria-label", "Spectrogram of the sound");
    answer.replaceChildren(element("audio", { src: part.value, controls: true }), canvas);
    await spectrogram(canvas, part.value);
  } else {
    const text = answer.querySelector("p.text") || element("p", { className: "text" });
    // Four location tokens are a box, which is drawn below.
    const boxes = part.boxes && part.boxes.length;
    text.textContent = boxes ? part.value.replace(/(<extra_id_\d+>\s*){4}/g, "▢ ") : part.value;
    text.title = boxes ? part.value : "";
    if (!text.isConnected) answer.replaceChildren(text);
    if (part.done && boxes) answer.append(await boxed(body.inputs.image, part.boxes));
  }
}

async function boxed(uri, boxes) {
  const image = element("img", { src: uri });
  await image.decode();
  // Small pictures are drawn larger, so that lines and names do not hide them.
  const times = Math.max(1, Math.round(480 / Math.max(image.naturalWidth, image.naturalHeight)));
  const canvas = element("canvas", { width: image.naturalWidth * times, height: image.naturalHeight * times });
  canvas.setAttribute("role", "img");
  canvas.setAttribute("aria-label", boxes.map((one) => `${one.label || "box"} at ${one.box.map(Math.round)}`).join("; "));
  const context = canvas.getContext("2d");
  context.imageSmoothingEnabled = false;
  context.drawImage(image, 0, 0, canvas.width, canvas.height);
  const size = Math.max(canvas.width, canvas.height) / 24;
  context.font = `${size}px system-ui`;
  boxes.forEach(({ box, label }, i) => {
    const [top, left, bottom, right] = box.map((place) => place * times);
    context.strokeStyle = context.fillStyle = `hsl(${(i * 137) % 360} 90% 65%)`;
    context.lineWidth = size / 8;
    context.strokeRect(left, top, right - left, bottom - top);
    const above = top > 1.5 * size ? top - 0.4 * size : bottom + size;
    context.strokeStyle = "black";
    context.strokeText(label, left, above);
    context.fillText(label, left, above);
  });
  return canvas;
}

// Start

const ARTICLES = { text: "words", image: "a picture", audio: "a sound", action: "strokes" };

async function start() {
  strokes = pad($("action-pad"), $("action-clear"));
  const model = await (await fetch("v1/model")).json();
  if ("action" in model.longest) longestAction = Math.floor((model.longest.action - 1) / 3);
  const known = model.inputs.filter((name) => name in ARTICLES);
  for (const part of document.querySelectorAll("[data-input]")) part.hidden = !known.includes(part.dataset.input);
  for (const name of model.outputs.filter((one) => one in ARTICLES)) {
    $("output").append(element("option", { value: name, textContent: ARTICLES[name] }));
  }
  $("about").textContent = `${model.name} reads ${known.map((name) => ARTICLES[name]).join(", ")}.`;
}

$("asking").addEventListener("submit", ask);
$("text").addEventListener("keydown", (event) => {
  if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) $("asking").requestSubmit();
});
$("stop").addEventListener("click", () => running && running.abort());
start().catch((error) => say(`The server does not answer: ${error.message}`, true));
