// The demo's time machine: shows the clock of the demo server, moves it, and leads to the other side of the story.
(function () {
  "use strict";

  var spanish = document.documentElement.lang === "es";
  var words = spanish
    ? {
        bar: "Máquina del tiempo de la demo",
        time: "Hora de la demo",
        hour: "+1 hora",
        day: "+1 día",
        after: "Después del webinar",
        reset: "Volver a ahora",
        mail: "Correos enviados",
        console: "Consola",
        failed: "No se ha podido mover el reloj. Inténtalo otra vez.",
      }
    : {
        bar: "Time machine of the demo",
        time: "Demo time",
        hour: "+1 hour",
        day: "+1 day",
        after: "After the webinar",
        reset: "Back to now",
        mail: "Mails sent",
        console: "Console",
        failed: "The clock did not move. Try again.",
      };

  var bar = document.createElement("aside");
  bar.className = "demo-bar";
  bar.setAttribute("aria-label", words.bar);

  var clock = document.createElement("strong");
  clock.textContent = words.time;
  bar.append(clock);

  // The clock says what it is; on a phone the time alone tells it.
  var clockWord = document.createElement("span");
  clockWord.textContent = words.time + " ";

  var said = document.createElement("span");
  said.className = "demo-said";
  said.setAttribute("role", "status");

  var ahead = 0; // how far the demo's clock is ahead of this computer's, in ms

  function show() {
    var now = new Date(Date.now() + ahead);
    var time = new Intl.DateTimeFormat(spanish ? "es-ES" : "en-GB", {
      weekday: "short",
      day: "numeric",
      month: "short",
      hour: "2-digit",
      minute: "2-digit",
      hourCycle: "h23",
    }).format(now);
    clock.replaceChildren(clockWord, time);
  }

  function read() {
    return fetch("/demo/clock", { headers: { accept: "application/json" } })
      .then(function (answer) {
        return answer.ok ? answer.json() : null;
      })
      .then(function (told) {
        if (!told || typeof told.now !== "number") return;
        ahead = told.now - Date.now();
        show();
      });
  }

  function button(label, field, value) {
    var made = document.createElement("button");
    made.type = "button";
    made.textContent = label;
    made.addEventListener("click", function () {
      if (made.getAttribute("aria-busy")) return;
      made.setAttribute("aria-busy", "true");
      said.textContent = "";
      var fields = {};
      fields[field] = value;
      fetch("/demo/clock", { method: "POST", body: new URLSearchParams(fields) })
        .then(function (answer) {
          if (!answer.ok) throw new Error(String(answer.status));
          // What a visitor sees depends on the time: the page begins anew.
          location.reload();
        })
        .catch(function () {
          made.removeAttribute("aria-busy");
          said.textContent = words.failed;
        });
    });
    bar.append(made);
  }

  function link(label, address) {
    var made = document.createElement("a");
    made.href = address;
    made.textContent = label;
    bar.append(made);
  }

  button(words.hour, "advance_ms", "3600000");
  button(words.day, "advance_ms", "86400000");
  button(words.after, "to", "after-webinar");
  button(words.reset, "to", "reset");
  bar.append(document.createElement("hr"));
  link(words.mail, "/console/outbox");
  link(words.console, "/console");
  bar.append(said);
  document.body.append(bar);

  // On a narrow screen the bar has several lines: what floats above it must know how high it is.
  if (window.ResizeObserver)
    new ResizeObserver(function () {
      document.documentElement.style.setProperty("--demo-bar", bar.offsetHeight + "px");
    }).observe(bar);

  read().catch(function () {
    // Without an answer the bar keeps its buttons and shows no time.
  });
  setInterval(function () {
    if (ahead) show();
  }, 15000);
})();
