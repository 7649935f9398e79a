// Strokes as points [y, x, pen] in [0, 1]: pen 1 draws a line from the point before, pen 0 moves there.

const STEP = 0.03;

export function pad(canvas, clear) {
  const points = [];
  const state = { points };
  const cursor = { y: 0.5, x: 0.5, down: false };

  const at = (event) => {
    const area = canvas.getBoundingClientRect();
    const inside = (value) => Math.min(1, Math.max(0, value));
    return [inside((event.clientY - area.top) / area.height), inside((event.clientX - area.left) / area.width)];
  };
  const add = (y, x, pen) => {
    points.push([y, x, pen]);
    redraw();
  };
  const redraw = () => {
    draw(canvas, points, points.length);
    if (document.activeElement === canvas) mark(canvas, cursor);
  };

  let drawing = false;
  canvas.addEventListener("pointerdown", (event) => {
    canvas.setPointerCapture(event.pointerId);
    drawing = true;
    add(...at(event), 0);
  });
  canvas.addEventListener("pointermove", (event) => {
    if (!drawing) return;
    const [y, x] = at(event);
    const [lastY, lastX] = points[points.length - 1];
    if (Math.hypot(y - lastY, x - lastX) > STEP) add(y, x, 1);
  });
  const end = () => {
    drawing = false;
  };
  canvas.addEventListener("pointerup", end);
  canvas.addEventListener("pointercancel", end);

  const moves = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1] };
  canvas.addEventListener("keydown", (event) => {
    if (event.key === " ") {
      cursor.down = !cursor.down;
      if (cursor.down) add(cursor.y, cursor.x, 0);
    } else if (event.key in moves) {
      const [dy, dx] = moves[event.key];
      cursor.y = Math.min(1, Math.max(0, cursor.y + 2 * STEP * dy));
      cursor.x = Math.min(1, Math.max(0, cursor.x + 2 * STEP * dx));
      if (cursor.down) add(cursor.y, cursor.x, 1);
    } else return;
    event.preventDefault();
    redraw();
  });
  canvas.addEventListener("focus", redraw);
  canvas.addEventListener("blur", () => {
    cursor.down = false;
    redraw();
  });
  clear.addEventListener("click", () => {
    points.length = 0;
    redraw();
  });
  return state;
}

// The `most` points that keep the drawing best: those that lie farthest from the line without them.
export function simplify(points, most) {
  if (points.length <= most) return points;
  const worth = points.map(([, , pen], i) => (pen > 0.5 ? 0 : Infinity));
  const split = (first, last) => {
    let [far, at] = [0, -1];
    for (let i = first + 1; i < last; i++) {
      const off = distance(points[i], points[first], points[last]);
      if (off >= far) [far, at] = [off, i];
    }
    if (at < 0) return;
    worth[at] = Math.min(far, Number.MAX_VALUE);
    split(first, at);
    split(at, last);
  };
  for (let first = 0; first < points.length; ) {
    let last = first;
    while (last + 1 < points.length && points[last + 1][2] > 0.5) last++;
    worth[last] = Infinity;
    split(first, last);
    first = last + 1;
  }
  const order = worth.map((_, i) => i).sort((a, b) => worth[b] - worth[a] || a - b);
  const kept = new Set(order.slice(0, most));
  return points.filter((_, i) => kept.has(i));
}

function distance([y, x], [y1, x1], [y2, x2]) {
  const [dy, dx] = [y2 - y1, x2 - x1];
  const along = Math.min(1, Math.max(0, ((y - y1) * dy + (x - x1) * dx) / (dy * dy + dx * dx || 1)));
  return Math.hypot(y - y1 - along * dy, x - x1 - along * dx);
}

export function replay(canvas, points) {
  let shown = matchMedia("(prefers-reduced-motion: reduce)").matches ? points.length : 1;
  const tick = () => {
    draw(canvas, points, shown);
    if (shown++ < points.length && canvas.isConnected) setTimeout(tick, 60);
  };
  tick();
}

function draw(canvas, points, count) {
  const context = canvas.getContext("2d");
  context.fillStyle = "white";
  context.fillRect(0, 0, canvas.width, canvas.height);
  context.strokeStyle = "black";
  context.lineWidth = canvas.width / 24;
  context.lineCap = context.lineJoin = "round";
  context.beginPath();
  for (const [y, x, pen] of points.slice(0, count)) {
    if (pen > 0.5) context.lineTo(x * canvas.width, y * canvas.height);
    else context.moveTo(x * canvas.width, y * canvas.height);
  }
  context.stroke();
}

function mark(canvas, { y, x, down }) {
  const context = canvas.getContext("2d");
  context.fillStyle = down ? "#b3261e" : "#3a6ea5";
  context.beginPath();
  context.arc(x * canvas.width, y * canvas.height, 4, 0, 7);
  context.fill();
}
