"use strict";
(() => {
  const data = JSON.parse(document.getElementById("data").textContent);
  const { order, requirements, rows, texts } = data;
  const RED = new Set(["failed", "unexpected-pass", "errored"]);

  // feature + model -> rows, made once
  const byCell = new Map();
  for (const row of rows) {
    const key = requirements[row[0]].feature + "\n" + texts[row[1]];
    if (!byCell.has(key)) byCell.set(key, []);
    byCell.get(key).push(row);
  }

  // Text only ever becomes text.
  function make(tag, properties = {}, ...children) {
    const element = document.createElement(tag);
    for (const [name, value] of Object.entries(properties)) {
      if (name in element) element[name] = value;
      else element.setAttribute(name, value);
    }
    element.append(...children.filter((child) => child !== null));
    return element;
  }

  function icon(standing) {
    const SVG = "http://www.w3.org/2000/svg";
    const svg = document.createElementNS(SVG, "svg");
    svg.setAttribute("class", "i i-" + standing);
    svg.setAttribute("aria-hidden", "true");
    const use = document.createElementNS(SVG, "use");
    use.setAttribute("href", "#i-" + standing);
    svg.append(use);
    return svg;
  }

  function pair(name, ...value) {
    return make("div", {}, make("dt", { textContent: name }), make("dd", {}, ...value));
  }

  function code(text) {
    return make("code", { textContent: text });
  }

  function finding([place, expected, got, around]) {
    const list = make("dl", { className: "finding" },
      pair("Where", place), pair("Expected", code(texts[expected])), pair("Got", code(texts[got])));
    if (around) {
      const [start, before, after] = around;
      const end = after.search(/\u21b5\n/);
      const marked = end < 0 ? after : after.slice(0, end + 1);
      const bytes = make("pre", { tabIndex: 0 },
        before, make("mark", { textContent: marked || " " }), after.slice(marked.length));
      list.append(pair("Bytes from " + start.toLocaleString("en"), bytes));
    }
    return list;
  }

  function command(text) {
    const button = make("button", { type: "button", className: "copy", textContent: "Copy" });
    button.addEventListener("click", async () => {
      try {
        await navigator.clipboard.writeText(text);
      } catch {
        const selection = getSelection();
        selection.selectAllChildren(button.previousSibling);
        document.execCommand("copy");
        selection.removeAllRanges();
      }
      button.textContent = "Copied";
      setTimeout(() => { button.textContent = "Copy"; }, 1500);
    });
    return make("p", { className: "replay" }, "Replay it offline: ", code(text), button);
  }

  function verdict(row) {
    const [, , caseText, standingIndex, said, more = {}] = row;
    const standing = order[standingIndex];
    const item = make("li", { className: "verdict s-" + standing });
    if (more.anchor) item.id = more.anchor;
    item.append(make("p", {}, icon(standing), make("span", { className: "away", textContent: standing + ": " }),
      make("b", { textContent: texts[caseText] }), make("span", { className: "said", textContent: texts[said] })));
    if (more.expected) {
      const [kind, reason, link, expires] = more.expected;
      const note = make("p", { className: "note" }, "Expected " + kind + ": " + reason + (expires ? ", until " + expires : ""));
      if (/^https?:/.test(link)) note.append(" ", make("a", { href: link, rel: "noreferrer noopener", textContent: link }));
      item.append(note);
    }
    for (const each of more.findings || []) item.append(finding(each));
    if (more.left_out) item.append(make("p", { className: "note", textContent: "and " + more.left_out + " more findings, in the run file" }));
    if (more.replay) item.append(command(more.replay));
    return item;
  }

  function worst(found) {
    return Math.min(...found.map((row) => row[3]));
  }

  function requirement(index, found) {
    const about = requirements[index];
    const standing = order[worst(found)];
    const counts = order.map((word, at) => [word, found.filter((row) => row[3] === at).length]).filter(([, count]) => count);
    const summary = make("summary", {}, icon(standing), make("code", { textContent: about.id }),
      make("span", { className: "severity v-" + about.severity, textContent: about.severity }),
      make("span", { className: "counts", textContent: counts.map(([word, count]) => count + " " + word).join(", ") }),
      make("span", { className: "text", textContent: about.text }));
    const details = make("details", { className: "requirement" }, summary);
    const fill = () => {
      if (details.childElementCount > 1) return;
      details.append(make("p", { className: "clause" }, "Because ", make("cite", { textContent: about.clause }),
        ": " + about.says + " (" + about.basis + ")" + (about.claims.length ? ". See " + about.claims.join(", ") : "")));
      const list = make("ul", { className: "verdicts" });
      list.append(...[...found].sort((one, other) => one[3] - other[3]).map(verdict));
      details.append(list);
    };
    details.addEventListener("toggle", fill);
    if (RED.has(standing)) {
      fill();
      details.open = true;
    }
    return details;
  }

  let opened = null; // the button whose panel is open

  function close() {
    if (!opened) return;
    opened.setAttribute("aria-expanded", "false");
    document.getElementById("panel")?.remove();
    opened = null;
  }

  function open(button) {
    close();
    const line = button.closest("tr");
    const feature = line.dataset.feature;
    const model = button.dataset.model;
    const found = byCell.get(feature + "\n" + model) || [];
    const groups = new Map();
    for (const row of found) {
      if (!groups.has(row[0])) groups.set(row[0], []);
      groups.get(row[0]).push(row);
    }
    const sorted = [...groups].sort((one, other) => worst(one[1]) - worst(other[1]));
    const shut = make("button", { type: "button", className: "shut", textContent: "Close" });
    shut.addEventListener("click", () => { const back = opened; close(); back?.focus(); });
    const panel = make("td", { colSpan: line.children.length },
      make("div", { className: "panel-top" }, make("h3", { textContent: feature + " on " + model }), shut),
      ...sorted.map(([index, group]) => requirement(index, group)));
    line.after(make("tr", { id: "panel" }, panel));
    button.setAttribute("aria-expanded", "true");
    button.setAttribute("aria-controls", "panel");
    opened = button;
    return panel;
  }

  const table = document.querySelector(".matrix");
  table?.addEventListener("click", (event) => {
    const button = event.target.closest("button.cell");
    if (!button) return;
    if (button === opened) return close();
    open(button);
    history.replaceState(null, "", "#" + encodeURIComponent(button.closest("tr").dataset.feature + " on " + button.dataset.model));
  });
  document.addEventListener("keydown", (event) => {
    if (event.key === "Escape" && opened && event.target.id !== "find") {
      const back = opened;
      close();
      back.focus();
    }
  });

  function cellOf(feature, model) {
    const line = [...document.querySelectorAll("tr.feature")].find((each) => each.dataset.feature === feature);
    return line && [...line.querySelectorAll("button.cell")].find((each) => each.dataset.model === model);
  }

  // #requirement[exchange] opens that verdict, "#feature on model" that cell, #requirement its worst cell
  function follow() {
    let wanted;
    try { wanted = decodeURIComponent(location.hash.slice(1)); } catch { return; }
    if (!wanted || document.getElementById(wanted)?.matches("h2")) return;
    const [feature, model] = wanted.split(" on ");
    let button = model && cellOf(feature, model);
    if (!button) {
      const named = (row) => row[5]?.anchor === wanted;
      const of = (row) => requirements[row[0]].id === wanted;
      const row = rows.find(named) || rows.filter(of).sort((one, other) => one[3] - other[3])[0];
      button = row && cellOf(requirements[row[0]].feature, texts[row[1]]);
    }
    if (!button) return;
    if (button !== opened) open(button);
    const target = document.getElementById(wanted) || document.getElementById("panel");
    for (let up = target.closest("details"); up; up = up.parentElement.closest("details")) up.open = true;
    target.scrollIntoView({ block: target.id === "panel" ? "nearest" : "center" });
    target.classList.add("found");
    setTimeout(() => target.classList.remove("found"), 2500);
  }
  addEventListener("hashchange", follow);
  addEventListener("beforeprint", () => { for (const each of document.querySelectorAll("details")) each.open = true; });
  document.querySelector(".broken")?.addEventListener("click", (event) => {
    const link = event.target.closest("a");
    if (link?.hash === location.hash) follow(); // the same link twice changes no hash
  });

  const find = document.getElementById("find");
  const odd = document.getElementById("odd");
  function filter() {
    if (!table) return;
    close();
    const wanted = find.value.trim().toLowerCase();
    let any = false;
    for (const line of document.querySelectorAll("tr.feature")) {
      const feature = line.dataset.feature;
      const named = !wanted || feature.includes(wanted)
        || requirements.some((each) => each.feature === feature && (each.id + " " + each.text.toLowerCase()).includes(wanted));
      const shown = named && !(odd.checked && ["passed", "not-applicable"].includes(line.dataset.worst));
      line.hidden = !shown;
      any ||= shown;
    }
    for (const body of table.tBodies) body.hidden = !body.querySelector("tr.feature:not([hidden])");
    document.getElementById("nothing").hidden = any;
  }
  find.addEventListener("input", filter);
  odd.addEventListener("change", filter);
  document.querySelector(".tools").hidden = false;
  filter(); // a browser may have kept what was typed before
  follow();
})();
