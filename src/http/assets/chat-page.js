// The hosted chat (/chat): opens the widget by itself, and takes up the conversation that a mailed link leads to.
"use strict";

(() => {
  const page = document.querySelector("[data-chat]");
  const { flow, kept } = page.dataset;
  if (kept) {
    try {
      localStorage.setItem("embudo.chat", kept);
    } catch {
      // Storage is switched off: a new conversation begins instead.
    }
    // A reload must not send the form again.
    history.replaceState(null, "", "/chat" + location.search);
  }
  // The tracker comes after this script and reads what was asked for before it was there.
  const early = (...command) => early.q.push(command);
  early.q = [["chat", "open", flow]];
  window.embudo = early;
})();
