// The list of contacts follows what is typed. Without this file the search is a form that is sent.
"use strict";

(() => {
  const box = document.querySelector("#search");
  const list = () => document.querySelector("[data-people]");
  if (!box || !list()) return;
  /** So long after the last key the list is fetched. */
  const PAUSE_MS = 120;
  let timer = null;
  let asking = null;
  let shown = box.value.trim();

  /** The address of the list with what is typed; where a page began is true of another list. */
  const address = () => {
    const url = new URL(location.href);
    for (const name of ["after", "done"]) url.searchParams.delete(name);
    const text = box.value.trim();
    if (text) url.searchParams.set("q", text);
    else url.searchParams.delete("q");
    return url;
  };

  async function look() {
    clearTimeout(timer);
    const text = box.value.trim();
    if (text === shown) return;
    asking?.abort();
    const mine = (asking = new AbortController());
    const url = address();
    list().setAttribute("aria-busy", "true");
    try {
      const answer = await fetch(url, { headers: { accept: "text/html" }, signal: mine.signal });
      if (answer.redirected && new URL(answer.url).pathname === "/console/login") return location.reload();
      const fresh = answer.ok && new DOMParser().parseFromString(await answer.text(), "text/html").querySelector("[data-people]");
      if (mine.signal.aborted) return;
      if (!fresh) return location.assign(url);
      shown = text;
      list().replaceWith(document.importNode(fresh, true));
      history.replaceState(null, "", url);
      document.querySelector("#people-said").textContent = document.querySelector("[data-count]").textContent;
    } catch {
      // Another letter came meanwhile, or nothing can be reached: what is shown stays.
      if (!mine.signal.aborted) list().removeAttribute("aria-busy");
    }
  }

  /** How many rows are ticked stands on the button that opens what can be done with them. */
  function count() {
    const mark = document.querySelector("[data-ticked]");
    if (!mark) return;
    const ticked = document.querySelectorAll(".row-box:checked").length;
    mark.textContent = ticked;
    mark.hidden = !ticked;
  }
  document.addEventListener("change", (event) => event.target.matches(".row-box") && count());
  // A page that is gone back to has its ticks again.
  addEventListener("pageshow", count);

  box.addEventListener("input", () => {
    clearTimeout(timer);
    timer = setTimeout(look, PAUSE_MS);
  });
  box.form.addEventListener("submit", (event) => {
    event.preventDefault();
    look();
  });
})();
