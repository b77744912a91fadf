"use strict";

(() => {
  /* Some browsers keep nothing for a page from a file, and say so with an exception. */
  const remembered = (key) => {
    try { return localStorage.getItem(`marts-${key}`); } catch { return null; }
  };
  const remember = (key, value) => {
    try { localStorage.setItem(`marts-${key}`, value); } catch { /* Then it lasts for this page. */ }
  };
  const byId = (id) => document.getElementById(id);
  const make = (tag, properties = {}, ...children) => {
    const { data = {}, attributes = {}, ...rest } = properties;
    const element = Object.assign(document.createElement(tag), rest);
    Object.assign(element.dataset, data);
    for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
    element.append(...children);
    return element;
  };

  /* Before the page is shown, so that it does not flash. */
  const root = document.documentElement;
  const chosen = remembered("theme");
  if (chosen) root.dataset.theme = chosen;

  function theme() {
    const button = byId("theme");
    const system = matchMedia("(prefers-color-scheme: dark)");
    const isDark = () => (root.dataset.theme ? root.dataset.theme === "dark" : system.matches);
    const label = () => { button.textContent = isDark() ? "Light theme" : "Dark theme"; };
    button.addEventListener("click", () => {
      root.dataset.theme = isDark() ? "light" : "dark";
      remember("theme", root.dataset.theme);
      label();
    });
    system.addEventListener("change", label);
    label();
    button.hidden = false;
  }

  function search() {
    const input = byId("search"), list = byId("found"), status = byId("found-status");
    let entries = null, shown = [], active = -1;

    const everything = () => {
      const { tables, columns, queries } = MARTS;
      const entry = (rank, kind, name, owner, words, href) => ({
        rank, kind, name, owner, words, href,
        lower: name.toLowerCase(), all: `${owner} ${name} ${words}`.toLowerCase(),
      });
      return [
        ...tables.map(([name, kind, page, words]) =>
          entry(0, kind === "source" ? "source" : "mart", name, "", words, page)),
        ...columns.map(([table, name, anchor, words]) =>
          entry(1, "column", name, tables[table][0], words, `${tables[table][2]}#${anchor}`)),
        ...queries.map(([table, anchor, question]) =>
          entry(2, "question", question, tables[table][0], "", `${tables[table][2]}#${anchor}`)),
      ];
    };
    const score = (entry, words) => {
      if (!words.every((word) => entry.all.includes(word))) return null;
      const { lower } = entry, joined = words.join("_"), last = words.at(-1);
      const closeness = [
        lower === joined, lower === last, lower.startsWith(joined), lower.includes(joined),
        words.every((word) => lower.includes(word)), lower.includes(last), true,
      ];
      return closeness.indexOf(true) * 10 + entry.rank;
    };
    const find = (text) => {
      entries ??= everything();
      const words = text.toLowerCase().replace(/\./g, " ").split(/\s+/).filter(Boolean);
      if (!words.length) return [];
      return entries
        .map((entry) => [score(entry, words), entry])
        .filter(([rank]) => rank !== null)
        .sort(([a, x], [b, y]) => a - b || x.name.length - y.name.length || (x.all < y.all ? -1 : 1))
        .slice(0, 40)
        .map(([, entry]) => entry);
    };
    const activate = (at) => {
      active = at;
      [...list.children].forEach((item, n) => item.setAttribute("aria-selected", String(n === at)));
      const item = shown.length ? list.children[at] : null;
      if (item) {
        input.setAttribute("aria-activedescendant", item.id);
        item.scrollIntoView({ block: "nearest" });
      } else input.removeAttribute("aria-activedescendant");
    };
    const close = () => {
      list.hidden = true;
      input.setAttribute("aria-expanded", "false");
      input.removeAttribute("aria-activedescendant");
    };
    const go = (entry) => {
      close();
      input.blur();
      location.href = document.body.dataset.root + entry.href;
    };
    const option = (entry, n) => {
      const item = make("li", { id: `found-${n}`, attributes: { role: "option" } },
        make("span", { className: "kind", textContent: entry.kind }),
        make(entry.kind === "question" ? "span" : "code", { textContent: entry.name }),
        make("span", { className: "what", textContent: [entry.owner, entry.words].filter(Boolean).join(": ") }));
      item.addEventListener("mousedown", (event) => { event.preventDefault(); go(entry); });
      return item;
    };
    const show = () => {
      shown = find(input.value);
      if (!input.value.trim()) return close();
      list.replaceChildren(...shown.map(option));
      if (!shown.length) list.append(make("li", { className: "none", textContent: "Nothing found" }));
      list.hidden = false;
      input.setAttribute("aria-expanded", "true");
      status.textContent = shown.length ? `${shown.length} results` : "Nothing found";
      activate(shown.length ? 0 : -1);
    };
    input.addEventListener("input", show);
    input.addEventListener("focus", () => { if (input.value) show(); });
    input.addEventListener("blur", close);
    input.addEventListener("keydown", (event) => {
      const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
      if (step && shown.length && !list.hidden) {
        event.preventDefault();
        activate((active + step + shown.length) % shown.length);
      } else if (event.key === "Enter" && !list.hidden && shown[active]) {
        event.preventDefault();
        go(shown[active]);
      } else if (event.key === "Escape") {
        if (list.hidden) input.blur();
        input.value = "";
        close();
      }
    });
    document.addEventListener("keydown", (event) => {
      const isTyping = event.target.closest("input, textarea, select");
      if (event.key === "/" && !isTyping && !event.ctrlKey && !event.metaKey && !event.altKey) {
        event.preventDefault();
        input.focus();
        input.select();
      }
    });
    input.disabled = false;
  }

  function tags() {
    const box = document.querySelector(".tags");
    if (!box) return;
    box.addEventListener("click", (event) => {
      const button = event.target.closest("button");
      if (!button) return;
      const tag = button.dataset.tag;
      for (const each of box.querySelectorAll("button")) each.setAttribute("aria-pressed", String(each === button));
      for (const group of document.querySelectorAll(".group")) {
        const rows = [...group.querySelectorAll("tr[data-tags]")];
        for (const row of rows) row.hidden = tag !== "" && !row.dataset.tags.split(" ").includes(tag);
        group.hidden = rows.every((row) => row.hidden);
      }
    });
    box.hidden = false;
  }

  function dialects() {
    const blocks = [...document.querySelectorAll(".dialects")].map((block) => ({
      block, parts: [...block.querySelectorAll(".dialect")],
    }));
    const show = (name) => {
      for (const { block, parts } of blocks) {
        const part = parts.find((each) => each.dataset.dialect === name) ?? parts[0];
        for (const each of parts) each.hidden = each !== part;
        for (const each of block.querySelectorAll("[data-show]"))
          each.setAttribute("aria-pressed", String(each.dataset.show === part.dataset.dialect));
      }
    };
    for (const { block, parts } of blocks) {
      if (!parts.length) continue;
      const choice = make("div", { className: "choice" });
      for (const part of parts) {
        const name = part.dataset.dialect;
        const button = make("button", { type: "button", textContent: name, data: { show: name } });
        button.addEventListener("click", () => { remember("dialect", name); show(name); });
        choice.append(button);
        part.querySelector(".dialect-name").hidden = true;
      }
      if (navigator.clipboard) {
        const copy = make("button", { type: "button", className: "copy", textContent: "Copy" });
        copy.addEventListener("click", async () => {
          const text = parts.find((part) => !part.hidden).querySelector("pre").textContent;
          try {
            await navigator.clipboard.writeText(text);
            copy.textContent = "Copied";
          } catch { copy.textContent = "Not allowed"; }
          setTimeout(() => { copy.textContent = "Copy"; }, 1500);
        });
        choice.append(copy);
      }
      block.prepend(choice);
    }
    show(remembered("dialect"));
  }

  function graph() {
    /* Not the picture itself: one that listens for the focus can have it. */
    const frame = document.querySelector(".graph-scroll"), svg = frame?.querySelector("svg");
    if (!svg) return;
    /* A picture that is a little too wide is made smaller; one that is far too wide is scrolled. */
    const width = svg.viewBox.baseVal.width;
    Object.assign(svg.style, { width: "100%", height: "auto", maxWidth: `${width}px`, minWidth: `${width * 0.8}px` });
    const lines = [...svg.querySelectorAll("path")], boxes = [...svg.querySelectorAll("a")];
    const light = (event) => {
      const box = event.target.closest("[data-box]")?.dataset.box;
      const near = new Set();
      for (const line of lines) {
        const { start, end } = line.dataset;
        const isLit = box !== undefined && (start === box || end === box);
        line.classList.toggle("lit", isLit);
        if (isLit) near.add(start).add(end);
      }
      for (const each of boxes) each.classList.toggle("lit", near.has(each.dataset.box));
      svg.classList.toggle("some", box !== undefined);
    };
    for (const name of ["pointerover", "pointerleave", "focusin", "focusout"]) frame.addEventListener(name, light);
  }

  const MOST_LINES = 250, MOST_COLUMNS = 20;
  const DIRECT = ["identity", "transformation", "aggregation"];
  const isDirect = (kind) => DIRECT.includes(kind);
  /* Of two steps: the greater of two direct kinds, or the only indirect kind. Of two indirect kinds, edges do
     not tell which it is: a column's rows may decide, or its values. */
  const then = (first, last) => {
    if (isDirect(first) && isDirect(last)) return DIRECT[Math.max(DIRECT.indexOf(first), DIRECT.indexOf(last))];
    if (isDirect(first) || first === last) return last;
    return isDirect(last) ? first : "indirect";
  };

  /* From a column, return each column that is reached, and in which ways. */
  function reached(start, steps) {
    const found = new Map(), waiting = [[start, DIRECT[0]]];
    while (waiting.length) {
      const [column, kind] = waiting.pop();
      for (const [next, words] of steps[column]) for (const word of words) {
        const known = found.get(next) ?? new Set(), whole = then(kind, word);
        if (known.has(whole)) continue;
        found.set(next, known.add(whole));
        waiting.push([next, whole]);
      }
    }
    return found;
  }

  function lineage() {
    const view = byId("lineage-view");
    if (!view) return;
    const { tables, columns, edges, kinds, reads } = MARTS;
    const here = Number(document.body.dataset.table), base = document.body.dataset.root;
    const status = byId("lineage-status"), first = status.textContent;
    const layers = view.querySelector(".layers"), indirect = byId("indirect"), clear = byId("clear");
    const up = columns.map(() => []), down = columns.map(() => []);
    for (const [from, to, kind] of edges) {
      up[to].push([from, kinds[kind]]);
      down[from].push([to, kinds[kind]]);
    }
    const columnsOf = tables.map(() => []);
    columns.forEach(([table], n) => columnsOf[table].push(n));
    const named = (name) => columnsOf[here].find((n) => columns[n][1] === name);
    const expanded = new Set();
    let selected = null, feeding = new Map(), fed = new Map();

    const howIn = (found, n) => (!found.has(n) ? undefined : [...found.get(n)].some(isDirect) ? "direct" : "indirect");
    const litAs = (n) => {
      const how = howIn(feeding, n) ?? howIn(fed, n);
      return how === "indirect" && !indirect.checked ? undefined : how;
    };
    const howInWords = (n) => {
      const how = litAs(n), kindsOf = [...(feeding.get(n) ?? fed.get(n))];
      const words = kindsOf.filter((kind) => kind !== "indirect" && isDirect(kind) === (how === "direct"));
      return words.length ? `${how}: ${words.sort().join(", ").replaceAll("_", " ")}` : how;
    };
    const related = () => {
      const found = new Set([here]);
      for (const [from, to] of [[0, 1], [1, 0]]) {
        const waiting = [here];
        while (waiting.length) {
          const table = waiting.pop();
          for (const edge of reads) if (edge[from] === table && !found.has(edge[to])) {
            found.add(edge[to]);
            waiting.push(edge[to]);
          }
        }
      }
      for (const n of [...feeding.keys(), ...fed.keys()]) found.add(columns[n][0]);
      return [...found];
    };
    const button = (n) => {
      const how = n === selected ? "selected" : litAs(n) ?? "";
      return make("button", {
        type: "button", data: { name: `${tables[columns[n][0]][0]}.${columns[n][1]}`, number: n, lit: how },
        attributes: { "aria-pressed": String(n === selected) },
      }, make("code", {}, ...breakable(columns[n][1])),
      make("small", { textContent: columns[n][4] ? " personal" : "" }));
    };
    const breakable = (name) => name.split("_").flatMap((part, n) => (n ? ["_", make("wbr"), part] : [part]));
    const list = (numbers) => make("ul", {}, ...numbers.map((n) => make("li", {}, button(n))));
    const card = (table) => {
      const [name, , page] = tables[table], all = columnsOf[table], isExpanded = expanded.has(table);
      const groups = new Map();
      for (const n of all.filter(litAs)) {
        const words = howInWords(n);
        groups.set(words, [...(groups.get(words) ?? []), n]);
      }
      const isShown = isExpanded || (selected === null && table === here && all.length <= MOST_COLUMNS);
      const rest = all.filter((n) => n !== selected && !litAs(n));
      const title = make("h3", {}, make("a", { href: base + page }, make("code", {}, ...breakable(name))));
      const box = make("div", { className: table === here ? "card here" : "card", data: { card: table } }, title);
      const heading = (words) => make("p", { className: "how", textContent: words });
      if (all.includes(selected)) box.append(list([selected]));
      for (const [words, numbers] of [...groups].sort()) box.append(heading(words), list(numbers));
      if (rest.length && isShown) {
        if (selected !== null) box.append(heading("not related"));
        box.append(list(rest));
      }
      if (rest.length && (isExpanded || !isShown)) {
        const words = isExpanded ? "fewer columns" : `${rest.length} ${rest.length < all.length ? "more" : "columns"}`;
        box.append(make("button", { type: "button", className: "rest", textContent: words, data: { table },
          attributes: { "aria-expanded": String(isExpanded), "aria-label": `${name}: ${words}` } }));
      }
      return box;
    };
    const line = (from, to, frame, className) => {
      const a = from.getBoundingClientRect(), b = to.getBoundingClientRect();
      const x = a.right - frame.left, y = a.top + a.height / 2 - frame.top;
      const toX = b.left - frame.left, toY = b.top + b.height / 2 - frame.top, middle = (x + toX) / 2;
      const path = document.createElementNS("http://www.w3.org/2000/svg", "path");
      path.setAttribute("d", `M${x} ${y}C${middle} ${y} ${middle} ${toY} ${toX} ${toY}`);
      path.setAttribute("class", className);
      return path;
    };
    /* A line from column to column where lineage is direct and readable, else one from table to table. */
    const draw = () => {
      const svg = layers.querySelector("svg"), frame = layers.getBoundingClientRect(), paths = [];
      const at = new Map([...layers.querySelectorAll("[data-number]")].map((each) => [Number(each.dataset.number), each]));
      const drawn = new Set(), titleOf = (table) => layers.querySelector(`[data-card="${table}"] h3`);
      if (selected === null) for (const [from, to] of reads) {
        const [start, end] = [titleOf(from), titleOf(to)];
        if (start && end) paths.push(line(start, end, frame, "reads"));
      }
      for (const side of selected === null ? [] : [feeding, fed]) {
        const how = (n) => (n === selected ? "direct" : side.has(n) && litAs(n));
        const lit = edges.filter(([from, to]) => how(from) && how(to));
        const isOwnLine = ([from, to, kind]) => kinds[kind].some(isDirect) && how(from) === "direct" && how(to) === "direct";
        const isFew = lit.filter(isOwnLine).length <= MOST_LINES;
        for (const edge of lit) {
          const [from, to] = edge, isOwn = isOwnLine(edge);
          if (!isOwn && !indirect.checked) continue;
          const tablesOf = [columns[from][0], columns[to][0]], pair = `${tablesOf} ${isOwn}`;
          if (isOwn && isFew) paths.push(line(at.get(from), at.get(to), frame, "direct"));
          else if (!drawn.has(pair)) {
            drawn.add(pair);
            const [start, end] = tablesOf.map(titleOf);
            paths.push(line(start, end, frame, isOwn ? "direct" : "indirect"));
          }
        }
      }
      svg.replaceChildren(...paths);
    };
    const render = () => {
      const hadFocus = layers.contains(document.activeElement) ? document.activeElement.dataset : null;
      const byLayer = new Map();
      const isNeeded = (table) => selected === null || expanded.has(table)
        || columnsOf[table].some((n) => n === selected || litAs(n));
      for (const table of related().filter(isNeeded).sort((a, b) => a - b)) {
        const layer = tables[table][4];
        byLayer.set(layer, [...(byLayer.get(layer) ?? []), card(table)]);
      }
      const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
      svg.setAttribute("aria-hidden", "true");
      const sorted = [...byLayer].sort(([a], [b]) => a - b);
      layers.replaceChildren(svg, ...sorted.map(([, cards]) => make("div", { className: "layer" }, ...cards)));
      draw();
      const middle = layers.querySelector('[data-lit="selected"]') ?? layers.querySelector(".here");
      const box = layers.parentElement, part = middle.getBoundingClientRect(), frame = box.getBoundingClientRect();
      if (part.left < frame.left || part.right > frame.right) box.scrollLeft += part.left - frame.left - (frame.width - part.width) / 2;
      if (hadFocus) {
        const again = hadFocus.number !== undefined ? `[data-number="${hadFocus.number}"]` : `[data-table="${hadFocus.table}"]`;
        layers.querySelector(again)?.focus({ preventScroll: true });
      }
    };
    const counted = (found) => {
      const direct = [...found.keys()].filter((n) => howIn(found, n) === "direct").length;
      if (!found.size) return "no column";
      return `${direct || "no"} ${direct > 1 ? "columns" : "column"} directly and ${found.size - direct} indirectly`;
    };
    const select = (n) => {
      selected = n;
      feeding = n === null ? new Map() : reached(n, up);
      fed = n === null ? new Map() : reached(n, down);
      status.textContent = n === null ? first
        : `${tables[columns[n][0]][0]}.${columns[n][1]} is fed by ${counted(feeding)}; it feeds ${counted(fed)}.`;
      clear.hidden = n === null;
      for (const each of document.querySelectorAll("button.column"))
        each.setAttribute("aria-pressed", String(n !== null && n === named(each.dataset.column)));
      render();
    };
    const fromAddress = () => {
      const n = columnsOf[here].find((each) => location.hash === `#${columns[each][2]}`);
      if (n !== undefined) select(n);
    };
    const move = (from, key) => {
      const list = [...from.closest(".card").querySelectorAll("[data-number]")];
      if (key === "ArrowUp" || key === "ArrowDown") return list[list.indexOf(from) + (key === "ArrowDown" ? 1 : -1)];
      let layer = from.closest(".layer");
      do layer = key === "ArrowRight" ? layer.nextElementSibling : layer.previousElementSibling;
      while (layer && !layer.querySelector("[data-number]"));
      return layer?.querySelector("[data-number]");
    };

    layers.addEventListener("click", (event) => {
      const rest = event.target.closest(".rest"), column = event.target.closest("[data-number]");
      if (rest) {
        const table = Number(rest.dataset.table);
        if (!expanded.delete(table)) expanded.add(table);
        render();
      } else if (column) {
        const n = Number(column.dataset.number);
        select(n === selected ? null : n);
      }
    });
    view.addEventListener("keydown", (event) => {
      if (event.key === "Escape") select(null);
      const column = event.target.closest("[data-number]");
      if (!column || !event.key.startsWith("Arrow")) return;
      event.preventDefault();
      move(column, event.key)?.focus();
    });
    for (const each of document.querySelectorAll("button.column")) {
      each.addEventListener("click", () => {
        const n = named(each.dataset.column);
        select(n);
        history.replaceState(null, "", `#${columns[n][2]}`);
        byId("lineage").scrollIntoView();
        layers.querySelector(`[data-number="${n}"]`).focus({ preventScroll: true });
      });
      each.disabled = false;
    }
    indirect.checked = remembered("indirect") !== "no";
    indirect.addEventListener("change", () => { remember("indirect", indirect.checked ? "yes" : "no"); render(); });
    clear.addEventListener("click", () => { select(null); byId("lineage-view").querySelector("input").focus(); });
    addEventListener("hashchange", fromAddress);
    new ResizeObserver(draw).observe(layers);
    view.hidden = false;
    select(null);
    fromAddress();
  }

  document.addEventListener("DOMContentLoaded", () => {
    for (const part of [theme, search, tags, dialects, graph, lineage]) part();
  });
})();
