// The one script of the hosted pages. Everything works without it; with it,
//  - forms carry the visitor of this browser, so that her earlier visits become hers,
//  - the link in a mail is confirmed when it is opened on the device that asked for it,
//  - times are shown in the zone of whoever reads them,
//  - what was typed stays when other days, another length or another zone are asked for.
(function () {
  "use strict";

  var stored = { visitor: "", consent: "" };
  try {
    stored.visitor = localStorage.getItem("embudo.visitor") || "";
    stored.consent = localStorage.getItem("embudo.consent") || "";
  } catch (_) {
    // Storage is switched off: the page works for a stranger.
  }
  var allowed = stored.consent !== "" && stored.consent !== "none";

  var zone = "";
  try {
    zone = Intl.DateTimeFormat().resolvedOptions().timeZone || "";
  } catch (_) {
    // An old browser keeps the times of the page.
  }

  // Browsers call some zones by a name of before, and the server by that of today (src/base/time.rs).
  var RENAMED =
    "Africa/Asmera=Africa/Asmara,America/Buenos_Aires=America/Argentina/Buenos_Aires," +
    "America/Catamarca=America/Argentina/Catamarca,America/Coral_Harbour=America/Atikokan," +
    "America/Cordoba=America/Argentina/Cordoba,America/Godthab=America/Nuuk," +
    "America/Indianapolis=America/Indiana/Indianapolis,America/Jujuy=America/Argentina/Jujuy," +
    "America/Louisville=America/Kentucky/Louisville,America/Mendoza=America/Argentina/Mendoza," +
    "Asia/Calcutta=Asia/Kolkata,Asia/Dacca=Asia/Dhaka,Asia/Katmandu=Asia/Kathmandu,Asia/Rangoon=Asia/Yangon," +
    "Asia/Saigon=Asia/Ho_Chi_Minh,Atlantic/Faeroe=Atlantic/Faroe,Europe/Kiev=Europe/Kyiv," +
    "Pacific/Enderbury=Pacific/Kanton,Pacific/Ponape=Pacific/Pohnpei,Pacific/Truk=Pacific/Chuuk";
  zone = (("," + RENAMED).split("," + zone + "=")[1] || zone).split(",")[0];

  function each(selector, act) {
    Array.prototype.forEach.call(document.querySelectorAll(selector), act);
  }

  function fill(name, value) {
    each('input[type="hidden"][name="' + name + '"]', function (input) {
      // A kiosk is the house's own: whoever fills it in is not who used this browser before.
      var kept = name === "zone" || !input.form.hasAttribute("data-kiosk");
      if (!input.value && kept) input.value = value;
    });
  }
  function fillAll() {
    fill("visitor", allowed ? stored.visitor : "");
    fill("consent", stored.consent);
    fill("zone", zone);
  }
  fillAll();

  // ---- fields that only some answers call for ----
  // Conditions as the server writes them in JSON (src/base/expr/portable.rs), worked out as it does: what has no value
  // decides nothing, and what is not decided does not hold.
  function decide(part, answers) {
    if (!Array.isArray(part)) return "f" in part ? answers[part.f] : part.v;
    var word = part[0];
    if (word === "has") return answers[part[1]] !== undefined;
    if (word === "list") {
      return part.slice(1).map(function (item) {
        return decide(item, answers);
      });
    }
    var a = decide(part[1], answers);
    if (word === "!") return a === undefined ? a : !a;
    var b;
    if (word === "&&" || word === "||") {
      var settles = word === "||";
      if (a === settles) return settles;
      b = decide(part[2], answers);
      return a === undefined && b !== settles ? undefined : b;
    }
    b = decide(part[2], answers);
    if (a === undefined || b === undefined) return undefined;
    switch (word) {
      case "==": return a === b;
      case "!=": return a !== b;
      case "<": return a < b;
      case "<=": return a <= b;
      case ">": return a > b;
      case ">=": return a >= b;
      case "in": return b.indexOf(a) >= 0;
      case "startsWith": return a.slice(0, b.length) === b;
      case "endsWith": return !b || a.slice(-b.length) === b;
      case "contains": return a.indexOf(b) >= 0;
    }
  }

  function answerOf(place) {
    var inputs = Array.prototype.slice.call(place.querySelectorAll("input, select, textarea"));
    var chosen = inputs
      .filter(function (input) {
        return input.checked;
      })
      .map(function (input) {
        return input.value;
      });
    var kind = place.getAttribute("data-kind");
    if (kind === "checkboxes") return chosen;
    if (kind === "checkbox") return chosen.length > 0;
    if (kind === "radio") return chosen[0];
    var text = inputs[0].value.trim();
    if (kind === "number") return /^-?\d+$/.test(text) ? +text : undefined;
    return text || undefined;
  }

  function settle(form) {
    var answers = {};
    Array.prototype.forEach.call(form.querySelectorAll("[data-field]"), function (place) {
      var condition = place.getAttribute("data-show-if");
      var isShown = !condition || decide(JSON.parse(condition), answers) === true;
      place.hidden = !isShown;
      Array.prototype.forEach.call(place.querySelectorAll("input, select, textarea"), function (input) {
        input.disabled = !isShown;
        if (place.hasAttribute("data-required")) input.required = isShown;
      });
      var kind = place.getAttribute("data-kind");
      var blank = kind === "checkboxes" ? [] : kind === "checkbox" ? false : undefined;
      answers["answers." + place.getAttribute("data-field")] = isShown ? answerOf(place) : blank;
    });
  }

  function watchForm(form) {
    if (!form.querySelector("[data-show-if]")) return;
    settle(form);
    form.addEventListener("input", function () {
      settle(form);
    });
  }
  each("form", watchForm);

  // Whoever is confirmed on this device is not asked again for what is known: the server draws the form anew for her.
  each("form[data-progressive]", function (form) {
    if (!allowed || !stored.visitor || !window.fetch || form.querySelector("[aria-invalid]")) return;
    fetch(location.href, { headers: { "x-embudo-visitor": stored.visitor } })
      .then(function (answer) {
        return answer.ok ? answer.text() : "";
      })
      .then(function (text) {
        var drawn = new DOMParser().parseFromString(text, "text/html").querySelector("form[data-progressive]");
        // What has been typed meanwhile stays.
        var isTouched = Array.prototype.some.call(form.elements, function (input) {
          return input.type !== "hidden" && input.value !== input.defaultValue && "defaultValue" in input;
        });
        if (!drawn || isTouched) return;
        form.replaceWith(drawn);
        fillAll();
        watchForm(drawn);
      })
      .catch(function () {
        // The form as it is asks for what it asks for.
      });
  });

  // Whoever types into a form has begun to fill it in. Only that is told, once.
  document.addEventListener("input", function tellBegun(event) {
    var form = event.target.form;
    if (!form || !form.hasAttribute("data-begun") || !window.fetch) return;
    document.removeEventListener("input", tellBegun);
    fetch(form.getAttribute("data-begun"), {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ site: form.getAttribute("data-site"), nonce: form.elements.nonce.value }),
      keepalive: true,
    }).catch(function () {
      // It is only not counted.
    });
  });

  // The answer to a form may name another visitor: another person uses this browser now.
  each("[data-visitor]", function (place) {
    if (!allowed) return;
    try {
      localStorage.setItem("embudo.visitor", place.getAttribute("data-visitor"));
    } catch (_) {
      // Nothing is lost: the server knows the visitor by the form.
    }
  });

  function post(path, body) {
    return fetch(path, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify(body),
      keepalive: true,
    }).then(function (answer) {
      return answer.ok ? answer.json() : null;
    });
  }

  // A link that was mailed, on a device that is nobody's or somebody else's: only her own yes ties the device to her.
  function areYou(place, token, asked) {
    var denied = "";
    try {
      denied = localStorage.getItem("embudo.not") || "";
    } catch (_) {
      // Then she is asked again.
    }
    if (denied === asked.mark) return;
    var title = place.querySelector("h2");
    title.textContent = place.getAttribute("data-title").replace("{}", asked.who);
    place.hidden = false;
    each("[data-are-you] button", function (button) {
      button.addEventListener("click", function () {
        var answer = button.value;
        var sent = { token: token, visitor: stored.visitor, consent: stored.consent, zone: zone, answer: answer };
        post("/v1/confirm/answer", sent)
          .then(function (told) {
            if (!told) return;
            stored.visitor = told.visitor;
            localStorage.setItem("embudo.visitor", told.visitor);
            if (answer === "no") localStorage.setItem("embudo.not", asked.mark);
            title.setAttribute("tabindex", "-1");
            title.textContent = place.getAttribute("data-" + answer);
            Array.prototype.forEach.call(place.querySelectorAll("p, .page-actions"), function (part) {
              part.remove();
            });
            title.focus();
          })
          .catch(function () {
            // The question stays.
          });
      });
    });
  }

  each("[data-token]", function (place) {
    if (!allowed || !stored.visitor || !window.fetch) return;
    var token = place.getAttribute("data-token");
    post("/v1/confirm", { token: token, visitor: stored.visitor })
      .then(function (told) {
        var question = document.querySelector("[data-are-you]");
        if (told && told.ask && question) areYou(question, token, told.ask);
      })
      .catch(function () {
        // Confirmation is an extra: the page does what it promised without it.
      });
  });

  // What is played of a recording is told every five seconds, and when the player stops.
  each("video[data-watch]", function (player) {
    if (!window.fetch) return;
    var last = null;
    var from = 0;
    function tell(to) {
      if (last === null || to - from < 0.1) return;
      fetch("/watch/" + player.getAttribute("data-watch"), {
        method: "POST",
        headers: { "content-type": "application/json" },
        body: JSON.stringify({
          recording: player.getAttribute("data-recording"),
          ranges: [[from, to]],
          visitor: allowed ? stored.visitor : "",
        }),
        keepalive: true,
      }).catch(function () {
        // What was not told is not counted; the recording plays on.
      });
      from = to;
    }
    function stop() {
      if (last !== null) tell(last);
      last = null;
    }
    player.addEventListener("timeupdate", function () {
      var now = player.currentTime;
      if (player.seeking || player.paused) return;
      // A jump begins another range.
      if (last === null || now < last || now - last > 2) {
        stop();
        from = now;
      }
      last = now;
      if (now - from >= 5) tell(now);
    });
    ["pause", "ended", "seeking"].forEach(function (name) {
      player.addEventListener(name, stop);
    });
    window.addEventListener("pagehide", stop);
  });

  // The browser that asked for letters confirms them by itself; the server knows which one that was. On any other the
  // button does.
  each("form[data-same-device]", function (form) {
    if (!allowed || !stored.visitor || !window.fetch) return;
    fetch(form.action, { method: "POST", body: new URLSearchParams({ device: stored.visitor }) })
      .then(function (answer) {
        return answer.ok ? answer.text() : null;
      })
      .then(function (page) {
        var done = page && new DOMParser().parseFromString(page, "text/html").getElementById("subscription-done");
        var card = form.closest(".page-card");
        if (!done || !card) return;
        card.replaceWith(done);
        done.setAttribute("tabindex", "-1");
        done.focus();
      })
      .catch(function () {
        // The button stays.
      });
  });

  // A form is sent once, however often its button is pressed; a page that comes back from history is fresh.
  document.addEventListener("submit", function (event) {
    var form = event.target;
    if (form.getAttribute("aria-busy") === "true") event.preventDefault();
    else form.setAttribute("aria-busy", "true");
    // A download leaves the page where it is.
    setTimeout(function () {
      form.removeAttribute("aria-busy");
    }, 4000);
  });
  window.addEventListener("pageshow", function () {
    each("form[aria-busy]", function (form) {
      form.removeAttribute("aria-busy");
    });
  });

  // ---- what was typed before other days, another length or another zone were asked for ----

  var KEPT = "embudo.typed:" + location.pathname;

  function typed() {
    return Array.prototype.filter.call(document.querySelectorAll('form[method="post"] :is(input, select, textarea)[id]'), function (input) {
      return input.type !== "hidden" && input.name !== "website";
    });
  }
  function keep() {
    var values = {};
    typed().forEach(function (input) {
      values[input.id] = input.value;
    });
    try {
      sessionStorage.setItem(KEPT, JSON.stringify(values));
    } catch (_) {
      // Then she types it again.
    }
  }
  if (document.querySelector(".slots, .slot-none")) {
    try {
      var values = JSON.parse(sessionStorage.getItem(KEPT) || "{}");
      sessionStorage.removeItem(KEPT);
      typed().forEach(function (input) {
        if (!input.value && values[input.id]) input.value = values[input.id];
      });
    } catch (_) {
      // Nothing was kept.
    }
    each(".slot-pages a, .lengths a", function (link) {
      link.addEventListener("click", keep);
    });
    each(".slot-zone", function (form) {
      form.addEventListener("submit", keep);
    });
  }

  // ---- times ----

  function written(at, options) {
    options.timeZone = zone;
    return new Intl.DateTimeFormat(document.documentElement.lang === "es" ? "es-ES" : "en-GB", options).format(at);
  }

  // Places whose name is not what their zone's says, as src/render/dates.rs has them: zone's, English, Spanish.
  var PLACES =
    "Addis Ababa::Adís Abeba,Algiers::Argel,Amman::Amán,Amsterdam::Ámsterdam,Asuncion:Asunción:Asunción," +
    "Athens::Atenas,Baghdad::Bagdad,Bahrain::Baréin,Belgrade::Belgrado,Berlin::Berlín,Bogota:Bogotá:Bogotá," +
    "Brussels::Bruselas,Bucharest::Bucarest,Cairo::El Cairo,Canary::Canarias,Cancun:Cancún:Cancún," +
    "Cape Verde::Cabo Verde,Copenhagen::Copenhague,Cordoba:Córdoba:Córdoba,Curacao:Curaçao:Curazao," +
    "Damascus::Damasco,Dhaka::Daca,Dubai::Dubái,Dublin::Dublín,Easter::Isla de Pascua,Havana::La Habana," +
    "Ho Chi Minh::Ciudad Ho Chi Minh,Istanbul::Estambul,Jerusalem::Jerusalén,Johannesburg::Johannesburgo," +
    "Kathmandu::Katmandú,Kolkata::Calcuta,Kyiv::Kiev,Lisbon::Lisboa,London::Londres,Los Angeles::Los Ángeles," +
    "Luxembourg::Luxemburgo,Macau::Macao,Maldives::Maldivas,Martinique::Martinica,Mauritius::Mauricio," +
    "Mazatlan:Mazatlán:Mazatlán,Merida:Mérida:Mérida,Mexico City::Ciudad de México,Monaco::Mónaco,Moscow::Moscú," +
    "New York::Nueva York,Panama::Panamá,Paris::París,Port-au-Prince::Puerto Príncipe,Prague::Praga," +
    "Reunion:Réunion:Reunión,Reykjavik:Reykjavík:Reikiavik,Riyadh::Riad,Rome::Roma,Sao Paulo:São Paulo:São Paulo," +
    "Seoul::Seúl,Shanghai::Shanghái,Singapore::Singapur,St Johns:St. John’s:San Juan de Terranova," +
    "Stockholm::Estocolmo,Sydney::Sídney,Taipei::Taipéi,Tashkent::Taskent,Tbilisi::Tiflis,Tehran::Teherán," +
    "Tokyo::Tokio,Tripoli::Trípoli,Tunis::Túnez,Vienna::Viena,Vilnius::Vilna,Warsaw::Varsovia,Zurich::Zúrich";

  function label(at) {
    var parts = new Intl.DateTimeFormat("en-GB", { timeZone: zone, timeZoneName: "shortOffset" }).formatToParts(at);
    var offset = parts.filter(function (part) {
      return part.type === "timeZoneName";
    })[0].value.replace("GMT", "UTC").replace("-", "\u2212");
    // A zone that is only an offset is no place.
    if (zone.indexOf("/") < 0 || zone.indexOf("Etc/") === 0) return offset;
    var city = zone.split("/").pop().replace(/_/g, " ");
    var names = (("," + PLACES).split("," + city + ":")[1] || ":" + city).split(",")[0].split(":");
    return ((document.documentElement.lang === "es" ? names[1] : names[0]) || city) + " (" + offset + ")";
  }

  if (!zone) return;

  // A page of free times that was not asked for a zone is asked again for this browser's, once.
  each("[data-ask-zone]", function (form) {
    var address = new URL(location.href);
    if (form.getAttribute("data-ask-zone") === zone || address.searchParams.has("zone")) return;
    address.searchParams.set("zone", zone);
    location.replace(address.href);
  });
  // With a script, choosing a zone is enough.
  each(".slot-zone select", function (select) {
    each(".slot-zone button", function (button) {
      button.hidden = true;
    });
    select.addEventListener("change", function () {
      keep();
      select.form.submit();
    });
  });

  each("time[data-zone]", function (time) {
    var shown = time.getAttribute("data-zone");
    var at = new Date(time.getAttribute("datetime"));
    if (shown === zone || isNaN(at.getTime())) return;
    try {
      var day = written(at, { weekday: "long", day: "numeric", month: "long" }).replace(",", "");
      var text = day.charAt(0).toUpperCase() + day.slice(1) + ", " + written(at, { hour: "2-digit", minute: "2-digit", hourCycle: "h23" });
      var name = label(at);
      var beside = time.parentNode.querySelector(".zone");
      time.title = time.textContent + (beside ? " " + beside.textContent : "");
      time.textContent = text;
      time.setAttribute("data-zone", zone);
      if (beside) beside.textContent = name + ", " + time.getAttribute("data-yours");
    } catch (_) {
      // Times of the page stay: they name their zone.
    }
  });
})();
