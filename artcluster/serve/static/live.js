"use strict";
/* In the report: links to the search. In the search: the picture that a person hands in. */
(() => {
  const nav = document.querySelector(".top nav");
  if (nav && document.documentElement.dataset.root !== undefined) {
    const link = document.createElement("a");
    link.href = "/similar";
    link.textContent = "Similar";
    nav.insertBefore(link, nav.querySelector("button"));
  }
})();

(() => {
  const links = document.querySelector("#lightbox .lightbox-links");
  if (!links) return;
  const add = () => {
    const id = location.hash.slice(1);
    if (!/^[0-9a-f]{16}$/.test(id)) return;
    const found = links.querySelector(".similar");
    const link = found || document.createElement("a");
    const address = `/similar?image=${id}`;
    if (found && found.getAttribute("href") === address) return;
    link.className = "similar";
    link.href = address;
    link.textContent = "Similar pictures";
    if (!found) links.append(" ", link);
  };
  new MutationObserver(() => setTimeout(add)).observe(links, { childList: true });
  add();
})();

(() => {
  const form = document.getElementById("upload");
  if (!form) return;
  form.hidden = false;
  const input = document.getElementById("file");
  const mine = document.getElementById("mine");
  const told = document.getElementById("told");
  const results = document.getElementById("results");
  let turn = 0;

  function tell(text) {
    told.hidden = false;
    told.textContent = text;
  }

  function figure(match) {
    const figure = document.createElement("figure");
    const link = document.createElement("a");
    const image = document.createElement("img");
    const caption = document.createElement("figcaption");
    const words = document.createElement("span");
    link.href = `/similar?image=${match.content_id}`;
    image.src = `/picture/${match.content_id}`;
    image.alt = match.path;
    image.loading = "lazy";
    words.textContent = match.words;
    link.append(image);
    caption.append(match.path, words);
    figure.append(link, caption);
    return figure;
  }

  async function send(file) {
    const mineNow = ++turn;
    if (mine.src) URL.revokeObjectURL(mine.src);
    mine.src = URL.createObjectURL(file);
    mine.hidden = false;
    results.hidden = true;
    tell("Analysing your picture…");
    let answer, text;
    try {
      const response = await fetch("/upload", { method: "POST", body: file });
      if (response.ok) answer = await response.json();
      else text = await response.text();
    } catch {
      text = "The server is not responding.";
    }
    if (mineNow !== turn) return;
    if (!answer) return tell(text);
    const found = answer.cluster;
    if (found) {
      const name = found.name ? ` (${found.name})` : "";
      const odd = found.outlier ? "; far from the other pictures in this cluster" : "";
      tell(`Cluster ${found.cluster}${name}, confidence ${found.confidence.toFixed(2)}${odd}.`);
    } else tell("It has no cluster.");
    results.querySelector(".found").replaceChildren(...answer.matches.map(figure));
    results.hidden = false;
    document.getElementById("some")?.setAttribute("hidden", "");
  }

  input.addEventListener("change", () => { if (input.files[0]) send(input.files[0]); });
  form.addEventListener("submit", (event) => event.preventDefault());
  document.addEventListener("dragover", (event) => event.preventDefault());
  document.addEventListener("drop", (event) => {
    event.preventDefault();
    const file = event.dataTransfer?.files[0];
    if (file) send(file);
  });
})();
