// The inbox under the fingers: what is written (message or note), prepared answers, who looks, what was read, keys.
//
// Everything here also works without it: the forms are the page's own, `/shortcut` is understood by the server.
"use strict";

(() => {
  const talk = document.getElementById("talk");
  if (!talk) return;
  const csrf = document.querySelector('meta[name="csrf"]')?.content ?? "";
  const base = `/console/inbox/${talk.dataset.conversation}`;
  const field = () => document.getElementById("say");
  const composer = () => document.getElementById("composer");
  const list = () => document.getElementById("replies");
  const all = (selector, root = document) => [...root.querySelectorAll(selector)];

  // ---- message or note ----------------------------------------------------------------------------

  const isNote = () => composer()?.elements.kind?.value === "note" || composer()?.classList.contains("note-only");

  function become(kind) {
    const box = composer()?.querySelector(`[name="kind"][value="${kind}"]`);
    if (box) box.checked = true;
    fit();
    field()?.focus();
  }

  function fit() {
    const area = field();
    if (!area || composer().classList.contains("note-only")) return;
    const hint = isNote() ? area.dataset.noting : area.dataset.say;
    area.placeholder = hint;
    area.labels[0].textContent = hint;
    if (isNote()) hide();
  }

  document.addEventListener("change", (event) => {
    if (event.target.name === "kind") fit();
  });

  // ---- prepared answers ---------------------------------------------------------------------------

  let at = -1;
  const shown = () => all("[role=option]:not([hidden])", list());

  function hide() {
    if (!list() || list().hidden) return;
    list().hidden = true;
    at = -1;
    field()?.removeAttribute("aria-activedescendant");
    document.getElementById("replies-open")?.setAttribute("aria-expanded", "false");
  }

  /** Shows those whose shortcut or title begins with what follows the slash. */
  function offer(typed) {
    const wanted = typed.slice(1).toLowerCase();
    all("[role=option]", list()).forEach((reply) => {
      const title = reply.querySelector("strong").textContent.toLowerCase();
      reply.hidden = !reply.dataset.shortcut.startsWith(wanted) && !title.startsWith(wanted);
    });
    list().hidden = !shown().length;
    document.getElementById("replies-open")?.setAttribute("aria-expanded", String(!list().hidden));
    point(list().hidden ? -1 : 0);
  }

  function point(to) {
    at = to;
    shown().forEach((reply, index) => reply.setAttribute("aria-selected", String(index === at)));
    const chosen = shown()[at];
    if (chosen) {
      field().setAttribute("aria-activedescendant", chosen.id);
      chosen.scrollIntoView({ block: "nearest" });
    } else field().removeAttribute("aria-activedescendant");
  }

  function take(reply) {
    field().value = reply.dataset.text;
    hide();
    field().focus();
    field().dispatchEvent(new Event("input", { bubbles: true }));
  }

  document.addEventListener("input", (event) => {
    if (event.target !== field() || !list() || isNote()) return;
    const { value } = event.target;
    if (/^\/[\w-]*$/.test(value)) offer(value);
    else hide();
  });
  document.addEventListener("keydown", (event) => {
    if (event.target !== field() || !list() || list().hidden) return;
    const count = shown().length;
    if (event.key === "ArrowDown" || event.key === "ArrowUp") {
      event.preventDefault();
      point((at + (event.key === "ArrowDown" ? 1 : count - 1)) % count);
    } else if ((event.key === "Enter" || event.key === "Tab") && shown()[at]) {
      event.preventDefault();
      event.stopImmediatePropagation();
      take(shown()[at]);
    } else if (event.key === "Escape") {
      event.stopImmediatePropagation();
      hide();
    }
  }, true);
  // A shortcut that was typed and sent as it is means its reply.
  document.addEventListener(
    "submit",
    (event) => {
      const area = event.target.id === "composer" && !isNote() && list() ? field() : null;
      const called = area && all("[role=option]", list()).find((reply) => `/${reply.dataset.shortcut}` === area.value.trim());
      if (called) area.value = called.dataset.text;
      if (area) hide();
    },
    true,
  );
  // The focus stays in the line; a press on a reply must not take it away.
  document.addEventListener("pointerdown", (event) => {
    const reply = event.target.closest("#replies [role=option]");
    if (reply) {
      event.preventDefault();
      take(reply);
    }
  });
  document.addEventListener("click", (event) => {
    if (event.target.closest("#replies-open")) {
      if (!list().hidden) return hide();
      field().focus();
      offer("/");
    } else if (!event.target.closest("#composer")) hide();
  });

  // ---- who looks, what was read -------------------------------------------------------------------

  const latest = () => all("#talk-log .message").reduce((most, one) => Math.max(most, Number(one.dataset.seq) || 0), 0);
  const look = () => {
    if (document.visibilityState !== "visible" || document.body.dataset.chats !== "true") return;
    fetch(`${base}/look`, {
      method: "POST",
      headers: { "x-csrf-token": csrf },
      body: new URLSearchParams({ csrf, seq: String(latest()) }),
    }).catch(() => {});
  };
  look();
  setInterval(look, 15_000);
  document.addEventListener("visibilitychange", look);
  // What arrives while somebody looks is read at once.
  new MutationObserver(look).observe(document.getElementById("talk-log"), { childList: true });
  addEventListener("pagehide", () => {
    if (document.body.dataset.chats === "true") navigator.sendBeacon(`${base}/look`, new URLSearchParams({ csrf, leaves: "true" }));
  });

  // ---- keys ---------------------------------------------------------------------------------------

  let going = 0;
  document.addEventListener("keydown", (event) => {
    const typing = event.target.closest("input, textarea, select, [contenteditable]");
    if (typing || event.ctrlKey || event.metaKey || event.altKey || document.querySelector("dialog[open]")) return;
    // After `g` a letter leads elsewhere.
    if (event.key === "g") return void (going = Date.now());
    if (Date.now() - going < 1200) return void (going = 0);
    const act = {
      r: () => become("say"),
      e: () => become("note"),
      l: () => document.getElementById("talk-log").focus(),
      u: () => document.querySelector(".talk-back")?.click(),
    }[event.key];
    const place = act ? null : talk.querySelector(`[data-key="${CSS.escape(event.key)}"]`);
    if (!act && !place) return;
    event.preventDefault();
    if (act) return act();
    place.click();
    const first = place.localName === "summary" && place.parentElement.querySelector("select, input:not([type=hidden]), textarea");
    if (first) first.focus();
    if (place.classList.contains("talk-about")) document.getElementById("talk-context").focus();
  });
  // Escape closes what is open and leads back to where it was opened.
  document.addEventListener("keydown", (event) => {
    const menu = event.key === "Escape" && document.activeElement?.closest(".talk-menu[open]");
    if (!menu) return;
    event.stopImmediatePropagation();
    menu.removeAttribute("open");
    menu.querySelector("summary").focus();
  }, true);
})();
