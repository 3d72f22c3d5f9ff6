"use strict";
/* Every page: data scripts, the enlarged view of a picture, the filter of clusters, the scheme. */
window.artcluster = (() => {
  const root = document.documentElement.dataset.root || "";
  const wanted = new Map();

  /** Called by data scripts: hands a value to whoever asked for it. */
  function data(name, value) {
    wanted.get(name)?.resolve(value);
  }

  /** Load `data/<name>.js` once; pages opened from disk may load scripts, but not fetch. */
  function load(name) {
    const known = wanted.get(name);
    if (known) return known.promise;
    const entry = {};
    entry.promise = new Promise((resolve, reject) => {
      entry.resolve = resolve;
      const script = document.createElement("script");
      script.src = `${root}data/${name}.js`;
      script.addEventListener("error", () => reject(new Error(`${script.src} is missing`)));
      document.head.append(script);
    });
    wanted.set(name, entry);
    return entry.promise;
  }

  return { data, load, root };
})();

(() => {
  const key = "artcluster-scheme";
  const stored = () => { try { return localStorage.getItem(key); } catch { return null; } };
  const set = (scheme) => {
    if (scheme) document.documentElement.dataset.scheme = scheme;
    document.dispatchEvent(new Event("scheme"));
  };
  set(stored());
  const button = document.getElementById("scheme");
  button.hidden = false;
  button.addEventListener("click", () => {
    const asked = matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light";
    const dark = (document.documentElement.dataset.scheme || asked) === "dark";
    const next = dark ? "light" : "dark";
    try { localStorage.setItem(key, next); } catch { /* not kept, then */ }
    set(next);
  });
})();

(() => {
  const box = document.getElementById("lightbox");
  if (!box) return;
  const figures = [...document.querySelectorAll("figure[data-picture]")];
  let at = -1;

  function show(index) {
    at = (index + figures.length) % figures.length;
    const figure = figures[at];
    const told = JSON.parse(figure.dataset.picture);
    const picture = figure.querySelector(".thumb").cloneNode(true);
    box.querySelector(".lightbox-picture").replaceChildren(picture);
    box.querySelector("h2").textContent = told.caption;
    box.querySelector("dl").replaceChildren(...told.rows.map(([name, text]) => {
      const row = document.createElement("div");
      const term = document.createElement("dt");
      const value = document.createElement("dd");
      term.textContent = name;
      value.textContent = text;
      row.append(term, value);
      return row;
    }));
    const links = box.querySelector(".lightbox-links");
    links.replaceChildren();
    if (told.link) {
      const link = document.createElement("a");
      link.href = told.link;
      link.rel = "noreferrer";
      link.target = "_blank";
      link.textContent = "Open the original";
      links.append(link);
    }
    history.replaceState(null, "", `#${figure.dataset.id}`);
    if (!box.open) box.showModal();
  }

  document.addEventListener("click", (event) => {
    const link = event.target.closest("figure[data-picture] > a");
    if (!link || event.metaKey || event.ctrlKey) return;
    event.preventDefault();
    show(figures.indexOf(link.parentElement));
  });
  box.addEventListener("click", (event) => {
    const button = event.target.closest("button");
    if (button?.dataset.step) show(at + Number(button.dataset.step));
    else if (button || event.target === box) box.close();
  });
  box.addEventListener("keydown", (event) => {
    if (event.key === "ArrowLeft") show(at - 1);
    else if (event.key === "ArrowRight") show(at + 1);
  });
  box.addEventListener("close", () => {
    if (box.open) return; // It comes late, and the next picture is shown already.
    history.replaceState(null, "", location.pathname + location.search);
    figures[at]?.querySelector("a").focus();
  });
  const linked = () => {
    const index = figures.findIndex((figure) => `#${figure.dataset.id}` === location.hash);
    if (index >= 0) show(index);
  };
  window.addEventListener("hashchange", linked);
  linked();
})();

(() => {
  const input = document.getElementById("cluster-filter");
  if (!input) return;
  input.closest("label").hidden = false;
  const items = [...document.querySelectorAll("[data-text]")];
  const more = document.querySelector("details.more");
  const apply = () => {
    const text = input.value.trim().toLowerCase();
    let left = 0;
    for (const item of items) {
      const fits = item.dataset.text.includes(text);
      item.hidden = !fits;
      left += fits;
    }
    if (more && text) more.open = true;
    document.getElementById("filter-none").hidden = left > 0;
  };
  input.addEventListener("input", apply);
  apply();
})();
