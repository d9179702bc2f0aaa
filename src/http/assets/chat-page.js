// The hosted chat (/chat): opens the widget by itself, takes up the conversation that a link leads to, and makes such links.
"use strict";

(() => {
  const page = document.querySelector("[data-chat]");
  const { flow, kept } = page.dataset;
  // What is for readers without scripts stands there until this runs.
  for (const part of document.querySelectorAll("[data-scripted]")) part.hidden = false;
  for (const part of document.querySelectorAll("[data-unscripted]")) part.hidden = true;
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

  // The conversation that runs. Without consent it stands in no store: then only the widget has it.
  const talk = () => {
    const own = window.embudo.host?.chat?.memory?.kept;
    if (own?.token) return own;
    try {
      return JSON.parse(localStorage.getItem("embudo.chat")) || {};
    } catch {
      return {};
    }
  };

  const dialog = document.querySelector(".chat-dialog");
  const opener = document.querySelector("[data-along]");
  const part = (name) => dialog.querySelector(`[data-along-${name}]`);
  const field = dialog.querySelector("input");
  const told = dialog.querySelector("[role=status]");

  // The newest address, and of which conversation: opened again the dialog shows it, and does not make it worthless by another.
  let made = {};

  // Shows an address, or none, and says something about it.
  const show = (link, text) => {
    for (const name of ["link", "copy", "back"]) part(name).hidden = !link;
    field.value = link || "";
    told.textContent = text;
  };

  const ask = async (wanted) => {
    const { conversation, token } = talk();
    if (!token) return show(null, dialog.dataset.first);
    if (wanted && made.link && made.conversation === conversation) return show(made.link, "");
    try {
      const answer = await fetch(`/v1/chat/${encodeURIComponent(conversation)}/link`, {
        method: "POST",
        headers: { authorization: `Bearer ${token}` },
        body: JSON.stringify({ wanted }),
      });
      const { link, detail } = await answer.json();
      if (!answer.ok) return show(null, detail || dialog.dataset.failed);
      made = { conversation, link };
      show(link, wanted ? "" : dialog.dataset.withdrawn);
      if (link) field.select();
    } catch {
      show(null, dialog.dataset.failed);
    }
  };

  // A device on which such a link was followed makes none.
  opener.hidden = !!(kept || talk().elsewhere);
  opener.addEventListener("click", () => {
    show(null, "");
    dialog.showModal();
    ask(true);
  });
  part("copy").addEventListener("click", async () => {
    field.select();
    try {
      await navigator.clipboard.writeText(field.value);
      told.textContent = dialog.dataset.copied;
    } catch {
      // It stands there selected: the reader copies it as any text.
    }
  });
  part("back").addEventListener("click", () => ask(false));
  part("close").addEventListener("click", () => dialog.close());
})();
