// The console works without this file. What it adds: live updates, keyboard, sending without a page load, the ring.
//
// Live parts: an element with `data-live="inbox contact:ID"` is fetched again, as a part of its own page, when the
// server says that one of these topics is new. Nothing here builds HTML from data: what the server renders is
// swapped in, and texts go in as text.
"use strict";

(() => {
  const csrf = document.querySelector('meta[name="csrf"]')?.content ?? "";
  const here = (selector, root = document) => root.querySelector(selector);
  const all = (selector, root = document) => [...root.querySelectorAll(selector)];
  /** More characters do not fit into one message, nor into a note. */
  const LONGEST = 2000;
  /** A message that takes longer is said to wait. */
  const LATE_MS = 1500;

  /** Posts a form's fields and says whether it worked. */
  const post = (action, fields) =>
    fetch(action, {
      method: "POST",
      headers: { accept: "text/html", "x-csrf-token": csrf },
      body: new URLSearchParams({ csrf, ...fields }),
      redirect: "manual",
    }).then((answer) => answer.type === "opaqueredirect" || answer.ok);

  /** A long address goes on in the next line after its @ or before a dot, not in the middle of a word. */
  const breakAddresses = (root) =>
    all("[data-breaks]", root).forEach((place) => {
      const text = place.textContent.trim();
      if (!text.includes("@")) return;
      const parts = text.replace(/@|(?=\.)/g, "$&\n").split("\n");
      place.replaceChildren(...parts.flatMap((part, at) => (at ? [document.createElement("wbr"), part] : [part])));
    });
  breakAddresses(document);

  /** Shows what does nothing without this file; what comes from the server later, too, so that nothing jumps under a click. */
  function showWhatNeedsScript(within) {
    all("[data-needs-script]", within).forEach((element) => {
      element.hidden = false;
    });
  }

  // ---- live parts -------------------------------------------------------------------------------

  let refreshing = null;
  let again = new Set();

  // A click is lost if what it began on is swapped before it ends: nothing is swapped while a button is held down, but
  // for one that is let go where nobody tells us.
  const HELD_MS = 3_000;
  let released = Promise.resolve();
  addEventListener(
    "pointerdown",
    () => {
      const over = new AbortController();
      released = new Promise((done) => {
        const end = () => setTimeout(done);
        for (const name of ["pointerup", "pointercancel", "dragend"]) addEventListener(name, end, { capture: true, signal: over.signal });
        setTimeout(done, HELD_MS);
      }).then(() => over.abort());
    },
    { capture: true },
  );

  // Whoever sends a form gets the page that comes of it: until then nothing is swapped, so that nobody begins to write into
  // a line that is about to go.
  const LEAVES_MS = 5_000;
  let leftAt = -LEAVES_MS;
  const leaves = () => performance.now() - leftAt < LEAVES_MS;
  const refreshAll = () => refresh(all("[data-live]").flatMap((part) => part.dataset.live.split(" ")));

  /** Where parts are fetched: what changes all the time has an address of its own, `data-from`; several come with the page. */
  function addressOf(parts) {
    const [own, ...others] = new Set(parts.map((part) => part.dataset.from ?? location.href));
    return others.length ? location.href : own;
  }

  /** Fetches this page once and swaps the parts that listen to one of the topics. */
  async function refresh(topics) {
    if (leaves()) return null;
    if (refreshing) {
      topics.forEach((topic) => again.add(topic));
      return refreshing;
    }
    const wanted = all("[data-live]").filter((part) => part.dataset.live.split(" ").some((t) => topics.includes(t)));
    const log = here("#talk-log") && topics.includes(`conversation:${here("#talk").dataset.conversation}`);
    if (!wanted.length && !log) return refreshCounts(topics);
    refreshing = (async () => {
      try {
        const answer = await fetch(log ? location.href : addressOf(wanted), { headers: { accept: "text/html" } });
        if (answer.redirected && new URL(answer.url).pathname === "/console/login") return location.reload();
        if (!answer.ok) return;
        const fresh = new DOMParser().parseFromString(await answer.text(), "text/html");
        await released;
        if (leaves()) return;
        wanted.forEach((part) => swap(part, fresh));
        if (log) extendLog(fresh);
        takeCounts(fresh);
      } finally {
        refreshing = null;
        const waiting = [...again];
        again = new Set();
        if (waiting.length) refresh(waiting);
      }
    })().catch(() => {});
    return refreshing;
  }

  // On a busy site visits go on all the time: the first is shown at once, the next ones together. All open pages are told in
  // the same moment, and ask spread over the next one. What nobody looks at is fetched when somebody does.
  const SELDOM_MS = 3_000;
  const SPREAD_MS = 250;
  let seldomAt = 0;
  let seldom = 0;
  const missed = new Set();
  function refreshSeldom(topic) {
    const spread = Math.random() * SPREAD_MS;
    seldom ||= setTimeout(
      () => {
        seldom = 0;
        if (document.visibilityState !== "visible") return missed.add(topic);
        seldomAt = Date.now();
        refresh([topic]);
      },
      Math.max(spread, seldomAt + SELDOM_MS - spread - Date.now()),
    );
  }
  document.addEventListener("visibilitychange", () => {
    if (document.visibilityState !== "visible") return;
    missed.forEach(refreshSeldom);
    missed.clear();
  });

  // Long work: the line may have told of its end before it stood, so that the page looks by itself, too.
  setInterval(() => {
    if (document.visibilityState === "visible") refresh(all("[data-goes-on]").flatMap((part) => part.dataset.live.split(" ")));
  }, 2000);

  /** Puts the new part in the old one's place; the focus, what is typed and what is opened stay. */
  function swap(part, fresh) {
    // It went with the larger part that it stood in, and the new one stands there.
    if (!part.isConnected) return;
    const next = part.id && fresh.getElementById(part.id);
    if (next) {
      breakAddresses(next);
      showWhatNeedsScript(next);
    }
    if (!next || next.outerHTML === part.outerHTML) return;
    const focused = document.activeElement;
    if (part.contains(focused) && /^(TEXTAREA|INPUT|SELECT)$/.test(focused.tagName)) {
      // Somebody is typing here. Only take the whole part when the typing place itself goes away.
      if (next.querySelector(`#${focused.id}`)) return;
    }
    const opened = all("details[open]", part).map((d) => all("details", part).indexOf(d));
    const link = part.contains(focused) ? focused.getAttribute("href") : null;
    const top = part.scrollTop;
    const typed = here("textarea", part)?.value;
    const kind = here(".note-only", part) ? typed && "note" : here('[name="kind"]:checked', part)?.value;
    part.replaceWith(document.importNode(next, true));
    const placed = document.getElementById(part.id);
    placed.scrollTop = top;
    opened.forEach((index) => all("details", placed)[index]?.setAttribute("open", ""));
    if (link) here(`a[href="${CSS.escape(link)}"]`, placed)?.focus();
    const area = here("textarea", placed);
    if (area && typed) area.value = typed;
    // What was begun as a note stays one.
    const box = kind && here(`[name="kind"][value="${kind}"]`, placed);
    if (box) {
      box.checked = true;
      box.dispatchEvent(new Event("change", { bubbles: true }));
    }
  }

  /** New messages are added below; the log is never rebuilt, so that screen readers read only what is new. */
  function extendLog(fresh) {
    const log = here("#talk-log");
    const atEnd = log.scrollHeight - log.scrollTop - log.clientHeight < 80;
    let added = false;
    all("#talk-log .message", fresh).forEach((message) => {
      if (!here(`[data-seq="${message.dataset.seq}"]`, log)) {
        all(".pending", log).forEach((pending) => {
          if (["from-agent", "from-note"].some((who) => message.classList.contains(who) && pending.classList.contains(who))) pending.remove();
        });
        log.append(document.importNode(message, true));
        added = true;
      }
    });
    if (added && atEnd) log.scrollTop = log.scrollHeight;
  }

  function takeCounts(fresh) {
    all("[data-go] .count, [data-unread]").forEach((old, index) => {
      const next = all("[data-go] .count, [data-unread]", fresh)[index];
      if (next) {
        old.textContent = next.textContent;
        old.hidden = next.hidden;
      }
    });
  }

  async function refreshCounts(topics) {
    if (!topics.some((topic) => topic === "inbox" || topic === "notifications")) return;
    const answer = await fetch(location.href, { headers: { accept: "text/html" } }).catch(() => null);
    if (answer?.ok) takeCounts(new DOMParser().parseFromString(await answer.text(), "text/html"));
  }

  // ---- the line ---------------------------------------------------------------------------------

  const talk = here("#talk")?.dataset;
  let lost = null;
  // Who came between the page and its line was told to nobody.
  if (here('[data-live~="live"]')) setTimeout(refreshSeldom, 1_000, "live");
  const line =
    here(".rail") &&
    embudoLine({
      conversation: talk?.conversation,
      traffic: here("[data-traffic]")?.dataset.traffic,
      live: !!here('[data-live~="live"]'),
      after: Number(talk?.head ?? 0),
      csrf,
      on: {
        found() {
          clearTimeout(lost);
          lost = null;
          if (!here("#offline").hidden) {
            here("#offline").hidden = true;
            refresh(all("[data-live]").flatMap((part) => part.dataset.live.split(" ")));
          }
        },
        lost() {
          lost ??= setTimeout(() => {
            here("#offline").hidden = false;
          }, 3000);
        },
        event: () => refresh([`conversation:${talk.conversation}`]),
        wake: ({ topic }) => (topic === "live" ? refreshSeldom(topic) : refresh([topic])),
        typing: (typing) => showTyping(typing),
        live({ count, text }) {
          const place = here("[data-traffic]");
          if (!place || !text) return;
          here("[data-traffic-words]", place).textContent = text;
          here(".live-dot", place).classList.toggle("none", count === 0);
        },
        notification(note) {
          toast(note);
          notices.tell(note);
          refresh(["notifications", "inbox"]);
        },
      },
    });

  let typingOver = null;
  function showTyping({ text }) {
    const line = here("#talk-typing");
    if (!line) return;
    line.textContent = text;
    clearTimeout(typingOver);
    typingOver = setTimeout(() => {
      line.textContent = "";
    }, 4000);
  }

  /** A note at the edge. It goes by itself, is read out politely, and never takes the focus. */
  function toast({ title, body, link }) {
    const note = here("#toast").content.firstElementChild.cloneNode(true);
    here("strong", note).textContent = title;
    here("span", note).textContent = body;
    note.href = link.startsWith("/") ? link : "/console/notifications";
    const over = () => note.remove();
    let timer = setTimeout(over, 8000);
    note.addEventListener("pointerenter", () => clearTimeout(timer));
    note.addEventListener("focus", () => clearTimeout(timer));
    note.addEventListener("pointerleave", () => {
      timer = setTimeout(over, 3000);
    });
    here("#toasts").append(note);
  }

  // ---- presence ---------------------------------------------------------------------------------

  // Whoever rests beats on: the switch stands, and her hours begin again.
  const beat = () =>
    fetch("/console/presence/beat", {
      method: "POST",
      headers: { "x-csrf-token": csrf },
      body: new URLSearchParams({ csrf }),
    })
      .then((answer) => (answer.ok ? answer.json() : null))
      .then((told) => {
        // Her hours have begun or ended since the page was loaded: say so where nobody is typing.
        if (told && told.presence !== document.body.dataset.presence) refreshPresence();
      })
      .catch(() => {});
  async function refreshPresence() {
    const answer = await fetch(location.href, { headers: { accept: "text/html" } });
    if (!answer.ok) return;
    const fresh = new DOMParser().parseFromString(await answer.text(), "text/html");
    Object.assign(document.body.dataset, { presence: fresh.body.dataset.presence, quiet: fresh.body.dataset.quiet });
    here(".presence")?.replaceWith(document.importNode(here(".presence", fresh), true));
  }
  if (document.body.dataset.chats === "true" && document.body.dataset.presence !== "away") {
    beat();
    setInterval(beat, 20_000);
  }

  // ---- the conversation -------------------------------------------------------------------------

  const log = here("#talk-log");
  if (log) log.scrollTop = log.scrollHeight;

  let typedAt = 0;
  document.addEventListener("input", (event) => {
    if (event.target.id !== "say" || Date.now() - typedAt < 2500) return;
    const kind = event.target.form.elements.kind?.value;
    // Nobody needs to see that a note is written.
    if (kind !== "say") return;
    typedAt = Date.now();
    if (line.typing()) return;
    post(`/console/inbox/${here("#talk").dataset.conversation}/typing`, {}).catch(() => {});
  });

  document.addEventListener("submit", async (event) => {
    const form = event.target;
    const isNote = form.id === "composer" && (form.classList.contains("note-only") || form.elements.kind?.value === "note");
    if (form.id !== "composer" || (event.submitter?.hasAttribute("formaction") && !isNote)) return;
    event.preventDefault();
    const area = here("textarea", form);
    const text = area.value.trim();
    if (!text) return;
    if (text.length > LONGEST) {
      here("#say-problem").textContent = here("#say-problem").dataset.long;
      return;
    }
    const id = form.elements.client_id.value;
    form.elements.client_id.value = crypto.randomUUID();
    area.value = "";
    // What is typed from now on is something new to be told of.
    typedAt = 0;
    const pending = pendingMessage(text, isNote ? "note" : "agent");
    const conversation = here("#talk").dataset.conversation;
    const problem = here("#say-problem");
    problem.textContent = "";
    const sent = await deliver(isNote ? form.dataset.note : form.action, { text, client_id: id }, () => delayed(pending, problem.dataset.waits));
    if (sent) {
      refresh([`conversation:${conversation}`]);
    } else {
      pending.remove();
      problem.textContent = problem.dataset.text;
      area.value = area.value ? `${text}\n${area.value}` : text;
      form.elements.client_id.value = id;
      // Perhaps the chat is closed or somebody else's by now: show how it stands.
      refresh([`conversation:${conversation}`]);
    }
  });

  /** Sends until the server has it, over the line or beside it: the client id makes a repetition harmless. */
  async function deliver(action, fields, late) {
    // A socket that is cut says nothing for a while: whoever waits learns it sooner.
    const timer = setTimeout(late, LATE_MS);
    try {
      return await tried(action, fields, late);
    } finally {
      clearTimeout(timer);
    }
  }

  async function tried(action, fields, late) {
    for (let attempt = 0; attempt < 4; attempt += 1) {
      try {
        // The line carries messages; a note goes to a door of its own and can never become one.
        const said = action.endsWith("/say") ? line.say(fields.client_id, fields.text) : null;
        return await (said ?? post(action, fields));
      } catch {
        late();
        await new Promise((go) => setTimeout(go, 600 * 2 ** attempt));
      }
    }
    return false;
  }

  /** Says in words that it waits: paler alone tells nobody. */
  function delayed(message, words) {
    if (message.querySelector(".message-waits")) return;
    const note = document.createElement("p");
    note.className = "message-waits";
    note.textContent = words;
    message.append(note);
    here("#talk-log").scrollTop = here("#talk-log").scrollHeight;
  }

  function pendingMessage(text, author) {
    const message = document.createElement("div");
    message.className = `message from-${author} pending`;
    const bubble = document.createElement("div");
    bubble.className = "message-bubble";
    bubble.textContent = text;
    message.append(bubble);
    here("#talk-log").append(message);
    here("#talk-log").scrollTop = here("#talk-log").scrollHeight;
    return message;
  }

  // ---- keyboard ---------------------------------------------------------------------------------

  const places = {
    t: "/console",
    i: "/console/inbox",
    c: "/console/contacts",
    p: "/console/pipeline",
    b: "/console/bookings",
    w: "/console/content",
    f: "/console/flows",
    v: "/console/traffic",
    r: "/console/reports",
    o: "/console/outbox",
    s: "/console/settings",
    n: "/console/notifications",
  };
  let going = 0;

  document.addEventListener("keydown", (event) => {
    const typing = event.target.closest("input, textarea, select, [contenteditable]");
    if (typing) {
      if (event.key === "Escape") event.target.blur();
      if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) {
        const form = event.target.form;
        form?.requestSubmit(form.id === "composer" ? all(".composer-tools > button", form).find((button) => button.offsetParent) : undefined);
      }
      return;
    }
    if (event.ctrlKey || event.metaKey || event.altKey || here("dialog[open]")) return;
    if (Date.now() - going < 1200 && places[event.key]) {
      going = 0;
      location.href = places[event.key];
      return;
    }
    going = 0;
    if (event.key === "g") going = Date.now();
    else if (event.key === "/") {
      event.preventDefault();
      here("[data-hotkey='/']")?.select();
    } else if (event.key === "?") here("#keys")?.showModal();
    else if (event.key === "j" || event.key === "k") step(event.key === "j" ? 1 : -1);
  });

  /** Moves the focus to the next or previous row of the page's list. */
  function step(by) {
    const rows = all(".main :is(.cell-main a, .line-link, .thread a, .mini-card a)");
    const at = rows.indexOf(document.activeElement);
    rows[at < 0 ? (by > 0 ? 0 : rows.length - 1) : Math.min(Math.max(at + by, 0), rows.length - 1)]?.focus();
  }

  // ---- small things -----------------------------------------------------------------------------

  showWhatNeedsScript(document);
  document.addEventListener("click", (event) => {
    const opener = event.target.closest("[data-open]");
    if (opener) {
      opener.closest("details")?.removeAttribute("open");
      document.getElementById(opener.dataset.open)?.showModal();
    }
    const read = event.target.closest("[data-read]");
    if (read) {
      navigator.sendBeacon("/console/notifications/read", new URLSearchParams({ csrf, id: read.dataset.read }));
    }
    all(".menu[open], .talk-menu[open], .drop[open], .rail-more details[open]").forEach((menu) => {
      if (!menu.contains(event.target) && event.isTrusted) menu.removeAttribute("open");
    });
  });
  document.addEventListener("keydown", (event) => {
    const menu = event.key === "Escape" && here(".menu[open], .talk-menu[open], .drop[open], .rail-more details[open]");
    if (menu) {
      menu.removeAttribute("open");
      here("summary", menu).focus();
    }
  });
  // A file that is chosen fills the field that it is for; what is sent is what stands there.
  document.addEventListener("change", async (event) => {
    const field = event.target.dataset?.fills && document.getElementById(event.target.dataset.fills);
    const [file] = event.target.files ?? [];
    if (field && file) field.value = await file.text();
  });
  // A second press of the same button must not do the thing twice.
  document.addEventListener("submit", (event) => {
    const form = event.target;
    if (form.id === "composer" || form.method !== "post") return;
    // Later: another script of the page may still take the order over, and then nobody leaves.
    setTimeout(() => {
      all("button", form).forEach((button) => (button.disabled = true));
      if (event.defaultPrevented) return;
      leftAt = performance.now();
      setTimeout(refreshAll, LEAVES_MS + 50);
    });
  });
  addEventListener("pageshow", (event) => {
    if (event.persisted) location.reload();
  });

  // The words "3 min ago" grow old: look again every minute while somebody is looking.
  setInterval(() => {
    if (document.visibilityState === "visible") refreshAll();
  }, 60_000);
})();
