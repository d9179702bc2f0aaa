// A file that is brought shows how far it has come; without this file the form is sent as any other.
"use strict";

for (const form of document.querySelectorAll("[data-upload]")) {
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    const state = form.querySelector("[data-upload-state]");
    const bar = state.querySelector("progress");
    const said = state.querySelector("[role=status]");
    const button = form.querySelector("button");
    const told = (text) => {
      said.textContent = text;
      state.hidden = false;
      button.disabled = false;
    };
    const sent = new XMLHttpRequest();
    sent.open("POST", form.action);
    sent.upload.addEventListener("progress", ({ loaded, total }) => {
      bar.value = total ? (100 * loaded) / total : 0;
      said.textContent = `${Math.floor(bar.value)} %`;
    });
    sent.addEventListener("load", () => {
      // The server has sent us on to the page that says what was done, or shows the form again and says why not.
      const page = new DOMParser().parseFromString(sent.responseText, "text/html");
      const why = page.querySelector("[data-upload] .error");
      if (sent.status < 400) location.assign(sent.responseURL);
      else told(why ? why.textContent : form.dataset.broken);
    });
    sent.addEventListener("error", () => told(form.dataset.broken));
    state.hidden = false;
    bar.value = 0;
    sent.send(new FormData(form));
    // Only now: what is disabled is not sent.
    button.disabled = true;
  });
}
