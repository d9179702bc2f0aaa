/*
 * The Flows area: line numbers, completion and checks while a flow's file is written, and the view of a large graph. Without
 * it the page has a plain text field and a button to check.
 */
(() => {
  "use strict";
  const here = (selector, within = document) => within.querySelector(selector);

  // ---- the graph: the chosen step, or the beginning, lies in view -------------------------------

  for (const canvas of document.querySelectorAll(".flow-canvas")) {
    const node = here(".node.chosen", canvas) ?? here(".node", canvas);
    if (!node) continue;
    const box = node.getBoundingClientRect();
    const frame = canvas.getBoundingClientRect();
    canvas.scrollLeft += box.left + box.width / 2 - frame.left - frame.width / 2;
    if (here(".node.chosen", canvas)) canvas.scrollTop += box.top + box.height / 2 - frame.top - frame.height / 2;
  }
  const log = here(".flow-log");
  if (log) log.scrollTop = log.scrollHeight;

  // ---- the editor -------------------------------------------------------------------------------

  const form = here("#flow-form");
  const text = here("#text", form ?? document);
  if (!form || !text) return;
  const lines = here(".editor-lines");
  const state = here("#edit-state");
  const offer = here("#offer");
  const said = here("#offer-said");
  const words = JSON.parse(form.dataset.words);
  const saved = text.value;
  let leaving = false;

  /** Numbers, and on those with a finding its mark. */
  function number() {
    const marks = new Map();
    for (const found of document.querySelectorAll("#checked .finding[data-here=true]")) {
      const line = Number(found.dataset.line);
      if (found.dataset.error === "true" || !marks.has(line)) marks.set(line, found.dataset.error === "true" ? "has-error" : "has-warning");
    }
    const count = text.value.split("\n").length;
    const all = [];
    for (let line = 1; line <= count; line += 1) {
      const span = document.createElement("span");
      span.textContent = line;
      if (marks.has(line)) span.className = marks.get(line);
      all.push(span);
    }
    lines.replaceChildren(...all);
    lines.scrollTop = text.scrollTop;
  }

  const lineHeight = () => parseFloat(getComputedStyle(text).lineHeight);

  /** Puts the cursor on a line, and the line in sight. */
  function goTo(line) {
    const rows = text.value.split("\n");
    const start = rows.slice(0, line - 1).reduce((sum, row) => sum + row.length + 1, 0);
    text.focus();
    text.setSelectionRange(start, start + (rows[line - 1] ?? "").length);
    text.scrollTop = Math.max(0, (line - 5) * lineHeight());
  }

  document.addEventListener("click", (event) => {
    const link = event.target.closest("[data-to-line]");
    if (!link) return;
    event.preventDefault();
    goTo(Number(link.dataset.toLine));
  });

  // ---- checks while one types -------------------------------------------------------------------

  let waiting = 0;
  let asked = 0;

  function later() {
    clearTimeout(waiting);
    state.textContent = state.dataset.changed;
    waiting = setTimeout(check, 500);
  }

  async function check() {
    const mine = (asked += 1);
    state.textContent = state.dataset.checking;
    try {
      const answer = await fetch(form.dataset.check, {
        method: "POST",
        headers: { accept: "text/html", "x-csrf-token": here('meta[name="csrf"]').content },
        body: new URLSearchParams(new FormData(form)),
      });
      const fresh = new DOMParser().parseFromString(await answer.text(), "text/html");
      const found = fresh.getElementById("checked");
      if (mine !== asked) return;
      if (!found) throw new Error(answer.status);
      here("#checked").replaceWith(document.importNode(found, true));
      state.textContent = answer.ok ? state.dataset.sound : state.dataset.wrong;
      number();
    } catch {
      if (mine === asked) state.textContent = state.dataset.offline;
    }
  }

  // ---- completion -------------------------------------------------------------------------------

  const indent = (row) => row.length - row.trimStart().length;

  /** Where a line stands: the keys above it, each further to the left than the last. */
  function way(rows, at, depth) {
    const keys = [];
    let edge = depth;
    for (let line = at - 1; line >= 0 && edge > 0; line -= 1) {
      const row = rows[line];
      if (!row.trim() || row.trimStart().startsWith("#")) continue;
      const key = row.match(/^(\s*)(?:- )?["']?([\w-]+)["']?:/);
      if (!key || indent(row) >= edge) continue;
      edge = indent(row);
      keys.unshift(key[2]);
    }
    return keys;
  }

  /** The part of the vocabulary that a way leads to: a `*` stands for names that the author chooses. */
  function known(part, keys) {
    const options = [keys];
    for (let place = 0; place < keys.length; place += 1) {
      for (const option of [...options]) options.push(option.map((key, index) => (index === place ? "*" : key)));
    }
    for (const option of options) {
      const found = words[part][option.join(".")];
      if (found) return found;
    }
    return [];
  }

  function stepIds(rows) {
    const ids = [];
    let within = false;
    for (const row of rows) {
      if (/^\S/.test(row) && !row.startsWith("#")) within = row.startsWith("steps:");
      const id = within && row.match(/^ {2}["']?([\w-]+)["']?:/);
      if (id) ids.push(id[1]);
    }
    return ids;
  }

  /** What could stand where the cursor is, and what of it is written already. */
  function candidates() {
    const before = text.value.slice(0, text.selectionStart);
    const rows = text.value.split("\n");
    const at = before.split("\n").length - 1;
    const row = before.slice(before.lastIndexOf("\n") + 1);
    const value = row.match(/^(\s*)(?:- )?["']?([\w-]+)["']?:\s+([\w-]*)$/);
    const inside = row.match(/^(\s*)(?:- )?(?:["']?([\w-]+)["']?:\s*)?\{(?:.*[,{]\s*|\s*)(?:([\w-]+):\s+)?([\w-]*)$/);
    const key = row.match(/^(\s*)(?:- )?([\w-]*)$/);
    const complete = (values, written, end) => {
      const all = values.flatMap((one) => (one === "@step" ? stepIds(rows) : [one]));
      const fitting = all.filter((one) => one.startsWith(written) && one !== written);
      return { written, fitting: [...new Set(fitting)].sort(), end };
    };
    if (value) return complete(known("values", [...way(rows, at, value[1].length || 0), value[2]]), value[3], "");
    if (inside) {
      const above = [...way(rows, at, inside[1].length), ...(inside[2] ? [inside[2]] : [])];
      return inside[3] ? complete(known("values", [...above, inside[3]]), inside[4], "") : complete(known("keys", above), inside[4], ": ");
    }
    if (key) return complete(known("keys", way(rows, at, key[1].length)), key[2], ": ");
    return { written: "", fitting: [], end: "" };
  }

  let chosen = 0;
  let open = null;

  function show(is_asked) {
    const found = candidates();
    if (!found.fitting.length || (!found.written && !is_asked)) return hide();
    open = found;
    chosen = 0;
    offer.replaceChildren(
      ...found.fitting.slice(0, 40).map((word, index) => {
        const item = document.createElement("li");
        item.id = `offer-${index}`;
        item.setAttribute("role", "option");
        item.textContent = word;
        return item;
      }),
    );
    offer.hidden = false;
    const rows = text.value.slice(0, text.selectionStart).split("\n");
    const top = rows.length * lineHeight() + 14 - text.scrollTop;
    const left = text.offsetLeft + 10 + (rows.at(-1).length - found.written.length) * 7.8 - text.scrollLeft;
    offer.style.top = `${Math.min(top, text.clientHeight - Math.min(offer.offsetHeight, 120))}px`;
    offer.style.left = `${Math.max(0, Math.min(left, text.offsetLeft + text.clientWidth - offer.offsetWidth))}px`;
    text.setAttribute("aria-controls", "offer");
    mark();
    said.textContent = said.dataset.text.replace("{n}", found.fitting.length);
  }

  function mark() {
    [...offer.children].forEach((item, index) => item.setAttribute("aria-selected", String(index === chosen)));
    offer.children[chosen]?.scrollIntoView({ block: "nearest" });
    text.setAttribute("aria-activedescendant", `offer-${chosen}`);
  }

  function hide() {
    open = null;
    offer.hidden = true;
    text.removeAttribute("aria-activedescendant");
    said.textContent = "";
  }

  /** Types for the author, so that what she does can be undone. */
  function type(written) {
    text.focus();
    if (!document.execCommand("insertText", false, written)) {
      text.setRangeText(written, text.selectionStart, text.selectionEnd, "end");
      text.dispatchEvent(new Event("input", { bubbles: true }));
    }
  }

  function take(index) {
    const word = open.fitting[index];
    const rest = word.slice(open.written.length) + open.end;
    hide();
    type(rest);
    hide();
  }

  text.addEventListener("keydown", (event) => {
    if (event.key === " " && event.ctrlKey) {
      event.preventDefault();
      show(true);
      return;
    }
    if (open) {
      if (event.key === "ArrowDown" || event.key === "ArrowUp") {
        event.preventDefault();
        const count = offer.children.length;
        chosen = (chosen + (event.key === "ArrowDown" ? 1 : count - 1)) % count;
        mark();
        return;
      }
      if (event.key === "Enter" && !event.ctrlKey && !event.metaKey) {
        event.preventDefault();
        take(chosen);
        return;
      }
      if (event.key === "Escape") {
        event.preventDefault();
        event.stopPropagation();
        hide();
        return;
      }
      if (["ArrowLeft", "ArrowRight", "Home", "End", "Tab"].includes(event.key)) hide();
    }
    if (event.key === "Enter" && !event.ctrlKey && !event.metaKey && !event.shiftKey) {
      const row = text.value.slice(0, text.selectionStart).split("\n").at(-1);
      const deeper = /:\s*$/.test(row) && !row.trimStart().startsWith("#") ? "  " : "";
      event.preventDefault();
      type(`\n${" ".repeat(indent(row.trimEnd() ? row : row + "x"))}${deeper}`);
    }
  });
  offer.addEventListener("mousedown", (event) => {
    const item = event.target.closest("li");
    event.preventDefault();
    if (item) take([...offer.children].indexOf(item));
  });
  text.addEventListener("blur", () => setTimeout(hide, 100));
  text.addEventListener("input", () => {
    number();
    later();
    show(false);
  });
  text.addEventListener("scroll", () => {
    lines.scrollTop = text.scrollTop;
    if (open) hide();
  });

  form.addEventListener("submit", () => {
    leaving = true;
  });
  addEventListener("beforeunload", (event) => {
    if (!leaving && text.value !== saved) event.preventDefault();
  });

  number();
  if (form.dataset.line) goTo(Number(form.dataset.line));
})();
