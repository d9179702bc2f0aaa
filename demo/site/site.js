// Librería Faro: asks once whether this browser may be remembered, and keeps the answer easy to change.
(function () {
  "use strict";

  var bar = document.querySelector("[data-consent]");
  if (!bar) return;

  function decided() {
    try {
      return localStorage.getItem("embudo.consent") !== null;
    } catch (_) {
      return false;
    }
  }

  function answer(level) {
    bar.hidden = true;
    var words = [].map.call(bar.querySelectorAll("h2, p"), function (part) {
      return part.textContent.trim();
    });
    var asked = { text: words.join(" "), text_id: "faro-banner", language: document.documentElement.lang };
    if (typeof window.embudo === "function") window.embudo("consent", level, asked);
  }

  bar.querySelector("[data-accept]").addEventListener("click", function () {
    answer("analytics");
  });
  bar.querySelector("[data-decline]").addEventListener("click", function () {
    answer("none");
  });

  Array.prototype.forEach.call(document.querySelectorAll("[data-consent-again]"), function (button) {
    button.hidden = false;
    button.addEventListener("click", function () {
      bar.hidden = false;
      bar.querySelector("[data-decline]").focus();
    });
  });

  bar.hidden = decided();
})();
