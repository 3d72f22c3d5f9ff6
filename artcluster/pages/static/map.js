"use strict";
/* The map: points drawn by WebGL, found again by a grid, turned into pictures close up.
   The address after # says what is shown: x, y, z (zoom), cluster, field, value, q. */
(async () => {
  const MOST_PICTURES = 400;
  const MOST_IN_SIGHT = 6000;
  const SLOW_MS = 40;
  const CELLS = 256;
  const byId = (id) => document.getElementById(id);
  const stage = byId("map");
  const state = byId("map-state");
  const tip = byId("tip");
  const { load, root } = window.artcluster;

  const map = await load("map").catch((error) => { state.textContent = error.message; return null; });
  if (!map) return;
  const bytes = (text) => Uint8Array.from(atob(text), (c) => c.charCodeAt(0)).buffer;
  const count = map.count;
  const xs = new Uint16Array(bytes(map.x));
  const ys = new Uint16Array(bytes(map.y));
  const clusterOf = new Uint16Array(bytes(map.cluster));
  const tileOf = new Uint32Array(bytes(map.tile));
  const widthOf = new Uint8Array(bytes(map.width));
  const heightOf = new Uint8Array(bytes(map.height));
  const SPAN = 65535;
  const seen = new Uint8Array(count).fill(1);
  let shown = count;
  const names = new Map();
  const codes = new Map();
  const sheets = new Map();
  const asked = { clusters: new Set(), field: "", value: "", text: "" };

  /* ---- where we look: the middle in map units (0 to 1), and pixels a unit ---- */
  const extent = { x: 1e-3, y: 1e-3 };
  for (let i = 0; i < count; i++) {
    extent.x = Math.max(extent.x, xs[i] / SPAN);
    extent.y = Math.max(extent.y, ys[i] / SPAN);
  }
  const view = { x: extent.x / 2, y: extent.y / 2, scale: 1 };
  let width = 1, height = 1, ratio = 1, home = 1;
  const toX = (i) => (xs[i] / SPAN - view.x) * view.scale + width / 2;
  const toY = (i) => (view.y - ys[i] / SPAN) * view.scale + height / 2;

  /* ---- a grid over the map, to find points near a place ---- */
  const starts = new Uint32Array(CELLS * CELLS + 1);
  const ordered = new Uint32Array(count);
  const cellOf = (i) => (ys[i] >> 8) * CELLS + (xs[i] >> 8);
  for (let i = 0; i < count; i++) starts[cellOf(i) + 1]++;
  for (let c = 0; c < CELLS * CELLS; c++) starts[c + 1] += starts[c];
  { const next = starts.slice(); for (let i = 0; i < count; i++) ordered[next[cellOf(i)]++] = i; }

  /** Call `visit` with every point shown in a rectangle of map units; stop where it returns true. */
  function within(x0, y0, x1, y1, visit) {
    const clamp = (v) => Math.max(0, Math.min(CELLS - 1, Math.floor(v * SPAN / 256)));
    for (let row = clamp(y0); row <= clamp(y1); row++)
      for (let c = row * CELLS + clamp(x0); c <= row * CELLS + clamp(x1); c++)
        for (let k = starts[c]; k < starts[c + 1]; k++) {
          const i = ordered[k];
          if (!seen[i]) continue;
          const x = xs[i] / SPAN, y = ys[i] / SPAN;
          if (x >= x0 && x <= x1 && y >= y0 && y <= y1 && visit(i)) return;
        }
  }

  function nearest(px, py, reach) {
    const x = view.x + (px - width / 2) / view.scale;
    const y = view.y - (py - height / 2) / view.scale;
    const r = reach / view.scale;
    let best = -1, least = r * r;
    within(x - r, y - r, x + r, y + r, (i) => {
      const d = (xs[i] / SPAN - x) ** 2 + (ys[i] / SPAN - y) ** 2;
      if (d < least) { least = d; best = i; }
      return false;
    });
    return best;
  }

  /* ---- points by WebGL ---- */
  const canvas = byId("points");
  const gl = canvas.getContext("webgl2", { antialias: false, alpha: true, premultipliedAlpha: true });
  if (!gl) { state.textContent = "This browser does not support WebGL. The cluster pages work without it."; return; }
  function shader(kind, source) {
    const made = gl.createShader(kind);
    gl.shaderSource(made, source);
    gl.compileShader(made);
    if (!gl.getShaderParameter(made, gl.COMPILE_STATUS)) throw new Error(gl.getShaderInfoLog(made));
    return made;
  }
  const program = gl.createProgram();
  gl.attachShader(program, shader(gl.VERTEX_SHADER, `#version 300 es
    in vec2 place; in uint cluster; in float shown;
    uniform vec4 look; uniform float size; uniform sampler2D colours;
    out vec4 colour;
    void main() {
      colour = texelFetch(colours, ivec2(int(cluster) & 255, int(cluster) >> 8), 0);
      gl_Position = shown > 0.0 ? vec4((place - look.xy) * look.zw, 0, 1) : vec4(2, 2, 0, 1);
      gl_PointSize = size;
    }`));
  gl.attachShader(program, shader(gl.FRAGMENT_SHADER, `#version 300 es
    precision mediump float;
    in vec4 colour; uniform float opacity; out vec4 pixel;
    void main() {
      vec2 d = gl_PointCoord - 0.5;
      if (dot(d, d) > 0.25) discard;
      pixel = vec4(colour.rgb * opacity, opacity);
    }`));
  gl.linkProgram(program);
  gl.useProgram(program);
  const uniform = (name) => gl.getUniformLocation(program, name);
  const U = { look: uniform("look"), size: uniform("size"), opacity: uniform("opacity") };
  function buffer(name, values, put) {
    const made = gl.createBuffer();
    gl.bindBuffer(gl.ARRAY_BUFFER, made);
    gl.bufferData(gl.ARRAY_BUFFER, values, gl.STATIC_DRAW);
    const at = gl.getAttribLocation(program, name);
    gl.enableVertexAttribArray(at);
    put(at);
    return made;
  }
  const both = new Uint16Array(2 * count);
  for (let i = 0; i < count; i++) { both[2 * i] = xs[i]; both[2 * i + 1] = ys[i]; }
  buffer("place", both, (at) => gl.vertexAttribPointer(at, 2, gl.UNSIGNED_SHORT, true, 0, 0));
  buffer("cluster", clusterOf, (at) => gl.vertexAttribIPointer(at, 1, gl.UNSIGNED_SHORT, 0, 0));
  const shownBuffer = buffer("shown", seen, (at) => gl.vertexAttribPointer(at, 1, gl.UNSIGNED_BYTE, false, 0, 0));
  gl.bindTexture(gl.TEXTURE_2D, gl.createTexture());
  gl.texParameteri(gl.TEXTURE_2D, gl.TEXTURE_MIN_FILTER, gl.NEAREST);
  gl.texParameteri(gl.TEXTURE_2D, gl.TEXTURE_MAG_FILTER, gl.NEAREST);
  const isDark = () => getComputedStyle(document.documentElement).colorScheme.trim() === "dark" ||
    (getComputedStyle(document.documentElement).colorScheme.includes(" ") && matchMedia("(prefers-color-scheme: dark)").matches);
  const colourOf = (k) => map.clusters[k][isDark() ? 4 : 3];
  function paint() {
    const rows = Math.ceil(map.clusters.length / 256);
    const texels = new Uint8Array(256 * rows * 4);
    map.clusters.forEach((_, k) => {
      const rgb = parseInt(colourOf(k).slice(1), 16);
      texels.set([rgb >> 16, (rgb >> 8) & 255, rgb & 255, 255], 4 * k);
    });
    gl.texImage2D(gl.TEXTURE_2D, 0, gl.RGBA, 256, rows, 0, gl.RGBA, gl.UNSIGNED_BYTE, texels);
    for (const dot of document.querySelectorAll("#legend [data-k]"))
      dot.querySelector(".dot").style.background = colourOf(Number(dot.dataset.k));
    draw();
  }

  /* ---- drawing: while moving, as many points as the machine draws in time; then all ---- */
  const over = byId("pictures");
  const brush = over.getContext("2d");
  let queued = false, moving = false, budget = count, settle = 0;
  const drawn = { frames: 0, points: 0, all: count, pictures: 0 };

  function draw() { if (!queued) { queued = true; requestAnimationFrame(frame); } }
  function move() {
    moving = true;
    clearTimeout(settle);
    settle = setTimeout(() => { moving = false; draw(); keep(); }, 160);
    draw();
  }
  let before = 0;
  function frame(now) {
    queued = false;
    if (moving && before) {
      const took = now - before;
      if (took > SLOW_MS) budget = Math.max(4000, Math.floor(budget * 0.7));
      else if (took < SLOW_MS / 2) budget = Math.min(count, Math.ceil(budget * 1.15));
    }
    before = moving ? now : 0;
    const points = moving ? Math.min(count, budget) : count;
    gl.viewport(0, 0, canvas.width, canvas.height);
    gl.clearColor(0, 0, 0, 0);
    gl.clear(gl.COLOR_BUFFER_BIT);
    gl.uniform4f(U.look, view.x, view.y, 2 * view.scale / width, 2 * view.scale / height);
    const zoomed = Math.sqrt(view.scale / home);
    const size = Math.max(2, Math.min(14, (count > 20000 ? 2.2 : count > 3000 ? 3.5 : 6) * zoomed));
    gl.uniform1f(U.size, size * ratio);
    gl.uniform1f(U.opacity, 1);
    gl.drawArrays(gl.POINTS, 0, points);
    drawn.points = points;
    pictures();
    drawn.frames++;
  }

  function sheet(number) {
    let image = sheets.get(number);
    if (!image) {
      image = new Image();
      image.decoding = "async";
      image.addEventListener("load", draw);
      image.src = root + map.sheets[number];
      sheets.set(number, image);
    }
    return image.complete && image.naturalWidth ? image : null;
  }
  function tile(i) {
    if (!tileOf[i]) return null;
    const cells = map.columns * map.columns;
    const number = Math.floor((tileOf[i] - 1) / cells), place = (tileOf[i] - 1) % cells;
    return { number, x: (place % map.columns) * map.cell, y: Math.floor(place / map.columns) * map.cell,
      w: widthOf[i], h: heightOf[i] };
  }

  /** Where few points are in sight, draw their pictures. */
  function pictures() {
    brush.setTransform(ratio, 0, 0, ratio, 0, 0);
    brush.clearRect(0, 0, width, height);
    drawn.pictures = 0;
    const w = width / 2 / view.scale, h = height / 2 / view.scale;
    const found = [];
    within(view.x - w, view.y - h, view.x + w, view.y + h, (i) => { found.push(i); return found.length > MOST_IN_SIGHT; });
    if (found.length > MOST_IN_SIGHT) return;
    const side = Math.max(34, Math.min(map.cell, 0.8 * Math.sqrt(width * height / Math.max(found.length, 1))));
    const taken = [];
    for (const i of found) {
      if (drawn.pictures >= MOST_PICTURES) break;
      const t = tile(i);
      if (!t) continue;
      const zoom = side / Math.max(t.w, t.h), tw = t.w * zoom, th = t.h * zoom;
      const x = toX(i) - tw / 2, y = toY(i) - th / 2;
      if (taken.some((o) => Math.abs(o[0] - x) < side && Math.abs(o[1] - y) < side)) continue;
      const image = sheet(t.number);
      if (!image) continue;
      taken.push([x, y]);
      brush.fillStyle = colourOf(clusterOf[i]);
      brush.fillRect(x - 2, y - 2, tw + 4, th + 4);
      brush.drawImage(image, t.x, t.y, t.w, t.h, x, y, tw, th);
      drawn.pictures++;
    }
  }

  function resize() {
    const box = stage.getBoundingClientRect();
    width = box.width; height = box.height;
    ratio = Math.min(2, window.devicePixelRatio || 1);
    for (const each of [canvas, over]) {
      each.width = Math.round(width * ratio);
      each.height = Math.round(height * ratio);
    }
    const was = home;
    home = 0.9 * Math.min(width / extent.x, height / extent.y);
    view.scale *= home / was;
    draw();
  }
  function zoom(factor, px = width / 2, py = height / 2) {
    const scale = Math.max(home * 0.5, Math.min(home * 400, view.scale * factor));
    const x = view.x + (px - width / 2) / view.scale, y = view.y - (py - height / 2) / view.scale;
    view.scale = scale;
    view.x = x - (px - width / 2) / scale;
    view.y = y + (py - height / 2) / scale;
    move();
  }
  function pan(dx, dy) { view.x -= dx / view.scale; view.y += dy / view.scale; move(); }
  function everything() { view.x = extent.x / 2; view.y = extent.y / 2; view.scale = home; move(); }
  function goTo(i) { view.x = xs[i] / SPAN; view.y = ys[i] / SPAN; view.scale = Math.max(view.scale, home * 12); move(); }

  /* ---- names, and what a point is ---- */
  async function nameOf(i) {
    const part = Math.floor(i / map.names);
    if (!names.has(part)) names.set(part, await load(`names-${part}`));
    return names.get(part)[i % map.names];
  }
  const keyOf = (k) => map.clusters[k][0] < 0 ? "noise" : map.clusters[k][0];
  async function open(i) {
    const [id] = await nameOf(i);
    location.href = `clusters/${keyOf(clusterOf[i])}.html#${id}`;
  }
  let hovered = -1;
  async function hover(i, px, py) {
    if (i === hovered && i < 0) return;
    stage.classList.toggle("on-point", i >= 0);
    const same = i === hovered;
    hovered = i;
    if (i < 0) { tip.hidden = true; return; }
    if (!same) {
      const t = tile(i), picture = tip.firstElementChild;
      picture.hidden = !t;
      if (t) {
        const zoomed = Math.min(2, 180 / Math.max(t.w, t.h));
        const side = map.columns * map.cell * zoomed;
        Object.assign(picture.style, {
          width: `${t.w * zoomed}px`, height: `${t.h * zoomed}px`,
          backgroundImage: `url("${root}${map.sheets[t.number]}")`,
          backgroundSize: `${side}px ${side}px`,
          backgroundPosition: `${-t.x * zoomed}px ${-t.y * zoomed}px`,
        });
      }
      const [, caption, , number] = await nameOf(i);
      if (hovered !== i) return;
      tip.lastElementChild.textContent =
        `${caption}${number ? ` (${number})` : ""} — ${map.clusters[clusterOf[i]][1]}`;
    }
    tip.hidden = false;
    const box = tip.getBoundingClientRect();
    tip.style.left = `${Math.max(4, Math.min(width - box.width - 4, px + 14))}px`;
    tip.style.top = `${py + 14 + box.height > height ? Math.max(4, py - box.height - 14) : py + 14}px`;
  }

  /* ---- filters ---- */
  async function codesOf(field) {
    const number = map.fields.indexOf(field);
    if (number < 0) return null;
    if (!codes.has(field)) {
      const found = await load(`field-${number}`);
      codes.set(field, { values: found.values, codes: new Uint16Array(bytes(found.codes)) });
    }
    return codes.get(field);
  }
  let turn = 0;
  async function filter() {
    const mine = ++turn;
    const text = asked.text.trim().toLowerCase();
    const field = asked.field ? await codesOf(asked.field) : null;
    const code = field && asked.value ? field.values.findIndex(([value]) => value === asked.value) : -1;
    const texts = [];
    if (text)
      for (let part = 0; part * map.names < count; part++) {
        await nameOf(part * map.names);
        if (mine !== turn) return;
        texts.push(names.get(part));
      }
    if (mine !== turn) return;
    shown = 0;
    const hits = [];
    for (let i = 0; i < count; i++) {
      let fits = !asked.clusters.size || asked.clusters.has(clusterOf[i]);
      if (fits && code >= 0) fits = field.codes[i] === code;
      if (fits && text) {
        const [id, caption, path, number] = texts[Math.floor(i / map.names)][i % map.names];
        fits = caption.toLowerCase().includes(text) || path.toLowerCase().includes(text) ||
          number.toLowerCase().includes(text) || id.startsWith(text);
        if (fits && hits.length < 50) hits.push([i, caption]);
      }
      seen[i] = fits ? 1 : 0;
      shown += seen[i];
    }
    gl.bindBuffer(gl.ARRAY_BUFFER, shownBuffer);
    gl.bufferData(gl.ARRAY_BUFFER, seen, gl.STATIC_DRAW);
    list(text, hits);
    tell();
    for (const item of document.querySelectorAll("#legend [data-k]"))
      item.setAttribute("aria-pressed", String(asked.clusters.has(Number(item.dataset.k))));
    draw();
    keep();
  }
  function list(text, hits) {
    const box = byId("found");
    box.hidden = !text;
    box.querySelector("ol").replaceChildren(...hits.map(([i, caption]) => {
      const item = document.createElement("li");
      const show = document.createElement("button");
      show.type = "button";
      show.textContent = caption;
      show.addEventListener("click", () => { goTo(i); hover(i, width / 2, height / 2); });
      const link = document.createElement("a");
      link.textContent = map.clusters[clusterOf[i]][1];
      link.href = "#";
      nameOf(i).then(([id]) => { link.href = `clusters/${keyOf(clusterOf[i])}.html#${id}`; });
      item.append(show, " ", link);
      return item;
    }));
  }
  function tell() {
    const number = (n) => n.toLocaleString("en");
    let text = shown === count ? `${number(count)} ${map.members}` : `${number(shown)} of ${number(count)} ${map.members}`;
    if (map.all > count) text += `, a sample of ${number(map.all)}`;
    state.textContent = text;
  }

  /* ---- the address ---- */
  function address() {
    const said = new URLSearchParams();
    if (Math.abs(view.scale / home - 1) > 0.01 || Math.abs(view.x - extent.x / 2) + Math.abs(view.y - extent.y / 2) > 0.005) {
      said.set("x", view.x.toFixed(4)); said.set("y", view.y.toFixed(4)); said.set("z", (view.scale / home).toFixed(2));
    }
    if (asked.clusters.size) said.set("cluster", [...asked.clusters].map((k) => map.clusters[k][0]).join(","));
    if (asked.field && asked.value) { said.set("field", asked.field); said.set("value", asked.value); }
    if (asked.text) said.set("q", asked.text);
    return said.toString();
  }
  function keep() { history.replaceState(null, "", `${location.pathname}${location.search}#${address()}`); }
  async function read() {
    const said = new URLSearchParams(location.hash.slice(1));
    const places = new Map(map.clusters.map(([number], k) => [String(number), k]));
    asked.clusters = new Set((said.get("cluster") || "").split(",").filter((n) => places.has(n)).map((n) => places.get(n)));
    asked.text = byId("search").value = said.get("q") || "";
    await choose(said.get("field") || "", said.get("value") || "");
    const given = (name, otherwise) => { const v = Number(said.get(name)); return said.has(name) && Number.isFinite(v) ? v : otherwise; };
    view.x = given("x", extent.x / 2); view.y = given("y", extent.y / 2);
    view.scale = home * Math.max(0.5, Math.min(400, given("z", 1)));
    await filter();
  }
  async function choose(field, value) {
    const select = byId("value");
    const found = await codesOf(field);
    asked.field = found ? field : "";
    byId("field").value = asked.field;
    select.disabled = !found;
    const option = (text, name) => { const made = document.createElement("option"); made.value = text; made.textContent = name; return made; };
    select.replaceChildren(option("", "any"), ...(found ? found.values.slice(0, 1000) : []).map(([text, n]) => option(text, `${text} (${n})`)));
    asked.value = found && found.values.some(([text]) => text === value) ? value : "";
    select.value = asked.value;
  }

  /* ---- hands: mouse, fingers, keys ---- */
  const fingers = new Map();
  let dragged = false;
  const local = (event) => { const box = stage.getBoundingClientRect(); return [event.clientX - box.left, event.clientY - box.top]; };
  over.addEventListener("pointerdown", (event) => {
    over.setPointerCapture(event.pointerId);
    fingers.set(event.pointerId, local(event));
    dragged = fingers.size > 1;
    stage.focus({ preventScroll: true });
  });
  over.addEventListener("pointermove", (event) => {
    const [px, py] = local(event);
    const old = fingers.get(event.pointerId);
    if (!old) { hover(nearest(px, py, 9), px, py); return; }
    if (fingers.size === 2) {
      const [, other] = [...fingers].find(([id]) => id !== event.pointerId);
      const apart = (a) => Math.hypot(a[0] - other[0], a[1] - other[1]) || 1;
      zoom(apart([px, py]) / apart(old), (px + other[0]) / 2, (py + other[1]) / 2);
      pan((px - old[0]) / 2, (py - old[1]) / 2);
    } else if (dragged || Math.hypot(px - old[0], py - old[1]) > 4) {
      dragged = true;
      tip.hidden = true;
      pan(px - old[0], py - old[1]);
    } else return;
    fingers.set(event.pointerId, [px, py]);
  });
  const lift = (event) => {
    const held = fingers.delete(event.pointerId);
    if (!held || event.type !== "pointerup" || dragged) return;
    const [px, py] = local(event);
    const i = nearest(px, py, event.pointerType === "mouse" ? 9 : 22);
    if (i < 0) return;
    /* A finger cannot hover: its first touch shows the picture, the second one opens it. */
    if (event.pointerType !== "mouse" && i !== hovered) hover(i, px, py); else open(i);
  };
  over.addEventListener("pointerup", lift);
  over.addEventListener("pointercancel", lift);
  over.addEventListener("pointerleave", () => { if (!fingers.size) hover(-1); });
  over.addEventListener("wheel", (event) => {
    event.preventDefault();
    zoom(Math.exp(-event.deltaY * (event.deltaMode ? 0.05 : 0.0018)), ...local(event));
  }, { passive: false });
  stage.addEventListener("keydown", (event) => {
    if (event.target !== stage || event.ctrlKey || event.metaKey || event.altKey) return;
    const step = 60;
    const acts = {
      ArrowLeft: () => pan(step, 0), ArrowRight: () => pan(-step, 0),
      ArrowUp: () => pan(0, step), ArrowDown: () => pan(0, -step),
      "+": () => zoom(1.4), "=": () => zoom(1.4), "-": () => zoom(1 / 1.4), Home: everything,
      Enter: () => { const i = nearest(width / 2, height / 2, 60); if (i >= 0) open(i); },
    };
    if (!acts[event.key]) return;
    event.preventDefault();
    acts[event.key]();
  });
  byId("zoom-in").addEventListener("click", () => zoom(1.6));
  byId("zoom-out").addEventListener("click", () => zoom(1 / 1.6));
  byId("zoom-all").addEventListener("click", everything);

  byId("panel").addEventListener("submit", (event) => event.preventDefault());
  let typing = 0;
  byId("search").addEventListener("input", (event) => {
    asked.text = event.target.value;
    clearTimeout(typing);
    typing = setTimeout(filter, 150);
  });
  byId("field").append(...map.fields.map((field) => {
    const made = document.createElement("option");
    made.value = made.textContent = field;
    return made;
  }));
  byId("field").addEventListener("change", async (event) => { await choose(event.target.value, ""); filter(); });
  byId("value").addEventListener("change", (event) => { asked.value = event.target.value; filter(); });
  byId("reset").addEventListener("click", async () => {
    asked.clusters.clear();
    asked.text = byId("search").value = "";
    await choose("", "");
    everything();
    filter();
  });
  byId("copy").addEventListener("click", async (event) => {
    keep();
    try { await navigator.clipboard.writeText(location.href); event.target.textContent = "Copied"; }
    catch { event.target.textContent = "Copy it from the address bar"; }
    setTimeout(() => { event.target.textContent = "Copy link"; }, 2000);
  });
  byId("legend").append(...map.clusters.map(([number, title, images], k) => {
    const item = document.createElement("li");
    const button = document.createElement("button");
    button.type = "button";
    button.dataset.k = k;
    button.setAttribute("aria-pressed", "false");
    const dot = document.createElement("span");
    dot.className = "dot";
    const text = document.createElement("span");
    text.textContent = title;
    const size = document.createElement("span");
    size.className = "quiet";
    size.textContent = images.toLocaleString("en");
    button.append(dot, text, size);
    button.addEventListener("click", () => {
      if (!asked.clusters.delete(k)) asked.clusters.add(k);
      filter();
    });
    const link = document.createElement("a");
    link.href = `clusters/${keyOf(k)}.html`;
    link.textContent = "→";
    link.setAttribute("aria-label", `Page of ${title}`);
    item.append(button, link);
    return item;
  }));

  view.scale = home;
  new ResizeObserver(resize).observe(stage);
  resize();
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", paint);
  document.addEventListener("scheme", paint);
  paint();
  await read();
  window.addEventListener("hashchange", () => { if (location.hash.slice(1) !== address()) read(); });
  window.artcluster.map = { drawn, view, home: () => home, toX, toY, nearest, pan, shown: () => shown, size: count };
  stage.dataset.ready = "true";
})();
