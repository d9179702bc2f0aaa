// The switch "notices in this browser" on the page of notifications, and the memory of it: whoever logs in again in a browser
// that she had switched on gets notices there again. The browser asks for its permission only after a click.
"use strict";

(() => {
  const KEPT = "embudo.push";
  const account = document.body.dataset.account;
  const csrf = document.querySelector('meta[name="csrf"]')?.content ?? "";
  const isAble = "serviceWorker" in navigator && "PushManager" in window && "Notification" in window;

  const kept = (storage, value) => {
    try {
      if (value === undefined) return storage.getItem(KEPT);
      if (value === null) storage.removeItem(KEPT);
      else storage.setItem(KEPT, value);
    } catch {
      // A browser that keeps nothing is asked again.
    }
    return null;
  };

  const post = async (path, fields) => {
    const answer = await fetch(path, {
      method: "POST",
      headers: { "x-csrf-token": csrf },
      body: new URLSearchParams(fields),
    });
    if (!answer.ok) throw new Error(String(answer.status));
  };

  const subscription = async () => {
    const worker = await navigator.serviceWorker.getRegistration("/console");
    return (await worker?.pushManager.getSubscription()) ?? null;
  };

  const tell = async (known) => {
    const { endpoint, keys } = known.toJSON();
    await post("/console/push", { endpoint, p256dh: keys.p256dh, auth: keys.auth });
    kept(localStorage, account);
    kept(sessionStorage, account);
  };

  // Once in each tab: the server learns that this session is the one that goes on.
  const isMine = isAble && account && kept(localStorage) === account && Notification.permission === "granted";
  const again =
    isMine && kept(sessionStorage) !== account
      ? subscription()
          .then((known) => known && tell(known))
          .catch(() => {})
      : Promise.resolve();

  const place = document.getElementById("device");
  const state = document.getElementById("device-state");
  if (!place) return;
  const button = place.querySelector("[role=switch]");
  const say = (what) => {
    state.textContent = what ? state.dataset[what] : "";
  };

  /** The list below, as the server has it now. */
  async function refresh() {
    const answer = await fetch(location.pathname, { headers: { accept: "text/html" } });
    if (!answer.ok) return;
    const fresh = new DOMParser().parseFromString(await answer.text(), "text/html").getElementById("device-list");
    if (fresh) document.getElementById("device-list").replaceWith(document.importNode(fresh, true));
  }

  async function on() {
    if ((await Notification.requestPermission()) !== "granted") return "denied";
    await navigator.serviceWorker.register("/console/push.js", { scope: "/console" });
    const worker = await navigator.serviceWorker.ready;
    const known = await worker.pushManager.subscribe({
      userVisibleOnly: true,
      applicationServerKey: place.dataset.key,
    });
    await tell(known);
    return "on";
  }

  async function off() {
    kept(localStorage, null);
    kept(sessionStorage, null);
    const known = await subscription();
    if (known) {
      await post("/console/push/leave", { endpoint: known.endpoint });
      await known.unsubscribe();
    }
    return "off";
  }

  async function turn() {
    const wants = button.getAttribute("aria-checked") !== "true";
    button.disabled = true;
    let said = "failed";
    try {
      said = wants ? await on() : await off();
    } catch {
      // What did not work is said below the switch.
    }
    button.disabled = false;
    button.setAttribute("aria-checked", String(said === "on" || (said === "failed" && !wants)));
    say(said);
    button.focus();
    await refresh().catch(() => {});
  }

  /** Whether the subscription is one for the keys that the server has now. */
  const isCurrent = (known) => {
    const key = new Uint8Array(known.options.applicationServerKey ?? []);
    const text = btoa(String.fromCharCode(...key)).replace(/\+/g, "-").replace(/\//g, "_").replace(/=+$/, "");
    return text === place.dataset.key;
  };

  place.hidden = false;
  if (!isAble) {
    button.disabled = true;
    say("unable");
    return;
  }
  if (Notification.permission === "denied") say("denied");
  button.addEventListener("click", turn);
  again
    .then(subscription)
    .then(async (known) => {
      if (known && !isCurrent(known)) {
        await known.unsubscribe();
        return;
      }
      if (known && isMine) button.setAttribute("aria-checked", "true");
      if (isMine) await refresh();
    })
    .catch(() => {});
})();
